//! Who is using a file: advisory locks that end with the process that holds them.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// Takes the lock for writing or removing, unless somebody holds any lock; says whether it did.
/// The lock ends when the file is closed.
///
/// # Errors
/// The system's, such as a file system that knows no locks.
pub fn try_exclusive(file: &File) -> io::Result<bool> {
    taken(flock(file, FlockOperation::NonBlockingLockExclusive))
}

/// Takes the lock for reading, unless somebody writes; says whether it did. A verification holds
/// it, so that no clean-up removes the backup meanwhile.
///
/// # Errors
/// As [`try_exclusive`].
pub fn try_shared(file: &File) -> io::Result<bool> {
    taken(flock(file, FlockOperation::NonBlockingLockShared))
}

/// Takes the lock for writing; waits for whoever holds it.
///
/// # Errors
/// As [`try_exclusive`].
pub fn wait_exclusive(file: &File) -> io::Result<()> {
    loop {
        match flock(file, FlockOperation::LockExclusive) {
            Err(Errno::INTR) => {}
            other => return other.map_err(io::Error::from),
        }
    }
}

fn taken(result: Result<(), Errno>) -> io::Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether the path, not followed, still names the open file.
pub(crate) fn still_names(path: &Path, file: &File) -> io::Result<bool> {
    let open = file.metadata()?;
    match std::fs::symlink_metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (open.dev(), open.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_share_a_lock_and_a_writer_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let open = || File::options().create(true).append(true).open(&path).unwrap();
        let (one, two, three) = (open(), open(), open());
        assert!(try_shared(&one).unwrap() && try_shared(&two).unwrap());
        assert!(!try_exclusive(&three).unwrap());
        drop((one, two));
        assert!(try_exclusive(&three).unwrap());
        assert!(!try_shared(&open()).unwrap());
    }

    #[test]
    fn a_path_names_the_open_file_until_another_has_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        std::fs::write(&path, b"").unwrap();
        let file = File::open(&path).unwrap();
        assert!(still_names(&path, &file).unwrap());
        assert!(still_names(&path.join("below"), &file).is_err(), "that could not be told");
        std::fs::remove_file(&path).unwrap();
        assert!(!still_names(&path, &file).unwrap());
        std::fs::write(&path, b"").unwrap();
        assert!(!still_names(&path, &file).unwrap());
    }
}
