//! `ccc-backup.toml`: what to check, and what the throwaway server has to be like.

mod checks;
mod databases;
mod notify;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

pub use checks::{
    Checks, Data, Expected, MigrationKind, Migrations, Number, OnFinding, Percent, RowRule, Rows,
    Scalar, SqlCheck,
};
pub use databases::Database;
pub use notify::{Notify, Ping, Webhook};

/// The file that is read from the working directory where none is named.
const FILE: &str = "ccc-backup.toml";
/// Bytes of it at the most; a larger file is something else.
const MOST_BYTES: u64 = 1 << 20;
/// How alike a wrong key must be to a right one, from 0 to 1, to be taken for it.
const ALIKE: f64 = 0.8;

/// What the file may say.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What is checked in the restored database.
    pub checks: Checks,
    /// Where new backups are made.
    pub create: Create,
    /// The throwaway server.
    pub verify: Verify,
    /// Images by the extensions that they have: names with commas between them, and the image.
    pub images: BTreeMap<String, String>,
    /// To whom new backups are sealed.
    pub encryption: Encryption,
    /// Signatures.
    pub signing: Signing,
    /// The databases that `create` backs up, where nobody names one.
    pub databases: Vec<Database>,
    /// Where each new backup is copied to.
    pub copies: Vec<CopyPlace>,
    /// Who is told of a run.
    pub notify: Notify,
}

/// `[[copies]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CopyPlace {
    /// A directory, or a place such as `s3://bucket/prefix`.
    pub place: PathBuf,
}

impl CopyPlace {
    /// With a path that leads from the directory of the configuration; a URL leads by itself.
    fn below(self, directory: &Path) -> Self {
        let is_url = self.place.to_string_lossy().contains("://");
        if is_url { self } else { Self { place: directory.join(self.place) } }
    }
}

/// `[create]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Create {
    /// The container that the database runs in; `--container` is stronger.
    pub container: Option<String>,
}

/// `[encryption]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Encryption {
    /// Public keys of age, and files of them (`@FILE`); `--encrypt-to` is stronger.
    pub recipients: Vec<String>,
}

/// `[verify]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Verify {
    /// The image; `--image` is stronger.
    pub image: Option<String>,
    /// Whether extensions that the image lacks are installed in one that is built for that, as with `--build-image`.
    pub build_image: bool,
    /// Memory that the container may take, such as `4GB`; `--memory` is stronger.
    pub memory: Option<String>,
    /// Processors that it may take; `--cpus` is stronger.
    pub cpus: Option<f64>,
    /// Whether only what was proven passes, as with `--require-proof`.
    pub require_proof: bool,
    /// Restore SQL that pg_dump did not write, too, as `--accept-foreign-sql` does.
    pub accept_foreign_sql: bool,
    /// Settings of the server, such as `shared_preload_libraries`.
    pub settings: BTreeMap<String, Value>,
}

/// `[signing]`. Paths are relative to the directory of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Signing {
    /// The key that signs; `--sign-key` is stronger.
    pub key: Option<PathBuf>,
    /// A file with its passphrase; `--sign-passphrase-file` is stronger.
    pub passphrase_file: Option<PathBuf>,
    /// Who may have signed a backup; `--allowed-signers` is stronger.
    pub allowed_signers: Option<PathBuf>,
}

impl Signing {
    /// With paths that lead from the directory of the configuration.
    fn below(self, directory: &Path) -> Self {
        let from = |path: Option<PathBuf>| path.map(|path| directory.join(path));
        Self {
            key: from(self.key),
            passphrase_file: from(self.passphrase_file),
            allowed_signers: from(self.allowed_signers),
        }
    }
}

/// A value of a setting of PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "a setting is a text, a number, true or false")]
pub enum Value {
    /// `on` or `off`.
    Switch(bool),
    /// A number.
    Number(i64),
    /// A text.
    Text(String),
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Switch(on) => f.write_str(if *on { "on" } else { "off" }),
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// Why the configuration cannot be used. The exit code is 2.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("the configuration {} cannot be read: {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// It was found, not named, and somebody else could have written it.
    #[error("{} is not taken from this directory: {why}", .path.display())]
    Untrusted {
        /// The file.
        path: PathBuf,
        /// Who could have.
        why: String,
    },
    /// It does not say what it should.
    #[error("{}, line {line}: {message}", .path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        message: String,
        /// What was probably meant.
        hint: Option<String>,
    },
}

