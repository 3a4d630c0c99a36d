//! That the bytes of a backup are those of its manifest, for commands that read only a part of it. A fingerprint of
//! rows shows accidents and not malice; so where a signature is asked for, it is the checksum that counts.

use std::io::{self, Read};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::{DEFECT, Failure, Stop};
use crate::archive::{OpenBackup, Storage};
use crate::packing::file::BackupFile;
use crate::packing::read_error::ReadError;
use crate::signing::AllowedSigners;
use crate::store::manifest::Outline;

/// Bytes read at a time.
const PIECE_BYTES: usize = 1 << 20;

/// Reads the backup to its end, where somebody has to have signed it, and holds it to its manifest.
///
/// # Errors
/// With exit code 1 where it is another one, with 2 where it could not be told.
pub(super) async fn demand(
    backup: &OpenBackup,
    manifest: Option<&Outline>,
    allowed: Option<&AllowedSigners>,
    stop: &Stop,
) -> Result<(), Failure> {
    let (Some(manifest), Some(_)) = (manifest, allowed) else { return Ok(()) };
    let hashing = {
        let (backup, cancel) = (backup.clone(), stop.token().clone());
        tokio::task::spawn_blocking(move || sha256(&backup, &cancel))
    };
    let interrupted = || failure(2, stop.reason(), stop.hint());
    let hashed = stop.wait_for(hashing).await.ok_or_else(interrupted)?;
    let found = hashed.map_err(|error| failure(2, error.to_string(), DEFECT))?;
    let found = found.map_err(|error| match error {
        ReadError::Interrupted => interrupted(),
        error => failure(2, error.to_string(), "check the disk that holds the backup"),
    })?;
    if found.eq_ignore_ascii_case(&manifest.sha256()) {
        return Ok(());
    }
    let path = backup.path().display();
    let hint = "the backup was changed after it was signed: get it from another copy, and find out who \
                changed it";
    let cause = format!("{path} is not what was signed: its checksum is not the manifest's");
    Err(failure(1, cause, hint))
}

fn sha256(backup: &OpenBackup, cancel: &CancellationToken) -> Result<String, ReadError> {
    match backup.storage() {
        Storage::File(file) => of_file(file, cancel),
        Storage::Directory(_) => {
            backup.examine(cancel, Arc::new(|_| {})).map(|examined| examined.sha256)
        }
    }
}

fn of_file(file: &BackupFile, cancel: &CancellationToken) -> Result<String, ReadError> {
    let (mut raw, mut hasher, mut piece) = (file.at_rest(), Sha256::new(), vec![0; PIECE_BYTES]);
    loop {
        if cancel.is_cancelled() {
            return Err(ReadError::Interrupted);
        }
        match raw.read(&mut piece) {
            Ok(0) => return Ok(hex::encode(hasher.finalize())),
            Ok(read) => hasher.update(&piece[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(ReadError::Disk(error)),
        }
    }
}

fn failure(exit: u8, cause: String, hint: &str) -> Failure {
    Failure { exit, cause, hint: Some(hint.to_owned()), notes: Vec::new() }
}
