//! The file of a server's roles and tablespaces beside a backup, encrypted or not.

use std::io::{self, Read};
use std::path::Path;

use super::open::open_file;
use crate::sealing::Unsealing;
use crate::store::globals::globals_path;

/// Bytes of it at the most.
const MOST_BYTES: u64 = 256 << 20;

/// What is in it.
///
/// # Errors
/// Where there is none, or it cannot be read or opened.
pub(super) fn read(backup: &Path, unsealing: &Unsealing) -> io::Result<Vec<u8>> {
    let failed = |error: &dyn std::fmt::Display| io::Error::other(error.to_string());
    let file = open_file(&globals_path(backup)).map_err(|error| failed(&error))?;
    let file = unsealing.open(file).map_err(|error| failed(&error))?;
    let mut sql = Vec::new();
    file.raw().take(MOST_BYTES).read_to_end(&mut sql)?;
    Ok(sql)
}
