//! The newest backup of a directory, and what to know of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::Utc;

use super::Failure;
use crate::events::{Event, Events};
use crate::store::latest;

/// Clocks that are no further apart than this agree.
const AHEAD: Duration = Duration::from_secs(300);

/// Finds it; warns where it may not be the newest.
///
/// # Errors
/// When there is none, or the directory cannot be read.
pub(super) fn find(dir: &Path, events: &Events) -> Result<PathBuf, Failure> {
    let found = latest::find_latest(dir).map_err(|error| Failure::from(&error))?;
    let Some(found) = found else {
        return Err(Failure {
            exit: 2,
            cause: format!("No backup found in {}", dir.display()),
            hint: Some("make one with `ccc-backup create`, or name --backup-dir".into()),
            notes: Vec::new(),
        });
    };
    for dir in &found.not_searched {
        events.emit(Event::Warning(format!(
            "{} cannot be read; a newer backup may be in it",
            dir.display()
        )));
    }
    if found.time > Utc::now() + AHEAD {
        events.emit(Event::Warning(format!(
            "{} is dated {} UTC, which is to come: a clock is or was wrong, and a \
             newer backup may be dated earlier",
            found.path.display(),
            found.time.format("%Y-%m-%d %H:%M")
        )));
    }
    Ok(found.path)
}
