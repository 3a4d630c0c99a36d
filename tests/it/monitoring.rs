//! What is kept of the runs, and how it is shown: the history, `list` and `history`, the metrics,
//! and the alerts on them, judged by promtool.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::mounts::on_a_disk;
use crate::support::prometheus::{has, metrics_in, promtool};
use crate::support::source::{client, free_port, source};
use crate::support::{BINARY, Outcome, Place, clean_environment, database, repository, text};

const METRICS: &str = "metrics/ccc-backup.prom";

/// A place with a directory for metrics, and an empty file, which is a bad backup that needs no
/// server to be found bad.
fn place() -> Place {
    let place = Place::without_docker();
    std::fs::create_dir(place.dir().join("metrics")).unwrap();
    place.file("backups/bad.sql", b"");
    place
}

fn verify_bad(place: &Place, metrics: &str) -> Outcome {
    place.outcome(place.verify().args(["backups/bad.sql", "--metrics-file", metrics]))
}

fn metrics(place: &Place) -> String {
    std::fs::read_to_string(place.dir().join(METRICS)).unwrap()
}

/// What `list` or `history` answers in JSON.
fn json(place: &Place, args: &[&str]) -> Value {
    let outcome = place.outcome(place.ccc().args(args).args(["--format", "json"]));
    assert_eq!(outcome.code, 0, "{outcome}");
    serde_json::from_str(&outcome.stdout).unwrap()
}

#[test]
fn a_backup_made_and_verified_is_listed_and_its_metrics_pass_promtool() {
    let place = Place::new();
    std::fs::create_dir(place.dir().join("metrics")).unwrap();
    let database = database().name;
    let pg_dump = client("pg_dump");
    let mut create = place.ccc();
    create.args(["create", "--metrics-file", METRICS, "--dbname", &database, "--pg-dump"]);
    let made = place.outcome(create.arg(pg_dump).envs(source().libpq()));
    assert_eq!(made.code, 0, "{made}");
    let file = place.names("backups").into_iter().find(|name| name.ends_with(".gz")).unwrap();
    let verify = ["--latest", "--metrics-file", METRICS];
    place.outcome(place.verify().args(verify)).passed();

    let path = place.dir().join(METRICS);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
    assert_eq!(place.names("metrics"), ["ccc-backup.prom"]);
    let metrics = metrics_in(&path);
    let of = format!("database=\"{database}\"");
    has(&metrics, &format!("backup_success_total{{{of},status=\"success\"}} 1"));
    has(&metrics, &format!("backup_verification_success_total{{{of},status=\"success\"}} 1"));
    has(&metrics, &format!("backup_restore_seconds_count{{{of}}} 1"));
    assert!(!metrics.contains("unknown"), "{metrics}");

    let list = json(&place, &["list"]);
    assert_eq!(list["version"], 1);
    let backup = &list["backups"][0];
    assert_eq!((&backup["name"], &backup["manifest"]), (&file.clone().into(), &"present".into()));
    assert_eq!(backup["verdict"]["verdict"], "passed");
    has(&metrics, &format!("backup_rows{{{of}}} {}", backup["rows"]));
    has(&metrics, &format!("backup_size_bytes{{{of}}} {}", backup["bytes"]));
    let history = json(&place, &["backup", "history"]);
    assert_eq!(
        (&history["runs"][0]["work"], &history["runs"][1]["run"]),
        (&"verify".into(), &1.into())
    );
    assert_eq!(history["databases"][0]["restore"]["count"], 1);

    let shown = place.outcome(place.ccc().args(["backup", "list"]));
    let line = shown.stdout.lines().find(|line| line.starts_with(&file)).unwrap();
    assert!(line.contains("passed"), "{shown}");
    let shown = place.outcome(place.ccc().arg("history"));
    assert!(shown.stdout.contains("verify passed") && shown.stdout.contains("median"), "{shown}");
}

