//! The newest backup of a directory, or of each of its databases, and what to know of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Failure, list};
use crate::events::{Event, Events};
use crate::settings::OfDatabase;
use crate::store::StoreError;
use crate::store::by_database::by_database;
use crate::store::latest;
use crate::store::listing::Listed;

/// Clocks that are no further apart than this agree.
const AHEAD: Duration = Duration::from_secs(300);

/// Finds it; warns where it may not be the newest.
///
/// # Errors
/// When there is none, or the directory cannot be read, and when it is not said of which of several databases it is to be.
pub(super) fn find(dir: &Path, of: &OfDatabase, events: &Events) -> Result<PathBuf, Failure> {
    let found = latest::find_latest(dir).map_err(|error| Failure::from(&error))?;
    let Some(found) = found else {
        return Err(failure(
            format!("No backup found in {}", dir.display()),
            "make one with `ccc-backup create`, or name --backup-dir",
        ));
    };
    for dir in &found.not_searched {
        events.emit(Event::Warning(format!(
            "{} cannot be read; a newer backup may be in it",
            dir.display()
        )));
    }
    let (path, time) = match chosen(dir, of)? {
        Some(listed) => (dir.join(listed.name), listed.time),
        None => (found.path, found.time),
    };
    warn_of_time(&path, time, events);
    Ok(path)
}

/// Warns of a backup that is dated in the time to come.
pub(super) fn warn_of_time(path: &Path, time: DateTime<Utc>, events: &Events) {
    if time > Utc::now() + AHEAD {
        events.emit(Event::Warning(format!(
            "{} is dated {} UTC, which is to come: a clock is or was wrong, and a \
             newer backup may be dated earlier",
            path.display(),
            time.format("%Y-%m-%d %H:%M")
        )));
    }
}

/// The newest backup of each database of a directory or a place, by the name of the database; with that.
///
/// # Errors
/// When it cannot be listed, or its history cannot be read.
pub(super) fn of_each(dir: &Path) -> Result<Vec<(Option<String>, Listed)>, StoreError> {
    let (backups, _) = list::listed(dir, &Events::silent())?;
    let parts = by_database(backups, |backup| backup.database.as_deref()).into_iter();
    // They are listed from the newest to the oldest.
    Ok(parts.filter_map(|(of, all)| Some((of, all.into_iter().next()?))).collect())
}

/// The newest of a database, where there are several, or one is asked for by name.
fn chosen(dir: &Path, of: &OfDatabase) -> Result<Option<Listed>, Failure> {
    if *of == OfDatabase::Any {
        return Ok(None);
    }
    let each = match (of_each(dir), of) {
        (Ok(each), _) => each,
        (Err(error), OfDatabase::Named(_)) => return Err(Failure::from(&error)),
        // As if there were one: that the history cannot be read is said by whoever needs it.
        (Err(_), _) => return Ok(None),
    };
    let wanted = match of {
        OfDatabase::Only | OfDatabase::Any => None,
        OfDatabase::Named(name) | OfDatabase::Rather(name) => Some(name),
    };
    let names = names(&each);
    let is_one = each.len() < 2;
    let found = each.into_iter().find(|(of, _)| of.is_some() && of.as_ref() == wanted);
    match (found, of) {
        (Some((_, listed)), _) => Ok(Some(listed)),
        (None, OfDatabase::Named(name)) => Err(failure(
            format!("No backup of the database {name} found in {}", dir.display()),
            &format!("there are backups of {names}"),
        )),
        (None, _) if is_one => Ok(None),
        (None, _) => Err(failure(
            format!("{} has backups of several databases: {names}", dir.display()),
            "name the backup, or the database that it is of (restore: --dbname or DB_NAME; extract: --database)",
        )),
    }
}

/// The names of the databases, for people.
pub(super) fn names(each: &[(Option<String>, Listed)]) -> String {
    let name = |(of, _): &(Option<String>, Listed)| {
        of.clone().unwrap_or_else(|| "one that is not known".to_owned())
    };
    each.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn failure(cause: String, hint: &str) -> Failure {
    Failure { exit: 2, cause, hint: Some(hint.to_owned()), notes: Vec::new() }
}
