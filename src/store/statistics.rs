//! What the runs of a history say together: how often, how long, since when.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::forecast;
use super::history::{Record, Work};
use super::quantiles::{median, percentile, sorted};
use crate::model::forecast::Outlook;
use crate::model::outcome::Verdict;

/// So many restores are compared with as many before them.
const TREND: usize = 7;
/// With fewer on each side a trend would be noise.
const FEWEST: usize = 3;

/// The runs for one database.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Statistics {
    /// Its name; `None` for backups of which it is not known.
    pub database: Option<String>,
    /// Backups made, or not.
    pub create: Attempts,
    /// Verifications.
    pub verify: Attempts,
    /// Restores into servers that others use; `None` when there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restored: Option<Attempts>,
    /// How long restores took, those of verifications among them; `None` when there was none.
    pub restore: Option<RestoreTimes>,
    /// How long they are going to take; `None` when no backup was restored and sound.
    pub outlook: Option<Outlook>,
}

/// How runs of one kind ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Attempts {
    /// Made, or passed.
    pub passed: usize,
    /// Not made, or proven bad.
    pub failed: usize,
    /// Those of `failed` in which nothing but the time of the restore failed.
    #[serde(skip_serializing_if = "is_none")]
    pub too_slow: usize,
    /// Interrupted, or not to be told.
    pub not_verified: usize,
    /// When the last on record began that made a backup, or proved one sound: a clock that was wrong once is not believed
    /// for ever.
    pub last_success: Option<DateTime<Utc>>,
    /// When the last on record began that made none, or proved one bad.
    pub last_failure: Option<DateTime<Utc>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_none(count: &usize) -> bool {
    *count == 0
}

/// How long restores took, in seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RestoreTimes {
    /// How many there were.
    pub count: usize,
    /// The last one.
    pub last: f64,
    /// Half took no longer.
    pub median: f64,
    /// 95 of 100 took no longer.
    pub p95: f64,
    /// Whether they grow; `None` when there are too few to say.
    pub trend: Option<Trend>,
}

/// The last restores against as many before them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trend {
    /// How many on each side.
    pub of: usize,
    /// Median of the last ones in seconds.
    pub last: f64,
    /// Median of those before in seconds.
    pub before: f64,
    /// The change in percent; `None` when those before took no time.
    pub change_percent: Option<f64>,
}

/// The statistics of each database, by name; the unknown one last. What a restore may take is `rto_seconds`, else what the
/// last verification was allowed.
pub fn by_database(records: &[Record], rto_seconds: Option<f64>) -> Vec<Statistics> {
    let mut names: Vec<Option<&str>> =
        records.iter().map(|record| record.database.as_deref()).collect();
    names.sort_by_key(|name| (name.is_none(), *name));
    names.dedup();
    names.into_iter().map(|name| of_database(name, records, rto_seconds)).collect()
}

fn of_database(name: Option<&str>, records: &[Record], rto_seconds: Option<f64>) -> Statistics {
    let runs: Vec<&Record> =
        records.iter().filter(|record| record.database.as_deref() == name).collect();
    let seconds: Vec<f64> = runs.iter().filter_map(|record| record.restore_seconds()).collect();
    Statistics {
        database: name.map(str::to_owned),
        create: attempts(&runs, Work::Create),
        verify: attempts(&runs, Work::Verify),
        restored: runs
            .iter()
            .any(|record| record.work == Work::Restore)
            .then(|| attempts(&runs, Work::Restore)),
        restore: restore_times(&seconds),
        outlook: forecast::outlook(&runs, rto_seconds),
    }
}

fn attempts(runs: &[&Record], work: Work) -> Attempts {
    let mut attempts = Attempts::default();
    for record in runs.iter().filter(|record| record.work == work) {
        let at = Some(record.started_at);
        match record.verdict {
            Verdict::Passed => attempts.passed += 1,
            Verdict::Failed => attempts.failed += 1,
            Verdict::NotVerified => attempts.not_verified += 1,
        }
        match record.soundness() {
            Verdict::Passed => {
                let failed = record.verdict == Verdict::Failed;
                attempts.too_slow += usize::from(failed && record.missed_rto());
                attempts.last_success = at;
            }
            Verdict::Failed => attempts.last_failure = at,
            Verdict::NotVerified => {}
        }
    }
    attempts
}

/// What these restore times, oldest first, say together.
pub fn restore_times(seconds: &[f64]) -> Option<RestoreTimes> {
    let last = *seconds.last()?;
    let sorted = sorted(seconds);
    Some(RestoreTimes {
        count: seconds.len(),
        last,
        median: median(&sorted),
        p95: percentile(&sorted, 95),
        trend: trend(seconds),
    })
}

