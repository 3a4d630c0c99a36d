//! What was done with the backups of a directory: `history.jsonl`, one line for each run.
//!
//! Holds no secrets and nothing of any row.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::lock;
use super::naming::history_path;
use crate::outcome::{Phase, Verdict};

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
}

/// A run. What is not known is left out of the line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The version of the line: [`RECORD_VERSION`].
    pub version: u32,
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
    /// The name of the backup file, without its directory.
    pub backup: String,
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
    /// SHA-256 of the file in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Checks that were run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checks: Option<u64>,
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
            work,
            started_at,
            seconds: 0.0,
            phases: Vec::new(),
            verdict,
            backup: backup.into(),
            database: None,
            file_bytes: None,
            dump_bytes: None,
            tables: None,
            rows: None,
            sha256: None,
            checks: None,
            failed_checks: Vec::new(),
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            server_version: None,
            pg_dump_version: None,
            engine: None,
            image: None,
            image_digest: None,
        }
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
}

/// Adds a record to the history of a directory, durably. Runs at once wait for each other.
///
/// # Errors
/// What the system refuses; the directory must exist.
pub fn append(dir: &Path, record: &Record) -> Result<(), StoreError> {
    let path = history_path(dir);
    write_line(&path, record).map_err(|error| StoreError::io("write", &path, error))
}

fn write_line(path: &Path, record: &Record) -> io::Result<()> {
    let mut file =
        OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    lock::wait_exclusive(&file)?;
    let mut line = Vec::new();
    if !ends_with_newline(&mut file)? {
        // A crash or a full disk cut the line before; ours must not become a part of it.
        line.push(b'\n');
    }
    serde_json::to_writer(&mut line, record)?;
    line.push(b'\n');
    file.write_all(&line)?;
    file.sync_data()
}

fn ends_with_newline(file: &mut std::fs::File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
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
    }
    let mut history = History::default();
    for line in bytes.split(|byte| *byte == b'\n') {
        if line.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice::<Versioned>(line) {
            Ok(Versioned { version }) if version > RECORD_VERSION => history.newer += 1,
            _ => match serde_json::from_slice(line) {
                Ok(record) => history.records.push(record),
                Err(_) => history.damaged += 1,
            },
        }
    }
    history
}

/// The newest verification that passed.
pub fn newest_passed(records: &[Record]) -> Option<&Record> {
    records
        .iter()
        .filter(|record| record.work == Work::Verify && record.verdict == Verdict::Passed)
        .max_by_key(|record| record.started_at)
}

/// The names of the backups whose last verdict is "passed". A verification that could not tell
/// changes nothing; a backup made anew under an old name has no verdict yet.
pub fn passed_backups(records: &[Record]) -> BTreeSet<String> {
    let mut passed = BTreeSet::new();
    for record in records {
        match (record.work, record.verdict) {
            (Work::Verify, Verdict::Passed) => {
                passed.insert(record.backup.clone());
            }
            (Work::Verify, Verdict::Failed) | (Work::Create, Verdict::Passed) => {
                passed.remove(&record.backup);
            }
            (Work::Verify, Verdict::NotVerified)
            | (Work::Create, Verdict::Failed | Verdict::NotVerified) => {}
        }
    }
    passed
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
