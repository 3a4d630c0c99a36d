//! How long a restore is going to take, by those on record: bytes alone say nothing of the indexes, which come after
//! the rows.

use std::time::Duration;

use super::context::{Context, Place};
use crate::store::history::{self, Record, Work};
use crate::store::naming::directory_of;

/// So many runs say it, the last ones.
const RUNS: usize = 5;

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
    works.into_iter().find_map(|work| at_pace_of(&records, work, database, bytes))
}

/// The pace of the last runs of this kind, at this size.
fn at_pace_of(
    records: &[Record],
    work: Work,
    database: Option<&str>,
    bytes: u64,
) -> Option<Duration> {
    let runs = records.iter().rev().filter(|record| {
        record.work == work && (database.is_none() || record.database.as_deref() == database)
    });
    let restored = runs.filter_map(|record| {
        Some((record.restore_seconds()?, record.file_bytes.filter(|bytes| *bytes > 0)?))
    });
    let (seconds, of) =
        restored.take(RUNS).fold((0.0, 0_u64), |sum, run| (sum.0 + run.0, sum.1 + run.1));
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let estimate = (of > 0).then(|| seconds * bytes as f64 / of as f64)?;
    Duration::try_from_secs_f64(estimate).ok()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::model::outcome::{Phase, Verdict};

    fn run(work: Work, database: &str, seconds: f64, bytes: u64) -> Record {
        let phase = |name: &str, seconds| Phase { name: name.to_owned(), seconds };
        Record {
            database: Some(database.to_owned()),
            phases: vec![phase("restore", seconds), phase("checks", 1.0)],
            file_bytes: Some(bytes),
            ..Record::new(work, "x.sql.gz", DateTime::UNIX_EPOCH, Verdict::Passed)
        }
    }

    #[test]
    fn the_last_runs_of_the_same_database_say_it_at_their_pace() {
        let mut records = vec![run(Work::Verify, "shop", 1_000.0, 1)];
        records.extend((0..RUNS).map(|_| run(Work::Verify, "shop", 10.0, 100)));
        records.push(run(Work::Verify, "other", 77.0, 1));
        records.push(run(Work::Restore, "shop", 40.0, 100));
        let of = |work, database, bytes| at_pace_of(&records, work, database, bytes);
        assert_eq!(of(Work::Verify, Some("shop"), 300), Some(Duration::from_secs(30)));
        assert_eq!(of(Work::Restore, Some("shop"), 50), Some(Duration::from_secs(20)));
        assert_eq!(of(Work::Restore, Some("other"), 50), None);
        assert_eq!(of(Work::Create, None, 50), None);
    }
}
