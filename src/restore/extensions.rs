//! Extensions that a dump creates and a server may lack.

use std::collections::{BTreeMap, BTreeSet};

use super::LoadError;
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
        _ => return None,
    };
    Some(image)
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
}
