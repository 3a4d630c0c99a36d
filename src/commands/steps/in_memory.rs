//! A place in memory for what may not lie on a disk unsealed: an archive that pg_restore of this machine has to read.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::statfs;
use tempfile::TempDir;

/// Where Linux has a file system in memory that everybody may write to.
const SHARED_MEMORY: &str = "/dev/shm";
/// File systems that are in memory, by their numbers. Source: `linux/magic.h`.
const IN_MEMORY: [i64; 2] = [0x0102_1994, 0x8584_58f6];
/// How the names of our directories begin; the number of the process follows.
const PREFIX: &str = "ccc-backup-unsealed-";

/// A directory in memory with room for so many bytes.
///
/// # Errors
/// A sentence that says why there is none.
pub(in crate::commands) fn directory(bytes: u64) -> Result<TempDir, String> {
    let temporary = std::env::temp_dir();
    let parent = [Path::new(SHARED_MEMORY), &temporary].into_iter().find(|path| is_in_memory(path));
    let Some(parent) = parent else {
        return Err(format!("neither {SHARED_MEMORY} nor {} is in memory", temporary.display()));
    };
    remove_leftovers(parent);
    let free = statfs(parent).map(|of| of.f_bavail.saturating_mul(of.f_bsize.unsigned_abs()));
    if free.is_ok_and(|free| free < bytes) {
        return Err(format!("{} has no room for {bytes} bytes", parent.display()));
    }
    let prefix = format!("{PREFIX}{}-", std::process::id());
    let for_us = Permissions::from_mode(0o700);
    let made = tempfile::Builder::new().prefix(&prefix).permissions(for_us).tempdir_in(parent);
    made.map_err(|error| format!("{}: {error}", parent.display()))
}

fn is_in_memory(path: &Path) -> bool {
    statfs(path).is_ok_and(|of| IN_MEMORY.contains(&of.f_type))
}

/// Removes what dead runs left, wherever it can be.
pub(in crate::commands) fn remove_all_leftovers() {
    remove_leftovers(Path::new(SHARED_MEMORY));
    remove_leftovers(&std::env::temp_dir());
}

/// Removes what runs left that are dead.
fn remove_leftovers(parent: &Path) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split_once('-'));
        let Some((process, _)) = process else { continue };
        if !PathBuf::from("/proc").join(process).exists() {
            // Another user's is not ours to remove.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_in_memory_and_what_dead_runs_left_goes() {
        let left = Path::new(SHARED_MEMORY).join(format!("{PREFIX}999999999-x"));
        std::fs::create_dir_all(&left).unwrap();
        let made = directory(1).unwrap();
        assert!(is_in_memory(made.path()) && !left.exists());
        let mode = std::fs::metadata(made.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let other = directory(1).unwrap();
        assert!(made.path().exists() && other.path() != made.path());
        assert!(directory(u64::MAX).unwrap_err().contains("has no room"));
        assert!(!is_in_memory(Path::new("/proc")));
    }
}
