//! The collector: folds what the steps found, in their order, into the report of the run.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::findings::{Findings, RunFacts, Step};
use super::obstacles::changed;
use crate::checks::restore_time;
use crate::model::outcome::{Obstacle, RunReport, Status};
use crate::settings::{BackupChoice, ProofSettings};

/// What was collected so far.
#[derive(Debug)]
pub(in crate::commands) struct Collector {
    report: RunReport,
    /// The restore is held to a time.
    has_limit: bool,
    is_there: bool,
    is_sealed: bool,
    source_database: Option<String>,
    database: Option<String>,
}

/// All that a run found.
#[derive(Debug)]
pub(in crate::commands) struct Collected {
    /// What every reporter reads.
    pub report: RunReport,
    /// There was a backup, and the run goes on record.
    pub is_there: bool,
    /// It is encrypted, and nothing of what is in it stands beside it.
    pub is_sealed: bool,
    /// The database that it was made of.
    pub source_database: Option<String>,
    /// The database in the sandbox to look into, where one was made.
    pub database: Option<String>,
}

impl Collector {
    /// A run begins, with these settings.
    pub fn begin(choice: &BackupChoice, proof: &ProofSettings, now: DateTime<Utc>) -> Self {
        let named = choice.file.clone().unwrap_or_else(|| choice.backup_dir.clone());
        let mut report = RunReport::begin(named, now);
        report.require_proof = proof.require_proof;
        report.rto_seconds = proof.rto.map(|rto| rto.as_secs_f64());
        Self {
            report,
            has_limit: proof.rto.is_some(),
            is_there: false,
            is_sealed: false,
            source_database: None,
            database: None,
        }
    }

    /// What was found is of other bytes than the backup's: it proves nothing, for it or against it.
    pub fn drop_proof(&mut self) {
        self.report.defects.clear();
        self.report.sha256 = None;
        for check in &mut self.report.checks {
            if check.status == Status::Failed {
                check.status = Status::NotRun;
            }
        }
    }

    /// Takes what a step found, and gives what the next one goes on with.
    ///
    /// # Errors
    /// What stood in the way.
    pub fn take<T>(&mut self, step: Step<T>) -> Result<Option<T>, Obstacle> {
        let Findings { defects, checks, warnings, not_proven, phases, attempts, facts } =
            step.findings;
        let report = &mut self.report;
        report.defects.extend(defects);
        report.checks.extend(checks);
        report.warnings.extend(warnings);
        report.not_proven.extend(not_proven);
        report.phases.extend(phases);
        report.attempts.extend(attempts);
        self.take_facts(facts);
        step.outcome
    }

    fn take_facts(&mut self, facts: RunFacts) {
        let RunFacts {
            backup,
            is_there,
            is_sealed,
            backup_bytes,
            source_database,
            format,
            sha256,
            rows,
            tables,
            sandbox,
            database,
            roles,
            restored,
        } = facts;
        let report = &mut self.report;
        if let Some(backup) = backup {
            report.backup = backup;
        }
        if let Some(bytes) = backup_bytes {
            report.backup_bytes = bytes;
        }
        report.format = format.map(|format| format.name().to_owned()).or(report.format.take());
        report.sha256 = sha256.or(report.sha256.take());
        report.rows = rows.or(report.rows);
        report.tables = tables.or(report.tables);
        report.sandbox = sandbox.or(report.sandbox.take());
        report.roles.extend(roles);
        report.restored |= restored;
        self.is_there |= is_there;
        self.is_sealed |= is_sealed;
        self.source_database = source_database.or(self.source_database.take());
        self.database = database.or(self.database.take());
    }

    /// The report as it is until now.
    pub fn report(&self) -> &RunReport {
        &self.report
    }

