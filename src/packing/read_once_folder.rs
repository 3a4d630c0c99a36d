//! The files of a folder that is far away, of which each byte comes once: see [`super::read_once`].

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::file::BackupFile;
use super::folder::{Entry, Folder};
use super::read_once::Kept;

/// See the module.
#[derive(Debug)]
pub struct ReadOnceFolder {
    far: Arc<dyn Folder>,
    kept: Arc<Kept>,
    opened: Mutex<HashMap<OsString, BackupFile>>,
}

impl ReadOnceFolder {
    /// Keeps what is read of its files.
    pub fn new(far: Arc<dyn Folder>, kept: Arc<Kept>) -> Self {
        Self { far, kept, opened: Mutex::default() }
    }
}

impl Folder for ReadOnceFolder {
    fn list(&self) -> io::Result<Vec<Entry>> {
        self.far.list()
    }

    fn open(&self, name: &OsStr) -> io::Result<BackupFile> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = opened.get(name) {
            return Ok(file.clone());
        }
        let file = self.far.open(name)?.read_once(&self.kept);
        opened.insert(name.to_owned(), file.clone());
        Ok(file)
    }
}
