//! What a restore makes beside its database, in the whole cluster: roles, tablespaces, databases,
//! settings. A second attempt would find it there.

use std::collections::BTreeSet;

use super::LoadError;
use crate::pg::{self, ConnectInfo, Session};

/// One name a row, with what it is the name of.
const NAMES: &str = "\
SELECT 'DATABASE', datname::text FROM pg_catalog.pg_database
UNION ALL SELECT 'TABLESPACE', spcname::text FROM pg_catalog.pg_tablespace
UNION ALL SELECT 'ROLE', rolname::text FROM pg_catalog.pg_roles";

/// Roles, NULL for all of them, with settings of their own in every database.
const SETTINGS: &str = "\
SELECT r.rolname::text
FROM pg_catalog.pg_db_role_setting s LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
WHERE s.setdatabase = 0";

/// What ends what holds the database at hand besides connections, in order.
const HOLDERS: &str = "\
SELECT statement FROM (
    SELECT 0, pg_catalog.format('ROLLBACK PREPARED %L', gid)
    FROM pg_catalog.pg_prepared_xacts WHERE database = pg_catalog.current_database()
    UNION ALL
    SELECT step, pg_catalog.format(f, s.subname)
    FROM (VALUES (1, 'ALTER SUBSCRIPTION %I DISABLE'),
                 (2, 'ALTER SUBSCRIPTION %I SET (slot_name = NONE)'),
                 (3, 'DROP SUBSCRIPTION %I')) steps (step, f)
    CROSS JOIN pg_catalog.pg_subscription s
    JOIN pg_catalog.pg_database d ON d.oid = s.subdbid
    WHERE d.datname = pg_catalog.current_database()) holders (step, statement)
ORDER BY step";

/// What there was in a cluster before a restore.
#[derive(Debug)]
pub struct Cluster {
    names: BTreeSet<(String, String)>,
    settings: BTreeSet<Option<String>>,
}

impl Cluster {
    /// Looks.
    ///
    /// # Errors
    /// When the server is in trouble.
    pub async fn of(server: &ConnectInfo) -> Result<Self, LoadError> {
        let session = connect(server).await?;
        let asked = async {
            Ok(Self { names: names(&session).await?, settings: settings(&session).await? })
        };
        asked.await.map_err(|error: tokio_postgres::Error| LoadError::server(&error))
    }

    /// Removes what a restore made in the cluster. Its database is gone by then.
    ///
    /// # Errors
    /// When something cannot be removed: then another attempt would not be a fresh one.
    pub async fn forget_others(&self, server: &ConnectInfo) -> Result<(), LoadError> {
        let session = connect(server).await?;
        let asked = async { Ok((names(&session).await?, settings(&session).await?)) };
        let (now, set) =
            asked.await.map_err(|error: tokio_postgres::Error| LoadError::server(&error))?;
        let set = set.difference(&self.settings).map(|role| match role {
            Some(role) => format!("ALTER ROLE {} RESET ALL", pg::quote_ident(role)),
            None => "ALTER ROLE ALL RESET ALL".to_owned(),
        });
        run_each(&session, set.collect()).await?;
        // Databases may lie in tablespaces, and roles own both.
        for kind in ["DATABASE", "TABLESPACE", "ROLE"] {
            for (_, name) in now.difference(&self.names).filter(|(of, _)| of == kind) {
                let name = pg::quote_ident(name);
                let mut statements = vec![format!("DROP {kind} {name}")];
                if kind == "ROLE" {
                    statements.insert(0, format!("DROP OWNED BY {name}"));
                }
                run_each(&session, statements).await?;
            }
        }
        Ok(())
    }
}

/// Ends what would keep a database from being dropped: subscriptions, prepared transactions.
///
/// # Errors
/// When the server is in trouble.
pub async fn release(server: &ConnectInfo, database: &str) -> Result<(), LoadError> {
    let session = connect(&server.database(database)).await?;
    let holders = session.query(HOLDERS, &[]).await.map_err(|error| LoadError::server(&error))?;
    run_each(&session, holders.iter().map(|row| row.get(0)).collect()).await
}

async fn connect(server: &ConnectInfo) -> Result<Session, LoadError> {
    server.connect().await.map_err(|error| LoadError::server(&error))
}

async fn names(session: &Session) -> Result<BTreeSet<(String, String)>, tokio_postgres::Error> {
    let rows = session.query(NAMES, &[]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

async fn settings(session: &Session) -> Result<BTreeSet<Option<String>>, tokio_postgres::Error> {
    session.query(SETTINGS, &[]).await?.iter().map(|row| row.try_get(0)).collect()
}

async fn run_each(session: &Session, statements: Vec<String>) -> Result<(), LoadError> {
    for statement in statements {
        session.batch_execute(&statement).await.map_err(|error| LoadError::server(&error))?;
    }
    Ok(())
}
