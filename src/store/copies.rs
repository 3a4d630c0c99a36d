//! What is known of the copies of backups in other places, by database and place.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::history::{Record, Work};
use super::listing::Listed;
use super::totals::UNKNOWN_DATABASE;
use crate::model::outcome::Verdict;

/// The copies of each database's backups in each place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copies(BTreeMap<(String, String), CopyTotals>);

/// The copies of one database's backups in one place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CopyTotals {
    /// How many there are; absent where the place could not be listed.
    pub counted: Option<Counted>,
    /// When the newest backup that lies there was begun, in seconds since 1970; 0 where none is known to.
    pub last_success: i64,
    /// When the last verification that passed there was begun, in seconds since 1970; 0 for never, and absent where
    /// that could never be asked.
    pub last_proven: Option<i64>,
}

/// Backups in a place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// All of them.
    pub backups: usize,
    /// Those that the last verification there that could tell proved sound.
    pub proven: usize,
}

/// The backups that copies are made of, as their own history knows them.
#[derive(Debug)]
pub struct Originals<'a>(BTreeMap<&'a str, &'a Record>);

/// The backup that a run has made, and where it has brought it.
#[derive(Debug, Clone)]
pub struct Brought {
    /// The run.
    pub run: Record,
    /// The places.
    pub places: Vec<PathBuf>,
}

impl<'a> Originals<'a> {
    /// Those of these runs.
    pub fn of(runs: impl Iterator<Item = &'a Record>) -> Self {
        let made = |run: &&Record| run.work == Work::Create && run.verdict == Verdict::Passed;
        Self(runs.filter(made).map(|run| (&*run.backup, run)).collect())
    }

    /// The run that made the backup that this one is a copy of.
    fn of_copy(&self, copy: &Listed) -> Option<&Record> {
        let run = *self.0.get(&*copy.name.file_name()?.to_string_lossy())?;
        run.file_bytes.is_none_or(|bytes| bytes == copy.bytes).then_some(run)
    }

    /// The database of a copy.
    fn database_of<'b>(&'b self, copy: &'b Listed) -> &'b str {
        let known = self.of_copy(copy).map_or(&copy.database, |run| &run.database);
        known.as_deref().unwrap_or(UNKNOWN_DATABASE)
    }
}

impl Brought {
    /// The database of the backup.
    pub fn database(&self) -> &str {
        self.run.database.as_deref().unwrap_or(UNKNOWN_DATABASE)
    }
}

impl Copies {
    /// Takes one in.
    pub fn insert(&mut self, database: &str, place: &str, totals: CopyTotals) {
        self.0.insert((database.to_owned(), place.to_owned()), totals);
    }

    /// All of it: database, place, and what is known.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, CopyTotals)> {
        self.0.iter().map(|((database, place), totals)| (&**database, &**place, *totals))
    }

    /// Takes in what the list of a place tells of these databases. The newest backup there is the newest that was made
    /// here: others may bring theirs to the same place.
    pub fn list(
        &mut self,
        place: &Path,
        databases: &BTreeSet<String>,
        listed: &[Listed],
        originals: &Originals,
    ) {
        for database in databases {
            let there = || listed.iter().filter(|copy| originals.database_of(copy) == database);
            let proven = || there().filter(|copy| copy.proven == Some(true));
            let begun = there().filter_map(|copy| originals.of_copy(copy));
            let verdicts = proven().filter_map(|copy| copy.verdict);
            let totals = CopyTotals {
                counted: Some(Counted { backups: there().count(), proven: proven().count() }),
                last_success: begun.map(|run| run.started_at.timestamp()).max().unwrap_or(0),
                last_proven: Some(verdicts.map(|it| it.at.timestamp()).max().unwrap_or(0)),
            };
            self.insert(database, &place.to_string_lossy(), totals);
        }
    }

    /// Takes in what is known of a place that could not be listed: what was known `before`, and whether this run has
    /// brought its backup there. Gives whether a backup of each database is known to be there.
    pub fn keep(
        &mut self,
        place: &Path,
        databases: &BTreeSet<String>,
        before: &Self,
        brought: Option<&Brought>,
    ) -> bool {
        let name = place.to_string_lossy();
        let mut is_known = true;
        for database in databases {
            let key = (database.clone(), name.clone().into_owned());
            let known = before.0.get(&key).copied().unwrap_or_default();
            let last_success = match brought.filter(|brought| brought.database() == database) {
                None => known.last_success,
                Some(it) if it.places.iter().any(|there| there == place) => {
                    it.run.started_at.timestamp()
                }
                Some(_) => 0,
            };
            is_known &= last_success > 0;
            self.0.insert(key, CopyTotals { counted: None, last_success, ..known });
        }
        is_known
    }
}

#[cfg(test)]
#[path = "copies_tests.rs"]
mod tests;
