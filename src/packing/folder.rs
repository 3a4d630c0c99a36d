//! Files that lie together elsewhere than in a directory of this machine.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;

use super::file::BackupFile;

/// A file of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: OsString,
    /// Its size in bytes.
    pub bytes: u64,
    /// What tells it from another one of its name and size.
    pub tag: String,
}

/// A folder.
pub trait Folder: fmt::Debug + Send + Sync {
    /// The files right in it.
    ///
    /// # Errors
    /// The network's.
    fn list(&self) -> io::Result<Vec<Entry>>;

    /// Opens one of them.
    ///
    /// # Errors
    /// The network's, and where there is none of this name.
    fn open(&self, name: &OsStr) -> io::Result<BackupFile>;
}