impl ConfigError {
    /// What to do next.
    pub fn hint(&self) -> String {
        match self {
            Self::Wrong { hint: Some(hint), .. } => hint.clone(),
            Self::Untrusted { path, .. } => format!(
                "read it, then vouch for it with --config {}; or take it and its directory into your \
                 own hands (chown, chmod go-w)",
                path.display()
            ),
            _ => "docs/configuration.md lists what it may say".to_owned(),
        }
    }
}

impl Config {
    /// Reads `named`, else the file of the working directory where there is one. That one is
    /// taken only if it and its directory are root's or our own, and nobody else may write to either:
    /// what it says may run programs.
    ///
    /// # Errors
    /// When the file cannot be read, is not to be trusted, or says what it may not.
    pub fn read(named: Option<&Path>) -> Result<Self, ConfigError> {
        let path = named.unwrap_or(Path::new(FILE));
        let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
        let file = match std::fs::File::open(path) {
            Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            opened => opened.map_err(unreadable)?,
        };
        if named.is_none() {
            let us = rustix::process::geteuid().as_raw();
            let directory = std::fs::metadata(".").map_err(unreadable)?;
            let opened = file.metadata().map_err(unreadable)?;
            for (what, metadata) in [("the file", opened), ("the directory", directory)] {
                if let Some(why) = distrusted(metadata.uid(), metadata.mode(), us) {
                    let why = format!("{what} {why}");
                    return Err(ConfigError::Untrusted { path: path.to_owned(), why });
                }
            }
        }
        let mut text = String::new();
        file.take(MOST_BYTES).read_to_string(&mut text).map_err(unreadable)?;
        let config = Self::parse(path, &text)?;
        let directory = path.parent().unwrap_or(Path::new(""));
        let copies = config.copies.into_iter().map(|copy| copy.below(directory)).collect();
        let (signing, notify) = (config.signing.below(directory), config.notify.below(directory));
        let migrations = config.checks.migrations.below(directory);
        let checks = Checks { migrations, ..config.checks };
        Ok(Self { checks, signing, copies, notify, ..config })
    }

    /// The file that is read where this one is named, or none; `None` where there is none.
    pub fn file(named: Option<&Path>) -> Option<PathBuf> {
        let found = Some(PathBuf::from(FILE)).filter(|file| file.exists());
        named.map(Path::to_owned).or(found)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let before = text.get(..start).unwrap_or_default();
            ConfigError::Wrong {
                path: path.to_owned(),
                line: before.matches('\n').count() + 1,
                message: without_value(error.message()),
                hint: meant(error.message()),
            }
        })
    }
}

/// Why what belongs to `owner` may be somebody else's words.
fn distrusted(owner: u32, mode: u32, us: u32) -> Option<String> {
    if owner != 0 && owner != us {
        return Some(format!("belongs to the user {owner}"));
    }
    match (mode & 0o020 != 0, mode & 0o002 != 0) {
        (_, true) => Some("may be written to by everybody".to_owned()),
        (true, false) => Some("may be written to by its group".to_owned()),
        (false, false) => None,
    }
}

/// A message of serde without the text that stands where something else should: it may be a secret.
fn without_value(message: &str) -> String {
    let value = message.split_once("string \"").and_then(|(before, rest)| {
        let (_, after) = rest.rsplit_once("\", expected")?;
        Some(format!("{before}a text, expected{after}"))
    });
    value.unwrap_or_else(|| message.to_owned())
}

/// What was probably meant, out of a message of serde: unknown field `x`, expected `y` or `z`.
fn meant(message: &str) -> Option<String> {
    let rest = message.strip_prefix("unknown ")?;
    let mut names = rest.split('`').skip(1).step_by(2);
    let wrong = names.next()?;
    let nearest = names
        .map(|name| (strsim::jaro_winkler(wrong, name), name))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|one, other| one.0.total_cmp(&other.0))?;
    Some(format!("did you mean {}?", nearest.1))
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
