//! The bytes of a backup as they lie there, sealed or not: read to their end and hashed, for whoever compares them with
//! its manifest.

use std::io::{self, Read, Write};

use tokio_util::sync::CancellationToken;

use crate::archive::Storage;
use crate::model::files::{FileFacts, sha256_of_directory};
use crate::packing::file::BackupFile;
use crate::packing::written::Hashed;

/// Bytes read at a time.
const PIECE_BYTES: usize = 1 << 20;

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AtRest {
    /// The one checksum of the backup, in hex.
    pub sha256: String,
    /// The files of a directory; none of a backup that is one file.
    pub files: Vec<FileFacts>,
}

/// Reads all of it. `progress` is told how many bytes were read so far.
///
/// # Errors
/// The disk's or the network's, or [`io::ErrorKind::Interrupted`] when cancelled.
pub(super) fn read(
    storage: &Storage,
    cancel: &CancellationToken,
    mut progress: impl FnMut(u64),
) -> io::Result<AtRest> {
    let mut before = 0;
    match storage {
        Storage::File(file) => {
            Ok(AtRest { sha256: sha256(file, cancel, progress)?, files: Vec::new() })
        }
        Storage::Directory(directory) => {
            let mut files = Vec::new();
            for member in directory.members() {
                let name = member.file_name().to_string_lossy().into_owned();
                let file = directory.at_rest(member)?;
                let sha256 = sha256(&file, cancel, |read| progress(before + read))?;
                before += member.bytes;
                files.push(FileFacts { name, bytes: member.bytes, sha256 });
            }
            Ok(AtRest { sha256: sha256_of_directory(&files), files })
        }
    }
}

/// The checksum of a file.
///
/// # Errors
/// As [`read`].
pub(super) fn sha256(
    file: &BackupFile,
    cancel: &CancellationToken,
    mut progress: impl FnMut(u64),
) -> io::Result<String> {
    let (mut bytes, mut piece, mut done) = (file.at_rest(), vec![0; PIECE_BYTES], 0);
    let mut hashed = Hashed::new(io::sink());
    loop {
        if cancel.is_cancelled() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let read = match bytes.read(&mut piece) {
            Ok(0) => return Ok(hashed.finish()?.sha256),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hashed.write_all(&piece[..read])?;
        done += read as u64;
        progress(done);
    }
}
