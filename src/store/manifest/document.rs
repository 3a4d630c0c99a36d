//! What a manifest says.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::outline::{AGE, Encryption, FORMAT_VERSION, Kind, Outline};
use super::source::Source;
use super::unknown::Unknown;
use crate::model::backup_id::BackupId;
use crate::model::contents::{LargeObjects, Sequence, StatementsOfKind, Table};
use crate::model::coverage::Coverage;
use crate::model::dump_options::DumpOptions;
use crate::model::files::FileFacts;
use crate::model::fingerprint::Fingerprint;
use crate::model::format::Format;
use crate::model::packing::Packing;

/// What a backup held when it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Manifest {
    /// What may be known of it by whoever sees it.
    #[serde(flatten)]
    pub outline: Outline,
    /// What made it.
    pub tools: Tools,
    /// How it is packed; of an archive, how pg_dump compressed what is in it.
    pub packing: Packing,
    /// Size of the SQL in it in bytes; of an archive, as pg_restore writes it.
    pub dump_bytes: u64,
    /// The database that was dumped.
    pub source: Source,
    /// What pg_dump was told to dump.
    pub options: DumpOptions,
    /// What the backup holds.
    pub contents: Contents,
    /// Keys that this version does not know.
    #[serde(skip)]
    pub(super) unknown: Unknown,
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
    /// As [`Outline::name`].
    pub name: String,
    /// As [`Outline::format`].
    pub format: Format,
    /// As [`Manifest::packing`].
    pub packing: Packing,
    /// As [`Outline::files`].
    pub files: Vec<FileFacts>,
    /// As [`Manifest::dump_bytes`].
    pub dump_bytes: u64,
    /// As [`Outline::globals`].
    pub globals: Option<FileFacts>,
    /// As [`Outline::encryption`].
    pub encryption: Option<Encryption>,
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
        let requires = new.encryption.iter().map(|_| AGE.to_owned()).collect();
        Self {
            outline: Outline {
                format_version: FORMAT_VERSION,
                backup_id: BackupId::new(new.created_at),
                kind: Kind::Logical,
                requires,
                created_at: new.created_at,
                name: new.name,
                format: new.format,
                files: new.files,
                globals: new.globals,
                encryption: new.encryption,
                directory_sha256: None,
            },
            tools: Tools { ccc_backup: env!("CARGO_PKG_VERSION").to_owned(), pg_dump: new.pg_dump },
            packing: new.packing,
            dump_bytes: new.dump_bytes,
            source: new.source,
            options: new.options,
            contents: new.contents,
            unknown: Unknown::default(),
        }
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
