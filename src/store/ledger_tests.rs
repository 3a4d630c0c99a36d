use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::super::history::Work;
use super::*;
use crate::model::outcome::{Phase, Verdict};

fn record(backup: &str, work: Work, verdict: Verdict, minute: u64) -> Record {
    let started_at = DateTime::<Utc>::UNIX_EPOCH + Duration::from_secs(60 * minute);
    Record::new(work, backup, started_at, verdict)
}

fn passed(backup: &str, minute: u64) -> Record {
    record(backup, Work::Verify, Verdict::Passed, minute)
}

/// Puts a run on record as the commands do.
fn append(dir: &Path, record: &Record) -> Result<(), StoreError> {
    Ledger::open(dir)?.append(record.clone())
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
        append(Path::new(&dir), &line).unwrap();
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
}

#[test]
fn numbers_go_on_in_a_shortened_history_and_begin_anew_in_a_removed_one() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, path) = (dir.path(), history_path(dir.path()));
    let next = || {
        append(dir, &passed("a", 1)).unwrap();
        history::read(dir).unwrap().records.last().unwrap().run
    };
    assert_eq!([next(), next(), next()], [Some(1), Some(2), Some(3)]);
    let text = std::fs::read_to_string(&path).unwrap();
    let last = text.lines().last().unwrap();
    std::fs::write(&path, format!("{last}\n")).unwrap();
    assert_eq!(next(), Some(4));
    std::fs::remove_file(&path).unwrap();
    assert_eq!(next(), Some(1));
}

#[test]
fn a_history_that_is_moved_away_while_a_run_waits_is_begun_anew() {
    let dir = tempfile::tempdir().unwrap();
    append(dir.path(), &passed("before", 1)).unwrap();
    let held = Ledger::open(dir.path()).unwrap();
    let waiting = {
        let dir = dir.path().to_owned();
        std::thread::spawn(move || append(&dir, &passed("after", 2)))
    };
    std::thread::sleep(Duration::from_millis(100));
    std::fs::rename(history_path(dir.path()), dir.path().join("history.1.jsonl")).unwrap();
    drop(held);
    waiting.join().unwrap().unwrap();
    let records = history::read(dir.path()).unwrap().records;
    let names: Vec<_> = records.iter().map(|record| record.backup.as_str()).collect();
    assert_eq!(names, ["after"]);
}
