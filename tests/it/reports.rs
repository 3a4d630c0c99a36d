//! The reports of a verification: written whatever its result, as machines and people read them.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::dumps::{gzipped, with_sql_last};
use crate::support::{BINARY, Outcome, Place, Running, clean_environment, docker, good_dump, text};

/// A restore that waits long enough to be interrupted.
const ENDLESS: &str = "SELECT pg_catalog.pg_sleep(600);";

/// The flags of every report.
const ALL: [&str; 4] = ["--report", "report.json", "--junit", "junit.xml"];

/// Verifies with every report, on a runner of GitHub.
fn with_reports(place: &Place, args: &[&str]) -> Outcome {
    let mut command = place.verify();
    command.args(ALL).args(args);
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", "summary.md");
    place.outcome(&mut command)
}

fn read(place: &Place, name: &str) -> String {
    let path = place.dir().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The JSON report, whose verdict and exit code must be these.
fn json(place: &Place, verdict: &str, code: i32) -> Value {
    let document: Value = serde_json::from_str(&read(place, "report.json")).unwrap();
    assert_eq!(document["schema_version"], 1, "{document}");
    assert_eq!((&document["verdict"], &document["exit_code"]), (&verdict.into(), &code.into()));
    document
}

fn sentences(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect()
}

fn check<'a>(document: &'a Value, id: &str) -> &'a Value {
    let checks = document["report"]["checks"].as_array().unwrap();
    checks.iter().find(|check| check["id"] == id).unwrap_or_else(|| panic!("no {id}: {document}"))
}

#[test]
fn a_passed_run_is_reported_everywhere() {
    let place = Place::on_a_lent_server();
    place.file("a.sql.gz", &gzipped(good_dump()));
    place.file("summary.md", b"an earlier step\n\n");
    let outcome = with_reports(&place, &["a.sql.gz", "--rto", "45m", "--no-content"]);
    outcome.passed().says("Verifying restore time...");
    assert!(!outcome.stdout.contains("::error"), "{outcome}");

    let document = json(&place, "passed", 0);
    assert_eq!(check(&document, "restore.rto")["status"], "passed");
    assert_eq!(document["report"]["restored"], true);
    assert_eq!(sentences(&document["disproven"]), Vec::<&str>::new());
    let proven = sentences(&document["proven"]);
    assert!(proven[0].starts_with("It restores into PostgreSQL 15"), "{proven:?}");
    assert!(proven.contains(&"Users table exists"), "{proven:?}");
    let open = sentences(&document["not_proven"]);
    assert!(open.contains(&"contents of the restored rows: left out by --no-content"), "{open:?}");

    let junit = read(&place, "junit.xml");
    assert!(!junit.contains("<failure") && !junit.contains("<error"), "{junit}");
    assert!(junit.contains("<testcase name=\"restore.rto\""), "{junit}");
    assert!(junit.contains("<skipped message=\"contents of the restored rows"), "{junit}");

    let summary = read(&place, "summary.md");
    assert!(
        summary.starts_with("an earlier step\n\n## Backup Verification Summary\n"),
        "{summary}"
    );
    let closing = "- **Status**: success\n- **Backup Size**: 0.";
    assert!(summary.contains(closing), "{summary}");
    assert!(summary.contains("✅ Backup restore verification passed!\n\nThe backup can be"));
    assert!(place.names(".").iter().all(|name| !name.ends_with(".partial")));
}

#[test]
fn a_bad_backup_is_reported_as_failed() {
    let place = Place::on_a_lent_server();
    place.file(
        "a.sql",
        &with_sql_last("DROP TABLE public.subscriptions CASCADE; SELECT * FROM nowhere;"),
    );
    let outcome = with_reports(&place, &["a.sql"]);
    outcome.failed("relation \"nowhere\" does not exist");
    let annotation = "::error title=Backup verification failed::restore error: ";
    assert!(outcome.stdout.contains(annotation), "{outcome}");

    let document = json(&place, "failed", 1);
    assert_eq!(document["report"]["restored"], false);
    assert_eq!(check(&document, "schema.subscriptions")["status"], "failed");
    assert!(sentences(&document["disproven"])[0].contains("nowhere"), "{document}");
    let junit = read(&place, "junit.xml");
    assert!(junit.contains("type=\"defect\"") && junit.contains("type=\"check\""), "{junit}");
    assert!(read(&place, "summary.md").contains("- **Status**: failure\n"));
}

