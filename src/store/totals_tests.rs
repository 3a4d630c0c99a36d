use std::time::Duration;

use super::*;
use crate::model::outcome::Phase;

fn run(number: u64, work: Work, verdict: Verdict) -> Record {
    let at = DateTime::UNIX_EPOCH + Duration::from_secs(60 * number);
    let mut record = Record::new(work, "x.sql.gz", at, verdict);
    (record.run, record.database) = (Some(number), Some("ccc".into()));
    record
}

fn restored(number: u64, verdict: Verdict, seconds: f64) -> Record {
    let mut record = run(number, Work::Verify, verdict);
    record.phases = [("restore", seconds), ("checks", 1.0)]
        .map(|(name, seconds)| Phase { name: name.into(), seconds })
        .to_vec();
    record
}

fn of_ccc(totals: &Totals) -> DatabaseTotals {
    totals.databases["ccc"].clone()
}

#[test]
fn an_attempt_without_a_backup_is_a_failure_whatever_the_reason() {
    let mut made = run(3, Work::Create, Verdict::Passed);
    (made.file_bytes, made.rows) = (Some(10), Some(5));
    let failed =
        [run(1, Work::Create, Verdict::Failed), run(2, Work::Create, Verdict::NotVerified)];
    let mut totals = Totals::of(&failed);
    let backups = of_ccc(&totals).backups.unwrap();
    assert_eq!((backups.attempts(), backups.failed, backups.failures_since_success), (2, 2, 2));
    assert_eq!(backups.last_success, None);
    totals.count(&made);
    let backups = of_ccc(&totals).backups.unwrap();
    assert_eq!((backups.attempts(), backups.failed, backups.failures_since_success), (3, 2, 0));
    assert_eq!(backups.last_success, Some(made.started_at));
    assert_eq!((backups.last_bytes, backups.last_rows), (Some(10), Some(5)));
    assert!(of_ccc(&totals).verifications.is_none());
}

#[test]
fn a_verification_that_could_not_tell_neither_heals_nor_hurts() {
    let totals = Totals::of(&[
        run(1, Work::Verify, Verdict::Passed),
        run(2, Work::Verify, Verdict::Failed),
        run(3, Work::Verify, Verdict::NotVerified),
    ]);
    let runs = of_ccc(&totals).verifications.unwrap();
    assert_eq!((runs.attempts(), runs.passed, runs.failed, runs.unverified), (3, 1, 1, 1));
    assert_eq!(runs.failures_since_success, 1);
    assert!(of_ccc(&totals).backups.is_none());
}

#[test]
fn a_restore_that_took_too_long_is_a_failed_run_and_no_bad_backup() {
    let mut slow = run(2, Work::Verify, Verdict::Failed);
    slow.soundness = Some(Verdict::Passed);
    let runs = [run(1, Work::Verify, Verdict::Failed), slow.clone()];
    let runs = of_ccc(&Totals::of(&runs)).verifications.unwrap();
    assert_eq!((runs.passed, runs.failed, runs.failures_since_success), (0, 2, 0));
    assert_eq!(runs.last_success, Some(slow.started_at));
}

#[test]
fn a_line_beside_the_backup_is_not_counted_again() {
    let mut copy = run(2, Work::Verify, Verdict::Passed);
    copy.copy = true;
    let totals = Totals::of(&[run(1, Work::Create, Verdict::Passed), copy]);
    assert!(of_ccc(&totals).verifications.is_none());
}

#[test]
fn restore_times_fall_into_their_buckets_and_a_bound_belongs_to_its_own() {
    let seconds = [0.4, 1.0, 4.0, 1e6];
    let records: Vec<_> =
        (1..).zip(seconds).map(|(n, seconds)| restored(n, Verdict::Passed, seconds)).collect();
    let runs = of_ccc(&Totals::of(&records)).verifications.unwrap();
    let counts: Vec<_> = runs.restores.buckets.iter().map(|bucket| bucket.count).collect();
    assert_eq!(counts[..4], [2, 0, 1, 0]);
    assert_eq!((counts.iter().sum::<u64>(), runs.restores.count), (3, 4));
    assert_eq!(runs.last_restore_seconds, Some(1e6));
}

#[test]
fn a_run_that_is_only_noted_moves_no_counter() {
    let mut totals = Totals::of(&[run(1, Work::Create, Verdict::Passed)]);
    totals.note(&run(2, Work::Create, Verdict::Failed));
    let backups = of_ccc(&totals).backups.unwrap();
    assert_eq!((backups.attempts(), backups.failed, backups.failures_since_success), (1, 0, 1));
}

#[test]
fn a_database_that_is_not_known_is_called_so() {
    let mut record = run(1, Work::Verify, Verdict::Passed);
    record.database = None;
    assert!(Totals::of(&[record]).databases.contains_key(UNKNOWN_DATABASE));
}
