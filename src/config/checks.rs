//! `[checks]`: what is asked of a restored database.

mod migrations;
mod rows;
mod sql;

use serde::Deserialize;

pub use migrations::{MigrationKind, Migrations};
pub use rows::{Percent, RowRule, Rows};
pub use sql::{Expected, Number, Scalar, SqlCheck};

/// `[checks]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Checks {
    /// The application's tables, `table` or `schema.table`, in place of CCC's; an empty list leaves
    /// the application checks out.
    pub tables: Option<Vec<String>>,
    /// What keeps the database's migrations; without it, that is found out.
    pub migrations: Migrations,
    /// What a sequence means that is behind its column.
    pub sequences: OnFinding,
    /// Whether the backup has to hold rows.
    pub data: Data,
    /// What it means that the source has what the backup has not; a warning where nothing is said.
    pub coverage: Option<OnFinding>,
    /// How old the newest backup may be, such as `26h`.
    pub max_age: Option<String>,
    /// How many rows there have to be.
    pub rows: Rows,
    /// Questions of the operator's own.
    pub sql: Vec<SqlCheck>,
}

/// Whether a backup holds rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Data {
    /// It has to, unless its manifest says that it was made without.
    #[default]
    Required,
    /// It need not: backups of the schema alone.
    None,
}

/// What becomes of a finding.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFinding {
    /// The backup fails.
    #[default]
    Fail,
    /// A warning.
    Warn,
    /// It is not looked for.
    Off,
}
