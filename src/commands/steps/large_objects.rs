//! The large objects of a restored database, against the dump and the manifest.

use super::database::RestoredDatabase;
use super::findings::Notes;
use crate::checks::CheckError;
use crate::checks::large_objects::{self, Expected};
use crate::events::{Event, Progress, Work};

/// Compares them, where the backup has any.
pub(in crate::commands) async fn check(
    database: &RestoredDatabase<'_>,
    notes: &mut Notes<'_>,
) -> Result<(), CheckError> {
    let RestoredDatabase { checking, session, dump, .. } = database;
    let cx = checking.cx;
    let objects = Expected {
        in_dump: dump.large_objects.objects(),
        recorded: cx.recorded().map(|manifest| manifest.contents.large_objects),
        content: cx.proof.content,
    };
    if !objects.any() {
        return Ok(());
    }
    let total = objects.in_dump.contents.map(|total| total.bytes);
    let progress = |done| {
        let work = Work::ComparingObjects;
        cx.events.emit(Event::Progress(Progress { work, done, total, current: None }));
    };
    let (check, why_not) = large_objects::check(session, objects, &progress).await?;
    notes.check(check);
    if let Some(why) = why_not {
        notes.not_proven(format!("contents of large objects: {why}"));
    }
    Ok(())
}
