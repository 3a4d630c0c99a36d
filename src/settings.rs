//! Flags and environment, resolved to plain settings. The engines never see clap or the
//! environment of the tool.

mod create;
mod limits;
mod packing;
mod verify;

use std::path::PathBuf;

use thiserror::Error;

use crate::cli::{CleanupArgs, Format as AnswerFormat, HistoryArgs, ListArgs, MetricsArgs};
use crate::store::retention::Policy;

pub use create::{CreateSettings, create};
pub use verify::{ReportSettings, VerifySettings, reports, verify};

/// A setting that makes no sense. The exit code is 2.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct SettingsError {
    message: String,
    /// What to do next.
    pub hint: String,
}

/// An empty variable counts as unset.
fn metrics_file(args: &MetricsArgs) -> Option<PathBuf> {
    args.metrics_file.clone().filter(|file| !file.as_os_str().is_empty())
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Settings of `list`.
#[derive(Debug, Clone)]
pub struct ListSettings {
    /// Directory of the backups.
    pub backup_dir: PathBuf,
    /// Answer in JSON.
    pub json: bool,
}

/// Resolves `list`.
pub fn list(args: &ListArgs) -> ListSettings {
    ListSettings { backup_dir: args.backup_dir.clone(), json: args.format == AnswerFormat::Json }
}

/// Settings of `history`.
#[derive(Debug, Clone)]
pub struct HistorySettings {
    /// Directory of the backups and of their history.
    pub backup_dir: PathBuf,
    /// Answer in JSON.
    pub json: bool,
    /// So many runs are shown.
    pub limit: usize,
    /// Where metrics go.
    pub metrics_file: Option<PathBuf>,
}

/// Resolves `history`.
pub fn history(args: &HistoryArgs) -> HistorySettings {
    HistorySettings {
        backup_dir: args.backup_dir.clone(),
        json: args.format == AnswerFormat::Json,
        limit: args.limit,
        metrics_file: args.metrics_file.clone(),
    }
}

/// Settings of `cleanup`.
#[derive(Debug, Clone)]
pub struct CleanupSettings {
    /// Which backups stay; without a rule, nothing is asked of them.
    pub policy: Policy,
    /// Directory of the backups.
    pub backup_dir: PathBuf,
    /// Only say what would be removed.
    pub dry_run: bool,
    /// Remove what dead runs left of their sandboxes.
    pub sandbox: bool,
}

/// Resolves `cleanup`.
pub fn cleanup(args: &CleanupArgs) -> CleanupSettings {
    let number = |given: Option<u16>| given.map_or(0, usize::from);
    CleanupSettings {
        policy: Policy {
            older_than: args.older_than,
            keep_last: number(args.keep.keep_last),
            keep_daily: number(args.keep.keep_daily),
            keep_weekly: number(args.keep.keep_weekly),
            keep_monthly: number(args.keep.keep_monthly),
            keep_yearly: number(args.keep.keep_yearly),
        },
        backup_dir: args.backup_dir.clone(),
        dry_run: args.dry_run,
        sandbox: args.sandbox,
    }
}

/// Looks up an environment variable.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The process's environment; an empty variable counts as unset.
pub fn process_environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
