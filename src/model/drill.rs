//! What a drill found: which backups were tried in which places, and how each ended.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::forecast::Outlook;
use super::outcome::{Obstacle, RunReport, Verdict, worst};

/// What is on record of a backup in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "state", content = "at", rename_all = "snake_case")]
pub enum Standing {
    /// No run ever tried it there.
    Untried,
    /// It was tried there, and no run could tell.
    Inconclusive(DateTime<Utc>),
    /// It was proven sound there, last then.
    Proven(DateTime<Utc>),
    /// It was proven bad there, last then.
    Bad(DateTime<Utc>),
}

/// A backup in a place that a drill is to try.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Planned {
    /// The directory or the place.
    pub place: String,
    /// The backup, by its path in there.
    pub backup: String,
    /// When it was made.
    pub made_at: DateTime<Utc>,
    /// Its size in bytes.
    pub bytes: u64,
    /// The database, where it is known.
    pub database: Option<String>,
    /// What was on record of it before.
    pub standing: Standing,
    /// Whether it is the newest of its database there.
    pub newest: bool,
    /// How long it takes by those on record, in seconds; `None` where they do not say.
    pub expected_seconds: Option<f64>,
}

/// What a drill is going to do.
#[derive(Debug, Clone, PartialEq)]
pub struct DrillPlan {
    /// When it was made.
    pub at: DateTime<Utc>,
    /// Whether nothing is restored.
    pub file_only: bool,
    /// Whether it is no drill, but a verification of the newest backup of each database.
    pub newest_only: bool,
    /// So many at once.
    pub at_once: usize,
    /// How long it may take, in seconds.
    pub within_seconds: Option<f64>,
    /// Where it looked.
    pub places: Vec<PlaceFound>,
    /// The backups to be tried, in their order, and whether each fits into the time.
    pub turns: Vec<(Planned, bool)>,
    /// How long those that fit take, in seconds, as far as that is known.
    pub expected_seconds: f64,
    /// Whether that is known of all of them.
    pub all_expected: bool,
    /// Nothing else is done.
    pub is_all: bool,
}

/// A directory or a place that a drill has looked into.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PlaceFound {
    /// Where it is.
    pub place: String,
    /// Backups in it.
    pub backups: usize,
    /// How many of them were proven sound there, before the drill.
    pub proven: usize,
    /// How many of them were proven bad there, before the drill.
    pub bad: usize,
    /// When the newest was made.
    pub newest: Option<DateTime<Utc>>,
    /// Why there is nothing to try.
    pub obstacle: Option<Obstacle>,
}

/// How the turn of a backup ended.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// It was tried.
    Tried(Box<RunReport>),
    /// It was not come to.
    NotReached {
        /// Why.
        why: String,
    },
}

/// A backup that was to be tried, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// What was planned.
    pub planned: Planned,
    /// How it ended.
    pub end: End,
}

/// Everything a drill found: the one value that its reporters read.
#[derive(Debug, Clone, PartialEq)]
pub struct DrillReport {
    /// Version of ccc-backup.
    pub tool_version: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// Wall time in seconds.
    pub seconds: f64,
    /// Whether nothing was restored, and the bytes of each backup were compared with its manifest.
    pub file_only: bool,
    /// Whether it was no drill, but a verification of the newest backup of each database.
    pub newest_only: bool,
    /// How long a restore may take, in seconds.
    pub rto_seconds: Option<f64>,
    /// How long the drill might take, in seconds.
    pub within_seconds: Option<f64>,
    /// Where it looked.
    pub places: Vec<PlaceFound>,
    /// The backups that were to be tried, in the order of the plan.
    pub turns: Vec<Turn>,
    /// How long restores are going to take.
    pub outlooks: Vec<DatabaseOutlook>,
    /// Harmless things worth knowing.
    pub warnings: Vec<String>,
}

/// How long restores of a database are going to take.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct DatabaseOutlook {
    /// Its name; `None` for backups of which it is not known.
    pub database: Option<String>,
    /// What those on record tell.
    pub outlook: Outlook,
}

impl Turn {
    /// What was found, where it was tried.
    pub fn report(&self) -> Option<&RunReport> {
        match &self.end {
            End::Tried(report) => Some(report),
            End::NotReached { .. } => None,
        }
    }

    /// The verdict; what was not reached is not verified.
    pub fn verdict(&self) -> Verdict {
        self.report().map_or(Verdict::NotVerified, RunReport::verdict)
    }
}

impl PlaceFound {
    /// What a place says by itself, whatever its backups say: nothing, where it has some.
    fn verdict(&self) -> Option<Verdict> {
        self.obstacle.as_ref().map(|_| Verdict::NotVerified)
    }
}

impl DrillReport {
    /// The worst verdict of all; without a backup, it could not be told.
    pub fn verdict(&self) -> Verdict {
        let places = self.places.iter().filter_map(PlaceFound::verdict);
        worst(self.turns.iter().map(Turn::verdict).chain(places))
    }

