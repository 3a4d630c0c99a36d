//! What the runs in a history add up to, by database.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::forecast;
use super::history::{Record, Work};
use crate::model::forecast::Forecast;
use crate::model::outcome::Verdict;

/// The name for a database that is not known, such as that of a backup without a manifest.
pub const UNKNOWN_DATABASE: &str = "unknown";
/// Upper bounds of the restore times in seconds: a second to eight hours, with the usual targets
/// (15, 30 and 45 minutes, 1, 2 and 4 hours) among them.
const BOUNDS: [f64; 15] = [
    1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 1800.0, 2700.0, 3600.0, 7200.0, 14400.0,
    28800.0,
];

/// What runs add up to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Totals {
    /// By name of the database.
    pub databases: BTreeMap<String, DatabaseTotals>,
    /// When keys were last proven to open the newest encrypted backup; absent where that was never asked.
    pub key_last_proven: Option<DateTime<Utc>>,
}

/// The runs for one database. A part without an attempt is absent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DatabaseTotals {
    /// Backups made, or not.
    pub backups: Option<BackupTotals>,
    /// Verifications.
    pub verifications: Option<VerificationTotals>,
    /// How long restores are going to take, where enough is known.
    pub forecast: Option<Forecast>,
}

/// Backups made, or not.
#[derive(Debug, Clone, Default, PartialEq)]
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
#[derive(Debug, Clone, PartialEq)]
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
    /// Seconds that a restore may take, as the last verification had it that had it.
    pub rto_seconds: Option<f64>,
    /// Seconds of all restores.
    pub restores: Histogram,
}

/// Observations, by size.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// The bounded buckets, each without what is in a smaller one.
    pub buckets: Vec<Bucket>,
    /// All observations, those above the last bound too.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
}

/// Observations up to a bound.
#[derive(Debug, Clone, PartialEq)]
pub struct Bucket {
    /// The bound; it belongs to the bucket.
    pub le: f64,
    /// How many are in it and in no smaller one.
    pub count: u64,
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
            rto_seconds: None,
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
        for (name, database) in &mut totals.databases {
            let of_it = |record: &&Record| name_of_database(record) == name;
            let runs: Vec<&Record> = records.iter().filter(of_it).collect();
            let outlook = forecast::outlook(&runs, None);
            database.forecast = outlook.and_then(|outlook| outlook.forecast().cloned());
        }
        totals
    }

    /// Adds a run, unless it is counted in another directory.
    pub fn count(&mut self, record: &Record) {
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
            // What is watched is whether backups are made and proven.
            Work::Restore | Work::CheckKeys | Work::Scrub => {}
        }
    }

    /// Takes over what the run says of the present, without counting it: for a run that cannot be
    /// put on record, and so would be missing the next time.
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
                runs.rto_seconds = record.rto_seconds.or(runs.rto_seconds);
            }
            Work::CheckKeys if record.verdict == Verdict::Passed => {
                self.key_last_proven = Some(record.started_at);
            }
            // Bytes that are others prove a backup bad; that they are the same heals nothing.
            Work::Scrub if record.soundness() == Verdict::Failed => {
                let runs = self.of_record(record).verifications.get_or_insert_default();
                runs.failures_since_success += 1;
            }
            Work::Restore | Work::CheckKeys | Work::Scrub => {}
        }
    }

    fn of_record(&mut self, record: &Record) -> &mut DatabaseTotals {
        self.databases.entry(name_of_database(record).to_owned()).or_default()
    }
}

fn name_of_database(record: &Record) -> &str {
    record.database.as_deref().unwrap_or(UNKNOWN_DATABASE)
}

#[cfg(test)]
#[path = "totals_tests.rs"]
mod tests;
