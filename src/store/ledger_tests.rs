use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::super::history::Work;
use super::super::naming::totals_path;
use super::*;
use crate::model::outcome::{Phase, Verdict};

fn record(backup: &str, work: Work, verdict: Verdict, minute: u64) -> Record {
    let started_at = DateTime::<Utc>::UNIX_EPOCH + Duration::from_secs(60 * minute);
    Record::new(work, backup, started_at, verdict)
}

fn passed(backup: &str, minute: u64) -> Record {
    record(backup, Work::Verify, Verdict::Passed, minute)
}

/// The verifications that passed, by the sums on disk.
fn passed_in_all(dir: &Path) -> u64 {
    let totals = Totals::read(dir).unwrap().unwrap();
    totals.databases["unknown"].verifications.as_ref().unwrap().passed
}

/// Puts a run on record as the commands do, and says how many passed in all.
fn one_more(dir: &Path) -> u64 {
    let mut ledger = Ledger::open(dir).unwrap();
    ledger.append(passed("a", 1)).unwrap();
    ledger.save().unwrap();
    passed_in_all(dir)
}

#[test]
fn records_are_read_as_they_were_written() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(history::read(dir.path()).unwrap(), History::default());
    let mut full = passed("backup_20260114_143022.sql.gz", 3);
    full.phases.push(Phase { name: "restore".into(), seconds: 4.25 });
    full.rows = Some(1_265_000);
    full.database = Some("content_creation_crew".into());
    full.failed_checks.push("schema.users".into());
    let mut bare = record("x\ny.sql", Work::Create, Verdict::Failed, 4);
    append(dir.path(), &full).unwrap();
    append(dir.path(), &bare).unwrap();
    let history = history::read(dir.path()).unwrap();
    (full.run, bare.run) = (Some(1), Some(2));
    assert_eq!(history.records, [full, bare]);
    assert_eq!((history.damaged, history.newer), (0, 0));
}

#[test]
fn a_line_cut_by_a_crash_does_not_swallow_the_next() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(history_path(dir.path()), b"{\"version\":1,\"work\":\"ver").unwrap();
    append(dir.path(), &passed("a", 1)).unwrap();
    append(dir.path(), &passed("b", 2)).unwrap();
    let history = history::read(dir.path()).unwrap();
    assert_eq!((history.records.len(), history.damaged), (2, 1));
}

#[test]
fn a_missing_directory_is_an_error_of_writing_and_not_of_reading() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("none");
    assert!(append(&missing, &passed("a", 1)).is_err());
    assert_eq!(history::read(&missing).unwrap(), History::default());
}

/// Not a test by itself: what one of the processes below does.
#[test]
fn one_of_many_processes_writes_its_lines() {
    let Ok(dir) = std::env::var("CCC_BACKUP_TEST_HISTORY") else {
        return;
    };
    for minute in 0..10 {
        let mut line = passed(&"long".repeat(3000), minute);
        line.rows = Some(u64::from(std::process::id()));
        let mut ledger = Ledger::open(Path::new(&dir)).unwrap();
        ledger.append(line).unwrap();
        ledger.save().unwrap();
    }
}

#[test]
fn twenty_processes_at_once_lose_no_line() {
    let dir = tempfile::tempdir().unwrap();
    let mut processes: Vec<_> = (0..20)
        .map(|_| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "store::ledger::tests::one_of_many_processes_writes_its_lines"])
                .env("CCC_BACKUP_TEST_HISTORY", dir.path())
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for process in &mut processes {
        assert!(process.wait().unwrap().success());
    }
    let history = history::read(dir.path()).unwrap();
    assert_eq!((history.records.len(), history.damaged), (200, 0));
    let writers: BTreeSet<_> = history.records.iter().map(|record| record.rows).collect();
    assert_eq!(writers.len(), 20);
    let runs: Vec<_> = history.records.iter().filter_map(|record| record.run).collect();
    assert_eq!(runs, (1..=200).collect::<Vec<_>>());
    assert_eq!(passed_in_all(dir.path()), 200);
}

#[test]
fn the_counts_do_not_fall_when_the_history_is_shortened_or_removed() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, path) = (dir.path(), history_path(dir.path()));
    for expected in 1..=3 {
        assert_eq!(one_more(dir), expected);
    }
    let text = std::fs::read_to_string(&path).unwrap();
    let last = text.lines().last().unwrap();
    std::fs::write(&path, format!("{last}\n")).unwrap();
    assert_eq!(one_more(dir), 4);
    std::fs::write(&path, "").unwrap();
    assert_eq!(one_more(dir), 5);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(one_more(dir), 6);
    assert_eq!(history::read(dir).unwrap().records[0].run, Some(6));
}

#[test]
fn a_run_that_died_before_its_sums_were_written_is_counted_once_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    one_more(dir.path());
    append(dir.path(), &passed("died", 2)).unwrap();
    assert_eq!(passed_in_all(dir.path()), 1);
    assert_eq!(one_more(dir.path()), 3);
    assert_eq!(one_more(dir.path()), 4);
}

#[test]
fn lost_or_damaged_sums_are_counted_anew_from_the_history() {
    let dir = tempfile::tempdir().unwrap();
    one_more(dir.path());
    std::fs::remove_file(totals_path(dir.path())).unwrap();
    assert_eq!(one_more(dir.path()), 2);
    for damage in [&b"{\"format_version\":1,\"ru"[..], b"", b"\0\0\0"] {
        let before = passed_in_all(dir.path());
        std::fs::write(totals_path(dir.path()), damage).unwrap();
        let ledger = Ledger::open(dir.path()).unwrap();
        assert!(matches!(ledger.trouble(), Some(TotalsError::Damaged(_))));
        drop(ledger);
        assert_eq!(one_more(dir.path()), before + 1);
        assert!(Ledger::open(dir.path()).unwrap().trouble().is_none());
    }
}

#[test]
fn the_sums_of_a_newer_version_are_left_alone_and_the_history_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let newer = br#"{"format_version":2,"runs":7,"more":true}"#;
    std::fs::write(totals_path(dir.path()), newer).unwrap();
    let mut ledger = Ledger::open(dir.path()).unwrap();
    assert!(matches!(ledger.trouble(), Some(TotalsError::Newer { found: 2 })));
    ledger.append(passed("a", 1)).unwrap();
    ledger.save().unwrap();
    assert!(ledger.totals().is_none());
    assert_eq!(std::fs::read(totals_path(dir.path())).unwrap(), newer);
    assert_eq!(history::read(dir.path()).unwrap().records.len(), 1);
}

#[test]
fn lines_without_a_number_are_counted_when_the_sums_begin() {
    let dir = tempfile::tempdir().unwrap();
    let line = serde_json::to_string(&passed("old", 1)).unwrap();
    std::fs::write(history_path(dir.path()), format!("{line}\n{line}\n")).unwrap();
    assert_eq!(one_more(dir.path()), 3);
}

#[test]
fn a_history_that_is_moved_away_while_a_run_waits_is_begun_anew() {
    let dir = tempfile::tempdir().unwrap();
    one_more(dir.path());
    let held = Ledger::open(dir.path()).unwrap();
    let waiting = {
        let dir = dir.path().to_owned();
        std::thread::spawn(move || one_more(&dir))
    };
    std::thread::sleep(Duration::from_millis(100));
    std::fs::rename(history_path(dir.path()), dir.path().join("history.1.jsonl")).unwrap();
    drop(held);
    assert_eq!(waiting.join().unwrap(), 2);
    assert_eq!(history::read(dir.path()).unwrap().records.len(), 1);
}
