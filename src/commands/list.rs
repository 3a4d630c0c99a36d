//! `list`: the backups of a directory or a place, with what is known of each, and of their copies.

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};

use chrono::Utc;

use crate::commands::Failure;
use crate::events::{Event, Events};
use crate::report::listing::{backups_json, backups_text};
use crate::settings::ListSettings;
use crate::store::history::History;
use crate::store::listing::{self, Listed};
use crate::store::place::Place;
use crate::store::{StoreError, in_place, nearby};

/// Answers with the backups.
///
/// # Errors
/// When the directory or its history cannot be read.
pub fn run(settings: &ListSettings, events: &Events) -> anyhow::Result<String> {
    let (dir, now) = (&settings.backup_dir, Utc::now());
    let (mut backups, set_aside) = listed(dir, events).map_err(|error| Failure::from(&error))?;
    let mut copies = Vec::new();
    for place in &settings.copies {
        match listed(place, events) {
            Ok((found, _)) => copies.push((place.clone(), found)),
            Err(error) => events.emit(not_known(&error)),
        }
    }
    if !settings.copies.is_empty() {
        backups = listing::with_copies(dir, backups, copies);
    }
    Ok(if settings.json {
        backups_json(dir, now, &backups, &set_aside)?
    } else {
        backups_text(dir, now, &backups)
    })
}

/// The backups of several places, which are asked at once.
pub(super) fn all<'a>(
    places: &'a [PathBuf],
    events: &Events,
) -> Vec<(&'a Path, Result<Vec<Listed>, StoreError>)> {
    std::thread::scope(|scope| {
        let ask = |place: &Path| Ok(listed(place, events)?.0);
        let asking = places.iter().map(|place| (&**place, scope.spawn(move || ask(place))));
        let asking: Vec<_> = asking.collect();
        let answer = |(place, asked): (_, std::thread::ScopedJoinHandle<_>)| {
            (place, asked.join().unwrap_or_else(|panic| resume_unwind(panic)))
        };
        asking.into_iter().map(answer).collect()
    })
}

/// What is said of a place of copies that does not answer.
pub(super) fn not_known(error: &StoreError) -> Event {
    Event::Warning(format!("the copies there are not known: {error}"))
}

/// The backups of a directory or a place, and what was set aside of its history.
///
/// # Errors
/// When it cannot be listed, or its history cannot be read.
pub(super) fn listed(dir: &Path, events: &Events) -> Result<(Vec<Listed>, History), StoreError> {
    let warn = |text| events.emit(Event::Warning(text));
    let (backups, nearby) = match Place::of(dir)? {
        Place::Directory(dir) => {
            let (at_rest, not_searched) = listing::at_rest(&dir)?;
            let not_searched = not_searched.iter().map(|path| path.display());
            not_searched.for_each(|path| warn(format!("not looked into: {path}")));
            let nearby = nearby::read(&dir)?;
            (listing::list(&dir, &at_rest, &nearby.memory), nearby)
        }
        Place::Objects(url) => {
            // Each takes many answers, one after the other.
            let (contents, nearby) = std::thread::scope(|scope| {
                let looking = scope.spawn(|| in_place::look(&url));
                let nearby = nearby::read(dir);
                (looking.join(), nearby)
            });
            let contents = contents.unwrap_or_else(|panic| resume_unwind(panic))?;
            let nearby = nearby?;
            (listing::of_objects(&url, &contents.backups, &nearby.memory), nearby)
        }
    };
    nearby.warnings().for_each(warn);
    Ok((backups, nearby.set_aside))
}
