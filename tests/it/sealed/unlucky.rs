//! A sealed backup that is not finished: interrupted, killed, on a disk that is full. Nothing is left that looks like one.

use std::time::Duration;

use rustix::process::Signal;

use super::{FORMATS, created, key};
use crate::support::mounts::{left_on_the_disk, on_a_disk};
use crate::support::source::connection;
use crate::support::{Outcome, Place, Running, database, unchanged_database};

/// What is in a place, but for the key and what is kept of the runs.
fn left(place: &Place) -> Vec<String> {
    let names = place.names(".").into_iter();
    names.filter(|name| name != "k" && name != "history.jsonl").collect()
}

#[test]
fn one_that_is_interrupted_leaves_nothing_and_of_one_that_is_killed_the_rest_is_removed() {
    let place = Place::without_docker();
    let recipient = key(&place, "k");
    let database = database();
    database.sql("CREATE TABLE big (t text); INSERT INTO big SELECT repeat(md5(i::text), 30) FROM generate_series(1, 40000) i");
    for (format, backup) in FORMATS {
        let output = backup.trim_end_matches(".age");
        let args = [output, "--format", format, "--encrypt-to", &recipient, "--globals"];
        // Held while it dumps, so that there is time.
        let lock = database.locked();
        let mut run = Running::create(&place, &database, &args);
        database.wait_for_a_dump();
        run.signal(Signal::INT);
        let (ended, _) = run.end();
        assert_eq!(ended.code, 2, "{ended}");
        assert_eq!(left(&place), [""; 0], "{format}: {ended}");
        let run = Running::create(&place, &database, &args);
        database.wait_for_a_dump();
        assert!(run.kill());
        drop(lock);
        std::thread::sleep(Duration::from_millis(200));
        let names = left(&place);
        assert!(
            !names.is_empty() && names.iter().all(|name| name.ends_with(".age.partial")),
            "{names:?}"
        );
        let mut cleanup = place.ccc();
        cleanup.args(["cleanup", "--older-than", "1d", "--backup-dir", "."]);
        let cleaned = Outcome::of(&cleanup.output().unwrap());
        assert_eq!((cleaned.code, left(&place)), (0, vec![]), "{format}: {cleaned}");
    }
}

#[test]
fn a_full_disk_is_named_and_nothing_is_left_on_it() {
    let place = Place::without_docker();
    let recipient = key(&place, "k");
    let database = database();
    database.sql("CREATE TABLE big (t text); INSERT INTO big SELECT repeat(md5(i::text), 30) FROM generate_series(1, 4000) i");
    for (format, _) in FORMATS {
        let words =
            format!("create disk/a --format {format} --compress none --encrypt-to {recipient}");
        let outcome = on_a_disk(&place, "size=1m", "", &words, &connection(&database));
        assert_eq!(outcome.code, 1, "{format}: {outcome}");
        assert!(outcome.stderr.contains("No space left on device"), "{format}: {outcome}");
        outcome.hints("free space");
        let left: Vec<String> = left_on_the_disk(&place);
        assert!(left.iter().all(|name| name == "history.jsonl"), "{format}: {left:?}");
    }
}

#[test]
fn nothing_is_overwritten_and_cleanup_removes_sealed_backups_by_its_rules() {
    let place = Place::without_docker();
    let recipient = key(&place, "k");
    let args = ["a", "--encrypt-to", &recipient];
    created(&place, unchanged_database(), &args);
    let again = Outcome::of(&place.create(unchanged_database()).args(args).output().unwrap());
    assert_eq!(again.code, 2, "{again}");
    again.hints("--force");
    for age in ["backup_20200101_020000", "backup_20200102_020000"] {
        for (from, to) in [
            ("a.sql.gz.age", format!("b/{age}.sql.gz.age")),
            ("a.sql.gz.age.manifest.json", format!("b/{age}.sql.gz.age.manifest.json")),
            ("a.sql.gz.age", format!("b/{age}.globals.sql.age")),
        ] {
            place.file(&to, &std::fs::read(place.dir().join(from)).unwrap());
        }
    }
    let mut cleanup = place.ccc();
    cleanup.args(["cleanup", "--older-than", "30d", "--backup-dir", "b"]);
    let cleaned = Outcome::of(&cleanup.output().unwrap());
    assert_eq!(cleaned.code, 0, "{cleaned}");
    let names = place.names("b");
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(names.iter().all(|name| name.starts_with("backup_20200102")), "{names:?}");
}
