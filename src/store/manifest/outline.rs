//! What may be known of a backup by whoever sees it: of a sealed one, the part of its manifest that is in the clear.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::backup_id::BackupId;
use crate::model::files::{FileFacts, sha256_of_directory};
use crate::model::format::Format;

/// The version that is written, and the newest that is read.
pub const FORMAT_VERSION: u32 = 2;
/// What the manifest of a sealed backup requires of its reader, and how it is sealed.
pub(super) const AGE: &str = "age";

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Outline {
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
    /// When the dump began.
    pub created_at: DateTime<Utc>,
    /// Name of the backup, without its directory: of its file, or of the directory of its files.
    pub name: String,
    /// The format of the dump.
    pub format: Format,
    /// The files of the backup as they lie there: one, or those of a directory in the order of their names.
    pub files: Vec<FileFacts>,
    /// The file of the server's roles and tablespaces beside the backup, where one was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub globals: Option<FileFacts>,
    /// How it is sealed; absent where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
    /// The one checksum of a directory by a manifest of format 1, which did not say those of its files:
    /// `files` has the directory in place of them. Else absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) directory_sha256: Option<String>,
}

/// What kind of backup it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A dump by pg_dump.
    #[default]
    Logical,
}

/// How a backup is sealed: its files, and all of its manifest that is not in the clear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Encryption {
    /// `age`.
    pub method: String,
    /// To whom: public keys of age, or `passphrase`.
    pub recipients: Vec<String>,
}

impl Encryption {
    /// By age, for these recipients.
    pub fn age(recipients: Vec<String>) -> Self {
        Self { method: AGE.to_owned(), recipients }
    }
}

impl Outline {
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
}
