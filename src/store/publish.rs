//! Files that appear whole or not at all.
//!
//! What is written goes to `.<name>.partial` beside its place and is renamed into it last, so that a
//! crash at any instant leaves no file under the name of a backup. The partial file is locked while
//! its writer lives: one without a lock was left by a dead run.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::error::StoreError;
use super::lock;
use super::naming::directory_of;

/// A stale partial file can be replaced by two runs at once; each tries this often.
pub(super) const ATTEMPTS: u32 = 16;

/// A file that is being written. Dropped before [`Partial::publish`], it is removed.
#[derive(Debug)]
pub struct Partial {
    file: File,
    path: PathBuf,
    target: PathBuf,
    overwrite: bool,
    published: bool,
}

impl Partial {
    /// Begins the file `target`. Missing directories are made, for their owner only (mode 0700),
    /// because a backup holds everything that its database holds; the file has mode 0600.
    ///
    /// # Errors
    /// [`StoreError::TargetExists`] unless `overwrite`, [`StoreError::BeingWritten`] while another
    /// run writes the same file, and what the system refuses.
    pub fn create(target: &Path, overwrite: bool) -> Result<Self, StoreError> {
        let path = partial_path(target)?;
        make_directory(directory_of(target))?;
        refuse_existing(target, overwrite)?;
        for _ in 0..ATTEMPTS {
            if let Some(file) = claim(&path, 0o600, lock::try_exclusive)? {
                return Ok(Self::begun(file, path, target, overwrite));
            }
        }
        Err(StoreError::BeingWritten(target.to_owned()))
    }

    /// Begins anew a file that is written again and again, such as a report, in a directory that
    /// exists; waits for another run that writes it. The file has the mode `mode`, less what the
    /// umask takes.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn renew(target: &Path, mode: u32) -> Result<Self, StoreError> {
        let path = partial_path(target)?;
        // Each time round, somebody else has come one step further.
        loop {
            let wait = |file: &File| lock::wait_exclusive(file).map(|()| true);
            if let Some(file) = claim(&path, mode, wait)? {
                return Ok(Self::begun(file, path, target, true));
            }
        }
    }

    fn begun(file: File, path: PathBuf, target: &Path, overwrite: bool) -> Self {
        Self { file, path, target: target.to_owned(), overwrite, published: false }
    }

    /// The file to be.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Where it is being written.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the file durable and gives it its name. The file stays locked while what is returned
    /// is open, so that no clean-up removes it before its manifest is written.
    ///
    /// # Errors
    /// [`StoreError::TargetExists`] when the name was taken meanwhile, and what the system refuses.
    /// The partial file is removed then.
    pub fn publish(mut self) -> Result<File, StoreError> {
        let file =
            self.file.try_clone().map_err(|error| StoreError::io("write", &self.path, error))?;
        self.file.sync_all().map_err(|error| StoreError::io("write", &self.target, error))?;
        let renamed = if self.overwrite {
            std::fs::rename(&self.path, &self.target)
        } else {
            rename_without_replacing(&self.path, &self.target)
        };
        renamed.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => StoreError::TargetExists(self.target.clone()),
            io::ErrorKind::IsADirectory => StoreError::TargetIsDirectory(self.target.clone()),
            _ => StoreError::io("rename a file to", &self.target, error),
        })?;
        self.published = true;
        sync_directory(directory_of(&self.target))?;
        Ok(file)
    }
}

impl Write for Partial {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.file.write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Whoever removed the whole directory removed it, too.
        if !self.published
            && let Err(error) = std::fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(file = %self.path.display(), %error, "partial file left behind");
        }
    }
}

/// Writes a small file anew, so that it appears whole or not at all.
///
/// # Errors
/// As [`Partial::renew`] and [`Partial::publish`].
pub fn write_anew(target: &Path, bytes: &[u8], mode: u32) -> Result<(), StoreError> {
    let mut partial = Partial::renew(target, mode)?;
    partial.write_all(bytes).map_err(|error| StoreError::io("write", target, error))?;
    partial.publish().map(drop)
}

/// `.<name>.partial` beside the target.
pub(super) fn partial_path(target: &Path) -> Result<PathBuf, StoreError> {
    let mut name = std::ffi::OsString::from(".");
    name.push(target.file_name().ok_or_else(|| StoreError::NoFileName(target.to_owned()))?);
    name.push(".partial");
    Ok(target.with_file_name(name))
}

pub(super) fn make_directory(path: &Path) -> Result<(), StoreError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            StoreError::NotADirectory(path.to_owned())
        }
        _ => StoreError::io("create", path, error),
    })
}

fn refuse_existing(target: &Path, overwrite: bool) -> Result<(), StoreError> {
    match std::fs::symlink_metadata(target) {
        Ok(found) if found.is_dir() => Err(StoreError::TargetIsDirectory(target.to_owned())),
        Ok(_) if !overwrite => Err(StoreError::TargetExists(target.to_owned())),
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::io("look at", target, error))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Creates and locks the partial file; `None` when a stale one was removed or another run was
/// quicker, so that it is worth another try.
fn claim(
    path: &Path,
    mode: u32,
    take: impl Fn(&File) -> io::Result<bool>,
) -> Result<Option<File>, StoreError> {
    let failed = |error| StoreError::io("create", path, error);
    match OpenOptions::new().write(true).create_new(true).mode(mode).open(path) {
        Ok(file) => {
            // Between the two calls another run may have taken it for a stale one.
            let ours =
                take(&file).map_err(failed)? && lock::still_names(path, &file).map_err(failed)?;
            Ok(ours.then_some(file))
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            remove_stale(path, take)?;
            Ok(None)
        }
        Err(error) => Err(failed(error)),
    }
}

/// Removes the partial file of a dead run.
fn remove_stale(path: &Path, take: impl Fn(&File) -> io::Result<bool>) -> Result<(), StoreError> {
    let failed = |error| StoreError::io("replace", path, error);
    let file = match open_unfollowed(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    if !take(&file).map_err(failed)? {
        return Err(StoreError::BeingWritten(path.to_owned()));
    }
    if lock::still_names(path, &file).map_err(failed)? {
        std::fs::remove_file(path).map_err(failed)?;
    }
    Ok(())
}

/// Opens a file or directory for locking; a symbolic link is an error, a FIFO does not block.
pub(crate) fn open_unfollowed(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path)
}

/// Renames unless the new name is taken, in one step where the file system can.
pub(super) fn rename_without_replacing(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => link_and_unlink(from, to),
        other => other.map_err(io::Error::from),
    }
}

/// The same for file systems without `RENAME_NOREPLACE` (NFS among them): a hard link does not
/// replace either. Where there are no hard links (FAT), looking first is the best there is.
fn link_and_unlink(from: &Path, to: &Path) -> io::Result<()> {
    match std::fs::hard_link(from, to) {
        Ok(()) => std::fs::remove_file(from),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        Err(_) if std::fs::symlink_metadata(to).is_ok() => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => std::fs::rename(from, to),
    }
}

/// Makes a rename durable.
pub(super) fn sync_directory(path: &Path) -> Result<(), StoreError> {
    let synced = File::open(path).and_then(|directory| directory.sync_all());
    match synced {
        // Some file systems cannot sync a directory; they keep renames by other means.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        // A directory that may be written but not listed cannot be opened for this.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        other => other.map_err(|error| StoreError::io("sync", path, error)),
    }
}

#[cfg(test)]
#[path = "publish_tests.rs"]
pub(super) mod tests;
