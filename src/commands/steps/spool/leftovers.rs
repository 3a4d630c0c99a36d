//! The hidden directories of private copies: one for each run, locked as long as that lives.

use std::fs::{DirBuilder, DirEntry, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use tempfile::TempDir;

use crate::model::outcome::Obstacle;
use crate::store::lock;

/// What they are called, before what is random.
const PREFIX: &str = ".ccc-backup-spool-";
/// The file in each that is locked.
const LOCK: &str = ".lock";

/// Makes one, after those are removed that dead runs left; its lock is held as long as the file is open.
pub(super) fn new_directory(at: &Path) -> Result<(TempDir, File), Obstacle> {
    let failed = |error: io::Error| Obstacle {
        cause: format!(
            "there can be no private copy of what comes through the pipe in {}: {error}",
            at.display()
        ),
        hint: Some("name a directory that you may write in: --spool DIR".to_owned()),
    };
    remove_leftovers(at);
    DirBuilder::new().recursive(true).mode(0o700).create(at).map_err(failed)?;
    let dir = tempfile::Builder::new().prefix(PREFIX).tempdir_in(at).map_err(failed)?;
    let lock = dir.path().join(LOCK);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(lock);
    let file = file.map_err(failed)?;
    // A file system without locks keeps what a killed run leaves.
    if let Err(error) = lock::try_exclusive(&file) {
        tracing::debug!(%error, "the private copy is not locked");
    }
    Ok((dir, file))
}

fn remove_leftovers(at: &Path) {
    let entries = std::fs::read_dir(at).into_iter().flatten().flatten();
    for entry in entries.filter(is_left) {
        let path = entry.path();
        match std::fs::remove_dir_all(&path) {
            Ok(()) => tracing::info!("removed {}, which a dead run left", path.display()),
            Err(error) => tracing::debug!(%error, "{} stays", path.display()),
        }
    }
}

/// Whether it is one of ours, and its run is dead. One without a lock is being made.
fn is_left(entry: &DirEntry) -> bool {
    let is_ours = entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes())
        && entry.metadata().is_ok_and(|metadata| {
            metadata.is_dir() && metadata.uid() == rustix::process::geteuid().as_raw()
        });
    let lock = || File::open(entry.path().join(LOCK)).and_then(|file| lock::try_exclusive(&file));
    is_ours && lock().is_ok_and(|is_taken| is_taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_run_left_is_removed_and_what_a_live_one_has_is_not() {
        let at = tempfile::tempdir().unwrap();
        let (live, _lock) = new_directory(at.path()).unwrap();
        let (dead, lock) = new_directory(at.path()).unwrap();
        std::fs::write(dead.path().join("backup"), b"x").unwrap();
        let dead = dead.keep();
        drop(lock);
        let (next, _next_lock) = new_directory(at.path()).unwrap();
        assert!(live.path().exists() && next.path().exists() && !dead.exists());
    }

    #[test]
    fn what_others_call_alike_stays() {
        let at = tempfile::tempdir().unwrap();
        let file = at.path().join(".ccc-backup-spool-file");
        let unlocked = at.path().join(".ccc-backup-spool-begun");
        std::fs::write(&file, b"x").unwrap();
        std::fs::create_dir(&unlocked).unwrap();
        drop(new_directory(at.path()).unwrap());
        assert!(file.exists() && unlocked.exists());
    }
}
