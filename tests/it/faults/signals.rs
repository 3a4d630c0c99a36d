//! Signals, at the phases that `interruption` and `create_under_way` leave out: a run ends soon, says
//! that nothing is proven or made, and leaves nothing.

use std::net::TcpListener;
use std::time::Duration;

use rustix::process::Signal;

use crate::create_fails::assert_no_backup;
use crate::support::{
    Outcome, Place, Running, SOON, database, good_dump, unchanged_database, wait_until,
};

const SIGNALS: [(Signal, &str); 3] =
    [(Signal::INT, "SIGINT"), (Signal::TERM, "SIGTERM"), (Signal::HUP, "SIGHUP")];

/// A `create` that was interrupted: nothing of a backup is there.
#[track_caller]
fn interrupted(place: &Place, (outcome, took): (Outcome, Duration), name: &str) {
    assert_eq!(outcome.code, 2, "{outcome}");
    let error = format!("error: interrupted by {name}");
    assert!(outcome.stderr.contains(&error), "{outcome}");
    outcome.hints("run it again");
    assert!(took < SOON, "{took:?}");
    assert_no_backup(place.dir());
}

#[test]
fn every_signal_ends_a_create_that_waits_for_its_source_to_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    for (signal, name) in SIGNALS {
        let (place, database) = (Place::without_docker(), unchanged_database());
        let mut run = Running::create(&place, database, &["--port", &port]);
        let connection = listener.accept().unwrap();
        run.signal(signal);
        interrupted(&place, run.end(), name);
        drop(connection);
    }
}

#[test]
fn sighup_ends_a_create_that_waits_for_a_lock() {
    for format in ["plain", "directory"] {
        let (place, database) = (Place::without_docker(), database());
        let _lock = database.locked();
        let mut run = Running::create(&place, &database, &["--format", format]);
        database.wait_for_a_dump();
        run.signal(Signal::HUP);
        interrupted(&place, run.end(), "SIGHUP");
    }
}

#[test]
fn every_signal_ends_a_create_that_reads_its_archive_back() {
    for (signal, name) in SIGNALS {
        let (place, database) = (Place::without_docker(), unchanged_database());
        // A pg_restore that never comes to its end, beside a real pg_dump.
        let real = crate::support::source::client("pg_dump");
        let pg_dump = format!("exec '{}' \"$@\"", real.display());
        let started = place.dir().join("started");
        let pg_restore = format!(">'{}'\nexec sleep 600", started.display());
        for (name, script) in [("pg_dump", pg_dump), ("pg_restore", pg_restore)] {
            place.program(&format!("bin/{name}"), &script);
        }
        let args = ["a.dump", "--pg-dump", "bin/pg_dump"];
        let mut run = Running::create(&place, database, &args);
        wait_until("pg_restore runs", || started.exists());
        run.signal(signal);
        interrupted(&place, run.end(), name);
    }
}

#[test]
fn sighup_ends_a_verification_during_the_start_and_the_checks_too() {
    for line in ["Checking for existing container", "Waiting for PostgreSQL"] {
        let place = Place::new();
        place.file("a.sql", good_dump());
        let mut run = Running::verify(&place, "a.sql");
        run.wait_for(line).signal(Signal::HUP);
        ended(&place, run, "SIGHUP");
    }
    let place = Place::new();
    place.file("a.sql", crate::interruption::endless_check());
    let mut run = Running::verify(&place, "a.sql");
    run.wait_for("Content artifacts count").signal(Signal::HUP);
    ended(&place, run, "SIGHUP");
}

/// A verification that was interrupted.
#[track_caller]
fn ended(place: &Place, run: Running, name: &str) {
    let (outcome, took) = run.end();
    outcome.not_verified(&format!("interrupted by {name}")).hints("run it again");
    assert!(took < SOON, "{took:?}");
    place.assert_nothing_left();
}

#[test]
fn a_second_ctrl_c_during_create_leaves_at_once_and_says_what_is_left() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    // A pg_dump that leaves something running, which holds its output open.
    let script = "[ \"$1\" != --version ] || { echo 'pg_dump (PostgreSQL) 15.18'; exit; }\n\
                  setsid sh -c '>started; exec sleep 40' &\nexec sleep 600";
    place.program("bin/pg_dump", script);
    let mut run = Running::create(&place, database, &["a.sql", "--pg-dump", "bin/pg_dump"]);
    wait_until("pg_dump runs", || place.dir().join("started").exists());
    run.signal(Signal::INT);
    std::thread::sleep(Duration::from_millis(400));
    run.signal(Signal::INT);
    let (outcome, took) = run.end();
    assert_eq!(outcome.code, 2, "{outcome}");
    assert!(outcome.stderr.contains("error: interrupted twice"), "{outcome}");
    outcome.hints("hidden .partial file").hints("ccc-backup cleanup");
    assert!(took < SOON, "{took:?}");
    let cleaned =
        place.outcome(place.ccc().args(["cleanup", "--older-than", "30d", "--backup-dir", "."]));
    assert_eq!(cleaned.code, 0, "{cleaned}");
    assert_no_backup(place.dir());
}

#[test]
fn a_create_whose_pg_dump_leaves_something_running_ends_all_the_same() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    let script = "[ \"$1\" != --version ] || { echo 'pg_dump (PostgreSQL) 15.18'; exit; }\n\
                  setsid sh -c '>started; exec sleep 10' &\nexec sleep 600";
    place.program("bin/pg_dump", script);
    let mut run = Running::create(&place, database, &["a.sql", "--pg-dump", "bin/pg_dump"]);
    wait_until("pg_dump runs", || place.dir().join("started").exists());
    run.signal(Signal::TERM);
    let (outcome, took) = run.end();
    assert_eq!(outcome.code, 2, "{outcome}");
    outcome.hints("cleanup");
    assert!(took < SOON, "{took:?}");
}
