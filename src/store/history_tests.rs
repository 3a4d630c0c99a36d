use std::process::Command;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn record(backup: &str, work: Work, verdict: Verdict, minute: u64) -> Record {
    let started_at = DateTime::<Utc>::UNIX_EPOCH + Duration::from_secs(60 * minute);
    Record::new(work, backup, started_at, verdict)
}

fn passed(backup: &str, minute: u64) -> Record {
    record(backup, Work::Verify, Verdict::Passed, minute)
}

#[test]
fn records_are_read_as_they_were_written() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(read(dir.path()).unwrap(), History::default());
    let mut full = passed("backup_20260114_143022.sql.gz", 3);
    full.phases.push(Phase { name: "restore".into(), seconds: 4.25 });
    full.rows = Some(1_265_000);
    full.database = Some("content_creation_crew".into());
    full.failed_checks.push("schema.users".into());
    let bare = record("x\ny.sql", Work::Create, Verdict::Failed, 4);
    append(dir.path(), &full).unwrap();
    append(dir.path(), &bare).unwrap();
    let history = read(dir.path()).unwrap();
    assert_eq!(history.records, [full, bare]);
    assert_eq!((history.damaged, history.newer), (0, 0));
}

#[test]
fn a_damaged_line_and_a_newer_one_are_set_aside() {
    let good = serde_json::to_string(&passed("a", 1)).unwrap();
    let text = format!(
        "{good}\n{{\"version\":1,\"wor\n\n\u{0}\u{0}\u{0}\n{{\"version\":2,\"new\":true}}\n[]\n{good}"
    );
    let history = parse(text.as_bytes());
    assert_eq!((history.records.len(), history.damaged, history.newer), (2, 3, 1));
}

#[test]
fn a_line_cut_by_a_crash_does_not_swallow_the_next() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(history_path(dir.path()), b"{\"version\":1,\"work\":\"ver").unwrap();
    append(dir.path(), &passed("a", 1)).unwrap();
    append(dir.path(), &passed("b", 2)).unwrap();
    let history = read(dir.path()).unwrap();
    assert_eq!((history.records.len(), history.damaged), (2, 1));
}

#[test]
fn a_missing_directory_is_an_error_of_writing_and_not_of_reading() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("none");
    assert!(append(&missing, &passed("a", 1)).is_err());
    assert_eq!(read(&missing).unwrap(), History::default());
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
                .args(["--exact", "store::history::tests::one_of_many_processes_writes_its_lines"])
                .env("CCC_BACKUP_TEST_HISTORY", dir.path())
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for process in &mut processes {
        assert!(process.wait().unwrap().success());
    }
    let history = read(dir.path()).unwrap();
    assert_eq!((history.records.len(), history.damaged), (200, 0));
    let writers: BTreeSet<_> = history.records.iter().map(|record| record.rows).collect();
    assert_eq!(writers.len(), 20);
}

#[test]
fn the_newest_passed_verification_is_found_by_its_time() {
    let records = [
        passed("b", 5),
        passed("a", 3),
        record("c", Work::Verify, Verdict::Failed, 8),
        record("d", Work::Create, Verdict::Passed, 9),
        record("e", Work::Verify, Verdict::NotVerified, 10),
    ];
    assert_eq!(newest_passed(&records).unwrap().backup, "b");
    assert_eq!(newest_passed(&records[2..]), None);
}

#[test]
fn the_last_verdict_that_could_tell_counts() {
    let records = [
        passed("good", 1),
        record("good", Work::Verify, Verdict::NotVerified, 2),
        passed("rotten", 1),
        record("rotten", Work::Verify, Verdict::Failed, 2),
        record("healed", Work::Verify, Verdict::Failed, 1),
        passed("healed", 2),
        passed("made-anew", 1),
        record("made-anew", Work::Create, Verdict::Passed, 2),
    ];
    let names: Vec<_> = passed_backups(&records).into_iter().collect();
    assert_eq!(names, ["good", "healed"]);
}

proptest! {
    #[test]
    fn any_bytes_can_be_read_as_a_history(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&bytes);
    }
}
