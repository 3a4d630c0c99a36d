//! Whether a backup was proven sound or bad: the one memory that is asked, whoever asks.
//!
//! A verdict is about bytes, so the SHA-256 counts and not the name. Nothing is hashed here: what
//! the bytes are is known from the last run that read them, else from the manifest; where these two
//! differ and the file was changed since, it is not known. Runs that do not
//! say what they read (lines of older versions, and files that were bad at the first look) go by
//! name, size and place.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::history::{History, Record, Work};
use super::naming::directory_of;
use crate::model::outcome::Verdict;

/// What is proven of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proven {
    /// The last verdict that could tell is that it restores as it was dumped.
    Sound,
    /// The last verdict that could tell is that it is bad.
    Bad,
}

/// A verdict, and when the run began that came to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Judged {
    /// The verdict on the backup itself, whatever time its restore took.
    pub verdict: Verdict,
    /// When its run began.
    pub at: DateTime<Utc>,
    /// Whether the restore took longer than it may take.
    pub rto_missed: bool,
}

/// A backup as it lies in its directory.
#[derive(Debug, Clone, Copy)]
pub struct Backup<'a> {
    /// Where it is.
    pub path: &'a Path,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its SHA-256 by the manifest that belongs to it.
    pub recorded: Option<&'a str>,
}

/// The runs of some histories, in the order in which they were begun.
#[derive(Debug, Default)]
pub struct Memory {
    runs: Vec<Run>,
    by_name: BTreeMap<String, Vec<usize>>,
    by_sha256: BTreeMap<String, Vec<usize>>,
}

#[derive(Debug)]
struct Run {
    record: Record,
    /// The directory of the history that it is in.
    home: PathBuf,
    /// The directory that the backup was in.
    place: PathBuf,
}

impl Run {
    fn new(home: &Path, record: Record) -> Self {
        let place = record.directory.as_ref().map_or(home.to_owned(), |below| home.join(below));
        Self { record, home: home.to_owned(), place }
    }

    /// Whether it can be about a file of this size in this directory. Older versions did not say
    /// that a backup was in a directory below.
    fn fits(&self, bytes: u64, dir: &Path) -> bool {
        let below = || self.record.directory.is_none() && dir.parent() == Some(&self.home);
        self.has_size(bytes) && (self.place == dir || below())
    }

    fn sha256(&self) -> Option<&str> {
        self.record.sha256.as_deref()
    }

    /// Whether it read other bytes than the manifest now says, and the file was changed since: it may
    /// be what either says, and what is proven of it is not known.
    fn was_replaced(&self, backup: &Backup) -> bool {
        let read_other = backup.recorded.is_some() && self.sha256() != backup.recorded;
        let ended = Duration::try_from_secs_f64(self.record.seconds).ok().and_then(|took| {
            self.record.started_at.checked_add_signed(TimeDelta::from_std(took).ok()?)
        });
        // Not the time of its last write, which copying keeps.
        let changed = std::fs::metadata(backup.path)
            .ok()
            .and_then(|file| DateTime::from_timestamp(file.ctime(), 0));
        read_other && changed.zip(ended).is_some_and(|(changed, ended)| changed > ended)
    }

    fn has_size(&self, bytes: u64) -> bool {
        self.record.file_bytes.is_none_or(|known| known == bytes)
    }
}

impl Memory {
    /// The runs of histories, each with its directory by its real name. Those of one history keep
    /// their order whatever their times are: a clock may have been wrong.
    pub fn of(histories: Vec<(PathBuf, History)>) -> Self {
        let mut runs = Vec::new();
        for (home, history) in histories {
            let mut latest = DateTime::<Utc>::MIN_UTC;
            for record in history.records {
                latest = latest.max(record.started_at);
                runs.push((latest, Run::new(&home, record)));
            }
        }
        runs.sort_by_key(|(begun, _)| *begun);
        let mut memory = Self::default();
        for (index, (_, run)) in runs.into_iter().enumerate() {
            memory.by_name.entry(run.record.backup.clone()).or_default().push(index);
            if let Some(sha256) = &run.record.sha256 {
                memory.by_sha256.entry(sha256.clone()).or_default().push(index);
            }
            memory.runs.push(run);
        }
        memory
    }