fn trend(seconds: &[f64]) -> Option<Trend> {
    let of = TREND.min(seconds.len() / 2);
    if of < FEWEST {
        return None;
    }
    let (rest, last) = seconds.split_at(seconds.len() - of);
    let before = &rest[rest.len() - of..];
    let (last, before) = (median(&sorted(last)), median(&sorted(before)));
    let change_percent = (before > 0.0).then(|| (last / before - 1.0) * 100.0);
    Some(Trend { of, last, before, change_percent })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::outcome::{Phase, RESTORE_TIME};

    fn run(work: Work, verdict: Verdict, minute: u64, database: Option<&str>) -> Record {
        let at = DateTime::UNIX_EPOCH + Duration::from_secs(60 * minute);
        let mut record = Record::new(work, "x.sql", at, verdict);
        record.database = database.map(str::to_owned);
        record
    }

    #[test]
    fn without_a_restore_there_are_no_times() {
        assert_eq!(restore_times(&[]), None);
        assert_eq!(by_database(&[], None), []);
    }

    #[test]
    fn one_restore_is_its_own_median_and_has_no_trend() {
        let times = restore_times(&[4.5]).unwrap();
        assert_eq!((times.count, times.last, times.median, times.p95), (1, 4.5, 4.5, 4.5));
        assert_eq!(times.trend, None);
    }

    #[test]
    fn the_median_is_between_the_middle_two_and_the_percentile_is_a_real_one() {
        let times = restore_times(&[4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!((times.median, times.p95, times.last), (2.5, 4.0, 2.0));
        let hundred: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        let times = restore_times(&hundred).unwrap();
        assert_eq!((times.median, times.p95, times.last), (50.5, 95.0, 1.0));
    }

    #[test]
    fn the_trend_compares_the_last_seven_with_the_seven_before() {
        let mut seconds = vec![100.0; 5];
        seconds.extend([10.0; 7]);
        seconds.extend([15.0; 7]);
        let trend = restore_times(&seconds).unwrap().trend.unwrap();
        assert_eq!((trend.of, trend.last, trend.before), (7, 15.0, 10.0));
        assert!((trend.change_percent.unwrap() - 50.0).abs() < 1e-9);
    }

    #[test]
    fn the_trend_of_a_few_is_of_their_halves_and_of_fewer_is_none() {
        let trend = restore_times(&[1.0, 1.0, 1.0, 9.0, 2.0, 2.0, 2.0]).unwrap().trend.unwrap();
        assert_eq!((trend.of, trend.last, trend.before), (3, 2.0, 1.0));
        assert_eq!(restore_times(&[1.0; 5]).unwrap().trend, None);
        let from_nothing = restore_times(&[0.0; 6]).unwrap().trend.unwrap();
        assert_eq!(from_nothing.change_percent, None);
    }

    #[test]
    fn a_restore_that_was_only_too_slow_is_a_failed_run_and_proves_the_backup() {
        let mut slow = run(Work::Verify, Verdict::Failed, 2, Some("a"));
        slow.soundness = Some(Verdict::Passed);
        slow.failed_checks = vec![RESTORE_TIME.to_owned()];
        let runs = [run(Work::Verify, Verdict::Failed, 1, Some("a")), slow];
        let verify = &by_database(&runs, None)[0].verify;
        assert_eq!((verify.passed, verify.failed, verify.too_slow), (0, 2, 1));
        assert_eq!(verify.last_success, Some(runs[1].started_at));
        assert_eq!(verify.last_failure, Some(runs[0].started_at));
    }

    #[test]
    fn each_database_is_counted_for_itself_and_the_unknown_one_last() {
        let mut restored = run(Work::Verify, Verdict::Failed, 5, Some("b"));
        restored.phases =
            ["restore", "checks"].map(|name| Phase { name: name.into(), seconds: 2.0 }).to_vec();
        let runs = [
            run(Work::Verify, Verdict::NotVerified, 1, None),
            run(Work::Create, Verdict::Passed, 3, Some("b")),
            run(Work::Create, Verdict::Passed, 2, Some("b")),
            run(Work::Create, Verdict::Failed, 4, Some("a")),
            restored,
        ];
        let all = by_database(&runs, None);
        let names: Vec<_> = all.iter().map(|one| one.database.as_deref()).collect();
        assert_eq!(names, [Some("a"), Some("b"), None]);
        assert_eq!(all[1].create.passed, 2);
        assert_eq!(all[1].create.last_success, Some(runs[2].started_at));
        assert_eq!((all[1].verify.failed, all[1].restore.as_ref().unwrap().median), (1, 2.0));
        assert_eq!((all[2].verify.not_verified, all[2].restore.is_none()), (1, true));
    }
}
