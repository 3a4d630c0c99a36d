//! What was done with the backups of a directory: `history.jsonl`, one line for each run.
//!
//! Holds no secrets and nothing of any row.

use std::io;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::naming::{database_in_name, history_path};
use crate::model::outcome::{Phase, RESTORE_TIME, Verdict};

/// The version of the lines that are written.
pub const RECORD_VERSION: u32 = 1;

/// What a run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// It made a backup.
    Create,
    /// It verified one.
    Verify,
    /// It restored one into a server that others use.
    Restore,
    /// It tried whether keys open one.
    CheckKeys,
    /// It compared the bytes of one with its manifest, and restored nothing.
    Scrub,
}

/// A run. What is not known is left out of the line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The version of the line: [`RECORD_VERSION`].
    pub version: u32,
    /// Its number in this directory, given by [`super::ledger::Ledger::append`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<u64>,
    /// What was done.
    pub work: Work,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// Wall time in seconds.
    pub seconds: f64,
    /// Its parts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<Phase>,
    /// How it ended. For a backup that was made: passed; that could not be made: failed.
    pub verdict: Verdict,
    /// The verdict on the backup itself, where it is another: see [`Record::soundness`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soundness: Option<Verdict>,
    /// The name of the backup file, without its directory.
    pub backup: String,
    /// Its directory, where that is not the one of the history: from there, or from the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// Whether the run is counted where it was put on record first: this line is beside the backup, so
    /// that a clean-up there knows the verdict.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub copy: bool,
    /// The database that was backed up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// Size of the backup file in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_bytes: Option<u64>,
    /// Size of the dump in it in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dump_bytes: Option<u64>,
    /// Tables with rows in the dump.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tables: Option<u64>,
    /// Rows in them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// SHA-256 of the file in hex; of a file that was verified, as it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Checks that were run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checks: Option<u64>,
    /// How long the restore was allowed to take, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rto_seconds: Option<f64>,
    /// The ids of the checks that failed, such as `schema.users`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_checks: Vec<String>,
    /// Version of ccc-backup.
    pub tool_version: String,
    /// Version of the source's server (create) or of the sandbox's (verify).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_version: Option<String>,
    /// Version of pg_dump.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pg_dump_version: Option<String>,
    /// `docker` or `local`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// The image as it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Its content digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_digest: Option<String>,
}

impl Record {
    /// A record with what every run knows.
    pub fn new(
        work: Work,
        backup: impl Into<String>,
        started_at: DateTime<Utc>,
        verdict: Verdict,
    ) -> Self {
        Self {
            version: RECORD_VERSION,
            run: None,
            work,
            started_at,
            seconds: 0.0,
            phases: Vec::new(),
            verdict,
            soundness: None,
            backup: backup.into(),
            directory: None,
            copy: false,
            database: None,
            file_bytes: None,
            dump_bytes: None,
            tables: None,
            rows: None,
            sha256: None,
            checks: None,
            rto_seconds: None,
            failed_checks: Vec::new(),
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            server_version: None,
            pg_dump_version: None,
            engine: None,
            image: None,
            image_digest: None,
        }
    }

    /// The same of a sealed backup, beside which nothing stands of what is in it: no names, no numbers. For its database
    /// stands what its own name has for it.
    #[must_use]
    pub fn of_sealed(self) -> Self {
        let kind = |id: String| match id.split_once('.') {
            Some((kind, _)) if id != RESTORE_TIME => kind.to_owned(),
            _ => id,
        };
        Self {
            database: database_in_name(&self.backup),
            dump_bytes: None,
            tables: None,
            rows: None,
            server_version: None,
            pg_dump_version: None,
            failed_checks: self.failed_checks.into_iter().map(kind).collect(),
            ..self
        }
    }

    /// The verdict on the backup itself. It is that of the run, but where a restore took longer than
    /// it may: a slow machine says nothing about a backup.
    pub fn soundness(&self) -> Verdict {
        match (self.soundness, self.restore_seconds()) {
            (Some(soundness), _) => soundness,
            // In a line of an older version that had nothing else to say against the backup, this
            // unmarks nothing, and marks nothing either.
            (None, Some(_)) if self.failed_checks == [RESTORE_TIME] => Verdict::NotVerified,
            (None, _) => self.verdict,
        }
    }

    /// Whether the restore took longer than it may.
    pub fn missed_rto(&self) -> bool {
        self.failed_checks.iter().any(|check| check == RESTORE_TIME)
    }

    /// How long it restored, in seconds; `None` when it did not come to the end of a restore. A
    /// backup that was restored and then failed a check has a restore time; one that did not
    /// restore has none.
    pub fn restore_seconds(&self) -> Option<f64> {
        let phase = |name: &str| self.phases.iter().find(|phase| phase.name == name);
        // The checks begin where the restore has come to its end.
        phase("checks").and(phase("restore")).map(|phase| phase.seconds)
    }
}

/// A history that was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// The runs, in the order of the file.
    pub records: Vec<Record>,
    /// Lines that could not be understood.
    pub damaged: usize,
    /// Lines that a newer version of ccc-backup wrote.
    pub newer: usize,
    /// The highest number of a run, newer lines included.
    pub last_run: u64,
}

impl History {
    /// What has to be said of the lines that were set aside; nothing when all were understood.
    pub fn set_aside(&self) -> Option<String> {
        let lines = |count: usize, before: &str, after: &str| {
            let s = if count == 1 { "" } else { "s" };
            (count > 0).then(|| format!("{count} {before}line{s}{after}"))
        };
        let damaged = lines(self.damaged, "damaged ", "");
        let newer = lines(self.newer, "", " of a newer ccc-backup");
        let parts: Vec<String> = damaged.into_iter().chain(newer).collect();
        (!parts.is_empty()).then(|| format!("set aside in the history: {}", parts.join(", ")))
    }
}

/// Reads the history of a directory; one without a history has an empty one.
///
/// # Errors
/// What the system refuses. Lines that cannot be understood are counted, not errors.
pub fn read(dir: &Path) -> Result<History, StoreError> {
    let path = history_path(dir);
    match std::fs::read(&path) {
        Ok(bytes) => Ok(parse(&bytes)),
        // Whoever lists the directory says what is wrong with it.
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(History::default())
        }
        Err(error) => Err(StoreError::io("read", &path, error)),
    }
}

/// The history in the bytes of a file.
pub fn parse(bytes: &[u8]) -> History {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
        #[serde(default)]
        run: u64,
    }
    let mut history = History::default();
    for line in bytes.split(|byte| *byte == b'\n') {
        if line.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice::<Versioned>(line) {
            Ok(Versioned { version, run }) if version > RECORD_VERSION => {
                history.newer += 1;
                history.last_run = history.last_run.max(run);
            }
            _ => match serde_json::from_slice::<Record>(line) {
                Ok(record) => {
                    history.last_run = history.last_run.max(record.run.unwrap_or(0));
                    history.records.push(record);
                }
                Err(_) => history.damaged += 1,
            },
        }
    }
    history
}

/// The database that a backup was last made of, as far as the records know: by its bytes, else by its
/// name.
pub fn database_of<'a>(records: &'a [Record], of: &Record) -> Option<&'a str> {
    let made = || records.iter().rev().filter(|record| record.work == Work::Create);
    let same = made().filter(|record| of.sha256.is_some() && record.sha256 == of.sha256);
    let named = made().filter(|record| record.backup == of.backup);
    same.chain(named).find_map(|record| record.database.as_deref())
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
