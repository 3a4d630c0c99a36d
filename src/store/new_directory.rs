//! A directory of files that is being made, on a disk or in a place.
//!
//! On a disk it appears whole. In a place its files appear one after the other: until its manifest is there, they are
//! no backup.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::error::StoreError;
use super::new_file::Published;
use super::objects::{Bucket, UnderWay, Upload};
use super::place::{ObjectUrl, Place};
use super::publish_directory::PartialDirectory;

/// See the module. Dropped before [`NewDirectory::publish`], its files are removed.
#[derive(Debug)]
pub enum NewDirectory {
    /// On a disk of this machine.
    Local(PartialDirectory),
    /// In object storage.
    Objects(NewObjects),
}

/// Objects below one name.
#[derive(Debug)]
pub struct NewObjects {
    url: ObjectUrl,
    files: Vec<ObjectUrl>,
    published: bool,
    replaces: bool,
    expected: Option<(u64, CancellationToken)>,
    // Dropped when they are removed.
    _under_way: UnderWay,
}

/// A file of the directory.
#[derive(Debug)]
pub enum NewMember {
    /// On a disk of this machine.
    Local(File),
    /// In object storage.
    Object(Box<Upload>),
}

impl NewDirectory {
    /// Begins the directory `target`.
    ///
    /// # Errors
    /// [`StoreError::TargetExists`] unless `overwrite`, and what disk or place refuse: see
    /// [`PartialDirectory::create`].
    pub fn create(target: &Path, overwrite: bool) -> Result<Self, StoreError> {
        let url = match Place::of(target)? {
            Place::Directory(path) => {
                return PartialDirectory::create(&path, overwrite).map(Self::Local);
            }
            Place::Objects(url) => url,
        };
        match Bucket::of(&url)?.list_here(&url) {
            Ok((files, _)) if files.is_empty() => {}
            Ok(_) => return Err(StoreError::TargetExists(target.to_owned())),
            // Who may only write cannot list: each file is asked for by itself.
            Err(error) => tracing::debug!(%error, "whether it is there cannot be asked"),
        }
        Ok(Self::Objects(NewObjects {
            url,
            files: Vec::new(),
            published: false,
            replaces: false,
            expected: None,
            _under_way: UnderWay::begin(),
        }))
    }

    /// The same in a place where another run may have left a part of it, which stays: whoever goes on knows what it is.
    ///
    /// # Errors
    /// As [`NewDirectory::create`].
    pub fn go_on(target: &Path) -> Result<Self, StoreError> {
        match Place::of(target)? {
            Place::Directory(path) => PartialDirectory::create(&path, false).map(Self::Local),
            Place::Objects(url) => {
                let files = Vec::new();
                // What is brought stays when the rest cannot be: the next run goes on there.
                Ok(Self::Objects(NewObjects {
                    url,
                    files,
                    published: true,
                    replaces: true,
                    expected: None,
                    _under_way: UnderWay::begin(),
                }))
            }
        }
    }

    /// Tells a place about how large its files may become, before the first is begun, and what ends the writing.
    pub fn expect(&mut self, bytes: u64, stop: &CancellationToken) {
        if let Self::Objects(objects) = self {
            objects.expected = Some((bytes, stop.clone()));
        }
    }

    /// Begins a file of it.
    ///
    /// # Errors
    /// The disk's, or the place's.
    pub fn begin(&mut self, name: &str) -> io::Result<NewMember> {
        match self {
            Self::Local(partial) => {
                let path = partial.path().join(name);
                let file =
                    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
                Ok(NewMember::Local(file))
            }
            Self::Objects(objects) => {
                let url = objects.url.join(name);
                let mut upload = Upload::create(&url, objects.replaces)?;
                if let Some((bytes, stop)) = &objects.expected {
                    upload.expect(*bytes, stop);
                }
                objects.files.push(url);
                Ok(NewMember::Object(Box::new(upload)))
            }
        }
    }

    /// Makes it durable and gives it its name.
    ///
    /// # Errors
    /// As [`PartialDirectory::publish`].
    pub fn publish(self) -> Result<Published, StoreError> {
        match self {
            Self::Local(partial) => partial.publish().map(Published::held_by),
            Self::Objects(mut objects) => {
                objects.published = true;
                Ok(Published::unheld())
            }
        }
    }
}

impl Drop for NewObjects {
    fn drop(&mut self) {
        if self.published {
            return;
        }
        let Ok(bucket) = Bucket::of(&self.url) else { return };
        if let Err(error) = bucket.remove_all(&self.files) {
            // Without a manifest it is no backup, and a clean-up removes it.
            tracing::warn!(%error, "left behind");
        }
    }
}

impl NewMember {
    /// Ends the file.
    ///
    /// # Errors
    /// The place's.
    pub fn finish(self) -> io::Result<()> {
        match self {
            Self::Local(_) => Ok(()),
            Self::Object(upload) => Ok(upload.publish()?),
        }
    }
}

impl Write for NewMember {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match self {
            Self::Local(file) => file.write(data),
            Self::Object(upload) => upload.write(data),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Local(file) => file.flush(),
            Self::Object(upload) => upload.flush(),
        }
    }
}
