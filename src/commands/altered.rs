//! Whether a backup is not the bytes that its manifest names. That is in the clear, so it can be told of a sealed one
//! without its key.

use std::io;

use tokio_util::sync::CancellationToken;

use super::at_rest;
use crate::archive::Storage;
use crate::archive::sniff::NotADump;
use crate::model::damage::Damage;
use crate::model::format::Format;
use crate::store::manifest::Outline;

/// What is to be said of one.
pub(super) fn finding() -> NotADump {
    NotADump::Damaged(Damage::Corrupt {
        format: "age",
        cause: "its checksum is not the one in its manifest".to_owned(),
    })
}

/// Reads all of it as it lies there, unless its size tells already.
///
/// # Errors
/// The disk's, or [`io::ErrorKind::Interrupted`].
pub(super) fn is_altered(
    storage: &Storage,
    outline: &Outline,
    cancel: &CancellationToken,
) -> io::Result<bool> {
    if storage.bytes() != outline.bytes() {
        return Ok(true);
    }
    if matches!(storage, Storage::Directory(_)) && outline.format != Format::Directory {
        return Ok(true);
    }
    Ok(at_rest::read(storage, cancel, |_| {})?.sha256 != outline.sha256())
}
