//! TimescaleDB has to be told that its catalog is restored, before and after.
//!
//! Source: its documentation, "Logical backup with pg_dump and pg_restore": the extension is created, then
//! `timescaledb_pre_restore()`, the restore over one connection, `timescaledb_post_restore()`.

use super::obstacles::obstacle;
use super::target::Target;
use crate::model::outcome::Obstacle;
use crate::pg::{self, Session};

const NAME: &str = "timescaledb";
/// The schemas that every database has.
const EVERYWHERE: [&str; 2] = ["public", "pg_catalog"];
const SCHEMA_OF_IT: &str = "\
SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'timescaledb'";

/// Whether the dump is of a database with it, and is restored into one that is there.
pub(in crate::commands) fn is_needed(target: Target<'_>) -> bool {
    let dump = target.dump;
    dump.requirements.extensions.contains_key(NAME)
        && (target.server.database().is_some() || !dump.contents.connects())
}

/// Before the restore.
pub(in crate::commands) async fn begin(target: Target<'_>) -> Result<(), Obstacle> {
    if !is_needed(target) {
        return Ok(());
    }
    let schema = target.dump.requirements.extensions.get(NAME).and_then(Option::as_deref);
    let created = match schema {
        None => String::new(),
        Some(schema) if EVERYWHERE.contains(&schema) => {
            format!(" WITH SCHEMA {}", pg::quote_ident(schema))
        }
        // The dump makes that schema first, and the extension in it, by itself.
        Some(_) => {
            let database = pg::quote_ident(target.database);
            let sql = format!("ALTER DATABASE {database} SET timescaledb.restoring = 'on'");
            return asked(target, "prepare", |session| run(session, sql)).await;
        }
    };
    let create = format!("CREATE EXTENSION IF NOT EXISTS {NAME}{created}");
    asked(target, "prepare", |session| run(session, create)).await?;
    asked(target, "prepare", |session| call(session, "timescaledb_pre_restore")).await
}

/// After the restore, whatever became of it.
pub(in crate::commands) async fn end(target: Target<'_>) -> Result<(), Obstacle> {
    if !is_needed(target) {
        return Ok(());
    }
    let ended =
        asked(target, "complete", |session| call(session, "timescaledb_post_restore")).await;
    if ended.is_err() {
        let database = pg::quote_ident(target.database);
        let sql = format!("ALTER DATABASE {database} RESET timescaledb.restoring");
        let reset = asked(target, "complete", |session| run(session, sql)).await;
        if let Err(obstacle) = reset {
            tracing::debug!(?obstacle, "the database stays marked as one that is restored");
        }
    }
    ended
}

async fn run(session: Session, sql: String) -> Result<(), tokio_postgres::Error> {
    session.batch_execute(&sql).await
}

/// Calls a function of it, wherever it is.
async fn call(session: Session, function: &str) -> Result<(), tokio_postgres::Error> {
    let row = session.query_one(SCHEMA_OF_IT, &[]).await?;
    let schema: String = row.try_get(0)?;
    session.batch_execute(&format!("SELECT {schema}.{function}()")).await
}

/// Asks in a session of its own, for the setting that is changed holds for those that come later.
async fn asked<F>(
    target: Target<'_>,
    doing: &str,
    work: impl FnOnce(Session) -> F,
) -> Result<(), Obstacle>
where
    F: Future<Output = Result<(), tokio_postgres::Error>>,
{
    let done = async { work(target.connect_info().connect().await?).await };
    done.await.map_err(|error| {
        let cause = format!("TimescaleDB does not {doing} the restore: {}", pg::describe(&error));
        let hint = "the server needs TimescaleDB of the source's version, loaded as it starts \
                    (shared_preload_libraries)";
        obstacle(&cause, hint)
    })
}
