//! Directories that appear whole or not at all, as [`super::publish`] does it for files: written as
//! `.<name>.partial` beside their place, locked while their writer lives, and renamed last.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::error::StoreError;
use super::lock;
use super::naming::{directory_of, is_backup_directory};
use super::publish::{
    ATTEMPTS, make_directory, open_unfollowed, partial_path, rename_without_replacing,
    sync_directory,
};

/// A directory that is being written. Dropped before [`PartialDirectory::publish`], it is removed.
#[derive(Debug)]
pub struct PartialDirectory {
    directory: File,
    path: PathBuf,
    target: PathBuf,
    overwrite: bool,
    published: bool,
}

impl PartialDirectory {
    /// Begins the directory `target`, with mode 0700. Missing directories above it are made.
    ///
    /// # Errors
    /// [`StoreError::TargetExists`] unless `overwrite`, [`StoreError::TargetIsDirectory`] when a
    /// directory that is no backup has its name, [`StoreError::BeingWritten`] while another run
    /// writes the same, and what the system refuses.
    pub fn create(target: &Path, overwrite: bool) -> Result<Self, StoreError> {
        let path = partial_path(target)?;
        make_directory(directory_of(target))?;
        refuse_existing(target, overwrite)?;
        for _ in 0..ATTEMPTS {
            if let Some(directory) = claim(&path)? {
                return Ok(Self {
                    directory,
                    path,
                    target: target.to_owned(),
                    overwrite,
                    published: false,
                });
            }
        }
        Err(StoreError::BeingWritten(target.to_owned()))
    }

    /// Where it is being written.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes its files durable and gives it its name. It stays locked while what is returned is
    /// open.
    ///
    /// # Errors
    /// [`StoreError::TargetExists`] when the name was taken meanwhile, and what the system refuses.
    /// The directory is removed then.
    pub fn publish(mut self) -> Result<File, StoreError> {
        let failed = |error| StoreError::io("write", &self.path, error);
        let directory = self.directory.try_clone().map_err(failed)?;
        for entry in std::fs::read_dir(&self.path).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            File::open(path).and_then(|file| file.sync_all()).map_err(failed)?;
        }
        sync_directory(&self.path)?;
        if self.overwrite && std::fs::symlink_metadata(&self.target).is_ok() {
            self.exchange()?;
        } else {
            rename_without_replacing(&self.path, &self.target).map_err(|error| {
                match error.kind() {
                    io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty => {
                        StoreError::TargetExists(self.target.clone())
                    }
                    _ => StoreError::io("rename a directory to", &self.target, error),
                }
            })?;
        }
        self.published = true;
        sync_directory(directory_of(&self.target))?;
        Ok(directory)
    }

    /// Takes the place of what is there in one step, then removes that. A directory cannot be
    /// renamed over another one that has files.
    fn exchange(&self) -> Result<(), StoreError> {
        let failed = |error| StoreError::io("replace", &self.target, error);
        refuse_existing(&self.target, true)?;
        renameat_with(CWD, &self.path, CWD, &self.target, RenameFlags::EXCHANGE)
            .map_err(|error| failed(error.into()))?;
        remove(&self.path).map_err(failed)
    }
}

impl Drop for PartialDirectory {
    fn drop(&mut self) {
        // Whoever removed the whole directory removed it, too.
        if !self.published
            && let Err(error) = std::fs::remove_dir_all(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(directory = %self.path.display(), %error, "partial directory left");
        }
    }
}

fn refuse_existing(target: &Path, overwrite: bool) -> Result<(), StoreError> {
    match std::fs::symlink_metadata(target) {
        // What is no backup is not ours to replace, whatever we are told.
        Ok(found) if found.is_dir() && overwrite && !is_backup_directory(target) => {
            Err(StoreError::TargetIsDirectory(target.to_owned()))
        }
        Ok(_) if !overwrite => Err(StoreError::TargetExists(target.to_owned())),
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::io("look at", target, error))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Makes and locks the directory; `None` when a stale one was removed or another run was quicker.
fn claim(path: &Path) -> Result<Option<File>, StoreError> {
    let failed = |error| StoreError::io("create", path, error);
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {
            let directory = open_unfollowed(path).map_err(failed)?;
            let ours =
                is_locked(&directory) && lock::still_names(path, &directory).map_err(failed)?;
            Ok(ours.then_some(directory))
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            remove_stale(path)?;
            Ok(None)
        }
        Err(error) => Err(failed(error)),
    }
}

/// Some file systems (NFS) know no locks on directories; there, two runs must not write the same.
fn is_locked(directory: &File) -> bool {
    lock::try_exclusive(directory).unwrap_or_else(|error| {
        tracing::debug!(%error, "the directory cannot be locked");
        true
    })
}

