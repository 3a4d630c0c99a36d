//! The files of a backup that is a directory, in a place.

use std::ffi::OsStr;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::bucket::{Bucket, Object};
use super::error::ObjectError;
use super::reading::ObjectFile;
use crate::packing::file::BackupFile;
use crate::packing::folder::{Entry, Folder};
use crate::store::place::ObjectUrl;

/// See the module.
#[derive(Debug)]
pub struct ObjectFolder {
    bucket: Bucket,
    url: ObjectUrl,
    /// As they were listed first: what is opened is what was listed.
    objects: Mutex<Option<Vec<Object>>>,
}

impl ObjectFolder {
    /// What lies below this URL.
    ///
    /// # Errors
    /// When the environment's settings make no sense.
    pub fn at(url: &ObjectUrl) -> Result<Self, ObjectError> {
        Ok(Self { bucket: Bucket::of(url)?, url: url.clone(), objects: Mutex::default() })
    }
}

fn name(object: &Object) -> &str {
    object.url.key.rsplit('/').next().unwrap_or_default()
}

impl Folder for ObjectFolder {
    fn list(&self) -> io::Result<Vec<Entry>> {
        let (objects, _) = self.bucket.list_here(&self.url)?;
        let entry = |object: &Object| Entry {
            name: name(object).into(),
            bytes: object.bytes,
            tag: object.e_tag.clone().unwrap_or_else(|| object.modified.to_rfc3339()),
        };
        let entries = objects.iter().map(entry).collect();
        let mut known = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        known.get_or_insert(objects);
        Ok(entries)
    }

    fn open(&self, wanted: &OsStr) -> io::Result<BackupFile> {
        let known = self.objects.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let found = known.into_iter().flatten().find(|object| name(object) == wanted);
        let object = found.ok_or(io::ErrorKind::NotFound)?;
        let path = object.url.path();
        Ok(BackupFile::elsewhere(&path, Arc::new(ObjectFile::of(self.bucket.clone(), object))))
    }
}