#[test]
fn a_restore_slower_than_the_rto_fails() {
    let place = Place::on_a_lent_server();
    place.file("a.sql", good_dump());
    let outcome = with_reports(&place, &["a.sql", "--rto", "0s"]);
    outcome.failed("longer than the 0 ms allowed (--rto)");
    let document = json(&place, "failed", 1);
    assert_eq!(check(&document, "restore.rto")["status"], "failed");
    assert!(read(&place, "junit.xml").contains("<failure message=\"Restore took "));
}

/// Reports that it could not be told, for this reason.
fn reported_as_not_verified(place: &Place, cause: &str) {
    let document = json(place, "not_verified", 2);
    let found = document["report"]["obstacle"]["cause"].as_str().unwrap();
    assert!(found.contains(cause), "{found}");
    assert_eq!(sentences(&document["proven"]), Vec::<&str>::new());
    let open = sentences(&document["not_proven"]);
    assert!(open.contains(&"Database schema: not checked"), "{open:?}");
    let junit = read(place, "junit.xml");
    assert!(junit.contains("<error ") && junit.contains("<skipped "), "{junit}");
    assert!(!junit.contains("<testcase name=\"restore\" classname=\"ccc-backup.restore\"/>"));
}

#[test]
fn a_file_that_is_not_there_is_reported_as_not_verified() {
    let place = Place::without_docker();
    let outcome = with_reports(&place, &["nowhere.sql", "--rto", "45m"]);
    outcome.not_verified("Backup file not found");
    reported_as_not_verified(&place, "Backup file not found: nowhere.sql");
    assert!(outcome.stdout.contains("::error title=Backup not verified::Backup file not found"));
    assert!(read(&place, "summary.md").contains("⚠️ Backup not verified!"));
    assert_eq!(check(&json(&place, "not_verified", 2), "restore.rto")["status"], "not_run");
}

#[test]
fn no_backup_at_all_is_reported_as_not_verified() {
    let place = Place::without_docker();
    place.file("backups/README.md", b"");
    with_reports(&place, &["--latest"]).not_verified("No backup found in ./backups");
    reported_as_not_verified(&place, "No backup found in ./backups");
}

#[test]
fn a_sandbox_that_is_missing_is_reported_as_not_verified() {
    let place = Place::without_docker();
    place.file("a.sql", good_dump());
    let mut command = place.verify();
    command
        .args(ALL)
        .args(["a.sql", "--engine=docker"])
        .env("DOCKER_HOST", "unix:///nowhere/docker.sock");
    let outcome = place.outcome(&mut command);
    outcome.not_verified("Docker");
    reported_as_not_verified(&place, "Docker");
}

#[test]
fn an_interrupted_run_is_reported_as_not_verified() {
    let place = Place::on_a_lent_server();
    place.file("a.sql", &with_sql_last(ENDLESS));
    let name = place.container.clone();
    let args = ["verify", "a.sql", "--port", "0", "--container-name", &name, "--rto", "45m"];
    let mut run = Running::start(&place, &[&args[..], &ALL].concat());
    run.wait_for("Restoring backup (").signal(Signal::TERM);
    run.end().0.not_verified("interrupted by SIGTERM");
    reported_as_not_verified(&place, "interrupted by SIGTERM");
    assert_eq!(check(&json(&place, "not_verified", 2), "restore.rto")["status"], "not_run");
}

#[test]
fn a_run_that_is_killed_leaves_no_report_of_an_earlier_one() {
    let place = Place::new();
    place.file("a.sql", &with_sql_last(ENDLESS));
    place.file("report.json", b"{\"verdict\": \"passed\"}");
    let name = place.container.clone();
    let args = ["verify", "a.sql", "--port", "0", "--container-name", &name];
    let mut run = Running::start(&place, &[&args[..], &ALL].concat());
    run.wait_for("Restoring backup (");
    run.kill();
    assert_eq!(place.names("."), ["a.sql"]);
    docker::remove(&docker::left(&place.container));
}

