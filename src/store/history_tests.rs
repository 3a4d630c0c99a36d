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
fn a_damaged_line_and_a_newer_one_are_set_aside() {
    let good = serde_json::to_string(&passed("a", 1)).unwrap();
    let text = format!(
        "{good}\n{{\"version\":1,\"wor\n\n\u{0}\u{0}\u{0}\n{{\"version\":2,\"new\":true}}\n[]\n{good}"
    );
    let history = parse(text.as_bytes());
    assert_eq!((history.records.len(), history.damaged, history.newer), (2, 3, 1));
    let said = history.set_aside().unwrap();
    assert_eq!(said, "set aside in the history: 3 damaged lines, 1 line of a newer ccc-backup");
    assert_eq!(parse(good.as_bytes()).set_aside(), None);
}

#[test]
fn a_history_that_is_not_there_is_empty_and_one_that_cannot_be_read_is_not() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(read(dir.path()).unwrap(), History::default());
    assert_eq!(read(&dir.path().join("no/where")).unwrap(), History::default());
    std::fs::create_dir(history_path(dir.path())).unwrap();
    let error = read(dir.path()).unwrap_err();
    assert!(error.to_string().starts_with("could not read "), "{error}");
}

#[test]
fn the_number_of_the_last_run_counts_lines_of_a_newer_version() {
    let mut line = passed("a", 1);
    line.run = Some(4);
    let good = serde_json::to_string(&line).unwrap();
    let newer = r#"{"version":2,"run":9}"#;
    assert_eq!(parse(format!("{newer}\n{good}").as_bytes()).last_run, 9);
    assert_eq!(parse(good.as_bytes()).last_run, 4);
}

#[test]
fn only_a_restore_that_came_to_its_end_has_a_time() {
    let phase = |name: &str| Phase { name: name.into(), seconds: 4.0 };
    let mut line = record("a", Work::Verify, Verdict::Failed, 1);
    line.phases = vec![phase("read and start"), phase("restore")];
    assert_eq!(line.restore_seconds(), None);
    line.phases.push(phase("checks"));
    assert_eq!(line.restore_seconds(), Some(4.0));
}

#[test]
fn the_database_of_a_backup_is_the_one_that_its_bytes_or_else_its_name_were_last_made_of() {
    let mut records = [1, 2, 3, 4].map(|minute| record("a", Work::Create, Verdict::Passed, minute));
    records[0].database = Some("old".into());
    records[1].database = Some("new".into());
    records[3].backup = "elsewhere".into();
    (records[3].database, records[3].sha256) = (Some("other".into()), Some("00".into()));
    let mut run = passed("a", 5);
    assert_eq!(database_of(&records, &run), Some("new"));
    assert_eq!(database_of(&records, &passed("b", 5)), None);
    run.sha256 = Some("00".into());
    assert_eq!(database_of(&records, &run), Some("other"));
}

#[test]
fn a_missed_rto_is_no_verdict_on_the_backup() {
    let phases = ["restore", "checks"].map(|name| Phase { name: name.into(), seconds: 4.0 });
    let mut slow = record("a", Work::Verify, Verdict::Failed, 1);
    slow.failed_checks = vec!["restore.rto".into()];
    slow.soundness = Some(Verdict::Passed);
    assert_eq!((slow.soundness(), slow.missed_rto()), (Verdict::Passed, true));
    // A line of an older version: the checks said nothing against it, or did not begin.
    slow.soundness = None;
    assert_eq!(slow.soundness(), Verdict::Failed);
    slow.phases = phases.to_vec();
    assert_eq!(slow.soundness(), Verdict::NotVerified);
    slow.failed_checks.push("schema.users".into());
    assert_eq!((slow.soundness(), slow.missed_rto()), (Verdict::Failed, true));
    assert_eq!((passed("a", 1).soundness(), passed("a", 1).missed_rto()), (Verdict::Passed, false));
}

proptest! {
    #[test]
    fn any_bytes_can_be_read_as_a_history(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&bytes);
    }
}
