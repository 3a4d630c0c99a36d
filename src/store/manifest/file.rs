//! A manifest as a file: read, with all that proves it damaged, and written.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::document::{FORMAT_VERSION, Manifest};
use super::error::ManifestError;
use super::unknown::Unknown;
use super::{format_1, seal};
use crate::model::format::Format;
use crate::store::error::StoreError;
use crate::store::naming::manifest_path;
use crate::store::publish::write_anew;

/// Larger files are no manifests; a hundred thousand tables need some 40 MB.
const MAX_BYTES: u64 = 256 << 20;
/// What a manifest may require of its reader, as far as this version understands it.
const UNDERSTOOD: [&str; 0] = [];

impl Manifest {
    /// The manifest of a backup; `None` when it has none.
    ///
    /// # Errors
    /// [`ManifestError`], but for [`ManifestError::OtherFile`]: see [`Manifest::check_belongs`].
    pub fn read(backup: &Path) -> Result<Option<Self>, ManifestError> {
        let path = manifest_path(backup);
        let failed = |error| StoreError::io("read", &path, error);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error).into()),
        };
        let mut bytes = Vec::new();
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(ManifestError::Damaged("it is larger than 256 MiB".to_owned()));
        }
        Self::parse(&bytes).map(Some)
    }

    /// The manifest in the bytes of a file.
    ///
    /// # Errors
    /// [`ManifestError::Newer`], [`ManifestError::Unsupported`], [`ManifestError::Damaged`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct Versioned {
            format_version: u64,
        }
        let damaged = |error: serde_json::Error| ManifestError::Damaged(error.to_string());
        let Versioned { format_version } = serde_json::from_slice(bytes).map_err(damaged)?;
        if format_version > u64::from(FORMAT_VERSION) {
            return Err(ManifestError::Newer { found: format_version });
        }
        if format_version == 0 {
            return Err(ManifestError::Damaged("there is no format version 0".to_owned()));
        }
        let mut value: Value = serde_json::from_slice(bytes).map_err(damaged)?;
        seal::remove(&mut value).map_err(ManifestError::Damaged)?;
        let manifest = match format_version {
            1 => format_1::read(value).map_err(damaged)?,
            _ => Self::of_value(value)?,
        };
        manifest.check_sense()?;
        Ok(manifest)
    }

    /// The manifest in a value of this format, without its checksum.
    fn of_value(value: Value) -> Result<Self, ManifestError> {
        let damaged = |error: serde_json::Error| ManifestError::Damaged(error.to_string());
        check_required(&value)?;
        let manifest: Self = Self::deserialize(&value).map_err(damaged)?;
        let known = serde_json::to_value(&manifest).map_err(damaged)?;
        Ok(Self { unknown: Unknown::of(value, &known), ..manifest })
    }

    /// The bytes of its file: itself, the keys that were not known, and a checksum of all that.
    ///
    /// # Errors
    /// None that is known of.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        #[derive(Serialize)]
        struct Sealed<'a> {
            #[serde(flatten)]
            manifest: &'a Manifest,
            manifest_sha256: String,
        }
        let mut value = serde_json::to_value(self)?;
        self.unknown.put_into(&mut value);
        let manifest_sha256 = seal::of(&value);
        let mut bytes = if self.unknown.is_empty() {
            // In the order of the fields, for people to read.
            serde_json::to_vec_pretty(&Sealed { manifest: self, manifest_sha256 })?
        } else {
            value[seal::KEY] = manifest_sha256.into();
            serde_json::to_vec_pretty(&value)?
        };
        bytes.push(b'\n');
        Ok(bytes)
    }

    fn check_sense(&self) -> Result<(), ManifestError> {
        let is_digest =
            |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let files = self.files.iter().chain(&self.globals).map(|file| &file.sha256);
        let mut digests = files.chain(&self.directory_sha256);
        if let Some(digest) = digests.find(|digest| !is_digest(digest)) {
            return Err(ManifestError::Damaged(format!("{digest:?} is not a SHA-256")));
        }
        if self.format != Format::Directory && self.files.len() != 1 {
            let files = self.files.len();
            return Err(ManifestError::Damaged(format!("it names {files} files in place of one")));
        }
        Ok(())
    }

    /// Whether this is the manifest of that file, by its name and size. A copy under another name
    /// is another file's only when its size differs too: the checksum proves the rest.
    ///
    /// # Errors
    /// [`ManifestError::OtherFile`].
    pub fn check_belongs(&self, backup: &Path, bytes: u64) -> Result<(), ManifestError> {
        if bytes == self.bytes() {
            return Ok(());
        }
        let name = backup.file_name().unwrap_or_default().to_string_lossy();
        let sizes = format!("{bytes} bytes instead of {}", self.bytes());
        Err(ManifestError::OtherFile(if name == self.name {
            format!("{name} has {sizes}")
        } else {
            format!("it names {}, and {name} has {sizes}", self.name)
        }))
    }

    /// Writes it beside its backup, whole or not at all.
    ///
    /// # Errors
    /// As [`write_anew`].
    pub fn write(&self, backup: &Path) -> Result<(), StoreError> {
        let path = manifest_path(backup);
        let bytes =
            self.to_bytes().map_err(|error| StoreError::io("write", &path, error.into()))?;
        write_anew(&path, &bytes, 0o600)
    }
}

/// Refuses a manifest whose reader has to know what this version does not.
fn check_required(value: &Value) -> Result<(), ManifestError> {
    #[derive(Deserialize)]
    struct Required {
        kind: Value,
        requires: Vec<String>,
    }
    let required = Required::deserialize(value);
    let Required { kind, requires } =
        required.map_err(|error| ManifestError::Damaged(error.to_string()))?;
    if let Some(other) = requires.iter().find(|entry| !UNDERSTOOD.contains(&entry.as_str())) {
        return Err(ManifestError::Unsupported(other.clone()));
    }
    match kind {
        Value::String(kind) if kind != "logical" => {
            Err(ManifestError::Unsupported(format!("backups of the kind {kind}")))
        }
        _ => Ok(()),
    }
}
