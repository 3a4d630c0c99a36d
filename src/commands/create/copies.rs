//! Copies of a new backup in other places. Each is brought by itself: one that is slow or dead neither stops nor spoils
//! the others, nor the backup.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::commands::copy::bringing;
use crate::commands::copy::verdicts::Verdicts;
use crate::commands::copy_metrics::Renewal;
use crate::commands::{DEFECT, Failure, Stop};
use crate::events::{CopyLine, Event, Events};
use crate::settings::CreateSettings;
use crate::store::copies::Brought;
use crate::store::manifest::Manifest;
use crate::store::naming::directory_of;

/// Brings the backup to all places that were named, at once. Gives those that it is in, and a failure with exit code 1
/// where that is not all of them.
pub(super) async fn bring(
    target: &Path,
    made: &Manifest,
    settings: &CreateSettings,
    events: &Events,
    stop: &Stop,
) -> (Vec<PathBuf>, Result<(), Failure>) {
    let (from, name) = (directory_of(target), &made.outline.name);
    let verdicts = Arc::new(Verdicts::of(from));
    let begun = settings.copies.iter().map(|place| {
        let (from, to, name) = (from.to_owned(), place.clone(), name.clone());
        let cancel = stop.token().clone();
        // Progress of several at a time would run into each other.
        let (verdicts, silent) = (Arc::clone(&verdicts), Events::silent());
        let bringing = move || bringing::bring(&from, &to, &name, &verdicts, (&silent, &cancel));
        (place, tokio::task::spawn_blocking(bringing))
    });
    let begun: Vec<_> = begun.collect();
    let (mut there, mut missing) = (Vec::new(), Vec::new());
    for (place, bringing) in begun {
        let failure = match stop.wait_for(bringing).await {
            Some(Ok(Ok(brought))) => {
                there.push(place.clone());
                let name = place.join(name).display().to_string();
                events.emit(Event::Copy(CopyLine::Copied { name, bytes: brought.bytes }));
                continue;
            }
            Some(Ok(Err(failure))) => failure,
            Some(Err(error)) => failed(error.to_string(), DEFECT.to_owned()),
            None => failed(stop.reason(), stop.hint().to_owned()),
        };
        let cause = format!("no copy in {}: {}", place.display(), failure.cause);
        events.emit(Event::Error { cause, hint: failure.hint });
        missing.push(place.display().to_string());
    }
    if missing.is_empty() {
        return (there, Ok(()));
    }
    let cause = format!("{} was made, but is not in {}", target.display(), missing.join(", "));
    let hint = format!("`ccc-backup copy {} PLACE --missing` brings it there", from.display());
    (there, Err(failed(cause, hint)))
}

/// Has the metrics tell of the copies.
pub(super) async fn tell(
    home: &Path,
    brought: Brought,
    settings: &CreateSettings,
    events: &Events,
    stop: &Stop,
) {
    let Some(file) = settings.metrics_file.clone() else { return };
    let (home, places) = (home.to_owned(), settings.copies.clone());
    Renewal { file, home, places, brought: Some(brought) }.run(events, stop).await;
}

fn failed(cause: String, hint: String) -> Failure {
    Failure { exit: 1, cause, hint: Some(hint), notes: Vec::new() }
}
