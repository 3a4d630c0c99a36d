//! Flags and environment, resolved to plain settings. The engines never see clap or the
//! environment of the tool.

use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use crate::checks::{AppTable, ccc_tables};
use crate::cli::{CleanupArgs, PostgresVersion, VerifyArgs};

/// A setting that makes no sense. The exit code is 2.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct SettingsError {
    message: String,
    /// What to do next.
    pub hint: String,
}

/// Where backups are kept when nobody says otherwise.
const BACKUP_DIR: &str = "./backups";

/// Settings of `verify`.
#[derive(Debug, Clone)]
pub struct VerifySettings {
    /// The backup; without one, the newest in `backup_dir`.
    pub file: Option<PathBuf>,
    /// Directory of the backups.
    pub backup_dir: PathBuf,
    /// Directory of the history.
    pub history_dir: PathBuf,
    /// Major version of the sandbox; without one, the dump's.
    pub version: Option<u32>,
    /// Docker image.
    pub image: Option<String>,
    /// Port on 127.0.0.1; 0 takes any.
    pub port: u16,
    /// Name of the container.
    pub container_name: String,
    /// Keep the restored database running.
    pub keep: bool,
    /// Compare the contents of the restored rows.
    pub content: bool,
    /// The application's tables.
    pub tables: Vec<AppTable>,
    /// Give up after this time.
    pub timeout: Option<Duration>,
}

/// Resolves `verify`.
pub fn verify(args: &VerifyArgs) -> VerifySettings {
    let backup_dir = args.backup_dir.clone().unwrap_or_else(|| BACKUP_DIR.into());
    // The history of a file lies beside it, unless a backup directory is named.
    let history_dir = match (&args.backup_dir, &args.file) {
        (None, Some(file)) => directory_of(file),
        _ => backup_dir.clone(),
    };
    VerifySettings {
        file: args.file.clone(),
        backup_dir,
        history_dir,
        version: match args.postgres_version {
            PostgresVersion::Auto => None,
            PostgresVersion::Major(major) => Some(major),
        },
        image: args.image.clone().filter(|image| !image.is_empty()),
        port: args.port,
        container_name: args.container_name.clone(),
        keep: args.no_cleanup,
        content: !args.no_content,
        tables: ccc_tables(),
        timeout: args.timeout,
    }
}

fn directory_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Settings of `cleanup`.
#[derive(Debug, Clone)]
pub struct CleanupSettings {
    /// Remove backups older than this.
    pub older_than: Option<Duration>,
    /// Directory of the backups.
    pub backup_dir: PathBuf,
    /// Only say what would be removed.
    pub dry_run: bool,
    /// Remove what dead runs left of their sandboxes.
    pub sandbox: bool,
}

/// Resolves `cleanup`.
pub fn cleanup(args: &CleanupArgs) -> CleanupSettings {
    CleanupSettings {
        older_than: args.older_than,
        backup_dir: args.backup_dir.clone(),
        dry_run: args.dry_run,
        sandbox: args.sandbox,
    }
}
