//! A clock that is or was wrong: backups and runs that are dated in the future are shown as such,
//! hide nothing, and no backup is lost over them.

use crate::support::{Outcome, Place};

const FUTURE: &str = "backup_20990101_000000.sql.gz";
const OLD: &str = "backup_20200101_000000.sql.gz";
const OLDER: &str = "backup_20190101_000000.sql.gz";

/// A line of the history.
fn run(work: &str, at: &str, verdict: &str, backup: &str) -> String {
    format!(
        "{{\"version\":1,\"work\":\"{work}\",\"started_at\":\"{at}\",\"seconds\":1.0,\
         \"verdict\":\"{verdict}\",\"backup\":\"{backup}\",\"tool_version\":\"0.1.0\"}}\n"
    )
}

/// Runs a command in a place; it must succeed.
fn answered(place: &Place, args: &[&str]) -> Outcome {
    let outcome = place.outcome(place.ccc().args(args));
    assert_eq!(outcome.code, 0, "{outcome}");
    outcome
}

#[test]
fn the_latest_backup_is_said_to_be_dated_in_the_future_where_it_is() {
    // Bad ones, which need no server to be found bad.
    let place = Place::without_docker();
    place.file(&format!("backups/{OLD}"), b"");
    let outcome = place.outcome(place.verify().arg("--latest"));
    outcome.failed("the backup file is empty");
    assert!(!outcome.stderr.contains("to come"), "{outcome}");
    place.file(&format!("backups/{FUTURE}"), b"");
    let outcome = place.outcome(place.verify().arg("--latest"));
    outcome.failed("the backup file is empty").says(&format!("Backup file: ./backups/{FUTURE}"));
    let warned =
        format!("warning: ./backups/{FUTURE} is dated 2099-01-01 00:00 UTC, which is to come");
    assert!(outcome.stderr.contains(&warned), "{outcome}");
}

#[test]
fn a_clean_up_keeps_what_is_dated_in_the_future_and_the_newest_that_passed() {
    let place = Place::without_docker();
    for name in [FUTURE, OLD, OLDER] {
        place.file(&format!("backups/{name}"), b"x");
    }
    let passed = run("verify", "2099-01-02T00:00:00Z", "passed", OLDER);
    place.file("backups/history.jsonl", passed.as_bytes());
    answered(&place, &["cleanup", "--older-than", "30d"]);
    assert_eq!(place.names("backups"), [OLDER, FUTURE, "history.jsonl"]);
}

#[test]
fn the_history_believes_the_order_of_the_runs_and_not_their_times() {
    let place = Place::without_docker();
    let runs = [
        run("create", "2099-01-01T00:00:00Z", "passed", FUTURE),
        run("create", "2020-01-01T00:00:00Z", "passed", OLD),
        run("verify", "2099-01-02T00:00:00Z", "passed", FUTURE),
    ];
    place.file("backups/history.jsonl", runs.concat().as_bytes());
    let outcome = answered(&place, &["history"]);
    assert!(outcome.stdout.contains("Last backup made:         2020-01-01 00:00 UTC"), "{outcome}");
    let future = "Last verification passed: 2099-01-02 00:00 UTC, in the future";
    assert!(outcome.stdout.contains(future), "{outcome}");
    let metrics = ["history", "--metrics-file", "m.prom"];
    answered(&place, &metrics);
    let metrics = std::fs::read_to_string(place.dir().join("m.prom")).unwrap();
    let last = metrics.lines().find(|line| line.starts_with("backup_last_success_timestamp{"));
    assert!(last.is_some_and(|line| line.ends_with(" 1577836800")), "{metrics}");
}

#[test]
fn the_list_shows_what_is_dated_in_the_future() {
    let place = Place::without_docker();
    place.file(&format!("backups/{FUTURE}"), b"x");
    place.file(&format!("backups/{OLD}"), b"x");
    let outcome = answered(&place, &["list"]);
    let line = |name: &str| outcome.stdout.lines().find(|line| line.starts_with(name)).unwrap();
    assert!(line(FUTURE).contains("future"), "{outcome}");
    assert!(!line(OLD).contains("future"), "{outcome}");
}
