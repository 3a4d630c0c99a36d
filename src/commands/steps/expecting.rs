//! How long a restore is going to take, by those on record: bytes alone say nothing of the indexes, which come after
//! the rows.

use std::time::Duration;

use super::context::{Context, Place};
use crate::store::history::{self, Record, Work};
use crate::store::naming::directory_of;
use crate::store::pace;

/// How long the restore of this backup will take, by others of the same database: their pace at this one's size. Of a
/// server that others use, restores into such a one say it; where there was none, verifications.
pub(in crate::commands) fn restore_time(cx: Context<'_>) -> Option<Duration> {
    let records = history::read(directory_of(cx.backup.path())).ok()?.records;
    let database = cx.manifest.and_then(|manifest| manifest.source.database.as_deref());
    let works = match cx.place {
        Place::Destination(_) => [Work::Restore, Work::Verify],
        Place::Sandbox(_) => [Work::Verify, Work::Verify],
    };
    let bytes = cx.backup.bytes();
    works.into_iter().find_map(|work| {
        let took = |record: &Record| record.restore_seconds().filter(|_| record.work == work);
        pace::expected(records.iter(), database, bytes, took)
    })
}
