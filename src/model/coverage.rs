//! What a source has and a backup of it has not.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the source has and this backup has not, by name. What could not be asked is absent; what is all in
/// the backup is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Coverage {
    /// Other databases of the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub databases: Option<Vec<String>>,
    /// Roles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    /// Tables whose rows were left out by options of pg_dump.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excluded_tables: Option<Vec<String>>,
    /// Tables of which the role that dumped them sees only some rows, by row-level security.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row_security_tables: Option<Vec<String>>,
    /// Tables left out that the role that dumped may not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable_tables: Option<Vec<String>>,
    /// Unlogged tables whose rows were left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unlogged_tables: Option<Vec<String>>,
    /// Foreign tables, whose rows are elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub foreign_tables: Option<Vec<String>>,
    /// Publications.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publications: Option<Vec<String>>,
    /// Subscriptions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscriptions: Option<Vec<String>>,
    /// Settings of the database and of roles (`ALTER DATABASE … SET`, `ALTER ROLE … SET`), such as
    /// `database: TimeZone` or `role app: search_path`; without values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<Vec<String>>,
}
