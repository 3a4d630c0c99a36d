//! What all runs of a backup directory add up to: `history.totals.json`.
//!
//! Counters that were recounted from the history would fall when its old lines are removed. So the
//! sums are kept beside it, with the number of the last run that they hold: every run has a number
//! (`run` in its line), and only lines with a higher one are added. A run that died between its
//! line and the sums is added by the next; a run is never added twice.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::error::StoreError;
use super::history::{Record, Work};
use super::naming::totals_path;
use super::publish::write_anew;
use crate::model::outcome::Verdict;

/// The version that is written, and the newest that is read.
pub const FORMAT_VERSION: u32 = 1;
/// The name for a database that is not known, such as that of a backup without a manifest.
pub const UNKNOWN_DATABASE: &str = "unknown";
/// Upper bounds of the restore times in seconds: a second to eight hours, with the usual targets
/// (15, 30 and 45 minutes, 1, 2 and 4 hours) among them.
const BOUNDS: [f64; 15] = [
    1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 1800.0, 2700.0, 3600.0, 7200.0, 14400.0,
    28800.0,
];

/// What all runs add up to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// Version of this format: [`FORMAT_VERSION`].
    pub format_version: u32,
    /// The number of the last run that is in it.
    pub runs: u64,
    /// By name of the database.
    pub databases: BTreeMap<String, DatabaseTotals>,
}

/// The runs for one database. A part without an attempt is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DatabaseTotals {
    /// Backups made, or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backups: Option<BackupTotals>,
    /// Verifications.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verifications: Option<VerificationTotals>,
}

/// Backups made, or not.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupTotals {
    /// Backups that were made.
    pub succeeded: u64,
    /// Attempts after which there was no backup, whatever the reason.
    pub failed: u64,
    /// How many of those came after the last success.
    pub failures_since_success: u64,
    /// When the last backup that was made was begun: its data are as old as that.
    pub last_success: Option<DateTime<Utc>>,
    /// Size of that backup's file in bytes.
    pub last_bytes: Option<u64>,
    /// Rows in it.
    pub last_rows: Option<u64>,
}

/// Verifications.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerificationTotals {
    /// Backups that passed.
    pub passed: u64,
    /// Backups that were proven bad.
    pub failed: u64,
    /// Attempts that could not tell.
    pub unverified: u64,
    /// How many times a backup was proven bad since one was proven sound.
    pub failures_since_success: u64,
    /// When the last verification was begun that proved a backup sound.
    pub last_success: Option<DateTime<Utc>>,
    /// Seconds of the last restore.
    pub last_restore_seconds: Option<f64>,
    /// Seconds of all restores.
    pub restores: Histogram,
}

/// Observations, by size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Histogram {
    /// The bounded buckets, each without what is in a smaller one.
    pub buckets: Vec<Bucket>,
    /// All observations, those above the last bound too.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
}

/// Observations up to a bound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// The bound; it belongs to the bucket.
    pub le: f64,
    /// How many are in it and in no smaller one.
    pub count: u64,
}

/// Why the sums cannot be used.
#[derive(Debug, Error)]
pub enum TotalsError {
    /// They cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A newer version of ccc-backup wrote them.
    #[error(
        "{name} has format version {found}; this version of ccc-backup reads up to {FORMAT_VERSION}",
        name = super::naming::TOTALS_FILE
    )]
    Newer {
        /// Its version.
        found: u64,
    },
    /// They are not what was written.
    #[error("{name} is damaged: {0}", name = super::naming::TOTALS_FILE)]
    Damaged(String),
}

impl Default for Totals {
    fn default() -> Self {
        Self { format_version: FORMAT_VERSION, runs: 0, databases: BTreeMap::new() }
    }
}

impl Default for VerificationTotals {
    fn default() -> Self {
        Self {
            passed: 0,
            failed: 0,
            unverified: 0,
            failures_since_success: 0,
            last_success: None,
            last_restore_seconds: None,
            restores: Histogram::new(&BOUNDS),
        }
    }
}

impl BackupTotals {
    /// Attempts in all.
    pub fn attempts(&self) -> u64 {
        self.succeeded + self.failed
    }
}

impl VerificationTotals {
    /// Attempts in all.
    pub fn attempts(&self) -> u64 {
        self.passed + self.failed + self.unverified
    }
}

impl Histogram {
    fn new(bounds: &[f64]) -> Self {
        let buckets = bounds.iter().map(|le| Bucket { le: *le, count: 0 }).collect();
        Self { buckets, count: 0, sum: 0.0 }
    }

