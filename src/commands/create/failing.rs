//! Errors of what makes a backup, as failures of `create`.

use super::stream::StreamError;
use crate::commands::Failure;
use crate::packing::compress::CompressError;
use crate::source::error::SourceError;
use crate::store::error::StoreError;

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        let environment = matches!(
            error,
            SourceError::PgDumpNotFound(_)
                | SourceError::NotPgDump { .. }
                | SourceError::Process(_)
                | SourceError::Argument { .. }
        );
        Self {
            exit: if environment { 2 } else { 1 },
            cause: format!("no backup was made: {error}"),
            hint: error.hint(),
            notes: error.stderr().to_vec(),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self {
            exit: if matches!(error, StoreError::DiskFull(_)) { 1 } else { 2 },
            cause: format!("no backup was made: {error}"),
            hint: error.hint(),
            notes: Vec::new(),
        }
    }
}

impl From<StreamError> for Failure {
    fn from(error: StreamError) -> Self {
        let hint = match &error {
            StreamError::Sink(error) => CompressError::hint(error),
            StreamError::Pipe(_) => None,
        };
        let cause = format!("no backup was made: {error}");
        Self { exit: 1, cause, hint, notes: Vec::new() }
    }
}
