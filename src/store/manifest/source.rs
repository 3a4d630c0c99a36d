//! What a manifest says of the database that was dumped.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The database that was dumped. What could not be asked is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
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
