//! Why a server that others use cannot be restored into. None of these says anything about the backup.

use std::fmt::{self, Display};

use crate::pg::{self, ServerError};

/// Why not, and a way on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationError {
    cause: String,
    hint: String,
}

impl DestinationError {
    /// This, and what to do about it.
    pub fn new(cause: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { cause: cause.into(), hint: hint.into() }
    }

    /// Something of this machine failed.
    pub(super) fn doing(what: impl Display, error: &dyn Display) -> Self {
        Self::new(
            format!("could not {what}: {error}"),
            "run it again; --log-file FILE keeps the details",
        )
    }

    /// The server refused something, or went away.
    pub(super) fn server(doing: impl Display, error: &tokio_postgres::Error) -> Self {
        let code = ServerError::of(error).map(|error| error.code);
        let hint = match code.as_deref() {
            None => "look whether the server runs and can be reached, and run it again",
            Some("42501") => {
                "restore as a role that may: --username NAME, or have its rights granted"
            }
            Some("53100") => "make room on the server's disk, and run it again",
            Some("53300") => "the server has no connection left: end some, or use fewer (--jobs 1)",
            Some("57P01" | "57P02" | "57P03") => {
                "an administrator ended the connection or the server: run it again when it is up"
            }
            Some("28P01" | "28000") => {
                "check user and password: DB_USER and DB_PASSWORD, the URL, or ~/.pgpass"
            }
            Some(_) => "--log-file FILE keeps the details",
        };
        Self::new(format!("the server could not {doing}: {}", pg::describe(error)), hint)
    }

    pub(super) fn read_only(is_standby: bool) -> Self {
        let what = if is_standby { "is a standby" } else { "is set read-only" };
        Self::new(
            format!("the server {what}, and nothing can be restored into it"),
            "name the primary server: --into URL or --host",
        )
    }

    pub(super) fn no_program(name: &str, major: u32) -> Self {
        Self::new(
            format!(
                "this machine has no {name} of PostgreSQL {major} or newer, which restores archives"
            ),
            format!(
                "apt install postgresql-client-{major}, or make plain backups, which need none"
            ),
        )
    }

    /// What to do about it.
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

impl Display for DestinationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

impl std::error::Error for DestinationError {}
