//! `[[databases]]`: what is backed up, where that is more than one database.

use serde::Deserialize;

use crate::model::format::Format;

/// A database, and in what it differs from what `create` takes otherwise. A password has no place here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// The container that it runs in; `--container` is stronger.
    #[serde(default)]
    pub container: Option<String>,
    /// The host that it is on.
    #[serde(default)]
    pub host: Option<String>,
    /// The port there.
    #[serde(default)]
    pub port: Option<u16>,
    /// The role to connect as.
    #[serde(default)]
    pub user: Option<String>,
    /// The variable of the environment that has the password.
    #[serde(default)]
    pub password_env: Option<String>,
    /// As `--format` takes it; that is stronger.
    #[serde(default)]
    pub format: Option<Format>,
    /// As `--compress` takes it; that is stronger.
    #[serde(default)]
    pub compress: Option<String>,
}

impl Database {
    /// Whether it lies elsewhere than the others may.
    pub fn is_elsewhere(&self) -> bool {
        self.container.is_some() || self.host.is_some() || self.port.is_some()
    }
}
