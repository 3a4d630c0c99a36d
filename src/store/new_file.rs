//! A file of a backup that is being made, in a directory or in a place: it appears whole or not at all.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::error::StoreError;
use super::objects::Upload;
use super::place::Place;
use super::publish::Partial;

/// See the module. Dropped before [`NewFile::publish`], nothing of it is left.
#[derive(Debug)]
pub enum NewFile {
    /// On a disk of this machine.
    Local(Partial),
    /// In object storage.
    Object(Box<Upload>, PathBuf),
}

/// A file that has its name. Of a disk, it is locked while this is open.
#[derive(Debug)]
pub struct Published(#[expect(dead_code, reason = "it is held, for its lock")] Option<File>);

impl Published {
    /// Locked by this file.
    pub fn held_by(file: File) -> Self {
        Self(Some(file))
    }

    /// Where nothing is locked.
    pub fn unheld() -> Self {
        Self(None)
    }
}

impl NewFile {
    /// Begins the file `target`.
    ///
    /// # Errors
    /// [`StoreError::TargetExists`] unless `overwrite`, and what disk or place refuse: see [`Partial::create`].
    pub fn create(target: &Path, overwrite: bool) -> Result<Self, StoreError> {
        match Place::of(target)? {
            Place::Directory(path) => Partial::create(&path, overwrite).map(Self::Local),
            Place::Objects(url) => {
                let upload = Upload::create(&url, overwrite)?;
                Ok(Self::Object(Box::new(upload), target.to_owned()))
            }
        }
    }

    /// Tells a place about how large it may become, before anything is written, and what ends the writing.
    pub fn expect(&mut self, bytes: u64, stop: &CancellationToken) {
        if let Self::Object(upload, _) = self {
            upload.expect(bytes, stop);
        }
    }

    /// The file to be.
    pub fn target(&self) -> &Path {
        match self {
            Self::Local(partial) => partial.target(),
            Self::Object(_, target) => target,
        }
    }

    /// Writes a little of it, and takes it back: whether it may be written. Says whether that was told; see
    /// [`Upload::try_out`].
    ///
    /// # Errors
    /// What disk or place refuse.
    pub fn try_out(self) -> Result<bool, StoreError> {
        match self {
            Self::Local(mut partial) => {
                let written = partial.write_all(b"x").and_then(|()| partial.flush());
                let path = partial.target().to_owned();
                written.map(|()| true).map_err(|error| StoreError::io("write", &path, error))
            }
            Self::Object(upload, _) => Ok(upload.try_out()?),
        }
    }

    /// Makes it durable and gives it its name.
    ///
    /// # Errors
    /// [`StoreError::TargetExists`] when the name was taken meanwhile, and what disk or place refuse.
    pub fn publish(self) -> Result<Published, StoreError> {
        match self {
            Self::Local(partial) => partial.publish().map(Published::held_by),
            Self::Object(upload, _) => {
                upload.publish()?;
                Ok(Published::unheld())
            }
        }
    }
}

impl Write for NewFile {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match self {
            Self::Local(partial) => partial.write(data),
            Self::Object(upload, _) => upload.write(data),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Local(partial) => partial.flush(),
            Self::Object(upload, _) => upload.flush(),
        }
    }
}
