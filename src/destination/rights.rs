//! What the role may that restores, where it is no superuser.

use std::collections::BTreeSet;

use super::{Destination, DestinationError};

/// Parameters that only superusers set, and those whom they let.
const SETTINGS: &str = "\
SELECT name FROM pg_catalog.pg_settings WHERE context IN ('superuser', 'superuser-backend')";
/// The same where such a right can be given.
const SETTINGS_15: &str = "\
SELECT name FROM pg_catalog.pg_settings WHERE context IN ('superuser', 'superuser-backend')
  AND NOT pg_catalog.has_parameter_privilege(name, 'SET')";
const TABLESPACES: &str = "\
SELECT spcname::text FROM pg_catalog.pg_tablespace
WHERE NOT pg_catalog.has_tablespace_privilege(oid, 'CREATE')";
const LANGUAGES: &str = "\
SELECT lanname::text FROM pg_catalog.pg_language
WHERE NOT lanpltrusted OR NOT pg_catalog.has_language_privilege(oid, 'USAGE')";
/// Schemas that are another's.
const SCHEMAS: &str = "\
SELECT nspname::text FROM pg_catalog.pg_namespace WHERE NOT pg_catalog.pg_has_role(nspowner, 'USAGE')";
/// Where the role may make nothing.
const CLOSED: &str = "\
SELECT 'the schema public' FROM pg_catalog.pg_namespace
WHERE nspname = 'public' AND NOT pg_catalog.has_schema_privilege(oid, 'CREATE')
UNION ALL
SELECT 'the database' WHERE NOT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')";

/// What a role may not, and whose rights it has.
#[derive(Debug, Clone, Default)]
pub struct Rights {
    /// Roles whose rights it has.
    pub has_rights_of: BTreeSet<String>,
    /// Roles that it can become.
    pub becomes: BTreeSet<String>,
    /// Parameters that it may not set.
    pub settings_refused: BTreeSet<String>,
    /// Tablespaces that it may not make anything in.
    pub tablespaces_refused: BTreeSet<String>,
    /// Languages that it may not write functions in.
    pub languages_refused: BTreeSet<String>,
    /// Schemas of the database that are another's.
    pub schemas_of_others: BTreeSet<String>,
    /// Where it may make nothing.
    pub closed: Vec<String>,
}

impl Destination {
    /// What the role may in a database that is there; or in one that will be made, and be its own.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn rights(&self, database: Option<&str>) -> Result<Rights, DestinationError> {
        let failed = |error: tokio_postgres::Error| {
            DestinationError::server(format!("say what {} may do", self.facts.user), &error)
        };
        let opened = match database {
            Some(name) => Some(self.server.database(name).connect().await.map_err(failed)?),
            None => None,
        };
        let session = opened.as_ref().unwrap_or(&self.session);
        let names = async |sql: &str| {
            let rows = session.query(sql, &[]).await?;
            Ok(rows.iter().map(|row| row.get(0)).collect::<BTreeSet<String>>())
        };
        let roles = |right: &str| {
            format!(
                "SELECT rolname::text FROM pg_catalog.pg_roles \
                 WHERE pg_catalog.pg_has_role(oid, '{right}')"
            )
        };
        let major = self.facts.major;
        let (rights_of, becoming) =
            if major >= 16 { ("USAGE", "SET") } else { ("MEMBER", "MEMBER") };
        let asked = async {
            Ok(Rights {
                has_rights_of: names(&roles(rights_of)).await?,
                becomes: names(&roles(becoming)).await?,
                settings_refused: names(if major >= 15 { SETTINGS_15 } else { SETTINGS }).await?,
                tablespaces_refused: names(TABLESPACES).await?,
                languages_refused: names(LANGUAGES).await?,
                // In a new database, the schema public is the database owner's since 15, else the server's.
                schemas_of_others: match database {
                    Some(_) => names(SCHEMAS).await?,
                    None if major >= 15 => BTreeSet::new(),
                    None => BTreeSet::from(["public".to_owned()]),
                },
                closed: match database {
                    Some(_) => names(CLOSED).await?.into_iter().collect(),
                    None => Vec::new(),
                },
            })
        };
        asked.await.map_err(failed)
    }
}
