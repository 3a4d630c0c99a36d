//! Languages: SQL and PL/pgSQL are there, and no other may be added. PostgreSQL trusts some of the others,
//! which means that a database's owner may have them; but Perl or Tcl on this machine are held by
//! nothing but their own rules.

use crate::pg::{self, ConnectInfo, Session};
use crate::sandbox::error::SandboxError;

/// Refuses every language that is created, by a statement or within an extension, also where the
/// statement is not seen beforehand. It belongs to PL/pgSQL, so that it is not taken for the backup's.
const REFUSE: &str = "
CREATE FUNCTION information_schema.ccc_backup_refuse_language() RETURNS event_trigger
LANGUAGE plpgsql AS $$ BEGIN
    RAISE insufficient_privilege USING MESSAGE =
        'permission denied: a language other than SQL and PL/pgSQL needs a container';
END $$;
CREATE EVENT TRIGGER ccc_backup_refuse_language ON ddl_command_end WHEN TAG IN ('CREATE LANGUAGE')
EXECUTE PROCEDURE information_schema.ccc_backup_refuse_language();
ALTER EXTENSION plpgsql ADD FUNCTION information_schema.ccc_backup_refuse_language();
ALTER EXTENSION plpgsql ADD EVENT TRIGGER ccc_backup_refuse_language";

/// Refuses them in every database that there is and that will be made.
pub async fn refuse(admin: &ConnectInfo) -> Result<(), SandboxError> {
    let failed = |error: tokio_postgres::Error| SandboxError::Server {
        doing: "refuse other languages".to_owned(),
        reason: pg::describe(&error),
    };
    let in_database =
        async |name: &str| admin.database(name).connect().await?.batch_execute(REFUSE).await;
    let in_template0 = async {
        // Whom nobody may connect to.
        let session = admin.connect().await?;
        let open = async |may: bool| {
            let sql = format!("ALTER DATABASE template0 ALLOW_CONNECTIONS {may}");
            session.batch_execute(&sql).await
        };
        open(true).await?;
        in_database("template0").await?;
        open(false).await
    };
    tokio::try_join!(in_template0, in_database("template1"), in_database("postgres"))
        .map(drop)
        .map_err(failed)
}

/// Whether an extension would bring a language, in a database that refuses them. What else it would be
/// refused for, the restore finds out.
pub async fn has_one(session: &Session, extension: &str) -> bool {
    let name = pg::quote_ident(extension);
    let tried = format!("BEGIN; CREATE EXTENSION IF NOT EXISTS {name} CASCADE; ROLLBACK");
    let refused = session.batch_execute(&tried).await.err();
    if refused.is_some()
        && let Err(error) = session.batch_execute("ROLLBACK").await
    {
        tracing::debug!(error = pg::describe(&error), "no roll back");
    }
    let refused = refused.and_then(|error| pg::ServerError::of(&error));
    refused.is_some_and(|error| error.code == "42501")
}
