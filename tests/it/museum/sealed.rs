//! The sealed half of the museum: the same backups, encrypted. Each must be called what it is called in the open.

use std::io::Write;
use std::path::PathBuf;
use std::sync::OnceLock;

use ccc_backup::sealing::{Identities, NewIdentity, Recipients};
use ccc_backup::store::manifest::{Encryption, Manifest};
use sha2::{Digest, Sha256};

use super::broken::{Beside, Broken};
use super::healthy::Healthy;

struct Key {
    _dir: tempfile::TempDir,
    file: PathBuf,
    recipients: Recipients,
}

fn key() -> &'static Key {
    static KEY: OnceLock<Key> = OnceLock::new();
    KEY.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let (file, new) = (dir.path().join("museum.key"), NewIdentity::generate());
        new.write(&file, "", None).unwrap();
        let recipients = Recipients::of(&[new.recipient()]).unwrap();
        Key { _dir: dir, file, recipients }
    })
}

/// What opens the sealed half.
fn identity() -> &'static str {
    key().file.to_str().unwrap()
}

fn seal(bytes: &[u8]) -> Vec<u8> {
    let mut writer = key().recipients.seal(Vec::new()).unwrap();
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

/// The manifest of a file, sealed with it; `None` for what is none.
fn beside(manifest: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let mut manifest = Manifest::parse(manifest, &Identities::default()).ok()?;
    let outline = &mut manifest.outline;
    let file = outline.files.first_mut()?;
    file.bytes = sealed.len() as u64;
    file.sha256 = hex::encode(Sha256::digest(sealed));
    outline.encryption = Some(Encryption::age(key().recipients.names()));
    outline.requires = vec!["age".to_owned()];
    manifest.to_bytes(Some(&key().recipients)).ok()
}

/// A broken backup, sealed; `None` where the point is that it is not the file of its manifest, which tells a sealed file by
/// its own bytes.
pub fn broken(open: Broken) -> Option<Broken> {
    if open.beside == Beside::AsWritten {
        return None;
    }
    let files: Vec<Vec<u8>> = open.files.iter().map(|file| seal(file)).collect();
    let manifest = match &open.manifest {
        Some(manifest) => Some(beside(manifest, &files[0])?),
        None => None,
    };
    Some(Broken { files, manifest, identity: Some(identity()), ..open })
}

/// A healthy backup, sealed; `None` for a manifest of a kind that cannot be.
pub fn healthy(mut healthy: Healthy) -> Option<Healthy> {
    healthy.file = seal(&healthy.file);
    healthy.manifest = match &healthy.manifest {
        Some(manifest) => Some(beside(manifest, &healthy.file)?),
        None => None,
    };
    Some(healthy.with_args(&["--identity", identity()]))
}