    /// How many backups that were tried ended so.
    pub fn count(&self, verdict: Verdict) -> usize {
        let tried = self.turns.iter().filter_map(Turn::report);
        tried.filter(|report| report.verdict() == verdict).count()
    }

    /// How many were not come to.
    pub fn not_reached(&self) -> usize {
        self.turns.iter().filter(|turn| turn.report().is_none()).count()
    }

    /// How long each restore took that came to its end, in seconds.
    pub fn restore_seconds(&self) -> Vec<f64> {
        let restored = self.turns.iter().filter_map(Turn::report).filter(|report| report.restored);
        restored.filter_map(|report| Some(report.restore_time()?.as_secs_f64())).collect()
    }

    /// Why the verdict is not "passed", the worst first, each with the backup or the place that it is about.
    pub fn causes(&self) -> Vec<String> {
        let of = |verdict: Verdict| {
            let turns = self.turns.iter().filter(move |turn| turn.verdict() == verdict);
            turns.filter_map(|turn| {
                let Planned { place, backup, .. } = &turn.planned;
                let cause = turn.report()?.causes().into_iter().next()?;
                Some(format!("{backup} in {place}: {cause}"))
            })
        };
        let places = self.places.iter().filter_map(|found| {
            let obstacle = found.obstacle.as_ref()?;
            Some(format!("{}: {}", found.place, obstacle.cause))
        });
        let unreached = self.turns.iter().filter_map(|turn| match &turn.end {
            End::Tried(_) => None,
            End::NotReached { why } => {
                let Planned { place, backup, .. } = &turn.planned;
                Some(format!("{backup} in {place} was not reached: {why}"))
            }
        });
        of(Verdict::Failed).chain(of(Verdict::NotVerified)).chain(places).chain(unreached).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::outcome::{CheckResult, Section, Status};

    fn turn(backup: &str, end: End) -> Turn {
        let planned = Planned {
            place: "s3://near".to_owned(),
            backup: backup.to_owned(),
            made_at: DateTime::UNIX_EPOCH,
            bytes: 7,
            database: None,
            standing: Standing::Untried,
            newest: true,
            expected_seconds: None,
        };
        Turn { planned, end }
    }

    fn tried(backup: &str, status: Status) -> Turn {
        let mut report = RunReport::begin(backup.into(), DateTime::UNIX_EPOCH);
        report.checks.push(CheckResult::new("x", Section::Contents, status, "Rows"));
        turn(backup, End::Tried(Box::new(report)))
    }

    fn drill(turns: Vec<Turn>) -> DrillReport {
        DrillReport {
            tool_version: "1".to_owned(),
            started_at: DateTime::UNIX_EPOCH,
            seconds: 1.0,
            file_only: false,
            newest_only: false,
            rto_seconds: None,
            within_seconds: None,
            places: Vec::new(),
            turns,
            outlooks: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn unreached() -> Turn {
        turn("late.sql", End::NotReached { why: "the time is up".to_owned() })
    }

    #[test]
    fn the_worst_counts_and_what_was_not_reached_has_not_passed() {
        let (good, bad) = (tried("a", Status::Passed), tried("b", Status::Failed));
        let unclear = tried("c", Status::NotRun);
        let verdict = |turns: &[&Turn]| drill(turns.iter().copied().cloned().collect()).verdict();
        assert_eq!(verdict(&[&good]), Verdict::Passed);
        assert_eq!(verdict(&[&good, &unreached()]), Verdict::NotVerified);
        assert_eq!(verdict(&[&unclear, &bad, &unreached()]), Verdict::Failed);
        assert_eq!(verdict(&[]), Verdict::NotVerified, "nothing was proven");
        let report = drill(vec![good, unclear, unreached(), bad]);
        let counts = [Verdict::Passed, Verdict::Failed, Verdict::NotVerified];
        assert_eq!(counts.map(|verdict| report.count(verdict)), [1, 1, 1]);
        assert_eq!(report.not_reached(), 1);
        assert_eq!(
            report.causes(),
            [
                "b in s3://near: Rows",
                "c in s3://near: not checked: Rows",
                "late.sql in s3://near was not reached: the time is up",
            ]
        );
    }

    #[test]
    fn a_place_that_has_nothing_to_try_keeps_a_drill_from_passing() {
        let mut report = drill(vec![tried("a", Status::Passed)]);
        report.places.push(PlaceFound {
            place: "s3://far".to_owned(),
            backups: 0,
            proven: 0,
            bad: 0,
            newest: None,
            obstacle: Some(Obstacle { cause: "there is no backup".to_owned(), hint: None }),
        });
        assert_eq!(report.verdict(), Verdict::NotVerified);
        assert_eq!(report.causes(), ["s3://far: there is no backup"]);
    }
}