    fn observe(&mut self, value: f64) {
        self.count += 1;
        self.sum += value;
        if let Some(bucket) = self.buckets.iter_mut().find(|bucket| value <= bucket.le) {
            bucket.count += 1;
        }
    }
}

impl Totals {
    /// What all these runs add up to.
    pub fn of(records: &[Record]) -> Self {
        let mut totals = Self::default();
        records.iter().for_each(|record| totals.count(record));
        totals
    }

    /// Adds the runs that are not in it yet.
    pub fn catch_up(&mut self, records: &[Record]) {
        let counted = self.runs;
        let new = |record: &&Record| record.run.is_some_and(|run| run > counted);
        records.iter().filter(new).for_each(|record| self.count(record));
    }

    /// Adds a run, unless it is counted in another directory.
    pub fn count(&mut self, record: &Record) {
        self.runs = self.runs.max(record.run.unwrap_or(0));
        if record.copy {
            return;
        }
        self.note(record);
        match record.work {
            Work::Create => {
                let backups = self.of_record(record).backups.get_or_insert_default();
                match record.verdict {
                    Verdict::Passed => backups.succeeded += 1,
                    Verdict::Failed | Verdict::NotVerified => backups.failed += 1,
                }
            }
            Work::Verify => {
                let seconds = record.restore_seconds();
                let runs = self.of_record(record).verifications.get_or_insert_default();
                match record.verdict {
                    Verdict::Passed => runs.passed += 1,
                    Verdict::Failed => runs.failed += 1,
                    Verdict::NotVerified => runs.unverified += 1,
                }
                seconds.into_iter().for_each(|seconds| runs.restores.observe(seconds));
            }
        }
    }

    /// Takes over what the run says of the present, without counting it: for a run that cannot be
    /// put on record, and so would be missing from the next sums.
    pub fn note(&mut self, record: &Record) {
        match record.work {
            Work::Create => {
                let backups = self.of_record(record).backups.get_or_insert_default();
                if record.verdict == Verdict::Passed {
                    backups.failures_since_success = 0;
                    backups.last_success = Some(record.started_at);
                    backups.last_bytes = record.file_bytes;
                    backups.last_rows = record.rows;
                } else {
                    backups.failures_since_success += 1;
                }
            }
            Work::Verify => {
                let seconds = record.restore_seconds();
                let runs = self.of_record(record).verifications.get_or_insert_default();
                match record.soundness() {
                    Verdict::Passed => {
                        runs.failures_since_success = 0;
                        runs.last_success = Some(record.started_at);
                    }
                    Verdict::Failed => runs.failures_since_success += 1,
                    // It neither heals nor hurts.
                    Verdict::NotVerified => {}
                }
                runs.last_restore_seconds = seconds.or(runs.last_restore_seconds);
            }
        }
    }

    fn of_record(&mut self, record: &Record) -> &mut DatabaseTotals {
        let database = record.database.as_deref().unwrap_or(UNKNOWN_DATABASE);
        self.databases.entry(database.to_owned()).or_default()
    }

    /// Reads the sums of a directory; `None` when there are none yet.
    ///
    /// # Errors
    /// [`TotalsError`].
    pub fn read(dir: &Path) -> Result<Option<Self>, TotalsError> {
        let path = totals_path(dir);
        match std::fs::read(&path) {
            Ok(bytes) => Self::parse(&bytes).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io("read", &path, error).into()),
        }
    }

    /// The sums in the bytes of a file.
    ///
    /// # Errors
    /// [`TotalsError::Newer`], [`TotalsError::Damaged`].
    pub fn parse(bytes: &[u8]) -> Result<Self, TotalsError> {
        #[derive(Deserialize)]
        struct Versioned {
            format_version: u64,
        }
        let damaged = |error: serde_json::Error| TotalsError::Damaged(error.to_string());
        let Versioned { format_version } = serde_json::from_slice(bytes).map_err(damaged)?;
        if format_version > u64::from(FORMAT_VERSION) {
            return Err(TotalsError::Newer { found: format_version });
        }
        serde_json::from_slice(bytes).map_err(damaged)
    }

    /// Writes the sums of a directory, whole or not at all. Whoever writes holds the history's
    /// lock.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn write(&self, dir: &Path) -> Result<(), StoreError> {
        let path = totals_path(dir);
        let mut bytes = serde_json::to_vec_pretty(self)
            .map_err(|error| StoreError::io("write", &path, error.into()))?;
        bytes.push(b'\n');
        write_anew(&path, &bytes, 0o600)
    }
}

#[cfg(test)]
#[path = "totals_tests.rs"]
mod tests;
