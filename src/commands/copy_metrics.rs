//! Tells Prometheus where the copies of backups are: asks their places, and renews that part of the metrics.
//!
//! What goes wrong here is worth a warning, and never changes what the run found.

use std::path::{Path, PathBuf};

use crate::commands::{Stop, ledger, list};
use crate::events::{Event, Events};
use crate::report::copy_metrics;
use crate::store::copies::{Brought, Copies, Originals};
use crate::store::history::History;
use crate::store::ledger::Ledger;
use crate::store::listing::Listed;
use crate::store::place::{ObjectUrl, is_same};
use crate::store::{StoreError, runs};

/// Metrics that are to tell of copies.
#[derive(Debug, Clone)]
pub(super) struct Renewal {
    /// Their file.
    pub file: PathBuf,
    /// The directory or the place of the backups that are copied.
    pub home: PathBuf,
    /// Where the copies are.
    pub places: Vec<PathBuf>,
    /// The backup that this run has made. A run that makes one knows of all places; another one may know of none.
    pub brought: Option<Brought>,
}

impl Renewal {
    /// Asks the places and renews the metrics. A run that was asked to stop does not wait for a place that does not
    /// answer.
    pub(super) async fn run(self, events: &Events, stop: &Stop) {
        let told = events.clone();
        let renewing = tokio::task::spawn_blocking(move || self.renew(&told));
        let failed = match stop.wait_for(renewing).await {
            Some(Ok(renewed)) => renewed.err(),
            Some(Err(error)) => Some(format!("the metrics do not tell of copies: {error}")),
            None => Some(format!("the metrics do not tell of copies: {}", stop.reason())),
        };
        failed.into_iter().for_each(|text| events.emit(Event::Warning(text)));
    }

    /// The same, at once.
    ///
    /// # Errors
    /// One sentence, where the metrics cannot be written.
    pub(super) fn renew(&self, events: &Events) -> Result<(), String> {
        // A place of copies has none itself.
        let is_copy = self.places.iter().any(|place| is_same(place, &self.home));
        if is_copy || (self.places.is_empty() && self.brought.is_none()) {
            return Ok(());
        }
        let asked = list::all(&self.places, &Events::silent());
        let place = ObjectUrl::of(&self.home).and_then(Result::ok);
        // Of runs that end at once, the last one writes what holds all. What cannot be locked is written all the same.
        let held = if place.is_none() { Ledger::open(&self.home).ok() } else { None };
        ledger::renew_text(&self.file, |before| {
            let before = before?;
            if self.places.is_empty() && copy_metrics::part(&before).is_empty() {
                return Ok(None);
            }
            let copies = match &held {
                Some(held) => self.known(asked, &before, held.history(), events),
                None => {
                    self.known(asked, &before, &runs::of(&self.home).unwrap_or_default(), events)
                }
            };
            let from = place.map(|place| place.to_string());
            Ok(Some(copy_metrics::renewed(&before, &copies, from.as_deref())))
        })
    }

    /// What is known of the copies, by what the places have answered and what the file says.
    fn known(
        &self,
        asked: Vec<(&Path, Result<Vec<Listed>, StoreError>)>,
        before: &str,
        history: &History,
        events: &Events,
    ) -> Copies {
        let brought = self.brought.as_ref();
        let mut databases = copy_metrics::databases(before);
        databases.extend(brought.map(|brought| brought.database().to_owned()));
        let originals =
            Originals::of(history.records.iter().chain(brought.map(|brought| &brought.run)));
        let (before, mut copies) = (copy_metrics::read(before), Copies::default());
        for (place, answer) in asked {
            match answer {
                Ok(listed) => copies.list(place, &databases, &listed, &originals),
                Err(error) => {
                    let is_known = copies.keep(place, &databases, &before, brought);
                    // Who may only put is not told every night that this is so.
                    if !(is_known && error.is_denied()) {
                        events.emit(list::not_known(&error));
                    }
                }
            }
        }
        copies
    }
}
