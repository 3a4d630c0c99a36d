//! What was found of a backup where it was, told to the history where it is now: the bytes are the same.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::commands::Failure;
use crate::store::history::{History, Record, Work};
use crate::store::ledger::Ledger;
use crate::store::manifest::Outline;
use crate::store::place::Place;
use crate::store::{StoreError, runs};

/// The history where backups come from, which is read once for all of them.
#[derive(Debug)]
pub(in crate::commands) struct Verdicts {
    from: PathBuf,
    read: Mutex<Option<Arc<History>>>,
}

impl Verdicts {
    /// Of this place. Nothing is read yet.
    pub(in crate::commands) fn of(from: &Path) -> Self {
        Self { from: from.to_owned(), read: Mutex::default() }
    }

    /// Puts the runs about a backup on record there, which are not yet.
    ///
    /// # Errors
    /// What a disk or a place refuses.
    pub(super) fn bring(&self, to: &Path, outline: &Outline) -> Result<(), Failure> {
        let told = self.history().and_then(|history| tell(&history, to, outline));
        told.map_err(|error| Failure::from(&error))
    }

    fn history(&self) -> Result<Arc<History>, StoreError> {
        let mut known = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(history) = &*known {
            return Ok(Arc::clone(history));
        }
        let history = Arc::new(runs::whole_of(&self.from, WHOLE)?);
        Ok(Arc::clone(known.insert(history)))
    }
}

fn tell(history: &History, to: &Path, outline: &Outline) -> Result<(), StoreError> {
    let sha256 = outline.sha256();
    let about = |record: &Record| {
        let is_verdict = matches!(record.work, Work::Create | Work::Verify);
        is_verdict && record.sha256.as_deref() == Some(&sha256)
    };
    put(to, history.records.iter().filter(|record| about(record)).cloned().collect())
}

/// Puts runs that were elsewhere on record in a place, where they are not yet.
///
/// # Errors
/// What a disk or a place refuses.
pub(in crate::commands) fn put(to: &Path, known: Vec<Record>) -> Result<(), StoreError> {
    if known.is_empty() {
        return Ok(());
    }
    let same = |one: &Record, other: &Record| {
        (one.started_at, one.work, &one.backup) == (other.started_at, other.work, &other.backup)
    };
    match Place::of(to)? {
        Place::Objects(url) => {
            for record in known {
                match runs::put(&url, &Record { copy: true, ..record }) {
                    Ok(()) | Err(StoreError::TargetExists(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Place::Directory(dir) => {
            let mut ledger = Ledger::open(&dir)?;
            for record in known {
                if !ledger.history().records.iter().any(|one| same(one, &record)) {
                    ledger.append(Record { copy: true, directory: None, ..record })?;
                }
            }
        }
    }
    Ok(())
}

/// Runs of which all is read that is on record; of older ones, what their names say.
const WHOLE: usize = 1000;
