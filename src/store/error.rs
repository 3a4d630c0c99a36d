//! What can stand in the way of reading or writing the backup directory, in words.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::objects::{Kind, ObjectError};
use super::place::NoPlace;

/// Why something at rest could not be read or written.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The backup directory is not there.
    #[error("backup directory not found: {}", .0.display())]
    DirectoryMissing(PathBuf),
    /// Its place is taken by something else.
    #[error("not a directory: {}", .0.display())]
    NotADirectory(PathBuf),
    /// It may not be read.
    #[error("backup directory cannot be read: {}: {source}", path.display())]
    DirectoryUnreadable {
        /// The directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file to be made is there already.
    #[error("{} exists already", .0.display())]
    TargetExists(PathBuf),
    /// A directory has the name of the file to be made.
    #[error("{} is a directory", .0.display())]
    TargetIsDirectory(PathBuf),
    /// The path names no file, such as `/` or `..`.
    #[error("{:?} does not name a file", .0)]
    NoFileName(PathBuf),
    /// Another run writes the same file.
    #[error("{} is being written by another run", .0.display())]
    BeingWritten(PathBuf),
    /// The disk is full, or the quota is used up.
    #[error("no space left to write {}", .0.display())]
    DiskFull(PathBuf),
    /// The file system is read-only.
    #[error("{} is on a read-only file system", .0.display())]
    ReadOnly(PathBuf),
    /// The system does not allow it.
    #[error("no permission to {action} {}", path.display())]
    NoPermission {
        /// What was tried, such as `create`.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
    },
    /// A URL that names no place.
    #[error(transparent)]
    NoPlace(#[from] NoPlace),
    /// What a place in object storage answers.
    #[error(transparent)]
    Object(ObjectError),
    /// Anything else.
    #[error("could not {action} {}: {source}", path.display())]
    Io {
        /// What was tried, such as `create`.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl From<ObjectError> for StoreError {
    fn from(error: ObjectError) -> Self {
        match error.kind {
            Kind::Exists => Self::TargetExists(error.url.into()),
            _ => Self::Object(error),
        }
    }
}

impl StoreError {
    /// The error for a system's error, by its kind.
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull(path),
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly(path),
            io::ErrorKind::PermissionDenied => Self::NoPermission { action, path },
            _ => Self::Io { action, path, source },
        }
    }

    /// The system's error, for words that name the path by themselves.
    pub(crate) fn into_io(self) -> io::Error {
        match self {
            Self::DiskFull(_) => io::ErrorKind::StorageFull.into(),
            Self::ReadOnly(_) => io::ErrorKind::ReadOnlyFilesystem.into(),
            Self::NoPermission { .. } => io::ErrorKind::PermissionDenied.into(),
            Self::Io { source, .. } | Self::DirectoryUnreadable { source, .. } => source,
            other => io::Error::other(other),
        }
    }

    /// The error for a directory that cannot be listed.
    pub(crate) fn directory(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => Self::DirectoryMissing(path),
            io::ErrorKind::NotADirectory => Self::NotADirectory(path),
            _ => Self::DirectoryUnreadable { path, source },
        }
    }

    /// Whether a place says that it may not be done with these credentials.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Object(error) if error.kind == Kind::Denied)
    }

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::DirectoryMissing(_) => {
                "make a backup first (ccc-backup create), or name the directory with --backup-dir"
            }
            Self::NotADirectory(_) => "name another directory, such as --backup-dir ./backups",
            Self::DirectoryUnreadable { .. } | Self::NoPermission { .. } => {
                "run as the user that owns the backups, or change the permissions"
            }
            Self::TargetExists(_) => "choose another name, or pass --force to replace it",
            Self::TargetIsDirectory(_) | Self::NoFileName(_) => {
                "name a file, such as backups/manual.sql, or a directory with --backup-dir"
            }
            Self::BeingWritten(_) => "wait for the other run to end, or choose another name",
            Self::DiskFull(_) => "free space (ccc-backup cleanup), or choose another directory",
            Self::ReadOnly(_) => "choose a directory that can be written, or remount it read-write",
            Self::NoPlace(error) => return Some(error.hint()),
            Self::Object(error) => error.hint,
            Self::Io { .. } => "check the path, and the disk that it is on",
        };
        Some(hint.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_missing_or_none_or_may_not_be_read_and_each_says_what_to_do() {
        for (kind, said, hint) in [
            (io::ErrorKind::NotFound, "backup directory not found: b", "make a backup first"),
            (io::ErrorKind::NotADirectory, "not a directory: b", "name another directory"),
            (io::ErrorKind::PermissionDenied, "backup directory cannot be read: b: ", "the user"),
        ] {
            let error = StoreError::directory(Path::new("b"), kind.into());
            assert!(error.to_string().starts_with(said), "{error}");
            assert!(error.hint().unwrap().contains(hint), "{error}");
        }
    }
}
