//! Places for backups, as they are written on the command line.

use std::path::{Path, PathBuf};

use super::SettingsError;
use crate::config::Config;
use crate::store::place::{NoPlace, ObjectUrl, Place};

impl From<NoPlace> for SettingsError {
    fn from(error: NoPlace) -> Self {
        Self { message: error.to_string(), hint: error.hint() }
    }
}

/// A place: a directory as it was given, or a URL in its one way to be written.
///
/// # Errors
/// When it is a URL that names no place.
pub(super) fn place(path: &Path) -> Result<PathBuf, SettingsError> {
    Ok(match Place::of(path)? {
        Place::Directory(path) => path,
        Place::Objects(url) => url.path(),
    })
}

/// A backup, or the file to be one.
///
/// # Errors
/// As [`place`], and when it is a URL that names a bucket, or what ends in a slash.
pub(super) fn backup(path: &Path) -> Result<PathBuf, SettingsError> {
    let Some(url) = ObjectUrl::of(path).transpose()? else { return Ok(path.to_owned()) };
    if url.key.is_empty() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(SettingsError {
            message: format!("{url} is a place, and no backup in it"),
            hint: format!("name the backup too, or use --backup-dir {url}"),
        });
    }
    Ok(url.path())
}

/// The same, where there may be none.
pub(super) fn optional_backup(path: Option<&Path>) -> Result<Option<PathBuf>, SettingsError> {
    path.map(backup).transpose()
}

/// The places of copies that are named, else those of the configuration.
///
/// # Errors
/// As [`place`].
pub(super) fn copies(named: &[PathBuf], config: &Config) -> Result<Vec<PathBuf>, SettingsError> {
    let configured = config.copies.iter().map(|copy| &copy.place);
    let chosen: Vec<&PathBuf> =
        if named.is_empty() { configured.collect() } else { named.iter().collect() };
    chosen.into_iter().map(|path| place(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_a_place_and_no_backup() {
        assert_eq!(place(Path::new("s3://b/")).unwrap(), Path::new("s3://b"));
        assert_eq!(place(Path::new("b/")).unwrap(), Path::new("b/"));
        assert_eq!(backup(Path::new("s3://b/x.sql.gz")).unwrap(), Path::new("s3://b/x.sql.gz"));
        for none in ["s3://b", "s3://b/x/", "ftp://b/x"] {
            assert!(backup(Path::new(none)).is_err(), "{none}");
        }
    }
}
