//! What a backup held when it was made: `<file>.manifest.json`.
//!
//! A manifest is proof, and half-understood proof is none: what a reader has to understand stands in
//! `requires`, and whoever does not know an entry refuses the manifest. Keys that are not known are passed
//! over, and kept.

mod error;
mod format_1;
mod seal;
mod source;
mod unknown;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::StoreError;
use super::naming::manifest_path;
use super::publish::write_anew;
use crate::model::backup_id::BackupId;
use crate::model::contents::{LargeObjects, Sequence, StatementsOfKind, Table};
use crate::model::coverage::Coverage;
use crate::model::dump_options::DumpOptions;
use crate::model::files::{FileFacts, sha256_of_directory};
use crate::model::fingerprint::Fingerprint;
use crate::model::format::Format;
use unknown::Unknown;

pub use error::ManifestError;
pub use source::Source;

/// The version that is written, and the newest that is read.
pub const FORMAT_VERSION: u32 = 2;
/// Larger files are no manifests; a hundred thousand tables need some 40 MB.
const MAX_BYTES: u64 = 256 << 20;
/// What a manifest may require of its reader, as far as this version understands it.
const UNDERSTOOD: [&str; 0] = [];

/// What a backup held when it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Manifest {
    /// Version of this format. New keys can appear without a new version.
    #[schemars(extend("const" = FORMAT_VERSION))]
    pub format_version: u32,
    /// The backup's own id, ordered by time.
    pub backup_id: BackupId,
    /// What kind of backup it is.
    pub kind: Kind,
    /// What a reader has to understand, beside this format: one that does not know an entry must not use
    /// the manifest.
    pub requires: Vec<String>,
    /// What made it.
    pub tools: Tools,
    /// When the dump began.
    pub created_at: DateTime<Utc>,
    /// Name of the backup, without its directory: of its file, or of the directory of its files.
    pub name: String,
    /// The format of the dump.
    pub format: Format,
    /// How it is packed: `none`, `gzip` or `zstd`; of an archive, how pg_dump compressed what is in it.
    pub packing: String,
    /// The files of the backup: one, or those of a directory in the order of their names.
    pub files: Vec<FileFacts>,
    /// Size of the SQL in it in bytes; of an archive, as pg_restore writes it.
    pub dump_bytes: u64,
    /// The file of the server's roles and tablespaces beside the backup, where one was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub globals: Option<FileFacts>,
    /// The database that was dumped.
    pub source: Source,
    /// What pg_dump was told to dump.
    pub options: DumpOptions,
    /// What the backup holds.
    pub contents: Contents,
    /// The one checksum of a directory by a manifest of format 1, which did not say those of its files:
    /// `files` has the directory in place of them. Else absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    directory_sha256: Option<String>,
    /// Keys that this version does not know.
    #[serde(skip)]
    unknown: Unknown,
}

/// What kind of backup it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A dump by pg_dump.
    #[default]
    Logical,
}

/// The versions of what made a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tools {
    /// Of ccc-backup.
    pub ccc_backup: String,
    /// Of pg_dump, and of the pg_restore beside it.
    pub pg_dump: String,
}

/// What a backup holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Contents {
    /// The tables with rows in the dump, in its order.
    pub tables: Vec<Table>,
    /// The states of the sequences, in the dump's order.
    pub sequences: Vec<Sequence>,
    /// The large objects.
    pub large_objects: LargeObjects,
    /// The statements, by kind.
    pub statements: Vec<StatementsOfKind>,
    /// The xxh3-128 hash of all their texts in the order of the dump, whatever their kind, a NUL after each;
    /// absent where it was not recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statements_in_order: Option<Fingerprint>,
    /// The revision in `alembic_version`, where there is one; several are joined by `, `.
    pub revision: Option<String>,
    /// What could not be recorded and why, one sentence each.
    pub not_recorded: Vec<String>,
    /// What the source has and this backup has not; absent where the source was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
}

/// What is known of a backup that has just been made.
#[derive(Debug)]
pub struct New {
    /// When the dump began.
    pub created_at: DateTime<Utc>,
    /// Version of pg_dump.
    pub pg_dump: String,
    /// As [`Manifest::name`].
    pub name: String,
    /// As [`Manifest::format`].
    pub format: Format,
    /// As [`Manifest::packing`].
    pub packing: String,
    /// As [`Manifest::files`].
    pub files: Vec<FileFacts>,
    /// As [`Manifest::dump_bytes`].
    pub dump_bytes: u64,
    /// As [`Manifest::globals`].
    pub globals: Option<FileFacts>,
    /// As [`Manifest::source`].
    pub source: Source,
    /// As [`Manifest::options`].
    pub options: DumpOptions,
    /// As [`Manifest::contents`].
    pub contents: Contents,
}

impl Manifest {
    /// The manifest of a new backup.
    pub fn of(new: New) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            backup_id: BackupId::new(new.created_at),
            kind: Kind::Logical,
            requires: Vec::new(),
            tools: Tools { ccc_backup: env!("CARGO_PKG_VERSION").to_owned(), pg_dump: new.pg_dump },
            created_at: new.created_at,
            name: new.name,
            format: new.format,
            packing: new.packing,
            files: new.files,
            dump_bytes: new.dump_bytes,
            globals: new.globals,
            source: new.source,
            options: new.options,
            contents: new.contents,
            directory_sha256: None,
            unknown: Unknown::default(),
        }
    }

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

    /// Size of the backup in bytes, of all its files together.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// The one checksum of the backup, in hex: of its file, or of the list of a directory's files
    /// ([`sha256_of_directory`]).
    pub fn sha256(&self) -> String {
        match (&self.directory_sha256, self.format, &self.files[..]) {
            (Some(sha256), ..) => sha256.clone(),
            (None, Format::Directory, files) => sha256_of_directory(files),
            (None, _, files) => files.first().map(|file| file.sha256.clone()).unwrap_or_default(),
        }
    }

    /// The files of a directory, where the manifest says the checksum of each.
    pub fn files_of_directory(&self) -> &[FileFacts] {
        let known = self.format == Format::Directory && self.directory_sha256.is_none();
        if known { &self.files } else { &[] }
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

    /// Rows in all tables.
    pub fn rows(&self) -> u64 {
        self.contents.tables.iter().map(|table| table.fingerprint.rows).sum()
    }

    /// Whether tables, sequences and statements were recorded at all: the archive of a machine
    /// without pg_restore has a manifest without them. Every dump has statements.
    pub fn has_contents(&self) -> bool {
        !self.contents.statements.is_empty()
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

/// The JSON Schema of a manifest, with a line end.
///
/// # Errors
/// None that is known of.
pub fn schema() -> Result<Vec<u8>, serde_json::Error> {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<Manifest>();
    let sealed = serde_json::json!({
        "description": "SHA-256 in hex of the other values: of the JSON without space and with its keys sorted.",
        "type": "string",
        "pattern": "^[0-9a-f]{64}$",
    });
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert(seal::KEY.to_owned(), sealed);
    }
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.push(seal::KEY.into());
    }
    let mut bytes = serde_json::to_vec_pretty(&schema)?;
    bytes.push(b'\n');
    Ok(bytes)
}

#[cfg(test)]
mod tests;
