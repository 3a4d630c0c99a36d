//! Why a manifest cannot be used, and what that says of its backup.

use thiserror::Error;

use super::outline::{FORMAT_VERSION, Outline};
use crate::sealing::UnsealError;
use crate::store::error::StoreError;

/// Why a manifest cannot be used.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// It cannot be read, which says nothing of the backup.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A newer version of ccc-backup wrote it.
    #[error(
        "the manifest has format version {found}; this version of ccc-backup reads up to {FORMAT_VERSION}"
    )]
    Newer {
        /// Its version.
        found: u64,
    },
    /// Whoever reads it has to understand what this version does not.
    #[error("the manifest requires what this version of ccc-backup does not understand: {0}")]
    Unsupported(String),
    /// What it says of the contents is sealed, and was not opened.
    #[error("the manifest: {why}")]
    Sealed {
        /// What is in the clear.
        outline: Box<Outline>,
        /// Why it was not opened.
        why: UnsealError,
    },
    /// It is not what was written.
    #[error("the manifest is damaged: {0}")]
    Damaged(String),
    /// It is another file's.
    #[error("the manifest belongs to another file: {0}")]
    OtherFile(String),
}

impl ManifestError {
    /// What is in the clear, where only what is sealed cannot be read.
    pub fn outline(&self) -> Option<&Outline> {
        match self {
            Self::Sealed { outline, .. } => Some(outline),
            _ => None,
        }
    }

    /// Whether it proves that the backup, or what belongs to it, is bad. Else it could not be told.
    pub fn proves_bad(&self) -> bool {
        matches!(self, Self::Damaged(_) | Self::OtherFile(_))
    }

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => error.hint(),
            Self::Newer { .. } | Self::Unsupported(_) => {
                Some("use the version of ccc-backup that made it, or a newer one".to_owned())
            }
            Self::Sealed { why, .. } => Some(why.hint()),
            Self::Damaged(_) => Some(
                "get the manifest from another copy of the backup; without one, move it away to \
                 verify the backup for itself"
                    .to_owned(),
            ),
            Self::OtherFile(_) => Some(
                "the backup was replaced, cut or renamed after it was made: get it and its \
                 manifest from another copy"
                    .to_owned(),
            ),
        }
    }
}
