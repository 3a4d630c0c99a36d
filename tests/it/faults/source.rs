//! The source goes away, hangs or never answers while a backup of it is made: there is no backup
//! then, and no half of one; pg_dump is not left behind either.

use std::net::TcpListener;

use crate::create_fails::assert_no_backup;
use crate::support::source::{Database, connection};
use crate::support::{Outcome, Place, Running, SOON, database, unchanged_database};

/// The formats of `create`: plain is our own stream, the others are written by pg_dump itself.
const FORMATS: [&str; 4] = ["plain", "custom", "directory", "tar"];

/// No backup was made, for this reason.
#[track_caller]
fn not_made(outcome: &Outcome, code: i32, cause: &str) {
    assert_eq!(outcome.code, code, "{outcome}");
    let error = outcome.stderr.lines().find(|line| line.starts_with("error: "));
    assert!(error.is_some_and(|line| line.contains(cause)), "no {cause:?}: {outcome}");
    outcome.hints("");
    assert!(!outcome.stdout.contains('✓'), "{outcome}");
}

/// No pg_dump of this database runs.
fn no_dump_is_left(database: &Database) {
    let postgres = Database { name: "postgres".to_owned() };
    postgres.wait_for(&format!(
        "SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_stat_activity
                                    WHERE application_name = 'pg_dump' AND datname = '{}')",
        database.name
    ));
}

/// A port that takes connections and never says a word.
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    (listener, port)
}

#[test]
fn a_source_whose_connection_is_cut_makes_no_archive_either() {
    for format in &FORMATS[1..] {
        let (place, database) = (Place::without_docker(), database());
        let lock = database.locked();
        let run = Running::create(&place, &database, &["--format", format]);
        database.wait_for_a_dump();
        database.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE application_name = 'pg_dump' AND datname = current_database()",
        );
        let (outcome, _) = run.end();
        drop(lock);
        not_made(&outcome, 1, "the connection to the database server was lost");
        assert_no_backup(place.dir());
    }
}

#[test]
fn a_database_that_is_dropped_while_it_is_dumped_makes_no_backup() {
    let (place, database) = (Place::without_docker(), database());
    let lock = database.locked();
    let run = Running::create(&place, &database, &[]);
    database.wait_for_a_dump();
    let postgres = Database { name: "postgres".to_owned() };
    postgres.sql(&format!("DROP DATABASE {} WITH (FORCE)", database.name));
    let (outcome, _) = run.end();
    drop(lock);
    not_made(&outcome, 1, "no backup was made");
    assert_no_backup(place.dir());
}

#[test]
fn a_source_that_hangs_is_given_up_when_the_time_is_up() {
    for format in FORMATS {
        let (place, database) = (Place::without_docker(), database());
        let lock = database.locked();
        let run = Running::create(&place, &database, &["--format", format, "--timeout", "2s"]);
        let (outcome, took) = run.end();
        not_made(&outcome, 2, "timed out after 2 s (--timeout)");
        assert!(took < SOON, "{took:?}");
        assert_no_backup(place.dir());
        no_dump_is_left(&database);
        drop(lock);
    }
}

#[test]
fn a_timeout_that_is_not_needed_changes_nothing() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    let mut create = place.create(database);
    let outcome = place.outcome(create.args(["a.sql", "--timeout", "10m"]));
    assert_eq!(outcome.code, 0, "{outcome}");
}

#[test]
fn a_port_that_never_answers_is_given_up_when_the_time_is_up() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    let (_listener, port) = silent();
    let run = Running::create(&place, database, &["--port", &port, "--timeout", "1s"]);
    let (outcome, took) = run.end();
    not_made(&outcome, 2, "timed out after 1 s (--timeout)");
    assert!(took < SOON, "{took:?}");
    assert_no_backup(place.dir());
}

#[test]
fn a_port_that_never_answers_is_given_up_after_libpqs_own_time() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    let (_listener, port) = silent();
    let mut create = place.create(database);
    // The least that libpq takes.
    let outcome = place.outcome(create.args(["--port", &port]).env("PGCONNECT_TIMEOUT", "2"));
    not_made(&outcome, 1, "cannot be reached");
    assert!(outcome.stderr.contains("timeout expired"), "{outcome}");
    assert_no_backup(place.dir());
}

#[test]
fn a_lock_is_waited_for_no_longer_than_pg_dump_was_told() {
    let (place, database) = (Place::without_docker(), database());
    let lock = database.locked();
    let mut create = place.create(&database);
    let outcome = place.outcome(create.args(["--", "--lock-wait-timeout=500ms"]));
    drop(lock);
    not_made(&outcome, 1, "canceling statement due to");
    assert!(!outcome.stderr.contains("connection to the database server was lost"), "{outcome}");
    outcome.hints("lock");
    assert_no_backup(place.dir());
}

#[test]
fn a_server_that_cuts_long_statements_off_is_dumped_and_asked_all_the_same() {
    let (place, database) = (Place::without_docker(), database());
    // The source is asked before the dump for what the first of them is read, and beside it for the second. pg_dump lifts
    // the limit for itself.
    let locks = ["pg_inherits", "pg_publication"].map(|table| database.with_a_lock_on(table));
    let limit = ("PGOPTIONS", "-c statement_timeout=1s".to_owned());
    let environment = connection(&database).into_iter().chain([limit]);
    let run = Running::start_with(&place, &["create", "a.sql"], environment);
    for lock in locks {
        lock.wait_until_it_lasts();
    }
    let (outcome, _) = run.end();
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome}");
    let manifest = std::fs::read_to_string(place.dir().join("a.sql.gz.manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    assert!(manifest["source"]["server_version"].is_string(), "{manifest}");
    assert!(manifest["contents"]["coverage"]["publications"].is_array(), "{manifest}");
}
