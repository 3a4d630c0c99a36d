//! What a backup held when it was made: `<file>.manifest.json`.
//!
//! The reader refuses what it does not know: a manifest is proof, and half-understood proof is none.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::error::StoreError;
use super::naming::manifest_path;
use super::publish::write_anew;
use super::seal;
use crate::model::contents::{LargeObjects, Sequence, StatementsOfKind, Table};
use crate::model::fingerprint::Fingerprint;

/// The version that is written, and the newest that is read.
pub const FORMAT_VERSION: u32 = 1;
/// Larger files are no manifests; a hundred thousand tables need some 40 MB.
const MAX_BYTES: u64 = 256 << 20;

/// What a backup held when it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this format: [`FORMAT_VERSION`].
    pub format_version: u32,
    /// What made it, such as `ccc-backup 0.1.0`.
    pub tool: String,
    /// When the dump began.
    pub created_at: DateTime<Utc>,
    /// The database that was dumped.
    pub source: Source,
    /// What dumped it.
    pub pg_dump: PgDump,
    /// The file that was made.
    pub file: BackupFile,
    /// The file of the server's roles and tablespaces, where one was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub globals: Option<GlobalsFile>,
    /// The tables with rows in the dump, in its order.
    pub tables: Vec<Table>,
    /// The states of the sequences, in the dump's order.
    pub sequences: Vec<Sequence>,
    /// The large objects.
    pub large_objects: LargeObjects,
    /// The statements, by kind.
    pub statements: Vec<StatementsOfKind>,
    /// Of all their texts, in the order of the dump, whatever their kind; absent in manifests of before it
    /// was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statements_in_order: Option<Fingerprint>,
    /// The revision in `alembic_version`, where there is one.
    #[serde(default)]
    pub alembic_revision: Option<String>,
    /// What could not be recorded and why, one sentence each.
    #[serde(default)]
    pub not_recorded: Vec<String>,
    /// Where in the file what is found; for loading in parallel. The proof does not need it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<Index>,
}

/// The database that was dumped. What could not be asked is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Source {
    /// Host, or directory of the socket.
    pub host: Option<String>,
    /// Port.
    pub port: Option<String>,
    /// Name of the database.
    pub database: Option<String>,
    /// The role that dumped it.
    pub user: Option<String>,
    /// Version of the server, such as `15.18`.
    pub server_version: Option<String>,
    /// The same as a number, such as `150018`.
    pub server_version_num: Option<u32>,
    /// Encoding, such as `UTF8`.
    pub encoding: Option<String>,
    /// Collation, such as `en_US.UTF-8`.
    pub collate: Option<String>,
    /// Character classes, such as `C.UTF-8`.
    pub ctype: Option<String>,
    /// `libc`, `icu` or `builtin`.
    pub locale_provider: Option<String>,
    /// The locale of the providers `icu` and `builtin`.
    pub locale: Option<String>,
    /// Size of the database on its server in bytes.
    pub database_bytes: Option<u64>,
    /// `TimeZone` of the dumping session: how `timestamptz` is written in the dump.
    pub time_zone: Option<String>,
    /// `bytea_output` of the dumping session: `hex` or `escape`.
    pub bytea_output: Option<String>,
    /// Constraints not validated, indexes not valid, materialized views not populated; absent
    /// where the source was not asked.
    pub unsound: Option<Vec<String>>,
}

/// What dumped the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PgDump {
    /// Its version, such as `15.18`.
    pub version: String,
    /// Its arguments; none of them is a secret.
    pub args: Vec<String>,
}

/// The file of the backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupFile {
    /// Its name, without directory.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
    /// Size of the dump in it in bytes.
    pub uncompressed_bytes: u64,
    /// `none`, `gzip`, `zstd`.
    pub compression: String,
}

/// The file of the server's roles and tablespaces, beside the backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GlobalsFile {
    /// Its name, without directory.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
}

