//! The backups that a page is about, each with what came of it, whoever tried it.

use chrono::{DateTime, Utc};

use super::{Evidence, Subject};
use crate::model::drill::{End, Turn};
use crate::model::outcome::{RunReport, Section, Status, Verdict};
use crate::store::naming::{directory_of, time_in_name};

/// A backup that was to be tried.
#[derive(Debug, Clone)]
pub(super) struct Tried<'a> {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub place: String,
    /// The database that it was made of, where it is known.
    pub database: Option<&'a str>,
    /// When it was made, where that is known.
    pub made_at: Option<DateTime<Utc>>,
    /// Its size in bytes.
    pub bytes: u64,
    /// What came of it, or why it was not come to.
    pub end: Result<&'a RunReport, &'a str>,
}

impl<'a> Tried<'a> {
    /// Those of a page: one of a verification, none of a history.
    pub(super) fn all(evidence: &Evidence<'a>) -> Vec<Self> {
        match evidence.subject {
            Subject::Verification(report) => vec![Self::verified(report)],
            Subject::Drill(drill) => drill.turns.iter().map(Self::of_turn).collect(),
            Subject::History => Vec::new(),
        }
    }

    fn verified(report: &'a RunReport) -> Self {
        let name = report.backup.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self {
            made_at: time_in_name(&name),
            name,
            place: directory_of(&report.backup).display().to_string(),
            database: None,
            bytes: report.backup_bytes,
            end: Ok(report),
        }
    }

    fn of_turn(turn: &'a Turn) -> Self {
        let planned = &turn.planned;
        Self {
            name: planned.backup.clone(),
            place: planned.place.clone(),
            database: planned.database.as_deref(),
            made_at: Some(planned.made_at),
            bytes: planned.bytes,
            end: match &turn.end {
                End::Tried(report) => Ok(report),
                End::NotReached { why } => Err(why),
            },
        }
    }

    /// What was found, where it was tried.
    pub(super) fn report(&self) -> Option<&'a RunReport> {
        self.end.ok()
    }

    /// The verdict; of what was not come to, nothing is known.
    pub(super) fn verdict(&self) -> Verdict {
        self.report().map_or(Verdict::NotVerified, RunReport::verdict)
    }

    /// Whether it is sound and only took too long.
    pub(super) fn is_slow(&self) -> bool {
        self.verdict() == Verdict::Failed
            && self.report().is_some_and(|report| report.soundness() == Verdict::Passed)
    }

    /// How long it was restored, in seconds, where that came to its end.
    pub(super) fn restore_seconds(&self) -> Option<f64> {
        let report = self.report().filter(|report| report.restored)?;
        Some(report.restore_time()?.as_secs_f64())
    }

    /// The verdict in a word.
    pub(super) fn word(&self, file_only: bool) -> &'static str {
        match (self.verdict(), file_only) {
            _ if self.end.is_err() => "not reached",
            (Verdict::Passed, true) => "intact",
            (Verdict::Passed, false) => "passed",
            (Verdict::Failed, true) => "damaged",
            (Verdict::Failed, false) if self.is_slow() => "too slow",
            (Verdict::Failed, false) => "failed",
            (Verdict::NotVerified, _) => "not verified",
        }
    }

    /// What is said of its signature.
    pub(super) fn signature(&self) -> Option<&'static str> {
        let mut checks = self.report()?.checks.iter();
        let check =
            checks.find(|check| check.section == Section::File && check.id == "file.signature")?;
        Some(match check.status {
            Status::Passed => "verified",
            Status::Failed => "refused",
            Status::Shown | Status::Warned | Status::NotRun => "not checked",
        })
    }
}