    /// The run has ended so, after this time.
    pub fn finish(self, ended: Result<(), Obstacle>, took: Duration) -> Collected {
        let Self { mut report, has_limit, is_there, is_sealed, source_database, database } = self;
        if let Err(obstacle) = ended {
            if obstacle == changed() {
                // What was read is of no file that there is.
                report.sha256 = None;
            }
            report.obstacle = Some(obstacle);
        }
        if has_limit && report.restore_time().is_none() {
            report.checks.push(restore_time::not_measured());
        }
        report.seconds = took.as_secs_f64();
        Collected { report, is_there, is_sealed, source_database, database }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::steps::findings::Notes;
    use crate::events::Events;
    use crate::model::outcome::{CheckResult, Defect, Section, Verdict};

    fn collector(has_limit: bool) -> Collector {
        Collector {
            report: RunReport::begin("named.sql".into(), DateTime::UNIX_EPOCH),
            has_limit,
            is_there: false,
            is_sealed: false,
            source_database: None,
            database: None,
        }
    }

    /// A step that finds what `find` notes.
    fn step(outcome: Result<Option<u8>, Obstacle>, find: impl Fn(&mut Notes)) -> Step<u8> {
        let events = Events::silent();
        let mut notes = Notes::new(&events);
        find(&mut notes);
        notes.end(outcome)
    }

    fn obstacle() -> Obstacle {
        Obstacle { cause: "no Docker".to_owned(), hint: None }
    }

    fn check(status: Status, title: &str) -> CheckResult {
        CheckResult::new("x", Section::Contents, status, title)
    }

    #[test]
    fn findings_are_in_the_order_of_the_steps_and_facts_stay_that_a_later_step_does_not_name() {
        let mut collector = collector(false);
        let first = step(Ok(Some(1)), |notes| {
            notes.findings.facts.backup = Some("found.sql".into());
            notes.findings.facts.is_there = true;
            notes.findings.facts.database = Some("restore_test".to_owned());
            notes.check(check(Status::Passed, "one"));
            notes.phase("read", Duration::from_secs(1));
        });
        assert_eq!(collector.take(first), Ok(Some(1)));
        let second = step(Ok(None), |notes| {
            notes.findings.facts.restored = true;
            notes.findings.facts.database = Some("shop".to_owned());
            notes.check(check(Status::Passed, "two"));
            notes.phase("restore", Duration::from_secs(2));
        });
        assert_eq!(collector.take(second), Ok(None));
        let found = collector.finish(Ok(()), Duration::from_secs(3));
        let titles: Vec<&str> = found.report.checks.iter().map(|of| of.title.as_str()).collect();
        let phases: Vec<&str> = found.report.phases.iter().map(|of| of.name.as_str()).collect();
        assert_eq!((titles, phases), (vec!["one", "two"], vec!["read", "restore"]));
        assert_eq!(found.report.backup.to_str(), Some("found.sql"));
        assert!(found.is_there && found.report.restored);
        assert_eq!(found.database.as_deref(), Some("shop"));
        assert_eq!(found.report.verdict(), Verdict::Passed);
    }

    #[test]
    fn proof_that_was_found_before_an_obstacle_is_kept_and_goes_before_it() {
        let mut collector = collector(false);
        let cut = step(Err(obstacle()), |notes| notes.defect(Defect::new("cut off", "look")));
        let ended = collector.take(cut).map(drop);
        let report = collector.finish(ended, Duration::ZERO).report;
        assert_eq!(report.obstacle, Some(obstacle()));
        assert_eq!(report.verdict(), Verdict::Failed);
    }

    #[test]
    fn a_checksum_of_a_file_that_was_changed_meanwhile_is_of_no_file() {
        for (obstacle, expected) in [(obstacle(), Some("00".to_owned())), (changed(), None)] {
            let mut collector = collector(false);
            let read = step(Err(obstacle), |notes| {
                notes.findings.facts.sha256 = Some("00".to_owned());
            });
            let ended = collector.take(read).map(drop);
            assert_eq!(collector.finish(ended, Duration::ZERO).report.sha256, expected);
        }
    }

    #[test]
    fn a_restore_that_was_to_be_timed_and_never_began_is_a_check_that_was_not_run() {
        let report = collector(true).finish(Err(obstacle()), Duration::ZERO).report;
        assert_eq!(report.checks, [restore_time::not_measured()]);
        let mut collector = collector(true);
        let restored = step(Ok(Some(1)), |notes| notes.phase("restore", Duration::from_secs(1)));
        collector.take(restored).unwrap();
        assert_eq!(collector.finish(Ok(()), Duration::ZERO).report.checks, []);
    }
}
