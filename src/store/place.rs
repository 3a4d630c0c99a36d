//! Where backups lie: a directory of this machine, or a place in object storage, told apart by how it is written.
//!
//! Whatever lies in a place is named by a path all the same: `s3://bucket/prefix/backup_X.sql.gz` has a file name and
//! a parent, and what stands beside it has its name made of it, as in a directory. Whoever reads or writes asks here
//! which of both a path is; a URL is never given to the file system.

use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A place for backups, or something in one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// On a disk of this machine.
    Directory(PathBuf),
    /// In object storage.
    Objects(ObjectUrl),
}

/// Who keeps the objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Amazon S3, and all that speaks its protocol.
    S3,
    /// Google Cloud Storage.
    Gs,
    /// Azure Blob Storage.
    Az,
}

/// A bucket, and a key or the beginning of keys in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectUrl {
    /// Who keeps it.
    pub scheme: Scheme,
    /// The bucket; of Azure, the container.
    pub bucket: String,
    /// The key, without slashes at its ends; empty for the bucket itself.
    pub key: String,
}

/// A URL that is no place. It is not shown whole: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoPlace {
    /// Of a protocol that no place has.
    #[error("{0}:// is no place for backups")]
    Scheme(String),
    /// Without a bucket.
    #[error("{0}:// does not name a bucket")]
    NoBucket(&'static str),
    /// With a user, a password, or parameters.
    #[error("a place is written {0}://bucket/prefix, without users, passwords and parameters")]
    Adorned(&'static str),
    /// With what cannot be a part of a key.
    #[error("{0:?} cannot be a part of a place")]
    Part(String),
    /// In bytes that are no text.
    #[error("a place is written in UTF-8")]
    NotText,
}

impl NoPlace {
    /// What to do next.
    pub fn hint(&self) -> String {
        match self {
            Self::Scheme(_) => "name a directory, or s3://bucket/prefix, gs://bucket/prefix, \
                 az://container/prefix; the address of a server that speaks S3 goes into AWS_ENDPOINT_URL"
                .to_owned(),
            Self::NoBucket(_) | Self::Part(_) | Self::NotText => {
                "write it as s3://bucket/prefix".to_owned()
            }
            Self::Adorned(_) => {
                "credentials come from the environment, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
                    .to_owned()
            }
        }
    }
}

impl Place {
    /// What a path names.
    ///
    /// # Errors
    /// [`NoPlace`] for a URL that is none.
    pub fn of(path: &Path) -> Result<Self, NoPlace> {
        match ObjectUrl::of(path) {
            None => Ok(Self::Directory(path.to_owned())),
            Some(url) => url.map(Self::Objects),
        }
    }
}

/// Whether a path is written as a URL.
pub fn is_url(path: &Path) -> bool {
    scheme_of(path).is_some()
}

/// Whether both name the same place.
pub fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    one == other || (real(one).is_some() && real(one) == real(other))
}

/// The path without a slash at its end, after which nothing could stand beside it.
pub fn without_slash(path: &Path) -> PathBuf {
    match ObjectUrl::of(path) {
        Some(Ok(url)) => url.path(),
        Some(Err(_)) => path.to_owned(),
        None => path.components().collect(),
    }
}

/// What stands before `://`, if it can be the name of a protocol.
fn scheme_of(path: &Path) -> Option<&[u8]> {
    let bytes = path.as_os_str().as_encoded_bytes();
    let at = memchr::memmem::find(bytes, b"://")?;
    let scheme = &bytes[..at];
    let is_name = scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
    is_name.then_some(scheme)
}

impl Scheme {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Gs => "gs",
            Self::Az => "az",
        }
    }
}

impl ObjectUrl {
    /// The URL that a path is written as; `None` where it is none.
    pub fn of(path: &Path) -> Option<Result<Self, NoPlace>> {
        let scheme = scheme_of(path)?;
        Some(Self::parse(scheme, path))
    }

