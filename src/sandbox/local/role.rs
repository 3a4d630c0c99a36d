//! The role that a backup is restored as: it owns what it restores, and is no superuser.
//!
//! It may not become one either: it holds no role that the dump does not name, cannot create roles,
//! and the superuser has no name that a dump knows.

use super::languages;
use crate::model::secret::Secret;
use crate::pg::{self, ConnectInfo};
use crate::sandbox::error::SandboxError;

/// The role.
pub const RESTORER: &str = "ccc_backup_restore";

/// Extensions that only a superuser may create, and that give nobody files, programs or a network.
/// What PostgreSQL itself calls trusted need not be here.
const HARMLESS: [&str; 17] = [
    "address_standardizer",
    "amcheck",
    "bloom",
    "earthdistance",
    "hypopg",
    "intagg",
    "pg_buffercache",
    "pg_freespacemap",
    "pg_stat_statements",
    "pg_visibility",
    "pgrowlocks",
    "pgstattuple",
    "postgis",
    "postgis_tiger_geocoder",
    "postgis_topology",
    "vector",
    "xml2",
];

fn failed(doing: &str) -> impl Fn(tokio_postgres::Error) -> SandboxError + '_ {
    move |error| SandboxError::Server { doing: doing.to_owned(), reason: pg::describe(&error) }
}

/// Makes the role. It passes row-level security, and reads what roles of the dump own: the checks
/// are made as this role, too.
pub async fn make(admin: &ConnectInfo, password: &Secret, major: u32) -> Result<(), SandboxError> {
    let failed = failed("create the role that restores");
    let session = admin.connect().await.map_err(&failed)?;
    let reads = if major >= 14 { " IN ROLE pg_read_all_data" } else { "" };
    let password = pg::quote_literal(password.expose());
    let sql = format!(
        "SET password_encryption = 'scram-sha-256'; \
         CREATE ROLE {RESTORER} LOGIN CREATEDB BYPASSRLS PASSWORD {password}{reads}"
    );
    session.batch_execute(&sql).await.map_err(&failed)
}

/// Gives it a database.
pub async fn hand_over(
    admin: &ConnectInfo,
    database: &str,
    major: Option<u32>,
) -> Result<(), SandboxError> {
    let doing = format!("hand over the database {database}");
    let failed = failed(&doing);
    let session = admin.connect().await.map_err(&failed)?;
    let name = pg::quote_ident(database);
    let sql = format!("ALTER DATABASE {name} OWNER TO {RESTORER}");
    session.batch_execute(&sql).await.map_err(&failed)?;
    // Since 15, the schema public goes with its database.
    if major.is_some_and(|major| major < 15) {
        let session = admin.database(database).connect().await.map_err(&failed)?;
        let sql = format!("ALTER SCHEMA public OWNER TO {RESTORER}");
        session.batch_execute(&sql).await.map_err(&failed)?;
    }
    Ok(())
}

/// Creates the extensions of [`HARMLESS`] that the dump needs, before anything of the dump is there
/// that could lead them astray. Gives those that are not for this role.
pub async fn create_extensions(
    admin: &ConnectInfo,
    needed: &[(&str, Option<&str>)],
) -> Result<Vec<String>, SandboxError> {
    let failed = failed("create the extensions of the backup");
    let mut refused = Vec::new();
    if needed.is_empty() {
        return Ok(refused);
    }
    let session = admin.connect().await.map_err(&failed)?;
    let trusted = "SELECT coalesce(bool_or((to_jsonb(v) ->> 'trusted')::boolean), false) \
                   FROM pg_catalog.pg_available_extension_versions v WHERE name = $1";
    for (name, schema) in needed {
        let row = session.query_one(trusted, &[name]).await.map_err(&failed)?;
        if row.try_get::<_, bool>(0).map_err(&failed)? || *name == "plpgsql" {
            if languages::has_one(&session, name).await {
                refused.push((*name).to_owned());
            }
            continue;
        }
        let everywhere = matches!(schema, None | Some("public" | "pg_catalog"));
        if !HARMLESS.contains(name) || !everywhere {
            refused.push((*name).to_owned());
            continue;
        }
        let schema = schema
            .map_or_else(String::new, |schema| format!(" SCHEMA {}", pg::quote_ident(schema)));
        // The role is a superuser within this transaction alone, so that the extension is its own.
        let sql = format!(
            "BEGIN; ALTER ROLE {RESTORER} SUPERUSER; SET LOCAL ROLE {RESTORER}; \
             CREATE EXTENSION IF NOT EXISTS {}{schema} CASCADE; \
             RESET ROLE; ALTER ROLE {RESTORER} NOSUPERUSER; COMMIT",
            pg::quote_ident(name)
        );
        session.batch_execute(&sql).await.map_err(&failed)?;
    }
    Ok(refused)
}
