//! Small files beside a backup, in a directory or in a place: its manifest, the signature of that, roles and tablespaces.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::error::StoreError;
use super::objects::{Bucket, Put};
use super::place::Place;
use super::publish::write_anew;

/// Bytes of roles and tablespaces at the most.
const MOST_GLOBALS: u64 = 256 << 20;

/// The bytes of one, no more than `most`; `None` where there is none.
///
/// # Errors
/// What disk or place refuse.
pub fn read(path: &Path, most: u64) -> Result<Option<Vec<u8>>, StoreError> {
    let path = match Place::of(path)? {
        Place::Directory(path) => path,
        Place::Objects(url) => {
            let bytes = Bucket::of(&url)?.read_whole(&url, most)?;
            return Ok(bytes.map(Vec::from));
        }
    };
    let failed = |error| StoreError::io("read", &path, error);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes).map_err(failed)?;
    Ok(Some(bytes))
}

/// The bytes of the roles and tablespaces beside a backup, as they lie there, sealed or not; `None` where there are none.
///
/// # Errors
/// What disk or place refuse.
pub fn read_globals(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    read(path, MOST_GLOBALS)
}

/// Writes one. On a disk it takes the place of what is there; in a place it does so only where `anew` says it.
///
/// # Errors
/// What disk or place refuse.
pub fn write(path: &Path, bytes: &[u8], anew: bool) -> Result<(), StoreError> {
    match Place::of(path)? {
        Place::Directory(path) => write_anew(&path, bytes, 0o600),
        Place::Objects(url) => {
            let how = if anew { Put::Anew } else { Put::New };
            Ok(Bucket::of(&url)?.put(&url, bytes.to_vec().into(), how)?)
        }
    }
}

/// Removes one; that there is none is no error.
///
/// # Errors
/// What disk or place refuse.
pub fn remove(path: &Path) -> Result<(), StoreError> {
    match Place::of(path)? {
        Place::Directory(path) => match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::io("remove", &path, error))
            }
            _ => Ok(()),
        },
        Place::Objects(url) => Ok(Bucket::of(&url)?.remove(&url)?),
    }
}