#[test]
fn a_backup_that_could_not_be_made_is_counted_for_its_database() {
    let place = place();
    let port = free_port().to_string();
    let mut create = place.ccc();
    create.args(["create", "--host", "127.0.0.1", "--port", &port, "--dbname", "ccc"]);
    create.arg("--pg-dump").arg(client("pg_dump")).env("CCC_BACKUP_METRICS_FILE", METRICS);
    assert_eq!(place.outcome(&mut create).code, 1);
    let metrics = metrics(&place);
    has(&metrics, r#"backup_success_total{database="ccc",status="failed"} 1"#);
    has(&metrics, r#"backup_failures_since_success{database="ccc"} 1"#);
    has(&metrics, r#"backup_last_success_timestamp{database="ccc"} 0"#);
}

#[test]
fn twenty_runs_at_once_lose_no_line_and_tear_no_file() {
    let place = place();
    let start = || {
        let mut command = Command::new(BINARY);
        command.env_clear().envs(clean_environment()).current_dir(place.dir());
        command.args(["verify", "backups/bad.sql", "--quiet", "--metrics-file", METRICS]);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut runs: Vec<_> = (0..20).map(|_| start()).collect();
    let mut seen = 0;
    let attempts = |text: &str| -> u64 {
        let line = |line: &&str| line.starts_with("backup_verification_attempts_total{");
        let line = text.lines().find(line).unwrap_or_else(|| panic!("torn: {text}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    while runs.iter_mut().any(|run| run.try_wait().unwrap().is_none()) {
        if let Ok(text) = std::fs::read_to_string(place.dir().join(METRICS)) {
            assert!(text.ends_with('\n') && text.contains("backup_restore_seconds_count"));
            let now = attempts(&text);
            assert!(now >= seen, "{now} after {seen}");
            seen = now;
        }
    }
    for run in runs {
        let output = run.wait_with_output().unwrap();
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), String::new()));
    }
    assert_eq!(attempts(&metrics(&place)), 20);
    assert_eq!(place.names("metrics"), ["ccc-backup.prom"]);
    let history = json(&place, &["history"]);
    let mut numbers: Vec<_> = history["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["run"].as_u64().unwrap())
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=20).collect::<Vec<_>>());
    assert_eq!(history["history"]["damaged_lines"], 0);
}

#[test]
fn a_place_where_metrics_cannot_be_written_is_an_error_before_the_work() {
    let place = place();
    for (file, reason) in [
        ("nowhere/x.prom", "nowhere is not a directory"),
        ("backups/bad.sql/x.prom", "backups/bad.sql is not a directory"),
        ("metrics", "it is a directory"),
    ] {
        for command in [&["verify", "backups/bad.sql"][..], &["create"]] {
            let mut ccc = place.ccc();
            let outcome = place.outcome(ccc.args(command).args(["--metrics-file", file]));
            outcome.hints("");
            assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{outcome}");
            assert!(outcome.stderr.contains(reason), "{outcome}");
        }
    }
    assert_eq!(place.names("backups"), ["bad.sql"]);
}

#[test]
fn an_empty_variable_asks_for_no_metrics() {
    let place = place();
    let mut verify = place.verify();
    let outcome = place.outcome(verify.arg("backups/bad.sql").env("CCC_BACKUP_METRICS_FILE", ""));
    outcome.failed("empty");
    assert_eq!(place.names("metrics"), Vec::<String>::new());
}

#[test]
fn lines_that_cannot_be_read_are_set_aside_and_said() {
    let place = place();
    let lines = b"{\"version\":1,\"work\":\"ver\n{\"version\":9,\"run\":5,\"work\":\"dream\"}\n";
    place.file("backups/history.jsonl", lines);
    let said = "warning: set aside in the history: 1 damaged line, 1 line of a newer ccc-backup";
    let outcome = verify_bad(&place, METRICS);
    outcome.failed("empty");
    assert!(outcome.stderr.contains(said), "{outcome}");
    let history = std::fs::read(place.dir().join("backups/history.jsonl")).unwrap();
    assert!(history.starts_with(lines), "they stay where they are");
    for command in ["list", "history"] {
        let outcome = place.outcome(place.ccc().arg(command));
        assert!(outcome.code == 0 && outcome.stderr.contains(said), "{outcome}");
        let set_aside = &json(&place, &[command])["history"];
        assert_eq!(
            (&set_aside["damaged_lines"], &set_aside["newer_lines"]),
            (&1.into(), &1.into())
        );
    }
    assert_eq!(json(&place, &["history"])["runs"][0]["run"], 6);
}

#[test]
fn a_history_that_cannot_be_written_is_a_warning_and_the_metrics_tell_of_the_run_all_the_same() {
    let place = place();
    verify_bad(&place, METRICS).failed("empty");
    let prepare = "cp backups/* disk; mount -o remount,ro disk";
    let words = format!("verify disk/bad.sql --metrics-file {METRICS}");
    let outcome = on_a_disk(&place, "size=1m", prepare, &words, &[]);
    outcome.failed("empty");
    assert!(outcome.stderr.contains("warning: the history was not written: "), "{outcome}");
    let metrics = metrics(&place);
    has(&metrics, r#"backup_verification_attempts_total{database="unknown"} 1"#);
    has(&metrics, r#"backup_verification_failures_since_success{database="unknown"} 2"#);
}

#[test]
fn a_history_that_cannot_be_read_either_leaves_the_metrics_what_this_run_says() {
    let place = place();
    // What no user, not even root, can read or write as a file.
    std::fs::create_dir(place.dir().join("backups/history.jsonl")).unwrap();
    let outcome = verify_bad(&place, METRICS);
    outcome.failed("empty");
    assert!(outcome.stderr.contains("warning: the history was not written: "), "{outcome}");
    let metrics = metrics(&place);
    has(&metrics, r#"backup_verification_attempts_total{database="unknown"} 0"#);
    has(&metrics, r#"backup_verification_failures_since_success{database="unknown"} 1"#);
}

#[test]
fn metrics_on_a_read_only_disk_are_an_error_before_the_work() {
    let place = place();
    let words = "verify backups/bad.sql --metrics-file disk/ccc-backup.prom";
    let outcome = on_a_disk(&place, "ro", "", words, &[]);
    outcome.hints("write in that directory");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{outcome}");
    assert!(outcome.stderr.contains("Read-only file system"), "{outcome}");
}

#[test]
fn counters_begin_anew_when_the_history_is_removed_and_metrics_can_be_written_anew() {
    let place = place();
    verify_bad(&place, METRICS).failed("empty");
    verify_bad(&place, METRICS).failed("empty");
    has(&metrics(&place), r#"backup_verification_attempts_total{database="unknown"} 2"#);
    std::fs::remove_file(place.dir().join("backups/history.jsonl")).unwrap();
    verify_bad(&place, METRICS).failed("empty");
    let before = metrics(&place);
    has(&before, r#"backup_verification_attempts_total{database="unknown"} 1"#);
    std::fs::remove_file(place.dir().join(METRICS)).unwrap();
    let outcome = place.outcome(place.ccc().args(["history", "--metrics-file", METRICS]));
    assert_eq!(outcome.code, 0, "{outcome}");
    assert_eq!(metrics(&place), before);
}

#[test]
fn a_directory_that_is_not_there_has_no_history_and_no_list() {
    let place = Place::without_docker();
    for command in ["list", "history"] {
        let outcome = place.outcome(place.ccc().arg(command));
        outcome.hints("--backup-dir");
        assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{outcome}");
        place.file(&format!("{command}/README"), b"");
        let file = format!("{command}/README");
        let outcome = place.outcome(place.ccc().args([command, "--backup-dir", &file]));
        assert_eq!(outcome.code, 2, "{outcome}");
        assert!(outcome.stderr.contains(&format!("not a directory: {file}")), "{outcome}");
        let empty = place.outcome(place.ccc().args([command, "--backup-dir", command]));
        assert!(empty.code == 0 && empty.stdout.starts_with("No "), "{empty}");
    }
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn each_alert_fires_and_is_silent_as_its_unit_tests_say() {
        let rules = repository("infra/prometheus/backup-alerts.yml");
        let tests = repository("infra/prometheus/backup-alerts.test.yml");
        for (what, file) in [("check", &rules), ("test", &tests)] {
            let outcome = promtool(&[what, "rules", file.to_str().unwrap()], file);
            assert_eq!(outcome.code, 0, "{outcome}");
        }
    }
}
