//! `cleanup`: removes old backups by a plan that is shown with its reasons, and what dead runs
//! left of their sandboxes.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::commands::Failure;
use crate::commands::steps::in_memory;
use crate::events::{CleanupLine, Event, Events};
use crate::model::outcome::grouped;
use crate::sandbox::{self, SandboxError};
use crate::settings::CleanupSettings;
use crate::store::error::StoreError;
use crate::store::place::{ObjectUrl, Place};
use crate::store::retention::{self, Action, Decision};
use crate::store::sweep::RemovalError;
use crate::store::{nearby, sweep, sweep_place};

/// Cleans up, and returns the exit code: 0, or 2 when something could not be removed.
///
/// # Errors
/// [`Failure`] with exit code 2 when the directory or the Docker Engine cannot be asked.
pub async fn run(settings: &CleanupSettings, events: &Events) -> Result<u8, Failure> {
    if !settings.dry_run {
        in_memory::remove_all_leftovers();
    }
    let sandboxes = if settings.sandbox { remove_sandboxes(events).await? } else { 0 };
    let images = if settings.built_images { remove_images(events).await? } else { 0 };
    let backups = if settings.policy.has_rules() { remove_backups(settings, events)? } else { 0 };
    Ok(sandboxes.max(images).max(backups))
}

async fn remove_sandboxes(events: &Events) -> Result<u8, Failure> {
    let swept = sandbox::sweep_leftovers(events).await.map_err(|error| unasked_engine(&error))?;
    let failed = !swept.refused.is_empty();
    if swept.removed.is_empty() && swept.left.is_empty() && !failed {
        events.emit(Event::Cleanup(CleanupLine::NothingLeft));
    }
    for left in swept.left {
        events.emit(Event::Warning(format!("left alone: {left}")));
    }
    for error in swept.refused {
        say_not_removed(&error, events);
    }
    Ok(if failed { 2 } else { 0 })
}

fn say_not_removed(error: &SandboxError, events: &Events) {
    events.emit(Event::Error { cause: format!("not removed: {error}"), hint: error.hint() });
}

/// Removes images that were built. The engine refuses to remove one that is in use.
async fn remove_images(events: &Events) -> Result<u8, Failure> {
    let unasked = |error: &SandboxError| {
        let cause = format!("it cannot be told whether an image was built: {error}");
        failure(cause, error.hint())
    };
    let removed = sandbox::remove_built_images().await.map_err(|error| unasked(&error))?;
    if removed.is_empty() {
        events.emit(Event::Cleanup(CleanupLine::NothingBuilt));
    }
    let mut code = 0;
    for (name, outcome) in removed {
        match outcome {
            Ok(()) => events.emit(Event::Cleanup(CleanupLine::Removed {
                name,
                why: "an image that was built with extensions".to_owned(),
                dry_run: false,
            })),
            Err(error) => {
                code = 2;
                say_not_removed(&error, events);
            }
        }
    }
    Ok(code)
}

fn remove_backups(settings: &CleanupSettings, events: &Events) -> Result<u8, Failure> {
    let dir = &settings.backup_dir;
    let nearby = nearby::read(dir).map_err(|error| unlisted(&error))?;
    nearby.warnings().for_each(|text| events.emit(Event::Warning(text)));
    let now = Utc::now();
    let place = Place::of(dir).map_err(|error| unlisted(&error.into()))?;
    let entries = match &place {
        Place::Directory(dir) => sweep::scan(dir, &nearby.memory),
        Place::Objects(url) => sweep_place::scan(url, &nearby.memory, now),
    };
    let plan = retention::plan(now, entries.map_err(|error| unlisted(&error))?, &settings.policy);
    for decision in &plan.decisions {
        events.emit(Event::Cleanup(line(decision, settings.dry_run)));
    }
    let (verb, count, bytes, failed) = if settings.dry_run {
        ("Would remove", plan.removals().count(), plan.bytes_freed(), false)
    } else {
        let removed = match &place {
            Place::Directory(_) => sweep::apply(&plan),
            Place::Objects(_) => sweep::apply_with(&plan, sweep_place::remove),
        };
        let (count, bytes, failed) = tell(removed, events);
        ("Removed", count, bytes, failed)
    };
    if let Place::Objects(url) = &place {
        give_up_uploads(url, now, settings.dry_run, events);
    }
    let kept = plan.decisions.len() - count;
    let sum = format!("{verb}: {count} ({} bytes), kept: {kept}", grouped(bytes));
    events.emit(Event::Cleanup(CleanupLine::Sum(sum)));
    Ok(if failed { 2 } else { 0 })
}

/// Gives up uploads that nobody ended. A place that does not tell of them has rules of its own for that.
fn give_up_uploads(url: &ObjectUrl, now: DateTime<Utc>, dry_run: bool, events: &Events) {
    match sweep_place::give_up_uploads(url, now, dry_run) {
        Ok(names) => {
            for name in names {
                let why = "an upload that a run left that died".to_owned();
                events.emit(Event::Cleanup(CleanupLine::Removed { name, why, dry_run }));
            }
        }
        Err(error) => events.emit(Event::Warning(error.to_string())),
    }
}

/// Tells what could not go; gives how many went, their bytes, and whether any failed. What object lock keeps did not
/// fail: that is what it is for.
fn tell(removed: Vec<Result<u64, RemovalError>>, events: &Events) -> (usize, u64, bool) {
    let (mut count, mut bytes, mut failed) = (0, 0, false);
    let mut hinted = BTreeSet::new();
    for removed in removed {
        match removed {
            Ok(freed) => (count, bytes) = (count + 1, bytes + freed),
            Err(RemovalError::Locked(path)) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                events.emit(Event::Cleanup(CleanupLine::Kept { name, why: "locked".to_owned() }));
            }
            Err(error) => {
                failed = true;
                // A whole directory fails for one reason: what to do about it is said once.
                let hint = error.hint().filter(|hint| hinted.insert(hint.clone()));
                events.emit(Event::Error { cause: format!("not removed: {error}"), hint });
            }
        }
    }
    (count, bytes, failed)
}

fn line(decision: &Decision, dry_run: bool) -> CleanupLine {
    let name = decision.entry.name.clone();
    match &decision.action {
        Action::Keep(why) => {
            let bad = if decision.entry.is_bad() { "; proven bad" } else { "" };
            CleanupLine::Kept { name, why: format!("{why}{bad}") }
        }
        Action::Remove(why) => CleanupLine::Removed { name, why: why.to_string(), dry_run },
    }
}

fn unlisted(error: &StoreError) -> Failure {
    failure(format!("no backup was removed: {error}"), error.hint())
}

fn unasked_engine(error: &SandboxError) -> Failure {
    failure(format!("it cannot be told whether a sandbox is left: {error}"), error.hint())
}

fn failure(cause: String, hint: Option<String>) -> Failure {
    Failure { exit: 2, cause, hint, notes: Vec::new() }
}
