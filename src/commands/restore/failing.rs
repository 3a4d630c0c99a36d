//! What a server that cannot be restored into means for the command.

use crate::commands::Failure;
use crate::destination::DestinationError;

/// Exit code 2, with the way on.
pub(super) fn failure(error: DestinationError) -> Failure {
    Failure {
        exit: 2,
        cause: error.to_string(),
        hint: Some(error.hint().to_owned()),
        notes: Vec::new(),
    }
}

/// The same, of anything else that stands in the way.
pub(super) fn cannot(error: &dyn std::fmt::Display, hint: &str) -> Failure {
    Failure { exit: 2, cause: error.to_string(), hint: Some(hint.to_owned()), notes: Vec::new() }
}