#[test]
fn a_report_that_cannot_be_written_stops_the_run_before_it_starts() {
    let place = Place::without_docker();
    place.file("a.sql", good_dump());
    place.file("report.json", b"{\"verdict\": \"passed\"}");
    for (args, words) in [
        (
            ["--report", "no/where/r.json"],
            "error: --report: no/where/r.json cannot be written: there is no directory no/where",
        ),
        (
            ["--junit", "no/where/j.xml"],
            "error: --junit: no/where/j.xml cannot be written: there is no directory no/where",
        ),
        (
            ["--log-file", "no/where/l.log"],
            "the log file no/where/l.log cannot be written: there is",
        ),
        (["--report", "."], "is a directory"),
        (["--report", "a.sql"], "is no earlier report: it is not overwritten"),
        (["--junit", "a.sql"], "is no earlier report: it is not overwritten"),
        (["--report", "/proc/1/nowhere"], "cannot be written"),
    ] {
        let outcome = place.outcome(place.verify().arg("a.sql").args(args));
        assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{outcome}");
        assert!(outcome.stderr.starts_with("error: "), "{outcome}");
        assert!(outcome.stderr.contains(words), "{outcome}");
        outcome.hints("");
    }
    let same = ["--report", "./r", "--junit", "r"];
    let outcome = place.outcome(place.verify().arg("a.sql").args(same));
    assert!(outcome.stderr.contains("name the same file"), "{outcome}");
    assert_eq!(place.names("."), ["a.sql", "report.json"]);
    assert_eq!(read(&place, "a.sql").into_bytes(), good_dump());
}

#[test]
fn a_report_that_cannot_be_written_at_the_end_changes_no_verdict() {
    let place = Place::on_a_lent_server();
    place.file("a.sql", good_dump());
    let mut command = place.verify();
    command.args(["--quiet", "--report", "/dev/full", "a.sql"]);
    let outcome = place.outcome(command.env("GITHUB_STEP_SUMMARY", "/nowhere/summary.md"));
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "✅ VERIFICATION PASSED\n"));
    for words in [
        "error: the report was not written: /dev/full cannot be written: No space left",
        "error: the step summary was not written: /nowhere/summary.md cannot be written",
    ] {
        assert!(outcome.stderr.contains(words), "{outcome}");
    }
    let mut command = place.verify();
    command.args(["--report", "/dev/full", "nowhere.sql"]);
    place.outcome(&mut command).not_verified("not found");
}

#[test]
fn only_a_runner_of_github_gets_annotations() {
    let place = Place::without_docker();
    let outcome = place.outcome(place.verify().args(["nowhere.sql"]));
    assert!(!outcome.stdout.contains("::"), "{outcome}");
    let outcome = place.outcome(place.verify().arg("nowhere.sql").env("GITHUB_ACTIONS", "false"));
    assert!(!outcome.stdout.contains("::"), "{outcome}");
    let mut quiet = place.verify();
    let outcome = place.outcome(quiet.args(["-q", "nowhere.sql"]).env("GITHUB_ACTIONS", "true"));
    assert_eq!(outcome.stdout.lines().count(), 1, "{outcome}");
}

#[test]
fn a_report_can_go_to_a_pipe() {
    let place = Place::without_docker();
    let outcome = place.outcome(place.verify().args(["-q", "--report", "/dev/stdout", "x.sql"]));
    let (verdict, report) = outcome.stdout.split_once('\n').unwrap();
    assert!(verdict.contains("NOT VERIFIED"), "{outcome}");
    assert_eq!(serde_json::from_str::<Value>(report).unwrap()["exit_code"], 2);
}

#[test]
fn the_log_has_every_error_and_every_statement_that_failed() {
    let place = Place::on_a_lent_server();
    let failing: String = (1..=5).map(|n| format!("SELECT * FROM nowhere_{n};\n")).collect();
    place.file("a.sql", &with_sql_last(&failing));
    let args = ["--quiet", "--log-file", "run.log", "a.sql"];
    let outcome = place.outcome(place.verify().args(args));
    assert_eq!(outcome.code, 1, "{outcome}");
    let log = read(&place, "run.log");
    for n in 1..=5 {
        let failed = format!("relation \"nowhere_{n}\" does not exist (SQLSTATE 42P01)");
        assert!(log.contains(&failed), "{log}");
        assert!(log.contains(&format!("SELECT * FROM nowhere_{n};")), "{log}");
    }
    for line in ["Users table exists", "VERIFICATION FAILED", "--log-file FILE keeps every error"] {
        assert!(log.contains(line), "{log}");
    }
    assert!(log.lines().any(|line| line.contains("ERROR") && line.contains("VERIFICATION FAILED")));
}