/// Where in the file what is found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// Where each gzip member begins: offset in the file, offset in the dump.
    pub members: Vec<(u64, u64)>,
    /// Where the rows of each COPY block are.
    pub copies: Vec<CopySpan>,
}

/// Where the rows of a COPY block are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CopySpan {
    /// Index in [`Manifest::tables`].
    pub table: usize,
    /// The first byte of the first row, in the dump.
    pub offset: u64,
    /// Bytes of the rows, without the line `\.`.
    pub bytes: u64,
}

/// Why a manifest cannot be used.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// It cannot be read, which says nothing of the backup.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A newer version of ccc-backup wrote it.
    #[error(
        "the manifest has format version {found}; this version of ccc-backup reads up to {FORMAT_VERSION}"
    )]
    Newer {
        /// Its version.
        found: u64,
    },
    /// It is not what was written.
    #[error("the manifest is damaged: {0}")]
    Damaged(String),
    /// It is another file's.
    #[error("the manifest belongs to another file: {0}")]
    OtherFile(String),
}

impl ManifestError {
    /// Whether it proves that the backup, or what belongs to it, is bad. Else it could not be told.
    pub fn proves_bad(&self) -> bool {
        matches!(self, Self::Damaged(_) | Self::OtherFile(_))
    }

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => error.hint(),
            Self::Newer { .. } => Some("use the version of ccc-backup that made it".to_owned()),
            Self::Damaged(_) => Some(
                "get the manifest from another copy of the backup; without one, move it away to \
                 verify the backup for itself"
                    .to_owned(),
            ),
            Self::OtherFile(_) => Some(
                "the backup was replaced, cut or renamed after it was made: get it and its \
                 manifest from another copy"
                    .to_owned(),
            ),
        }
    }
}

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
    /// [`ManifestError::Newer`], [`ManifestError::Damaged`].
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
        if format_version != u64::from(FORMAT_VERSION) {
            let message = format!("there is no format version {format_version}");
            return Err(ManifestError::Damaged(message));
        }
        let mut value: Value = serde_json::from_slice(bytes).map_err(damaged)?;
        seal::remove(&mut value).map_err(ManifestError::Damaged)?;
        let manifest: Self = serde_json::from_value(value).map_err(damaged)?;
        manifest.check_sense()?;
        Ok(manifest)
    }

    /// The bytes of its file: itself, and a checksum of itself.
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
        let manifest_sha256 = seal::of(&serde_json::to_value(self)?);
        let mut bytes = serde_json::to_vec_pretty(&Sealed { manifest: self, manifest_sha256 })?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    fn check_sense(&self) -> Result<(), ManifestError> {
        let of_globals = self.globals.as_ref().map(|globals| &globals.sha256);
        let is_digest =
            |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let mut digests = std::iter::once(&self.file.sha256).chain(of_globals);
        match digests.find(|digest| !is_digest(digest)) {
            Some(digest) => Err(ManifestError::Damaged(format!("{digest:?} is not a SHA-256"))),
            None => Ok(()),
        }
    }

    /// Whether this is the manifest of that file, by its name and size. A copy under another name
    /// is another file's only when its size differs too: the checksum proves the rest.
    ///
    /// # Errors
    /// [`ManifestError::OtherFile`].
    pub fn check_belongs(&self, backup: &Path, bytes: u64) -> Result<(), ManifestError> {
        if bytes == self.file.bytes {
            return Ok(());
        }
        let name = backup.file_name().unwrap_or_default().to_string_lossy();
        let sizes = format!("{bytes} bytes instead of {}", self.file.bytes);
        Err(ManifestError::OtherFile(if name == self.file.name {
            format!("{name} has {sizes}")
        } else {
            format!("it names {}, and {name} has {sizes}", self.file.name)
        }))
    }

    /// Rows in all tables.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.fingerprint.rows).sum()
    }

    /// Whether tables, sequences and statements were recorded at all: the archive of a machine
    /// without pg_restore has a manifest without them. Every dump has statements.
    pub fn has_contents(&self) -> bool {
        !self.statements.is_empty()
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

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
