//! What a manifest says.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::source::Source;
use super::unknown::Unknown;
use crate::model::backup_id::BackupId;
use crate::model::contents::{LargeObjects, Sequence, StatementsOfKind, Table};
use crate::model::coverage::Coverage;
use crate::model::dump_options::DumpOptions;
use crate::model::files::{FileFacts, sha256_of_directory};
use crate::model::fingerprint::Fingerprint;
use crate::model::format::Format;
use crate::model::packing::Packing;

/// The version that is written, and the newest that is read.
pub const FORMAT_VERSION: u32 = 2;

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
    /// How it is packed; of an archive, how pg_dump compressed what is in it.
    pub packing: Packing,
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
    pub(super) directory_sha256: Option<String>,
    /// Keys that this version does not know.
    #[serde(skip)]
    pub(super) unknown: Unknown,
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
    pub packing: Packing,
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

    /// Rows in all tables.
    pub fn rows(&self) -> u64 {
        self.contents.tables.iter().map(|table| table.fingerprint.rows).sum()
    }

    /// Whether tables, sequences and statements were recorded at all: the archive of a machine
    /// without pg_restore has a manifest without them. Every dump has statements.
    pub fn has_contents(&self) -> bool {
        !self.contents.statements.is_empty()
    }
}
