//! What a step found, and how it ended.
//!
//! A step makes [`Notes`] as it goes, which are shown at once, and gives them back as [`Findings`], however
//! it ends. Knows nothing of what is found, nor of what follows from it.

use std::path::PathBuf;
use std::time::Duration;

use crate::events::{Event, Events};
use crate::model::format::Format;
use crate::model::outcome::{Attempt, CheckResult, Defect, Obstacle, Phase, SandboxFacts};

/// What a step found, each kind in the order in which it was found.
#[derive(Debug, Default)]
pub(in crate::commands) struct Findings {
    /// Proof, beside the checks, that the backup is bad.
    pub defects: Vec<Defect>,
    /// The checks.
    pub checks: Vec<CheckResult>,
    /// Harmless things worth knowing.
    pub warnings: Vec<String>,
    /// What a passed verdict does not cover.
    pub not_proven: Vec<String>,
    /// How long parts of the step took.
    pub phases: Vec<Phase>,
    /// The attempts at the restore, where there was more than one.
    pub attempts: Vec<Attempt>,
    /// What is neither good nor bad.
    pub facts: RunFacts,
}

/// Facts of a run; each is said by one step.
#[derive(Debug, Default)]
pub(in crate::commands) struct RunFacts {
    /// The backup that was found.
    pub backup: Option<PathBuf>,
    /// There is a backup; what was not there has no history.
    pub is_there: bool,
    /// It is encrypted.
    pub is_sealed: bool,
    /// Its size in bytes.
    pub backup_bytes: Option<u64>,
    /// The database that it was made of, by its manifest.
    pub source_database: Option<String>,
    /// Its format.
    pub format: Option<Format>,
    /// Its checksum, in hex.
    pub sha256: Option<String>,
    /// Rows in it.
    pub rows: Option<u64>,
    /// Tables that it has rows of, or could have.
    pub tables: Option<u64>,
    /// Where it is restored.
    pub sandbox: Option<SandboxFacts>,
    /// The database in there that an operator would look into; the last one that is named.
    pub database: Option<String>,
    /// Roles that were made for it.
    pub roles: Vec<String>,
    /// Everything in it was restored, to its end and without an error.
    pub restored: bool,
}

/// A step that has ended.
#[derive(Debug)]
pub(in crate::commands) struct Step<T> {
    /// What it found, whatever its end.
    pub findings: Findings,
    /// What the next step goes on with; `None` where the findings prove the backup bad and nothing
    /// can follow. An error is what stood in the way of telling.
    pub outcome: Result<Option<T>, Obstacle>,
}

/// What a step finds as it goes: shown when it is found, kept until the step ends.
pub(in crate::commands) struct Notes<'a> {
    events: &'a Events,
    /// What was found so far.
    pub findings: Findings,
    /// The database that checks and warnings are about, where there are several.
    pub about: Option<String>,
}

impl<'a> Notes<'a> {
    /// Nothing was found so far.
    pub fn new(events: &'a Events) -> Self {
        Self { events, findings: Findings::default(), about: None }
    }

    /// The step has ended so.
    pub fn end<T>(self, outcome: Result<Option<T>, Obstacle>) -> Step<T> {
        Step { findings: self.findings, outcome }
    }

    /// Shows a check's result and keeps it.
    pub fn check(&mut self, mut check: CheckResult) {
        if let Some(database) = &self.about {
            check.id = format!("{}.{database}", check.id);
            check.title = format!("{database}: {}", check.title);
        }
        self.events.emit(Event::Checked(check.clone()));
        self.findings.checks.push(check);
    }

    /// Shows a warning and keeps it.
    pub fn warn(&mut self, text: String) {
        let text = match &self.about {
            Some(database) => format!("{database}: {text}"),
            None => text,
        };
        self.findings.warnings.push(text.clone());
        self.events.emit(Event::Warning(text));
    }

    /// Keeps what proves the backup bad.
    pub fn defect(&mut self, defect: Defect) {
        self.findings.defects.push(defect);
    }

    /// Keeps what a passed verdict does not cover.
    pub fn not_proven(&mut self, text: impl Into<String>) {
        self.findings.not_proven.push(text.into());
    }

    /// Keeps how long a part took.
    pub fn phase(&mut self, name: &str, took: Duration) {
        self.findings.phases.push(Phase { name: name.to_owned(), seconds: took.as_secs_f64() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::outcome::{Section, Status};

    #[test]
    fn what_a_step_found_is_kept_when_an_obstacle_follows() {
        let events = Events::silent();
        let mut notes = Notes::new(&events);
        notes.check(CheckResult::new("a", Section::Contents, Status::Passed, "rows"));
        notes.warn("odd".to_owned());
        notes.findings.facts.sha256 = Some("00".to_owned());
        let obstacle = Obstacle { cause: "no Docker".to_owned(), hint: None };
        let step = notes.end::<()>(Err(obstacle.clone()));
        assert_eq!(step.outcome, Err(obstacle));
        assert_eq!((step.findings.checks.len(), step.findings.warnings.len()), (1, 1));
        assert_eq!(step.findings.facts.sha256.as_deref(), Some("00"));
    }

    #[test]
    fn checks_and_warnings_name_the_database_that_they_are_about() {
        let events = Events::silent();
        let mut notes = Notes::new(&events);
        notes.about = Some("shop".to_owned());
        notes.check(CheckResult::new("contents.rows", Section::Contents, Status::Passed, "Rows"));
        notes.warn("odd".to_owned());
        let check = &notes.findings.checks[0];
        assert_eq!((check.id.as_str(), check.title.as_str()), ("contents.rows.shop", "shop: Rows"));
        assert_eq!(notes.findings.warnings, ["shop: odd"]);
    }
}
