//! Why a restore could not be finished.

use thiserror::Error;

use crate::pg;

/// Statements that the server refuses before the restore is given up: by then the backup is bad, and
/// each refused COPY costs another connection.
pub const MOST_ERRORS: usize = 100;

/// Why a restore could not be finished. It means "could not tell".
#[derive(Debug, Error)]
pub enum LoadError {
    /// The connection or the server went away, or the server ran out of something.
    #[error("the restore was cut short: {0}")]
    Server(String),
    /// The backup's disk failed.
    #[error("the backup could not be read: {0}")]
    Disk(std::io::Error),
    /// The backup says something else than when it was read before.
    #[error("the backup is not what it was when it was read before")]
    Changed,
    /// Enough was refused.
    #[error("the restore was given up after {MOST_ERRORS} errors")]
    GivenUp,
    /// A thread or task of the restore died.
    #[error("the restore stopped without a result")]
    Died,
}

impl LoadError {
    /// The connection or the server failed with this error.
    pub fn server(error: &tokio_postgres::Error) -> Self {
        Self::Server(pg::describe(error))
    }
}
