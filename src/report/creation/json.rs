//! What `create` made as versioned JSON, for machines. `docs/create.schema.json` is its schema, generated from the types.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::model::creation::{CreateEnd, CreateReport, DatabaseBackup, MadeBackup};
use crate::report::json::pretty;

/// The version of the document: raised when a field goes away or changes its meaning; a new field leaves it as it is.
pub const SCHEMA_VERSION: u32 = 1;

/// What `ccc-backup create` made.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CreateDocument<'a> {
    /// Version of this format. New fields can appear without a new version.
    #[schemars(extend("const" = SCHEMA_VERSION))]
    pub schema_version: u32,
    /// What the process exits with: 0 all were made, 1 one could not be made, 2 one was not come to.
    #[schemars(range(min = 0, max = 2))]
    pub exit_code: u8,
    /// Version of ccc-backup.
    pub tool_version: &'a str,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// Wall time in seconds.
    pub seconds: f64,
    /// Why not all went well, one sentence each.
    pub causes: Vec<String>,
    /// The databases, in the order in which they were backed up.
    pub databases: Vec<DatabaseDocument<'a>>,
}

/// What came of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// There is a backup.
    Made,
    /// There is none.
    NotMade,
    /// It was not come to.
    NotReached,
}

/// A database that was to be backed up.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DatabaseDocument<'a> {
    /// Its name.
    pub database: &'a str,
    /// `host:port` of its server.
    pub host: &'a str,
    /// What came of it.
    pub state: State,
    /// How long that took, in seconds.
    pub seconds: f64,
    /// The backup, as it is named; absent where that was not known yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<&'a str>,
    /// What is in it; absent where there is none.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub made: Option<MadeDocument<'a>>,
    /// What went wrong: why there is no backup, or what was not done with it. Absent where nothing did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<&'a str>,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<&'a str>,
}

/// A backup that was made.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MadeDocument<'a> {
    /// Its size in bytes.
    pub bytes: u64,
    /// Bytes of the dump in it.
    pub dump_bytes: u64,
    /// SHA-256 in hex of its file, of a directory that of its list of files.
    pub sha256: &'a str,
    /// Tables in it.
    pub tables: u64,
    /// Rows in them.
    pub rows: u64,
    /// Whether the server's roles and tablespaces stand beside it.
    pub globals: bool,
}

impl<'a> MadeDocument<'a> {
    fn of(made: &'a MadeBackup) -> Self {
        let MadeBackup { bytes, dump_bytes, sha256, tables, rows, globals, trouble: _ } = made;
        Self {
            bytes: *bytes,
            dump_bytes: *dump_bytes,
            sha256,
            tables: *tables,
            rows: *rows,
            globals: *globals,
        }
    }
}

impl<'a> DatabaseDocument<'a> {
    fn of(one: &'a DatabaseBackup) -> Self {
        let (state, made, why) = match &one.end {
            CreateEnd::Made(made) => (State::Made, Some(MadeDocument::of(made)), None),
            CreateEnd::NotMade(_) => (State::NotMade, None, None),
            CreateEnd::NotReached { why } => (State::NotReached, None, Some(why.as_str())),
        };
        let trouble = one.trouble();
        Self {
            database: &one.database,
            host: &one.host,
            state,
            seconds: one.seconds,
            backup: one.backup.as_deref(),
            made,
            cause: trouble.map(|trouble| trouble.cause.as_str()).or(why),
            hint: trouble.and_then(|trouble| trouble.hint.as_deref()),
        }
    }
}

/// The document, with a line end.
pub fn serialize(report: &CreateReport) -> Vec<u8> {
    pretty(&CreateDocument {
        schema_version: SCHEMA_VERSION,
        exit_code: report.exit_code(),
        tool_version: &report.tool_version,
        started_at: report.started_at,
        seconds: report.seconds,
        causes: report.causes(),
        databases: report.databases.iter().map(DatabaseDocument::of).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::creation::tests::night;
    use crate::report::json::{kept_schema_is, schema_of};

    #[test]
    fn the_document_has_an_entry_for_each_database() {
        insta::assert_snapshot!(String::from_utf8(serialize(&night())).unwrap());
    }

    #[test]
    fn the_schema_in_docs_is_the_one_of_the_types() {
        kept_schema_is("create", &schema_of::<CreateDocument<'_>>());
    }
}
