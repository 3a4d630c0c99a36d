//! Looks into every place, and chooses what is to be tried.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::commands::{DEFECT, Failure, Stop, list};
use crate::events::Events;
use crate::model::drill::{DrillPlan, PlaceFound, Planned};
use crate::model::outcome::{Obstacle, Verdict};
use crate::settings::DrillSettings;
use crate::store::history::{Record, Work};
use crate::store::listing::Listed;
use crate::store::sampling::{self, Candidate};
use crate::store::{StoreError, pace, runs};

/// What is to be tried, and what is known of it.
#[derive(Debug)]
pub(super) struct Planning {
    /// Where it lies.
    pub places: Vec<PlaceFound>,
    /// The backups, in their order.
    pub candidates: Vec<Candidate>,
    /// How long others took.
    pub paces: Paces,
}

/// The runs on record in each place, by which others are expected to take as long.
#[derive(Debug)]
pub(super) struct Paces {
    /// What is done with each backup.
    work: Work,
    places: BTreeMap<PathBuf, Vec<Record>>,
}

impl Paces {
    /// Takes in one more run.
    pub(super) fn note(&mut self, place: &Path, record: Record) {
        self.places.entry(place.to_owned()).or_default().push(record);
    }

    /// How long this one takes: by others in its place, else by others anywhere.
    pub(super) fn expected(&self, of: &Candidate) -> Option<Duration> {
        let took = |record: &Record| {
            let counts = record.work == self.work && record.soundness() == Verdict::Passed;
            counts.then_some(record.seconds)
        };
        let (database, bytes) = (of.backup.database.as_deref(), of.backup.bytes);
        let there = self.places.get(&of.place);
        let there = there.and_then(|known| pace::expected(known.iter(), database, bytes, took));
        let anywhere = || self.places.values().flatten();
        there.or_else(|| pace::expected(anywhere(), database, bytes, took))
    }
}

/// Asks the places, all at once, and chooses. A place that does not answer is one in which nothing can be tried.
///
/// # Errors
/// When it was interrupted.
pub(super) async fn plan(
    settings: &DrillSettings,
    events: &Events,
    stop: &Stop,
) -> Result<Planning, Failure> {
    let failure = |cause: String, hint: &str| Failure {
        exit: 2,
        cause,
        hint: Some(hint.to_owned()),
        notes: Vec::new(),
    };
    let (asked, told) = (settings.clone(), events.clone());
    let planning = tokio::task::spawn_blocking(move || ask(&asked, &told));
    match stop.wait_for(planning).await {
        Some(planning) => planning.map_err(|error| failure(error.to_string(), DEFECT)),
        None => Err(failure(stop.reason(), stop.hint())),
    }
}

fn ask(settings: &DrillSettings, events: &Events) -> Planning {
    let (mut places, mut backups) = (Vec::new(), Vec::new());
    let work = if settings.file_only { Work::Scrub } else { Work::Verify };
    let mut paces = Paces { work, places: BTreeMap::new() };
    for (place, answer) in list::all(&settings.places, events) {
        places.push(found(place, &answer));
        if let Ok(listed) = answer {
            backups.push((place.to_owned(), listed));
            // Without a history, nothing says how long it takes; that it cannot be read was said when it was listed.
            let records = runs::of(place).unwrap_or_default().records;
            paces.places.insert(place.to_owned(), records);
        }
    }
    let standing = if settings.file_only { sampling::of_bytes } else { sampling::of_proof };
    Planning { places, candidates: sampling::sample(backups, settings.older, standing), paces }
}

/// The newest backup of each database of a place, which were found, in the order of the databases.
pub(super) fn of_newest(place: &Path, each: Vec<(Option<String>, Listed)>) -> Planning {
    let records = runs::of(place).unwrap_or_default().records;
    let paces = Paces { work: Work::Verify, places: [(place.to_owned(), records)].into() };
    let backups: Vec<Listed> = each.into_iter().map(|(_, backup)| backup).collect();
    let candidate = |backup: &Listed| Candidate {
        place: place.to_owned(),
        backup: backup.clone(),
        standing: sampling::of_proof(backup),
        newest: true,
    };
    let candidates = backups.iter().map(candidate).collect();
    Planning { places: vec![found(place, &Ok(backups))], candidates, paces }
}

fn found(place: &Path, answer: &Result<Vec<Listed>, StoreError>) -> PlaceFound {
    let backups: &[Listed] = answer.as_deref().unwrap_or_default();
    let proven = |sound| backups.iter().filter(|backup| backup.proven == Some(sound)).count();
    let nothing = || Obstacle {
        cause: "there is no backup".to_owned(),
        hint: Some(
            "make one with `ccc-backup create`, or bring some there with `ccc-backup copy`"
                .to_owned(),
        ),
    };
    PlaceFound {
        place: place.display().to_string(),
        backups: backups.len(),
        proven: proven(true),
        bad: proven(false),
        newest: backups.iter().map(|backup| backup.time).max(),
        obstacle: match answer {
            Err(error) => Some(Obstacle { cause: error.to_string(), hint: error.hint() }),
            Ok(_) => backups.is_empty().then(nothing),
        },
    }
}

/// What a plan says of a backup.
pub(super) fn planned(of: &Candidate, expected: Option<Duration>) -> Planned {
    Planned {
        place: of.place.display().to_string(),
        backup: of.backup.name.display().to_string(),
        made_at: of.backup.time,
        bytes: of.backup.bytes,
        database: of.backup.database.clone(),
        standing: of.standing,
        newest: of.newest,
        expected_seconds: expected.map(|time| time.as_secs_f64()),
    }
}

impl Planning {
    /// The plan for people.
    pub(super) fn shown(&self, settings: &DrillSettings, at: DateTime<Utc>) -> DrillPlan {
        let expected = |of: &Candidate| self.paces.expected(of);
        let expected: Vec<_> = self.candidates.iter().map(expected).collect();
        let within = settings.within.unwrap_or(Duration::MAX);
        let fitting = sampling::fitting(&expected, within, settings.at_once);
        let turns = self.candidates.iter().zip(&expected).zip(&fitting.fits);
        DrillPlan {
            at,
            file_only: settings.file_only,
            newest_only: settings.newest_only,
            at_once: settings.at_once,
            within_seconds: settings.within.map(|within| within.as_secs_f64()),
            places: self.places.clone(),
            all_expected: expected.iter().all(Option::is_some),
            turns: turns.map(|((of, expected), fits)| (planned(of, *expected), *fits)).collect(),
            expected_seconds: fitting.takes.as_secs_f64(),
            is_all: settings.dry_run,
        }
    }
}
