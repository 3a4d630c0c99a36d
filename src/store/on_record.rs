//! What is on record of backups in one place or in several: what an auditor is shown.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::history::{Record, Work};
use super::listing::Listed;
use super::statistics::{self, Statistics};

/// A directory or a place, and its backups.
#[derive(Debug, Clone, PartialEq)]
pub struct PlaceOnRecord {
    /// Where it is.
    pub place: PathBuf,
    /// Its backups, the newest first.
    pub backups: Vec<Listed>,
    /// Why they are not known.
    pub unread: Option<String>,
}

/// See the module.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OnRecord {
    /// Where backups are: first their directory, then the places of their copies.
    pub places: Vec<PlaceOnRecord>,
    /// The runs of all of them, each once, the oldest first.
    pub runs: Vec<Record>,
    /// What they say together.
    pub databases: Vec<Statistics>,
}

impl OnRecord {
    /// Of these places with the runs that are on record there. A run that is on record in several is one. What a restore
    /// may take is `rto_seconds`, else what the last verification was allowed.
    pub fn of(places: Vec<(PlaceOnRecord, Vec<Record>)>, rto_seconds: Option<f64>) -> Self {
        let (mut known, mut all) = (Vec::new(), BTreeMap::<(i64, u8, String), Record>::new());
        for (place, records) in places {
            known.push(place);
            for record in records {
                // The names of objects tell no more than microseconds.
                let at = record.started_at.timestamp_micros();
                let key = (at, number(record.work), record.backup.clone());
                match all.get(&key) {
                    // The line of a run beside the backup says less than the run's own.
                    Some(there) if !there.copy || record.copy => {}
                    _ => drop(all.insert(key, record)),
                }
            }
        }
        let runs: Vec<Record> = all.into_values().collect();
        let databases = statistics::by_database(&runs, rto_seconds);
        Self { places: known, runs, databases }
    }

    /// The copies of a backup: of each place whose backups are known, what is there under this name.
    pub fn copies<'a>(
        &'a self,
        name: &'a Path,
    ) -> impl Iterator<Item = (&'a PlaceOnRecord, Option<&'a Listed>)> {
        let known = self.places.iter().filter(|place| place.unread.is_none());
        known.map(move |place| (place, place.backups.iter().find(|backup| backup.name == name)))
    }
}

/// Works have no order of their own.
fn number(work: Work) -> u8 {
    match work {
        Work::Create => 0,
        Work::Verify => 1,
        Work::Restore => 2,
        Work::CheckKeys => 3,
        Work::Scrub => 4,
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::model::outcome::Verdict;

    fn place(name: &str) -> PlaceOnRecord {
        PlaceOnRecord { place: name.into(), backups: Vec::new(), unread: None }
    }

    fn run(minute: i64, copy: bool) -> Record {
        let at = DateTime::from_timestamp(minute * 60, 0).unwrap();
        Record { copy, ..Record::new(Work::Verify, "x.sql", at, Verdict::Passed) }
    }

    #[test]
    fn a_run_that_is_on_record_in_several_places_is_one() {
        let near = vec![run(2, false), run(1, true)];
        let far = vec![run(2, true), run(1, false), run(3, true)];
        let known = OnRecord::of(vec![(place("near"), near), (place("far"), far)], None);
        let runs: Vec<_> =
            known.runs.iter().map(|run| (run.started_at.timestamp() / 60, run.copy)).collect();
        assert_eq!(runs, [(1, false), (2, false), (3, true)]);
        assert_eq!((known.places.len(), known.databases[0].verify.passed), (2, 3));
    }
}
