//! Why a backup could not be read to its end.

use std::io;

use thiserror::Error;

use crate::model::damage::Refusal;

/// Why a backup could not be read. It means "could not tell".
#[derive(Debug, Error)]
pub enum ReadError {
    /// The disk failed.
    #[error("the backup could not be read: {0}")]
    Disk(#[from] io::Error),
    /// It is not decompressed here.
    #[error("the backup was not read: {refusal}")]
    Refused {
        /// Why.
        refusal: Refusal,
        /// SHA-256 of the file, in hex: where there is a manifest, it may prove the file bad.
        sha256: String,
    },
    /// Somebody asked to stop.
    #[error("interrupted")]
    Interrupted,
}
