//! Signals: whatever the run is doing, it ends soon, says that nothing is proven, and leaves nothing.

use std::sync::OnceLock;

use rustix::process::Signal;

use crate::support::docker::{docker_text, left};
use crate::support::dumps::{AS_CREATE_DOES, trailer, with_sql_last};
use crate::support::{
    BINARY, Outcome, Place, Running, SOON, clean_environment, database, good_dump,
};

/// A dump whose restore takes longer than anybody waits.
pub fn endless_restore() -> Vec<u8> {
    with_sql_last("SELECT pg_catalog.pg_sleep(600);")
}

/// A dump that restores at once, and whose last table takes forever to count.
pub fn endless_check() -> &'static [u8] {
    static DUMP: OnceLock<Vec<u8>> = OnceLock::new();
    DUMP.get_or_init(|| {
        let database = database();
        database.sql(
            "ALTER TABLE subscriptions RENAME TO plans;
             CREATE VIEW subscriptions AS SELECT WHERE pg_sleep(600) IS NOT NULL",
        );
        database.dump(&AS_CREATE_DOES)
    })
}

/// Sends `signal` when the run has printed `line`.
fn interrupted(dump: &[u8], line: &str, signal: Signal, name: &str) {
    let place = Place::new();
    place.file("a.sql", dump);
    let mut run = Running::verify(&place, "a.sql");
    run.wait_for(line).signal(signal);
    let (outcome, took) = run.end();
    outcome.not_verified(&format!("interrupted by {name}")).hints("run it again");
    assert!(took < SOON, "{took:?}");
    place.assert_nothing_left();
}

#[test]
fn sigint_during_the_start_leaves_nothing() {
    for line in ["Checking for existing container", "Starting PostgreSQL", "Waiting for PostgreSQL"]
    {
        interrupted(good_dump(), line, Signal::INT, "SIGINT");
    }
}

#[test]
fn sigterm_during_the_start_leaves_nothing() {
    for line in ["Checking for existing container", "Starting PostgreSQL", "Waiting for PostgreSQL"]
    {
        interrupted(good_dump(), line, Signal::TERM, "SIGTERM");
    }
}

#[test]
fn sigint_during_the_restore_leaves_nothing() {
    interrupted(&endless_restore(), "Restoring backup (", Signal::INT, "SIGINT");
}

#[test]
fn sigterm_during_the_restore_leaves_nothing() {
    interrupted(&endless_restore(), "Restoring backup (", Signal::TERM, "SIGTERM");
}

#[test]
fn sighup_during_the_restore_leaves_nothing() {
    interrupted(&endless_restore(), "Restoring backup (", Signal::HUP, "SIGHUP");
}

#[test]
fn sigint_during_the_checks_leaves_nothing() {
    interrupted(endless_check(), "Content artifacts count", Signal::INT, "SIGINT");
}

#[test]
fn sigterm_during_the_checks_leaves_nothing() {
    interrupted(endless_check(), "Content artifacts count", Signal::TERM, "SIGTERM");
}

#[test]
fn a_check_that_failed_before_the_interruption_is_not_forgotten() {
    let place = Place::new();
    let mut dump = endless_check().to_vec();
    let drop = b"DROP TABLE public.content_artifacts CASCADE;\n";
    let at = trailer(&dump);
    dump.splice(at..at, drop.iter().copied());
    place.file("a.sql", &dump);
    let mut run = Running::verify(&place, "a.sql");
    run.wait_for("Content artifacts count").signal(Signal::INT);
    let (outcome, took) = run.end();
    outcome.failed("Content artifacts table is missing");
    assert!(took < SOON, "{took:?}");
}

#[test]
fn a_reader_that_goes_away_ends_the_run_and_leaves_nothing() {
    let place = Place::new();
    place.file("a.sql", &endless_restore());
    let line = format!(
        "'{}' verify --port 0 --container-name {} --verbose a.sql | head -n 12 >/dev/null; exit \"${{PIPESTATUS[0]}}\"",
        BINARY, place.container
    );
    let mut command = assert_cmd::Command::new("timeout");
    command.env_clear().envs(clean_environment()).current_dir(place.dir());
    command.args(["60", "bash", "-c", &line]);
    let code = command.output().unwrap().status.code();
    assert_eq!(code, Some(2));
    place.assert_nothing_left();
}

#[test]
fn cleanup_existing_container_of_a_run_that_was_killed() {
    let place = Place::new();
    place.file("slow.sql", &endless_restore());
    place.file("a.sql", good_dump());
    let mut run = Running::verify(&place, "slow.sql");
    run.wait_for("Restoring backup (");
    run.kill();
    // Another test's run may sweep it first; then there is nothing in the way.
    let killed = left(&place.container);
    let outcome = place.outcome(place.verify().arg("a.sql"));
    outcome.passed();
    assert!(killed.len() <= 2, "{killed:?}");
}

#[test]
fn a_live_run_keeps_its_container_when_another_wants_its_name() {
    let place = Place::new();
    place.file("slow.sql", &endless_restore());
    place.file("a.sql", good_dump());
    let mut run = Running::verify(&place, "slow.sql");
    run.wait_for("Restoring backup (");
    let before = docker_text(&["inspect", "--format", "{{.Id}}", &place.container]);
    let output = place.verify().arg("a.sql").output().unwrap();
    let after = docker_text(&["inspect", "--format", "{{.Id}}", &place.container]);
    let id = run.id();
    run.signal(Signal::INT);
    run.end().0.not_verified("interrupted by SIGINT");
    let outcome = Outcome::of(&output);
    outcome
        .not_verified(&format!("belongs to another run of ccc-backup (process {id} "))
        .hints("--port 0");
    assert_eq!(before, after);
}