    /// Whether nothing is known of any backup.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// What is known of a backup.
    pub fn of_backup(&self, backup: &Backup) -> Known<'_> {
        let name = backup.path.file_name().unwrap_or_default().to_string_lossy();
        let dir = directory_of(backup.path);
        let dir = std::fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
        let indices = |of: Option<&Vec<usize>>| of.cloned().unwrap_or_default();
        let named = indices(self.by_name.get(name.as_ref()));
        let runs = |of: &[usize]| of.iter().map(|index| &self.runs[*index]).collect::<Vec<_>>();
        let sized = runs(&named).into_iter().rev().filter(|run| run.has_size(backup.bytes));
        // What was read here last is what lies here: a file can have become another than was written.
        let mut here = sized.clone().filter(|run| run.place == dir && run.sha256().is_some());
        let here = here.next();
        if here.is_some_and(|run| run.was_replaced(backup)) {
            return Known::default();
        }
        let sha256 = here.and_then(Run::sha256).or(backup.recorded);
        let sha256 = sha256.or_else(|| sized.clone().find_map(Run::sha256));
        let same = indices(sha256.and_then(|sha256| self.by_sha256.get(sha256)));
        let candidates: BTreeSet<usize> = named.into_iter().chain(same).collect();
        let about = |run: &&Run| match (run.sha256(), sha256) {
            (Some(read), Some(sha256)) => read == sha256,
            _ => run.record.backup == name && run.fits(backup.bytes, &dir),
        };
        let candidates: Vec<usize> = candidates.into_iter().collect();
        let about = runs(&candidates).into_iter().filter(about).map(|run| &run.record);
        Known::since_made(about.collect())
    }
}

/// The runs about one backup, oldest first.
#[derive(Debug, Default)]
pub struct Known<'a>(Vec<&'a Record>);

impl<'a> Known<'a> {
    /// One made anew under an old name has no verdict from before, unless it has the same bytes.
    fn since_made(runs: Vec<&'a Record>) -> Self {
        let made =
            |record: &&Record| record.work == Work::Create && record.verdict == Verdict::Passed;
        let made = runs.iter().rposition(made).unwrap_or(0);
        let counts = |(index, record): &(usize, &Record)| *index >= made || record.sha256.is_some();
        Self(runs.into_iter().enumerate().filter(counts).map(|(_, record)| record).collect())
    }

    /// What the last run says that says something.
    pub fn last<T>(&self, what: impl Fn(&'a Record) -> Option<T>) -> Option<T> {
        self.0.iter().rev().find_map(|record| what(record))
    }

    /// The last verification that could tell.
    pub fn verdict(&self) -> Option<Judged> {
        self.last(|record| judged(record).filter(|it| it.verdict != Verdict::NotVerified))
    }

    /// The last verification, whether or not it could tell.
    pub fn last_attempt(&self) -> Option<Judged> {
        self.last(judged)
    }

    /// The last run that compared its bytes with its manifest, and did no more.
    pub fn last_scrub(&self) -> Option<Judged> {
        self.last(|record| (record.work == Work::Scrub).then(|| judgement(record)))
    }

    /// What is proven of the backup; `None` where no run could tell.
    pub fn proven(&self) -> Option<Proven> {
        match self.verdict()?.verdict {
            Verdict::Passed => Some(Proven::Sound),
            Verdict::Failed => Some(Proven::Bad),
            Verdict::NotVerified => None,
        }
    }
}

fn judged(record: &Record) -> Option<Judged> {
    let judgement = judgement(record);
    // Other bytes than were written are proof; the same ones do not say that they restore.
    let is_proof = match record.work {
        Work::Verify => true,
        Work::Scrub => judgement.verdict == Verdict::Failed,
        Work::Create | Work::Restore | Work::CheckKeys => false,
    };
    is_proof.then_some(judgement)
}

fn judgement(record: &Record) -> Judged {
    Judged { verdict: record.soundness(), at: record.started_at, rto_missed: record.missed_rto() }
}

#[cfg(test)]
#[path = "proof_tests.rs"]
mod tests;
