//! `list`: the backups of a directory or a place, with what is known of each, and of their copies.

use std::path::Path;

use chrono::Utc;

use crate::commands::Failure;
use crate::events::{Event, Events};
use crate::report::listing::{backups_json, backups_text};
use crate::settings::ListSettings;
use crate::store::history::History;
use crate::store::listing::{self, Listed};
use crate::store::place::Place;
use crate::store::{StoreError, nearby};

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

/// What is said of a place of copies that does not answer.
pub(super) fn not_known(error: &StoreError) -> Event {
    Event::Warning(format!("the copies there are not known: {error}"))
}

/// The backups of a directory or a place, and what was set aside of its history.
///
/// # Errors
/// When it cannot be listed, or its history cannot be read.
pub(super) fn listed(dir: &Path, events: &Events) -> Result<(Vec<Listed>, History), StoreError> {
    let place = Place::of(dir)?;
    let at_rest = match &place {
        Place::Directory(dir) => {
            let (at_rest, not_searched) = listing::at_rest(dir)?;
            for path in not_searched {
                events.emit(Event::Warning(format!("not looked into: {}", path.display())));
            }
            at_rest
        }
        Place::Objects(_) => Vec::new(),
    };
    let nearby = nearby::read(dir)?;
    nearby.warnings().for_each(|text| events.emit(Event::Warning(text)));
    let backups = match &place {
        Place::Directory(dir) => listing::list(dir, &at_rest, &nearby.memory),
        Place::Objects(url) => listing::of_objects(url, &nearby.memory)?,
    };
    Ok((backups, nearby.set_aside))
}