    fn parse(scheme: &[u8], path: &Path) -> Result<Self, NoPlace> {
        let written = String::from_utf8_lossy(scheme).to_ascii_lowercase();
        let scheme = match &*written {
            "s3" | "s3a" => Scheme::S3,
            "gs" => Scheme::Gs,
            "az" | "azure" => Scheme::Az,
            _ => return Err(NoPlace::Scheme(written)),
        };
        let text = path.to_str().ok_or(NoPlace::NotText)?;
        let rest = text.split_once("://").map_or("", |(_, rest)| rest);
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.contains(['@', '?', '#', ':']) || key.contains(['?', '#']) {
            return Err(NoPlace::Adorned(scheme.name()));
        }
        if bucket.is_empty() {
            return Err(NoPlace::NoBucket(scheme.name()));
        }
        let parts: Vec<&str> = key.split('/').filter(|part| !part.is_empty()).collect();
        let wrong = |part: &&&str| matches!(**part, "." | "..") || part.contains(char::is_control);
        if let Some(part) = parts.iter().find(wrong) {
            return Err(NoPlace::Part((*part).to_owned()));
        }
        Ok(Self { scheme, bucket: bucket.to_owned(), key: parts.join("/") })
    }

    /// The path that names it.
    pub fn path(&self) -> PathBuf {
        self.to_string().into()
    }

    /// What lies in it under this name.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        let key =
            if self.key.is_empty() { name.to_owned() } else { format!("{}/{name}", self.key) };
        Self { key, ..self.clone() }
    }
}

impl fmt::Display for ObjectUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.name(), self.bucket)?;
        if self.key.is_empty() { Ok(()) } else { write!(f, "/{}", self.key) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Result<Place, NoPlace> {
        Place::of(Path::new(text))
    }

    #[test]
    fn a_place_is_told_from_a_directory_by_how_it_is_written() {
        for directory in ["backups", "./s3", "/a/b", "s3:/bucket", "://x", "1s://x", "a b://c"] {
            assert_eq!(place(directory), Ok(Place::Directory(directory.into())));
        }
        for (text, shown) in [
            ("s3://bucket", "s3://bucket"),
            ("S3://bucket/", "s3://bucket"),
            ("s3a://bucket//a//b/", "s3://bucket/a/b"),
            ("gs://bucket/a", "gs://bucket/a"),
            ("az://container/a", "az://container/a"),
        ] {
            let Ok(Place::Objects(url)) = place(text) else { panic!("{text}") };
            assert_eq!(url.to_string(), shown);
        }
    }

    #[test]
    fn a_url_that_is_no_place_is_refused_and_its_password_is_not_shown() {
        for text in [
            "ftp://h/x",
            "s3://",
            "s3:///x",
            "s3://key:hunter2@bucket/x",
            "az://c/x?sig=hunter2",
            "s3://bucket/../x",
        ] {
            let error = place(text).unwrap_err();
            assert!(!format!("{error} {}", error.hint()).contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_place_is_the_same_however_it_is_written() {
        let (root, same) =
            (Path::new("/"), |one: &str, other: &str| is_same(one.as_ref(), other.as_ref()));
        assert!(is_same(root, Path::new("/../")) && same("s3://b/p", "s3://b/p"));
        assert!(
            !same("s3://b/p", "s3://b/q")
                && !same("/no-such-place", "/nor-this")
                && !same("/", "s3://b")
        );
    }

    #[test]
    fn what_lies_in_a_place_has_a_name_and_a_parent_as_in_a_directory() {
        let path = Path::new("s3://bucket/prefix").join("backup_1.sql.gz");
        assert_eq!(path.file_name().unwrap(), "backup_1.sql.gz");
        assert_eq!(path.parent().unwrap(), Path::new("s3://bucket/prefix"));
        let url = ObjectUrl::of(&path).unwrap().unwrap();
        assert_eq!(url.path(), path);
        assert_eq!(without_slash(Path::new("s3://bucket/a/")), Path::new("s3://bucket/a"));
        assert_eq!(without_slash(Path::new("a//b/")), Path::new("a/b"));
    }
}
