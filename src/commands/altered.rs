//! Whether a backup is not the bytes that its manifest names. That is in the clear, so it can be told of a sealed one
//! without its key.

use std::io;

use tokio_util::sync::CancellationToken;

use crate::archive::Storage;
use crate::archive::sniff::NotADump;
use crate::model::damage::Damage;
use crate::model::files::FileFacts;
use crate::model::format::Format;
use crate::packing::file::BackupFile;
use crate::packing::hashing::Hashing;
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
    match storage {
        Storage::File(file) => Ok(sha256(file, cancel)? != outline.sha256()),
        Storage::Directory(_) if outline.format != Format::Directory => Ok(true),
        Storage::Directory(directory) => {
            let mut files = Vec::new();
            for member in directory.members() {
                let name = member.file_name().to_string_lossy().into_owned();
                let sha256 = sha256(&directory.at_rest(member)?, cancel)?;
                files.push(FileFacts { name, bytes: member.bytes, sha256 });
            }
            Ok(files != outline.files_of_directory())
        }
    }
}

fn sha256(file: &BackupFile, cancel: &CancellationToken) -> io::Result<String> {
    let sha256 = Hashing::new(file.at_rest()).finish(cancel)?;
    sha256.ok_or_else(|| io::ErrorKind::Interrupted.into())
}
