//! The end of every backup: it is signed, gets its name, and then its manifest.

use std::mem;

use super::globals::{self, Globals};
use super::{NewBackup, piped, signing};
use crate::commands::Failure;
use crate::commands::record::Made;
use crate::events::{Event, Events};
use crate::model::outcome::counted;
use crate::store::manifest::Manifest;
use crate::store::new_file::Published;
use crate::store::signature as signed_at_rest;

/// Publishes the globals, the backup, then its signature and its manifest, and tells that it is `created`.
pub(super) fn finish(
    made: &Made,
    manifest: Manifest,
    mut globals: Option<Globals>,
    publish: impl FnOnce() -> Result<Published, Failure>,
    created: Event,
    events: &Events,
) -> Result<NewBackup, Failure> {
    let recipients = made.settings.recipients.as_ref();
    let signed = signing::sign(made.target, &manifest, recipients, made.signer)?;
    let beside = signed.beside(globals.as_mut().map(|globals| mem::take(&mut globals.at_rest)));
    let mut globals = globals.map(Globals::publish).transpose()?;
    let outgoing = made.settings.outgoing.as_ref();
    if made.settings.force && outgoing.is_none() {
        // The manifest of the file that is being replaced must not stand beside the new one.
        signed_at_rest::make_way(made.target)?;
    }
    let published = publish()?;
    if let Some(globals) = &mut globals {
        globals.keep();
    }
    for reason in &manifest.contents.not_recorded {
        events.emit(Event::Warning(format!("not recorded: {reason}")));
    }
    if globals.is_none()
        && outgoing.is_none()
        && let Some(older) = globals::of_another_backup(made.target)
    {
        events.emit(Event::Warning(older));
    }
    let signed = match outgoing {
        Some(outgoing) => {
            piped::deliver(signed, outgoing, (made.target, made.settings.force), events)?
        }
        None => signed.publish(made.target)?,
    };
    // Until here the lock on the file kept every clean-up away from it.
    drop((published, globals));
    events.emit(created);
    signed.into_iter().for_each(|signed| events.emit(signed));
    Ok(NewBackup { manifest, beside })
}

/// What the source has and the backup has not, in words, unless nobody wants to know.
pub(super) fn not_in_it(made: &Made, manifest: &Manifest) -> Option<String> {
    let coverage = manifest.contents.coverage.as_ref().filter(|_| made.settings.tells_coverage)?;
    let all = [coverage.left_out(), coverage.around()].concat();
    (!all.is_empty()).then(|| all.join(", "))
}

/// What was counted, in words.
pub(super) fn in_words(manifest: &Manifest) -> Option<String> {
    let rows = manifest.rows();
    let tables = manifest.contents.tables.len();
    (tables > 0).then(|| {
        let (tables, rows) = (counted(tables as u64, "table"), counted(rows, "row"));
        format!("{tables}, {rows}")
    })
}
