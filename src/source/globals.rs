//! The roles and tablespaces of the source's server, which no dump of one database has: asked of
//! pg_dumpall, without passwords.

use sha2::{Digest, Sha256};

use super::client_tools::Tool;
use super::error::SourceError;
use crate::libpq::settings::{ConnectSettings, conninfo_item};
use crate::process::Captured;

/// What pg_dumpall is asked for. Without passwords any role may ask, and none gets into a file.
const ARGUMENTS: [&str; 2] = ["--globals-only", "--no-role-passwords"];

/// The roles and tablespaces of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Globals {
    /// The statements that make them.
    pub sql: Vec<u8>,
    /// SHA-256 of these, in hex.
    pub sha256: String,
    /// What pg_dumpall said beside them.
    pub warnings: Vec<String>,
}

/// Asks the source's server, over a connection to `database`; without one, pg_dumpall chooses.
///
/// # Errors
/// [`SourceError`].
pub async fn globals(
    settings: &ConnectSettings,
    pg_dumpall: &Tool,
    database: Option<&str>,
) -> Result<Globals, SourceError> {
    let mut tool = settings.apply(pg_dumpall.invocation()).args(ARGUMENTS);
    if let Some(database) = database {
        // Its own choice is "postgres", where not every role is let in. A name alone would be taken
        // for a connection string where it looks like one.
        tool = tool.arg(format!("--database={}", conninfo_item("dbname", database)));
    }
    let Captured { stdout, ended } = tool.capture().await?;
    if !ended.status.success() {
        return Err(SourceError::from_tool("pg_dumpall", ended));
    }
    let sha256 = hex::encode(Sha256::digest(&stdout));
    Ok(Globals { sql: stdout, sha256, warnings: ended.stderr })
}
