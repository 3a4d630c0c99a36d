//! How long runs take, by those on record: their pace, at the size of a backup.

use std::time::Duration;

use super::history::Record;

/// So many runs say it, the last ones.
const RUNS: usize = 5;
/// Of a backup so many times as large as the largest of theirs, they say nothing.
const TOO_LARGE: u64 = 10;

/// How long it takes over a backup of this size, by runs that are on record, the oldest first: the last ones of this
/// database, or of any where it is not known. `took` gives the seconds of a run, where it is one that counts.
pub fn expected<'a>(
    records: impl DoubleEndedIterator<Item = &'a Record>,
    database: Option<&str>,
    bytes: u64,
    took: impl Fn(&Record) -> Option<f64>,
) -> Option<Duration> {
    let of_database =
        |record: &&Record| database.is_none() || record.database.as_deref() == database;
    let runs = records
        .rev()
        .filter(of_database)
        .filter_map(|record| Some((took(record)?, record.file_bytes.filter(|bytes| *bytes > 0)?)));
    let (mut seconds, mut of, mut largest) = (0.0, 0_u64, 0);
    for (took, size) in runs.take(RUNS) {
        seconds += took;
        of += size;
        largest = largest.max(size);
    }
    if of == 0 || bytes / TOO_LARGE > largest {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let estimate = seconds * bytes as f64 / of as f64;
    Duration::try_from_secs_f64(estimate).ok()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::model::outcome::Verdict;
    use crate::store::history::Work;

    fn run(work: Work, database: &str, seconds: f64, bytes: u64) -> Record {
        let (seconds, database) = (seconds, Some(database.to_owned()));
        let record = Record::new(work, "x.sql.gz", DateTime::UNIX_EPOCH, Verdict::Passed);
        Record { database, seconds, file_bytes: Some(bytes), ..record }
    }

    #[test]
    fn the_last_runs_of_the_same_database_say_it_at_their_pace() {
        let mut records = vec![run(Work::Verify, "shop", 1_000.0, 1)];
        records.extend((0..RUNS).map(|_| run(Work::Verify, "shop", 10.0, 100)));
        records.push(run(Work::Verify, "other", 77.0, 1));
        records.push(run(Work::Restore, "shop", 40.0, 100));
        let of = |work, database, bytes| {
            let took = |record: &Record| (record.work == work).then_some(record.seconds);
            expected(records.iter(), database, bytes, took)
        };
        assert_eq!(of(Work::Verify, Some("shop"), 300), Some(Duration::from_secs(30)));
        assert_eq!(of(Work::Restore, Some("shop"), 50), Some(Duration::from_secs(20)));
        assert_eq!(of(Work::Restore, Some("other"), 50), None);
        assert_eq!(of(Work::Create, None, 50), None);
    }

    #[test]
    fn small_ones_say_nothing_of_one_that_is_far_larger() {
        let records = [run(Work::Verify, "shop", 2.0, 100)];
        let of = |bytes| expected(records.iter(), None, bytes, |record| Some(record.seconds));
        assert_eq!(of(1_000), Some(Duration::from_secs(20)));
        assert_eq!(of(1_100), None);
    }
}
