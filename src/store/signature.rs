//! The signature of a backup: of the bytes of its manifest, which names every file's checksum. It lies in
//! `<manifest>.sig`, where `ssh-keygen -Y sign` puts it.
//!
//! The manifest is written once, and after its signature: whoever sees a manifest sees the signature that was
//! made with it. A backup that is made without a key takes the place of a signed one without its signature.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::error::StoreError;
use super::manifest::{self, Outline};
use super::naming::{manifest_path, signature_path};
use super::place::is_url;
use super::small;
use crate::signing::{Namespace, Signature};

/// Bytes of a signature at the most; one by an ed25519 key has some 300.
const MOST_BYTES: u64 = 64 << 10;

/// Where the signature of a backup is.
pub fn path_of(backup: &Path) -> PathBuf {
    signature_path(&manifest_path(backup))
}

/// The signature of a manifest's file; `None` when there is none.
///
/// # Errors
/// What the system refuses.
pub fn read(manifest: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    // What is longer is none, and is not parsed as one when it is cut.
    small::read(&signature_path(manifest), MOST_BYTES)
}

/// Writes a manifest beside its backup, after its signature where there is one. A signature that lies there from
/// an older backup is removed.
///
/// # Errors
/// What the system refuses.
pub fn publish(backup: &Path, manifest: &[u8], signature: Option<&str>) -> Result<(), StoreError> {
    let path = path_of(backup);
    // In a place, a manifest is put only where there is none, and whoever writes may not be allowed to remove.
    let in_place = is_url(backup);
    match signature {
        Some(signature) => {
            if !in_place {
                // One that is left of another backup must not stand beside this signature.
                small::remove(&manifest_path(backup))?;
            }
            small::write(&path, signature.as_bytes(), true)?;
        }
        None if in_place => {}
        None => small::remove(&path)?,
    }
    small::write(&manifest_path(backup), manifest, false)
}

/// Removes the manifest of a backup that is about to be replaced, and its signature: in a place, where neither would
/// be replaced by the new ones.
///
/// # Errors
/// What disk or place refuse.
pub fn make_way(backup: &Path) -> Result<(), StoreError> {
    small::remove(&manifest_path(backup))?;
    if is_url(backup) { small::remove(&path_of(backup)) } else { Ok(()) }
}

/// What a list says of a signature. Who may sign is not asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Signed {
    /// The key, as `SHA256:…`; absent where the signature cannot be read.
    pub key: Option<String>,
    /// Whether it is one of the manifest that is there.
    pub fits: bool,
}

/// The signature of a backup at rest; `None` when it has none.
pub fn at_rest(backup: &Path) -> Option<Signed> {
    let manifest = manifest_path(backup);
    let signature = match read(&manifest) {
        Ok(None) => return None,
        Ok(Some(bytes)) => Signature::parse(&bytes).ok(),
        Err(_) => None,
    };
    let fits = |signature: &Signature| {
        let signed = manifest::bytes(&manifest).ok().flatten();
        signed.is_some_and(|signed| signature.check(Namespace::Manifest, &signed).is_ok())
    };
    Some(Signed {
        fits: signature.as_ref().is_some_and(fits),
        key: signature.as_ref().map(Signature::key),
    })
}

/// Whether a backup bears the name that its manifest gives it, also where it is named by a link: else an old
/// backup could be passed off as a newer one with its own, good, signature.
pub fn bears_its_name(backup: &Path, manifest: &Outline) -> bool {
    let is_named = |path: &Path| path.file_name().is_some_and(|name| name == &*manifest.name);
    is_named(backup) || std::fs::canonicalize(backup).is_ok_and(|path| is_named(&path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_there_before_its_manifest_and_beside_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let backup = dir.path().join("x.sql");
        publish(&backup, b"old", None).unwrap();
        // In the place of the partial manifest: nothing can be written there.
        std::fs::create_dir(dir.path().join(".x.sql.manifest.json.partial")).unwrap();
        assert!(publish(&backup, b"new", Some("signature")).is_err());
        assert_eq!(read(&manifest_path(&backup)).unwrap().as_deref(), Some(&b"signature"[..]));
        assert!(!manifest_path(&backup).exists());
    }

    #[test]
    fn a_manifest_that_is_written_without_a_signature_leaves_none_of_an_older_one() {
        let dir = tempfile::tempdir().unwrap();
        let backup = dir.path().join("x.sql");
        publish(&backup, b"{}", Some("old")).unwrap();
        assert_eq!(read(&manifest_path(&backup)).unwrap().as_deref(), Some(&b"old"[..]));
        assert_eq!(at_rest(&backup), Some(Signed { key: None, fits: false }));
        publish(&backup, b"{}", None).unwrap();
        assert_eq!((read(&manifest_path(&backup)).unwrap(), at_rest(&backup)), (None, None));
    }
}
