//! `copy`: brings backups from one place to another, each file held to its checksum on the way, the manifest last.

pub(super) mod bringing;
pub(super) mod verdicts;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::{DEFECT, Failure, Stop};
use crate::events::{CopyLine, Event, Events};
use crate::model::outcome::grouped;
use crate::settings::CopySettings;
use crate::store::latest;
use crate::store::naming::manifest_path;
use crate::store::place::is_url;
use verdicts::Verdicts;

/// Copies, and returns the exit code.
///
/// # Errors
/// [`Failure`] with exit code 2 when a place cannot be listed, or the run was interrupted.
pub async fn run(settings: &CopySettings, events: &Events, stop: &Stop) -> Result<u8, Failure> {
    let names = aside(stop, {
        let settings = settings.clone();
        move || if settings.backups.is_empty() { missing(&settings) } else { Ok(settings.backups) }
    })
    .await??;
    let verdicts = Arc::new(Verdicts::of(&settings.from));
    let (mut copied, mut bytes, mut exit) = (0, 0, 0);
    for name in &names {
        let brought = aside(stop, {
            let (settings, name) = (settings.clone(), name.clone());
            let (verdicts, events, cancel) =
                (Arc::clone(&verdicts), events.clone(), stop.token().clone());
            move || {
                let CopySettings { from, to, .. } = &settings;
                bringing::bring(from, to, &name, &verdicts, (&events, &cancel))
            }
        })
        .await?;
        match brought {
            Ok(brought) => {
                if brought.is_new {
                    copied += 1;
                }
                bytes += brought.bytes;
                let name = name.clone();
                let line = if brought.is_new {
                    CopyLine::Copied { name, bytes: brought.bytes }
                } else {
                    CopyLine::There { name }
                };
                events.emit(Event::Copy(line));
            }
            Err(_) if stop.token().is_cancelled() => return Err(interrupted(stop)),
            Err(failure) => {
                // What is bad is bad whatever else could not be told.
                exit = if exit == 1 { 1 } else { failure.exit };
                let cause = format!("{name} was not copied: {}", failure.cause);
                events.emit(Event::Error { cause, hint: failure.hint });
            }
        }
    }
    let sum = format!("Copied: {copied} ({} bytes)", grouped(bytes));
    events.emit(Event::Copy(CopyLine::Sum(sum)));
    Ok(exit)
}

/// The names of the backups that are not there yet, the newest first.
fn missing(settings: &CopySettings) -> Result<Vec<String>, Failure> {
    let there: BTreeSet<String> = match names(&settings.to) {
        Ok(names) => names.into_iter().collect(),
        // A directory that is made by the first copy.
        Err(_) if is_to_be_made(&settings.to) => BTreeSet::new(),
        Err(failure) => return Err(failure),
    };
    let here = names(&settings.from)?;
    Ok(here.into_iter().filter(|name| !there.contains(name)).collect())
}

fn is_to_be_made(place: &Path) -> bool {
    !is_url(place) && !place.exists()
}

/// The names of the backups right in a place that have a manifest.
fn names(place: &Path) -> Result<Vec<String>, Failure> {
    let (found, _) = latest::find_all(place).map_err(|error| Failure::from(&error))?;
    let here = found.into_iter().filter(|found| found.path.parent() == Some(place));
    // In object storage, what is listed has one.
    let whole = here.filter(|found| is_url(place) || manifest_path(&found.path).is_file());
    let names = whole.filter_map(|found| Some(found.path.file_name()?.to_str()?.to_owned()));
    Ok(names.collect())
}

async fn aside<T: Send + 'static>(
    stop: &Stop,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    let done = stop.wait_for(tokio::task::spawn_blocking(work)).await;
    let done = done.ok_or_else(|| interrupted(stop))?;
    done.map_err(|error| failure(2, error.to_string(), DEFECT))
}

fn interrupted(stop: &Stop) -> Failure {
    failure(2, stop.reason(), "run it again: it goes on where it was")
}

fn failure(exit: u8, cause: String, hint: &str) -> Failure {
    Failure { exit, cause, hint: Some(hint.to_owned()), notes: Vec::new() }
}
