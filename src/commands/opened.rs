//! A backup that is open to be looked into, with its manifest, and held as long as it is.

use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::signature::{self, Signed};
use super::{Failure, altered, open};
use crate::archive::{OpenBackup, Storage};
use crate::model::damage::{OLDER, refusal};
use crate::sealing::{Identities, Unsealing};
use crate::signing::AllowedSigners;
use crate::store::lock;
use crate::store::manifest::{self, Manifest, ManifestError, Outline};
use crate::store::naming::manifest_path;
use crate::store::place::without_slash;

/// See the module.
#[derive(Debug)]
pub(super) struct Opened {
    pub backup: OpenBackup,
    pub manifest: Option<Manifest>,
    /// What is to be said of its signature, where nobody asks for one.
    pub warning: Option<String>,
}

/// Opens what is at a path.
///
/// # Errors
/// With exit code 1 where it is no dump, its manifest is damaged or another one's, or it is not signed by one of
/// those who are allowed to; with 2 where it cannot be told.
pub(super) fn open(
    path: &Path,
    unsealing: &Unsealing,
    allowed: Option<&AllowedSigners>,
) -> Result<Opened, Failure> {
    let unopened = |error: open::OpenError| failure(2, error.to_string(), Some(&error.hint()));
    // Without a slash at its end, after which no manifest could stand.
    let path = &without_slash(path);
    let storage = open::open(path).map_err(unopened)?;
    hold(&storage)?;
    let backup = match open::sniff(&storage, unsealing) {
        Err(open::OpenError::Sealed { .. }) if is_altered(&storage) => Ok(Err(altered::finding())),
        sniffed => sniffed,
    };
    let backup = backup.map_err(unopened)?;
    let backup = backup.map_err(|no_dump| failure(1, no_dump.to_string(), Some(OLDER)))?;
    let (manifest, warning) = read_manifest(&storage, &unsealing.identities, allowed)?;
    Ok(Opened { backup, manifest, warning })
}

/// Whether it is not the bytes that its manifest names, as far as that can be told.
pub(super) fn is_altered(storage: &Storage) -> bool {
    let never = CancellationToken::new();
    let outline = Outline::read(storage.path()).ok().flatten();
    outline.is_some_and(|outline| altered::is_altered(storage, &outline, &never).unwrap_or(false))
}

/// What was found in a backup; where a command was to decrypt it and did not, that.
pub(super) async fn unless_unopened(found: Failure, backup: &OpenBackup) -> Failure {
    let Storage::File(file) = backup.storage() else { return found };
    let file = file.clone();
    let checked = tokio::task::spawn_blocking(move || file.check_unsealing()).await;
    match checked {
        Ok(Err(error)) => match refusal(&error) {
            Some(refusal) => {
                let cause = format!("{}: {refusal}", backup.path().display());
                failure(2, cause, Some(refusal.hint()))
            }
            None => found,
        },
        _ => found,
    }
}

/// So that no clean-up removes it meanwhile.
fn hold(storage: &Storage) -> Result<(), Failure> {
    match storage.handle().map(lock::try_shared) {
        Some(Ok(false)) => {
            let path = storage.path().display();
            let cause = format!("{path} is being written or removed by another run");
            Err(failure(2, cause, Some("run it again when that run is done")))
        }
        Some(Err(error)) => {
            tracing::debug!(%error, "the backup cannot be locked");
            Ok(())
        }
        Some(Ok(true)) | None => Ok(()),
    }
}

fn read_manifest(
    storage: &Storage,
    identities: &Identities,
    allowed: Option<&AllowedSigners>,
) -> Result<(Option<Manifest>, Option<String>), Failure> {
    let failed = |error: &ManifestError| {
        let exit = if error.proves_bad() { 1 } else { 2 };
        failure(exit, error.to_string(), error.hint().as_deref())
    };
    let (backup, path) = (storage.path(), manifest_path(storage.path()));
    let bytes = manifest::bytes(&path).map_err(|error| failed(&error))?;
    let manifest = bytes.as_deref().map(|bytes| Manifest::parse(bytes, identities)).transpose();
    let manifest = manifest.map_err(|error| failed(&error))?;
    if let Some(manifest) = &manifest {
        let belongs = manifest.outline.check_belongs(storage.path(), storage.bytes());
        belongs.map_err(|error| failed(&error))?;
    }
    let outline = manifest.as_ref().map(|manifest| &manifest.outline);
    let signed = outline.zip(bytes.as_deref());
    let signed = signed.map(|(manifest, bytes)| Signed { path: &path, bytes, manifest, backup });
    let warning = signature::demand(backup, signed, allowed)?;
    Ok((manifest, warning))
}

fn failure(exit: u8, cause: String, hint: Option<&str>) -> Failure {
    Failure { exit, cause, hint: hint.map(str::to_owned), notes: Vec::new() }
}