#[test]
fn the_log_has_errors_that_come_before_the_work() {
    let place = Place::without_docker();
    let args = ["--log-file", "run.log", "--report", "no/where", "a.sql"];
    let outcome = place.outcome(place.verify().args(args));
    assert_eq!(outcome.code, 2, "{outcome}");
    assert!(read(&place, "run.log").contains("error: --report: no/where cannot be written"));
    let args = ["create", "--log-file", "run.log", "--pg-dump", "./no-pg_dump"];
    let outcome = place.outcome(place.ccc().args(args));
    let said = outcome.stderr.lines().next().unwrap();
    assert!(said.starts_with("error: "), "{outcome}");
    assert!(read(&place, "run.log").contains(said), "{outcome}");
}

#[test]
fn verbose_does_not_say_twice_what_is_printed() {
    let place = Place::without_docker();
    let outcome = place.outcome(place.verify().args(["--verbose", "nowhere.sql"]));
    assert!(!outcome.stderr.contains("VERIFICATION SUMMARY"), "{outcome}");
}

#[test]
fn marks_are_coloured_on_a_terminal_unless_nobody_wants_colour() {
    let place = Place::without_docker();
    place.file("empty.sql", b"");
    let printed = |no_color: &[(&str, &str)]| {
        let mut terminal = Command::new("script");
        terminal.args(["-qec", &format!("{BINARY} verify empty.sql"), "/dev/null"]);
        terminal.env_clear().envs(clean_environment()).envs(no_color.iter().copied());
        let output = terminal.current_dir(place.dir()).stdin(Stdio::null()).output().unwrap();
        text(&output.stdout)
    };
    let coloured = printed(&[]);
    assert!(coloured.contains("\u{1b}[32m✓\u{1b}[0m Backup file exists"), "{coloured}");
    let plain = printed(&[("NO_COLOR", "1")]);
    assert!(plain.contains("✓ Backup file exists") && !plain.contains("\u{1b}[32m"), "{plain}");
}

#[test]
fn plain_progress_is_a_line_every_ten_seconds_and_without_a_terminal_there_is_no_other() {
    let place = Place::on_a_lent_server();
    place.file("a.sql", &with_sql_last(ENDLESS));
    let name = place.container.clone();
    let args = ["verify", "a.sql", "--port", "0", "--container-name", &name, "--progress"];
    for (how, expected) in [("plain", true), ("bar", false)] {
        let mut run = Running::start(&place, &[&args[..], &[how]].concat());
        run.wait_for("Restoring backup (");
        std::thread::sleep(Duration::from_secs(if expected { 14 } else { 2 }));
        run.signal(Signal::INT);
        let (outcome, _) = run.end();
        let line = |line: &str| line.starts_with("restoring: ") && line.contains(" % of ");
        assert_eq!(outcome.stderr.lines().any(line), expected, "{outcome}");
        place.assert_nothing_left();
    }
}

#[test]
fn a_report_is_written_into_a_directory_that_may_be_written_to_and_not_listed() {
    let place = Place::without_docker();
    place.file("a.sql", b"");
    let drop_box = place.dir().join("drop");
    std::fs::create_dir(&drop_box).unwrap();
    std::fs::set_permissions(&drop_box, PermissionsExt::from_mode(0o333)).unwrap();
    let mut command = place.ccc_without_privileges();
    let outcome = place.outcome(command.args(["verify", "a.sql", "--report", "drop/report.json"]));
    std::fs::set_permissions(&drop_box, PermissionsExt::from_mode(0o755)).unwrap();
    outcome.failed("the backup file is empty");
    assert!(!outcome.stderr.contains("report"), "{outcome}");
    assert_eq!(place.names("drop"), ["report.json"]);
    std::fs::rename(drop_box.join("report.json"), place.dir().join("report.json")).unwrap();
    json(&place, "failed", 1);
}
