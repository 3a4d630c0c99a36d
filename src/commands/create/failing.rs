//! Errors of what makes a backup, as failures of `create`.

use std::path::Path;

use tokio::task::JoinError;

use super::stream::StreamError;
use crate::commands::{DEFECT, Failure, Stop};
use crate::packing::compress::CompressError;
use crate::sandbox::ContainerError;
use crate::source::error::SourceError;
use crate::store::error::StoreError;

/// What stands before the cause where there is no backup.
pub(super) const NOT_MADE: &str = "no backup was made: ";

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        let environment = matches!(
            error,
            SourceError::PgDumpNotFound(_)
                | SourceError::PsqlNotFound
                | SourceError::NotPgDump { .. }
                | SourceError::Process(_)
                | SourceError::Argument { .. }
        );
        Self {
            exit: if environment { 2 } else { 1 },
            cause: format!("{NOT_MADE}{error}"),
            hint: error.hint(),
            notes: error.stderr().to_vec(),
        }
    }
}

impl From<ContainerError> for Failure {
    fn from(error: ContainerError) -> Self {
        let cause = format!("{NOT_MADE}{error}");
        Self { exit: 2, cause, hint: error.hint(), notes: Vec::new() }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self {
            exit: if matches!(error, StoreError::DiskFull(_)) { 1 } else { 2 },
            cause: format!("{NOT_MADE}{error}"),
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
        let cause = format!("{NOT_MADE}{error}");
        Self { exit: 1, cause, hint, notes: Vec::new() }
    }
}

/// A name that would not be taken for a backup's.
pub(super) fn named_like_globals(target: &Path) -> Failure {
    Failure {
        exit: 2,
        cause: format!("{} would not be taken for a backup by its name", target.display()),
        hint: Some("choose a name that does not end in .globals.sql".to_owned()),
        notes: Vec::new(),
    }
}

/// A thread of ours that died.
pub(super) fn died(error: &JoinError) -> Failure {
    Failure {
        exit: 1,
        cause: format!("the dump was not read to its end: {error}"),
        hint: Some(DEFECT.to_owned()),
        notes: Vec::new(),
    }
}

/// The partial file stays: a thread that cannot be stopped still has it.
pub(super) fn abandoned(stop: &Stop) -> Failure {
    let then = "`ccc-backup cleanup --older-than AGE` removes what was written";
    Failure { hint: Some(format!("{}; {then}", stop.hint())), ..interrupted(stop) }
}

/// The run was asked to stop.
pub(super) fn interrupted(stop: &Stop) -> Failure {
    let hint = Some(format!("{}; what was written of the backup is removed", stop.hint()));
    Failure { exit: 2, cause: stop.reason(), hint, notes: Vec::new() }
}

/// What was to be made was not.
pub(super) fn failed(cause: String, hint: &str) -> Failure {
    Failure { exit: 1, cause, hint: Some(hint.to_owned()), notes: Vec::new() }
}
