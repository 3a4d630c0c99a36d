//! Reads what is on record of backups, for whoever shows it: the backups of some places, and the runs about them.

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::list;
use crate::events::Events;
use crate::settings::{DrillSettings, HistorySettings, VerifySettings};
use crate::store::history::History;
use crate::store::on_record::{OnRecord, PlaceOnRecord};
use crate::store::{StoreError, runs};

/// Runs of a place in object storage of which all is read that is on record; of older ones, what their names say.
const WHOLE: usize = 500;

/// Where it is looked for.
#[derive(Debug, Clone)]
pub struct Sources {
    /// First the directory or the place of the backups, then those of their copies.
    places: Vec<PathBuf>,
    /// How long a restore may take; without, what the last verification was allowed.
    rto: Option<Duration>,
}

impl Sources {
    /// What is on record around a backup that is verified. What comes through a pipe is on record nowhere.
    pub fn of_verification(settings: &VerifySettings) -> Self {
        let home = settings.choice.incoming.is_none().then(|| settings.history_dir.clone());
        let places = home.iter().chain(&settings.copies).cloned().collect();
        Self { places, rto: settings.proof.rto }
    }

    /// In the places of a drill.
    pub fn of_drill(settings: &DrillSettings) -> Self {
        Self { places: settings.places.clone(), rto: settings.proof.rto }
    }

    /// In a history, and in the places of copies.
    pub fn of_history(settings: &HistorySettings) -> Self {
        let home = std::iter::once(&settings.backup_dir);
        Self { places: home.chain(&settings.copies).cloned().collect(), rto: settings.rto }
    }

    /// Reads it. What cannot be read is said to be unread.
    pub(super) fn read(&self) -> OnRecord {
        let listed = list::all(&self.places, &Events::silent());
        let runs = std::thread::scope(|scope| {
            let read = |place: &Path| runs::whole_of(place, WHOLE);
            let reading: Vec<_> =
                self.places.iter().map(|place| scope.spawn(move || read(place))).collect();
            let read = reading
                .into_iter()
                .map(|it| it.join().unwrap_or_else(|panic| resume_unwind(panic)));
            read.collect::<Vec<Result<History, StoreError>>>()
        });
        let known = listed.into_iter().zip(runs).map(|((place, listed), history)| {
            let place = place.to_owned();
            // That a history cannot be read was said when the place was listed.
            let records = history.unwrap_or_default().records;
            let known = match listed {
                Ok(backups) => PlaceOnRecord { place, backups, unread: None },
                Err(error) => {
                    PlaceOnRecord { place, backups: Vec::new(), unread: Some(error.to_string()) }
                }
            };
            (known, records)
        });
        OnRecord::of(known.collect(), self.rto.map(|rto| rto.as_secs_f64()))
    }
}
