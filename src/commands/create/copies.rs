//! Copies of a new backup in other places. One that is slow or dead neither stops nor spoils the others, nor the backup.
//!
//! Where the backup is streamed, they are written with it ([`super::copying`]), and only what goes beside it is put there
//! afterwards. Where pg_dump has written it to the disk itself, and where a copy was too slow for the dump, it is brought
//! from the backup's own place.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::join_all;
use tokio::task::spawn_blocking;

use super::copying::{Begun, Copying};
use super::failing::failed;
use crate::commands::copy::bringing::{self, Beside};
use crate::commands::copy::verdicts::{self, Verdicts};
use crate::commands::copy_metrics::Renewal;
use crate::commands::{DEFECT, Failure, Stop};
use crate::events::{CopyLine, Event, Events};
use crate::settings::CreateSettings;
use crate::store::copies::Brought;
use crate::store::history::Record;
use crate::store::manifest::Outline;
use crate::store::naming::directory_of;

/// A backup that was made, and is to be copied.
pub(super) struct Source<'a> {
    pub target: &'a Path,
    pub outline: &'a Outline,
    pub beside: Beside,
    /// The run that has made it, as it is on record.
    pub run: Record,
    pub copying: &'a Copying,
}

/// Has the backup in all places that were named. Gives those that it is in, and a failure with exit code 1 where that is
/// not all of them.
pub(super) async fn complete(
    source: Source<'_>,
    settings: &CreateSettings,
    events: &Events,
    stop: &Stop,
) -> (Vec<PathBuf>, Result<(), Failure>) {
    let Source { target, outline, beside, run, copying } = source;
    let (from, name, beside) = (directory_of(target), &outline.name, Arc::new((beside, run)));
    let verdicts = Arc::new(Verdicts::of(from));
    let copies = settings.copies.iter().map(|place| {
        let copy = Copy {
            from: from.to_owned(),
            place: place.clone(),
            name: name.clone(),
            beside: Arc::clone(&beside),
            verdicts: Arc::clone(&verdicts),
        };
        let begun = copying.take(place);
        async move {
            let copied = stop.wait_for(copy.complete(begun, stop)).await;
            let copied = copied.unwrap_or_else(|| Err(failed(stop.reason(), stop.hint())));
            let failure = match copied {
                Ok(()) => {
                    let name = place.join(name).display().to_string();
                    let bytes = outline.bytes();
                    events.emit(Event::Copy(CopyLine::Copied { name, bytes }));
                    return Ok(place.clone());
                }
                Err(failure) => failure,
            };
            let cause = format!("no copy in {}: {}", place.display(), failure.cause);
            events.emit(Event::Error { cause, hint: failure.hint });
            Err(place.display().to_string())
        }
    });
    let (mut there, mut missing) = (Vec::new(), Vec::new());
    for copy in join_all(copies).await {
        match copy {
            Ok(place) => there.push(place),
            Err(place) => missing.push(place),
        }
    }
    if missing.is_empty() {
        return (there, Ok(()));
    }
    let cause = format!("{} was made, but is not in {}", target.display(), missing.join(", "));
    let hint = format!("`ccc-backup copy {} PLACE --missing` brings it there", from.display());
    (there, Err(failed(cause, &hint)))
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

/// One copy.
struct Copy {
    from: PathBuf,
    place: PathBuf,
    name: String,
    /// What goes beside it, and the run that has made it.
    beside: Arc<(Beside, Record)>,
    /// What is on record where it is brought from.
    verdicts: Arc<Verdicts>,
}

impl Copy {
    async fn complete(self, begun: Option<Begun>, stop: &Stop) -> Result<(), Failure> {
        let written = match begun {
            Some(begun) => begun.written.await.map_err(|error| died(&error))??,
            None => None,
        };
        let cancel = stop.token().clone();
        let completing = spawn_blocking(move || {
            if let Some(published) = written {
                let (beside, run) = &*self.beside;
                beside.put(&self.place.join(&self.name))?;
                drop(published);
                let told = verdicts::put(&self.place, vec![run.clone()]);
                return told.map_err(|error| Failure::from(&error));
            }
            // Progress of several at a time would run into each other.
            let told = (&Events::silent(), &cancel);
            bringing::bring(&self.from, &self.place, &self.name, &self.verdicts, told).map(drop)
        });
        completing.await.map_err(|error| died(&error))?
    }
}

fn died(error: &tokio::task::JoinError) -> Failure {
    failed(error.to_string(), DEFECT)
}
