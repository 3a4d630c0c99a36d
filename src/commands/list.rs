//! `list`: the backups of a directory, with what is known of each.

use chrono::Utc;

use crate::commands::Failure;
use crate::events::{Event, Events};
use crate::report::listing::{backups_json, backups_text};
use crate::settings::ListSettings;
use crate::store::{listing, nearby};

/// Answers with the backups.
///
/// # Errors
/// When the directory or its history cannot be read.
pub fn run(settings: &ListSettings, events: &Events) -> anyhow::Result<String> {
    let (dir, now) = (&settings.backup_dir, Utc::now());
    let (at_rest, not_searched) = listing::at_rest(dir).map_err(|error| Failure::from(&error))?;
    for path in not_searched {
        let text = format!("not looked into: {}", path.display());
        events.emit(Event::Warning(text));
    }
    let nearby = nearby::read(dir).map_err(|error| Failure::from(&error))?;
    nearby.warnings().for_each(|text| events.emit(Event::Warning(text)));
    let backups = listing::list(dir, &at_rest, &nearby.memory);
    Ok(if settings.json {
        backups_json(dir, now, &backups, &nearby.set_aside)?
    } else {
        backups_text(dir, now, &backups)
    })
}
