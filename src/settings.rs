//! Flags and environment, resolved to plain settings. The engines never see clap or the
//! environment of the tool.

mod checks;
mod cleanup;
mod connection;
mod copy;
mod create;
mod databases;
mod diff;
mod doctor;
mod drill;
mod extract;
mod history;
pub mod images;
mod keys;
mod limits;
mod list;
mod notify;
mod packing;
pub mod piped;
mod place;
mod restore;
mod sealing;
mod signing;
mod verify;

use std::path::PathBuf;

use thiserror::Error;

use crate::cli::MetricsArgs;
use crate::model::pattern::PatternError;

pub use cleanup::{CleanupSettings, cleanup};
pub use copy::{CopySettings, copy};
pub use create::CreateSettings;
pub use databases::{Configured, CreationSettings, Several, create};
pub use diff::{DiffSettings, diff};
pub use doctor::{DoctorSandbox, DoctorSettings, Unset, doctor};
pub use drill::{DrillSettings, drill, drill_reports};
pub use extract::{ExtractSettings, RowFormat, extract};
pub use history::{HistorySettings, history};
pub use keys::{KeysSettings, keys};
pub use list::{ListSettings, list};
pub use notify::{NotifySettings, notify};
pub use restore::{Deed, RestoreSettings, restore};
pub use verify::{
    BackupChoice, OfDatabase, ProofSettings, ReportSettings, SandboxSettings, VerifySettings,
    reports, verify,
};

/// A setting that makes no sense. The exit code is 2.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct SettingsError {
    message: String,
    /// What to do next.
    pub hint: String,
}

/// What to say of a pattern of tables that makes no sense.
fn no_pattern(error: &PatternError) -> SettingsError {
    let hint = "give a table as table or schema.table, and names with marks or upper case in double \
                quotes: --table 'public.\"Users\"'";
    SettingsError { message: error.to_string(), hint: hint.to_owned() }
}

/// An empty variable counts as unset.
fn metrics_file(args: &MetricsArgs) -> Option<PathBuf> {
    args.metrics_file.clone().filter(|file| !file.as_os_str().is_empty())
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Looks up an environment variable.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The process's environment; an empty variable counts as unset.
pub fn process_environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
