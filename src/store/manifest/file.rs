//! A manifest as a file: read, with all that proves it damaged, and written.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::document::Manifest;
use super::error::ManifestError;
use super::outline::{AGE, FORMAT_VERSION, Outline};
use super::unknown::Unknown;
use super::{checksum, format_1, sealed};
use crate::sealing::{Identities, Recipients};
use crate::store::error::StoreError;
use crate::store::naming::manifest_path;
use crate::store::publish::write_anew;
use crate::store::small;

/// Larger files are no manifests; a hundred thousand tables need some 40 MB.
const MAX_BYTES: u64 = 256 << 20;
/// What a manifest may require of its reader, as far as this version understands it.
const UNDERSTOOD: [&str; 1] = [AGE];

impl Manifest {
    /// The manifest of a backup; `None` when it has none.
    ///
    /// # Errors
    /// [`ManifestError`], but for [`ManifestError::OtherFile`]: see [`super::Outline::check_belongs`].
    pub fn read(backup: &Path, identities: &Identities) -> Result<Option<Self>, ManifestError> {
        let bytes = bytes(&manifest_path(backup))?;
        bytes.map(|bytes| Self::parse(&bytes, identities)).transpose()
    }

    /// The manifest in a file, wherever its backup is, and the bytes that say it.
    ///
    /// # Errors
    /// As [`Manifest::read`], also where there is no such file.
    pub fn read_alone(
        path: &Path,
        identities: &Identities,
    ) -> Result<(Self, Vec<u8>), ManifestError> {
        let missing = || StoreError::io("read", path, io::ErrorKind::NotFound.into());
        let bytes = bytes(path)?.ok_or_else(missing)?;
        Ok((Self::parse(&bytes, identities)?, bytes))
    }

    /// The manifest in the bytes of a file, of which the identities open what is sealed.
    ///
    /// # Errors
    /// [`ManifestError::Newer`], [`ManifestError::Unsupported`], [`ManifestError::Damaged`],
    /// [`ManifestError::Sealed`].
    pub fn parse(bytes: &[u8], identities: &Identities) -> Result<Self, ManifestError> {
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
        checksum::remove(&mut value).map_err(ManifestError::Damaged)?;
        let manifest = match format_version {
            1 => format_1::read(value).map_err(damaged)?,
            _ => Self::of_value(value, identities)?,
        };
        manifest.outline.check_sense()?;
        Ok(manifest)
    }

    /// The manifest in a value of this format, without its checksum.
    fn of_value(value: Value, identities: &Identities) -> Result<Self, ManifestError> {
        let damaged = |error: serde_json::Error| ManifestError::Damaged(error.to_string());
        check_required(&value)?;
        let value = sealed::open(value, identities)?;
        let manifest: Self = Self::deserialize(&value).map_err(damaged)?;
        let known = serde_json::to_value(&manifest).map_err(damaged)?;
        Ok(Self { unknown: Unknown::of(value, &known), ..manifest })
    }

    /// The bytes of its file: itself, the keys that were not known, and a checksum of all that. What is not in the
    /// clear is sealed for the recipients, where there are any.
    ///
    /// # Errors
    /// None that is known of.
    pub fn to_bytes(&self, recipients: Option<&Recipients>) -> io::Result<Vec<u8>> {
        #[derive(Serialize)]
        struct Checked<'a> {
            #[serde(flatten)]
            manifest: &'a Manifest,
            manifest_sha256: String,
        }
        #[derive(Serialize)]
        struct Sealed<'a> {
            #[serde(flatten)]
            outline: &'a Outline,
            sealed: &'a Value,
            manifest_sha256: String,
        }
        let mut value = serde_json::to_value(self)?;
        self.unknown.put_into(&mut value);
        if let Some(recipients) = recipients {
            sealed::seal(&mut value, recipients)?;
        }
        let manifest_sha256 = checksum::of(&value);
        // In the order of the fields, for people to read, where there are no others.
        let mut bytes = if !self.unknown.is_empty() {
            value[checksum::KEY] = manifest_sha256.into();
            serde_json::to_vec_pretty(&value)?
        } else if recipients.is_some() {
            let (outline, sealed) = (&self.outline, &value[sealed::KEY]);
            serde_json::to_vec_pretty(&Sealed { outline, sealed, manifest_sha256 })?
        } else {
            serde_json::to_vec_pretty(&Checked { manifest: self, manifest_sha256 })?
        };
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Writes it beside its backup, whole or not at all.
    ///
    /// # Errors
    /// As [`write_anew`].
    pub fn write(&self, backup: &Path, recipients: Option<&Recipients>) -> Result<(), StoreError> {
        let path = manifest_path(backup);
        let bytes =
            self.to_bytes(recipients).map_err(|error| StoreError::io("write", &path, error))?;
        write_anew(&path, &bytes, 0o600)
    }
}

/// The bytes of a manifest's file, which are what is signed; `None` when there is none.
///
/// # Errors
/// What the system refuses, and [`ManifestError::Damaged`] for a file that is too large.
pub fn bytes(path: &Path) -> Result<Option<Vec<u8>>, ManifestError> {
    let bytes = small::read(path, MAX_BYTES + 1)?;
    if bytes.as_ref().is_some_and(|bytes| bytes.len() as u64 > MAX_BYTES) {
        return Err(ManifestError::Damaged("it is larger than 256 MiB".to_owned()));
    }
    Ok(bytes)
}

impl Outline {
    /// What is in the clear of the manifest of a backup; `None` when it has none.
    ///
    /// # Errors
    /// As [`Manifest::read`], but for what is sealed.
    pub fn read(backup: &Path) -> Result<Option<Self>, ManifestError> {
        let bytes = bytes(&manifest_path(backup))?;
        bytes.map(|bytes| Self::parse(&bytes)).transpose()
    }

    /// What is in the clear of the manifest in the bytes of a file.
    ///
    /// # Errors
    /// As [`Manifest::parse`], but for what is sealed.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        match Manifest::parse(bytes, &Identities::default()) {
            Err(ManifestError::Sealed { outline, .. }) => Ok(*outline),
            parsed => Ok(parsed?.outline),
        }
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
