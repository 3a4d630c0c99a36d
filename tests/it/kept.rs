//! `--no-cleanup` keeps the restored database for the operator, and `cleanup --sandbox` removes it.

use std::path::Path;
use std::process::Command;

use crate::sandbox::SWEEPING;
use crate::support::docker::{docker, docker_text, left};
use crate::support::dumps::rows;
use crate::support::{BINARY, Outcome, Place, defaults, good_dump, text};

/// The line behind `label` in a report.
fn line<'a>(outcome: &'a Outcome, label: &str) -> &'a str {
    let line = outcome.stdout.lines().find_map(|line| line.trim().strip_prefix(label));
    line.unwrap_or_else(|| panic!("no {label:?}: {outcome}")).trim()
}

/// What a line of shell prints, where the binary is on the PATH.
fn shell(line: &str) -> String {
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", Path::new(BINARY).parent().unwrap().display());
    let output = Command::new("sh").args(["-c", line]).env("PATH", path).output().unwrap();
    assert!(output.status.success(), "{line}: {}", text(&output.stderr));
    text(&output.stdout).trim().to_owned()
}

#[test]
fn cleanup_container_skipped_keeps_the_database_and_the_printed_line_connects_to_it() {
    let _alone = SWEEPING.blocking_lock();
    let place = Place::new();
    place.file("a.sql", good_dump());
    let output = place.verify().args(["a.sql", "--no-cleanup"]).output().unwrap();
    let outcome = Outcome::of(&output);
    outcome.passed().says(&format!("Container kept: {}", place.container));
    assert!(!outcome.stdout.contains("Cleaning up"), "{outcome}");

    let connect = line(&outcome, "Connect:");
    for table in ["users", "content_jobs", "awkward_values"] {
        let found = shell(&format!("{connect} -XAtc 'SELECT count(*) FROM {table}'"));
        assert_eq!(found, rows(good_dump(), table).len().to_string(), "{table}");
    }
    let label = "{{index .Config.Labels \"io.ccc-backup.run\"}}";
    let run = docker_text(&["inspect", "--format", label, &place.container]);
    assert!(run.trim().len() > 5, "the container has no run id");

    let outcome = Outcome::of(&place.ccc().args(["cleanup", "--sandbox"]).output().unwrap());
    assert_eq!(outcome.code, 0, "{outcome}");
    outcome.says(&format!("✓ Removed leftover of an earlier run: container {}", place.container));
    place.assert_nothing_left();
}

#[test]
fn restore_backup_brings_back_every_row_of_every_table() {
    let _alone = SWEEPING.blocking_lock();
    let place = Place::new();
    place.file("a.sql", good_dump());
    let output = place.verify().args(["a.sql", "--no-cleanup"]).output().unwrap();
    let outcome = Outcome::of(&output);
    outcome.passed();
    // Dumped again by the same pg_dump, what was restored is the dump that it was restored from.
    let connect = line(&outcome, "Connect:").replace("psql ", "pg_dump ");
    let again = shell(&format!("{connect} --no-owner --no-acl --clean --if-exists"));
    shell(line(&outcome, "Remove:"));
    let (before, after) = (text(good_dump()), again);
    let (mut before, mut after) = (comparable(&before), comparable(&after));
    loop {
        match (before.next(), after.next()) {
            (None, None) => break,
            (before, after) => assert_eq!(before, after),
        }
    }
}

/// The lines of a dump without what differs from server to server: the key of `\restrict`, the
/// versions of server and pg_dump, and the note that servers from 15.20 on keep of every column,
/// which an older pg_dump takes for an option.
fn comparable(dump: &str) -> impl Iterator<Item = &str> {
    let differs = ["\\restrict ", "\\unrestrict ", "-- Dumped from ", "-- Dumped by "];
    dump.lines().filter(move |line| {
        let note = line.ends_with(");") && line.contains(" SET (pg_attver=");
        !line.is_empty() && !note && !differs.iter().any(|start| line.starts_with(start))
    })
}

#[test]
fn a_failed_backup_is_kept_too_so_that_it_can_be_looked_at() {
    let _alone = SWEEPING.blocking_lock();
    let place = Place::new();
    let dump = crate::support::dumps::with_sql_last("DROP TABLE public.content_artifacts CASCADE;");
    place.file("a.sql", &dump);
    let output = place.verify().args(["a.sql", "--no-cleanup"]).output().unwrap();
    let outcome = Outcome::of(&output);
    outcome.failed("Content artifacts table is missing");
    let connect = line(&outcome, "Connect:");
    assert_eq!(shell(&format!("{connect} -XAtc 'SELECT 6 * 7'")), "42");
    shell(line(&outcome, "Remove:"));
    place.assert_nothing_left();
}

#[test]
fn start_postgres_container_takes_the_name_and_port_of_the_specification() {
    let _alone = defaults();
    let _unswept = SWEEPING.blocking_lock();
    let place = Place::with_the_default_name();
    place.file("a.sql", good_dump());
    let output = place.ccc().args(["verify", "a.sql", "--no-cleanup"]).output().unwrap();
    let outcome = Outcome::of(&output);
    let ports = docker(&["port", "backup-restore-test"]);
    let found = shell(&format!("{} -XAtc 'SELECT current_database()'", line(&outcome, "Connect:")));
    shell(line(&outcome, "Remove:"));
    outcome.passed().says("✓ Container started: backup-restore-test");
    assert_eq!(text(&ports.stdout).trim(), "5432/tcp -> 127.0.0.1:5433");
    assert_eq!(found, "restore_test");
    place.assert_nothing_left();
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn the_printed_line_removes_what_was_kept() {
        let _alone = SWEEPING.blocking_lock();
        let place = Place::new();
        place.file("a.sql", good_dump());
        let output = place.verify().args(["a.sql", "--no-cleanup"]).output().unwrap();
        shell(line(Outcome::of(&output).passed(), "Remove:"));
        let containers = left(&place.container);
        assert!(!containers.iter().any(|thing| thing.starts_with("container")), "{containers:?}");
        place.assert_nothing_left();
    }

    #[test]
    fn cleanup_sandbox_says_so_where_nothing_is_left_and_leaves_a_live_run_alone() {
        let _alone = SWEEPING.blocking_lock();
        let place = Place::new();
        let slow = crate::support::dumps::with_sql_last("SELECT pg_catalog.pg_sleep(600);");
        place.file("slow.sql", &slow);
        let mut run = crate::support::Running::verify(&place, "slow.sql");
        run.wait_for("Restoring backup (");
        let outcome = Outcome::of(&place.ccc().args(["cleanup", "--sandbox"]).output().unwrap());
        let there = left(&place.container);
        run.signal(rustix::process::Signal::INT);
        run.end().0.not_verified("interrupted by SIGINT");
        assert_eq!(outcome.code, 0, "{outcome}");
        assert!(there.iter().any(|thing| thing.starts_with("container")), "{there:?}");
        let left_alone = format!("warning: left alone: container {}", place.container);
        assert!(outcome.stderr.contains(&left_alone), "{outcome}");
    }
}
