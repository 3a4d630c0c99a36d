//! A run that has ended, as others are told of it.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::outcome::{RunReport, Verdict};

/// What was run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Command {
    /// `create`.
    Create,
    /// `verify`.
    Verify,
    /// `drill`.
    Drill,
    /// `restore`.
    Restore,
    /// `copy`.
    Copy,
    /// `cleanup`.
    Cleanup,
    /// None: it is a test by `doctor`.
    #[serde(skip_deserializing)]
    Doctor,
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Verify => "verify",
            Self::Drill => "drill",
            Self::Restore => "restore",
            Self::Copy => "copy",
            Self::Cleanup => "cleanup",
            Self::Doctor => "doctor",
        })
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub struct EndedRun {
    /// Its id: a UUID.
    pub id: String,
    /// What it was.
    pub command: Command,
    /// What the process exits with.
    pub exit_code: u8,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// Its wall time in seconds.
    pub seconds: f64,
    /// The machine's name.
    pub host: String,
    /// The backup that it was about, as it was shown; where it was about one.
    pub backup: Option<String>,
    /// Why it did not end well, most telling first.
    pub causes: Vec<String>,
    /// What to do next.
    pub hint: Option<String>,
    /// Harmless things worth knowing.
    pub warnings: Vec<String>,
    /// Everything that it found, where it verified a backup.
    pub report: Option<Arc<RunReport>>,
}

impl EndedRun {
    /// What the exit code says: of a verification, of the backup; else whether it was done.
    pub fn verdict(&self) -> Verdict {
        match self.exit_code {
            0 => Verdict::Passed,
            2 => Verdict::NotVerified,
            _ => Verdict::Failed,
        }
    }
}
