//! Extensions that a dump creates and a server may lack.

use std::collections::{BTreeMap, BTreeSet};

use super::LoadError;
use super::known::{Server, Whose};
use crate::model::extension::package_with;
use crate::pg::Session;

const AVAILABLE: &str = "SELECT name::text FROM pg_catalog.pg_available_extensions";

/// Those of `needed` that the server does not have.
///
/// # Errors
/// When the server cannot be asked.
pub async fn missing(
    session: &Session,
    needed: &BTreeMap<String, Option<String>>,
) -> Result<Vec<String>, LoadError> {
    if needed.is_empty() {
        return Ok(Vec::new());
    }
    let rows = session.query(AVAILABLE, &[]).await.map_err(|error| LoadError::server(&error))?;
    let available: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
    Ok(needed.keys().filter(|name| !available.contains(*name)).cloned().collect())
}

/// A public image that has an extension, for a major version of PostgreSQL. Source: the projects' own
/// pages on Docker Hub.
pub fn image_with(extension: &str, major: u32) -> Option<String> {
    let image = match extension {
        "vector" => format!("pgvector/pgvector:pg{major}"),
        "postgis"
        | "postgis_raster"
        | "postgis_topology"
        | "postgis_tiger_geocoder"
        | "address_standardizer" => format!("postgis/postgis:{major}-3.5"),
        "timescaledb" => format!("timescale/timescaledb:latest-pg{major}"),
        "citus" | "citus_columnar" | "columnar" => "citusdata/citus".to_owned(),
        _ => return None,
    };
    Some(image)
}

/// The last major version that has an extension of PostgreSQL's own. Source: release notes of 9.6
/// (`tsearch2` until 9.6), 11 (`chkpass`), 17 (`adminpack`, `old_snapshot`).
fn last_with(extension: &str) -> Option<u32> {
    match extension {
        "adminpack" | "old_snapshot" => Some(16),
        "chkpass" => Some(10),
        "plpythonu" | "plpython2u" | "hstore_plpythonu" | "ltree_plpythonu" => Some(14),
        _ => None,
    }
}

/// What to do where a server lacks extensions, or what extensions bring.
#[must_use]
pub fn remedy(names: &[String], server: Server) -> String {
    let major = server.major;
    let last = names.iter().filter_map(|name| Some((name, last_with(name)?)));
    let last = last.filter(|(_, last)| major > *last).min_by_key(|(_, last)| *last);
    if let Some((name, last)) = last {
        let way = match server.whose {
            Whose::Others => "restore into a server of that version".to_owned(),
            Whose::Image | Whose::Machine => format!("--postgres-version {last}"),
        };
        return format!("{last} is the last version that has {name}: {way}");
    }
    let images: BTreeSet<String> =
        names.iter().filter_map(|name| image_with(name, major)).collect();
    let packages: BTreeSet<String> =
        names.iter().filter_map(|name| package_with(name, major)).collect();
    let install = (!packages.is_empty())
        .then(|| format!("apt-get install {}", packages.into_iter().collect::<Vec<_>>().join(" ")));
    let image = match images.first() {
        Some(image) if images.len() == 1 && names.len() == 1 => format!("--image {image}"),
        _ => "--image IMAGE".to_owned(),
    };
    let them = if names.len() == 1 { names[0].as_str() } else { "all of them" };
    let install_it = || install.clone().unwrap_or_else(|| "install it".to_owned());
    match server.whose {
        Whose::Image => {}
        Whose::Machine => {
            return format!("{}, or use Docker: --engine docker {image}", install_it());
        }
        Whose::Others => return format!("{} on that server", install_it()),
    }
    let some = if names.len() > 1 && !images.is_empty() {
        format!("; {} has some", images.into_iter().collect::<Vec<_>>().join(" or "))
    } else {
        String::new()
    };
    let made = install.map(|install| {
        format!(
            "; or have one built (--build-image); to make one: FROM postgres:{major}, RUN {install}"
        )
    });
    format!("use an image that has {them}: {image}{some}{}", made.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_of_a_well_known_extension_is_of_the_same_major_version() {
        assert_eq!(image_with("vector", 16).unwrap(), "pgvector/pgvector:pg16");
        assert_eq!(image_with("postgis", 15).unwrap(), "postgis/postgis:15-3.5");
        assert_eq!(image_with("ours", 15), None);
    }

    #[test]
    fn what_helps_is_an_image_a_package_or_another_version() {
        let remedy = |names: &[&str], major, local| {
            let whose = if local { Whose::Machine } else { Whose::Image };
            remedy(
                &names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(),
                Server { major, whose },
            )
        };
        assert_eq!(
            remedy(&["vector"], 15, false),
            "use an image that has vector: --image pgvector/pgvector:pg15; or have one built \
             (--build-image); to make one: FROM postgres:15, RUN apt-get install postgresql-15-pgvector"
        );
        assert_eq!(
            remedy(&["pg_cron"], 16, true),
            "apt-get install postgresql-16-cron, or use Docker: --engine docker --image IMAGE"
        );
        assert_eq!(
            remedy(&["azure", "pgaadauth"], 15, false),
            "use an image that has all of them: --image IMAGE"
        );
        assert!(
            remedy(&["postgis", "vector"], 15, false)
                .contains("pgvector/pgvector:pg15 or postgis/postgis:15-3.5 has some")
        );
        assert!(remedy(&["adminpack"], 17, false).ends_with("--postgres-version 16"));
        assert!(!remedy(&["adminpack"], 16, false).contains("--postgres-version"));
    }
}