fn remove_stale(path: &Path) -> Result<(), StoreError> {
    let failed = |error| StoreError::io("replace", path, error);
    let found = match open_unfollowed(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    if !lock::try_exclusive(&found).map_err(failed)? {
        return Err(StoreError::BeingWritten(path.to_owned()));
    }
    if lock::still_names(path, &found).map_err(failed)? {
        remove(path).map_err(failed)?;
    }
    Ok(())
}

/// Removes a file, or a directory with what is in it; links in it are not followed.
fn remove(path: &Path) -> io::Result<()> {
    if std::fs::symlink_metadata(path)?.is_dir() {
        std::fs::remove_dir_all(path)
    } else {
        std::fs::remove_file(path)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::write;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn begun(target: &Path, overwrite: bool) -> PartialDirectory {
        let partial = PartialDirectory::create(target, overwrite).unwrap();
        write(partial.path().join("toc.dat"), b"new").unwrap();
        partial
    }

    #[test]
    fn a_directory_appears_whole_and_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("backups/x.dir");
        let partial = begun(&target, false);
        assert!(!target.exists());
        partial.publish().unwrap();
        assert_eq!(std::fs::read(target.join("toc.dat")).unwrap(), b"new");
        assert_eq!(std::fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(std::fs::read_dir(target.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_directory_that_is_given_up_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        drop(begun(&dir.path().join("x.dir"), false));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_there_stays_unless_it_is_a_backup_that_may_be_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("x.dir");
        begun(&target, false).publish().unwrap();
        write(target.join("1.dat"), b"old").unwrap();
        let refused = PartialDirectory::create(&target, false);
        assert!(matches!(refused, Err(StoreError::TargetExists(_))));
        begun(&target, true).publish().unwrap();
        assert!(!target.join("1.dat").exists());
        let other = dir.path().join("photos.dir");
        std::fs::create_dir(&other).unwrap();
        write(other.join("1.jpg"), b"cat").unwrap();
        let refused = PartialDirectory::create(&other, true);
        assert!(matches!(refused, Err(StoreError::TargetIsDirectory(_))));
        assert!(other.join("1.jpg").exists());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn two_runs_do_not_write_the_same_and_a_dead_runs_half_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("x.dir");
        let live = begun(&target, false);
        let refused = PartialDirectory::create(&target, false);
        assert!(matches!(refused, Err(StoreError::BeingWritten(_))));
        drop(live);
        let half = dir.path().join(".x.dir.partial");
        std::fs::create_dir(&half).unwrap();
        write(half.join("1.dat"), b"half").unwrap();
        let partial = begun(&target, false);
        assert!(!partial.path().join("1.dat").exists());
        partial.publish().unwrap();
    }

    #[test]
    fn a_name_that_was_taken_meanwhile_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("x.dir");
        let partial = begun(&target, false);
        std::fs::create_dir(&target).unwrap();
        write(target.join("toc.dat"), b"other").unwrap();
        assert!(matches!(partial.publish(), Err(StoreError::TargetExists(_))));
        assert_eq!(std::fs::read(target.join("toc.dat")).unwrap(), b"other");
    }

    #[test]
    fn a_file_that_is_in_the_way_is_replaced_as_a_directory_is() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("x.dir");
        write(dir.path().join(".x.dir.partial"), b"of a dead run").unwrap();
        write(&target, b"old").unwrap();
        let refused = PartialDirectory::create(&target, false);
        assert!(matches!(refused, Err(StoreError::TargetExists(_))));
        begun(&target, true).publish().unwrap();
        assert_eq!(std::fs::read(target.join("toc.dat")).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_symbolic_link_in_the_place_of_the_partial_directory_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let precious = dir.path().join("precious");
        std::fs::create_dir(&precious).unwrap();
        write(precious.join("1.jpg"), b"cat").unwrap();
        std::os::unix::fs::symlink(&precious, dir.path().join(".x.dir.partial")).unwrap();
        let refused = PartialDirectory::create(&dir.path().join("x.dir"), true).unwrap_err();
        assert!(refused.to_string().starts_with("could not replace "), "{refused}");
        assert!(precious.join("1.jpg").exists());
    }

    #[test]
    fn a_name_that_is_too_long_is_refused_and_nothing_is_left() {
        let dir = tempfile::tempdir().unwrap();
        // The second is none by itself: with what the partial directory adds, it is.
        for (length, doing) in [(300, "look at"), (250, "create")] {
            let target = dir.path().join("x".repeat(length));
            let error = PartialDirectory::create(&target, true).unwrap_err();
            assert!(error.to_string().starts_with(&format!("could not {doing} ")), "{error}");
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
