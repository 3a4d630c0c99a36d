//! What is slow, and not broken, is waited for; a run that waits for it, or for a disk that never
//! answers, can be ended all the same.

use std::path::Path;
use std::time::{Duration, Instant};

use ccc_backup::sealing::Identities;
use ccc_backup::store::manifest::Manifest;
use rustix::process::Signal;

use super::{WAIT, release};
use crate::create_fails::assert_no_backup;
use crate::support::docker::{docker, docker_text};
use crate::support::dumps::with_sql_first;
use crate::support::slow_disk::SlowDisk;
use crate::support::source::Database;
use crate::support::{Place, Running, SOON, database, good_dump, unchanged_database};

/// Bytes a second, of which a file of some megabytes takes half a minute.
const SLOW: u32 = 200_000;
/// The same for what is written, of which the system sends a megabyte at a time and lets go of none.
const SLOW_TO_WRITE: u32 = 1_000_000;
/// Bytes a second that delay nothing.
const FAST: u32 = 1_000_000_000;

/// Some twenty megabytes, of which compression leaves the most.
fn dense() -> Database {
    let database = database();
    database.sql(
        "CREATE TABLE dense AS SELECT gen_random_uuid() AS a, gen_random_uuid() AS b,
                                      gen_random_uuid() AS c FROM generate_series(1, 300000)",
    );
    database
}

/// A dump of some megabytes.
fn large() -> Vec<u8> {
    let mut dump = good_dump().to_vec();
    dump.splice(..0, b"SELECT 'a statement of its own';\n".repeat(200_000));
    dump
}

/// Waits until something was written to this file.
fn wait_for_bytes(path: &Path) {
    let begun = Instant::now();
    while std::fs::metadata(path).map_or(0, |metadata| metadata.len()) == 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "{} stays empty", path.display());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// What an interrupted `create` left of a backup, a clean-up removes.
#[track_caller]
fn assert_cleaned(place: &Place) {
    let cleanup = ["cleanup", "--older-than", "30d", "--backup-dir", "behind"];
    let cleaned = place.outcome(place.ccc().args(cleanup));
    assert_eq!(cleaned.code, 0, "{cleaned}");
    assert_no_backup(&place.dir().join("behind"));
}

#[test]
fn a_slow_source_is_waited_for() {
    let (place, database) = (Place::without_docker(), database());
    let lock = database.locked();
    let run = Running::create(&place, &database, &["a.sql"]);
    database.wait_for_a_dump();
    std::thread::sleep(Duration::from_secs(2));
    drop(lock);
    let (outcome, _) = run.end();
    assert_eq!(outcome.code, 0, "{outcome}");
}

#[test]
fn a_backup_is_made_on_a_slow_disk_and_verified_from_it() {
    let place = Place::new();
    let disk = SlowDisk::mount(&place, 10 * SLOW, SLOW / 10);
    let (outcome, took) = Running::create(&place, unchanged_database(), &["slow/a.sql"]).end();
    assert_eq!(outcome.code, 0, "{outcome}");
    assert!(took > Duration::from_secs(1), "the disk is not slow: {took:?}");
    place.outcome(place.verify().arg("slow/a.sql.gz")).passed();
    drop(disk);
    let names = ["a.sql.gz", "a.sql.gz.manifest.json", "history.jsonl"];
    assert_eq!(place.names("behind"), names);
}

#[test]
fn a_create_on_a_slow_disk_can_be_interrupted() {
    let (place, database) = (Place::without_docker(), dense());
    let _disk = SlowDisk::mount(&place, FAST, SLOW_TO_WRITE);
    for (format, name) in [("plain", "a.sql.gz"), ("custom", "a.dump")] {
        let file = format!("slow/{name}");
        let mut run = Running::create(&place, &database, &[&file, "--format", format]);
        wait_for_bytes(&place.dir().join(format!("behind/.{name}.partial")));
        run.signal(Signal::INT);
        let (outcome, took) = run.end();
        assert_eq!(outcome.code, 2, "{outcome}");
        assert!(outcome.stderr.contains("error: interrupted by SIGINT"), "{outcome}");
        assert!(took < SOON, "{format}: {took:?}");
        assert_cleaned(&place);
    }
}

#[test]
fn a_verification_from_a_slow_disk_is_given_up_when_the_time_is_up() {
    let place = Place::new();
    place.file("behind/a.sql", &large());
    let _disk = SlowDisk::mount(&place, SLOW, FAST);
    let run = Running::verify_with(&place, "slow/a.sql", &["--timeout", "3s"]);
    let (outcome, took) = run.end();
    outcome.not_verified("timed out after 3 s (--timeout)").hints("with more time");
    assert!(took < Duration::from_secs(3) + SOON, "{took:?}");
}

#[test]
fn a_disk_that_fails_while_a_backup_is_read_says_nothing_of_the_backup() {
    let place = Place::new();
    place.file("behind/a.sql", &large());
    let disk = SlowDisk::mount(&place, SLOW, FAST);
    let mut run = Running::verify(&place, "slow/a.sql");
    run.wait_for("PostgreSQL ready");
    disk.fail();
    let (outcome, _) = run.end();
    outcome.not_verified("the backup could not be read: ").hints("check the disk");
    place.assert_nothing_left();
}

#[test]
fn a_container_that_is_killed_while_an_archive_is_copied_is_named_as_killed() {
    let place = Place::new();
    place.file("behind/a.dump", &unchanged_database().dump(&["--format=custom"]));
    let _disk = SlowDisk::mount(&place, SLOW, FAST);
    let mut run = Running::verify(&place, "slow/a.dump");
    run.wait_for("PostgreSQL ready");
    // It is read to its end first, which takes its time, too.
    let copied = "find / \\( -path /proc -o -path /usr \\) -prune -o -name backup -type f -size +0 -print | grep .";
    let begun = Instant::now();
    while !docker(&["exec", &place.container, "sh", "-c", copied]).status.success() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it is never copied");
        std::thread::sleep(Duration::from_millis(50));
    }
    docker_text(&["kill", &place.container]);
    run.end().0.not_verified("it was killed").hints("run it again");
    place.assert_nothing_left();
}

#[test]
fn a_disk_that_fails_while_a_backup_is_written_makes_no_backup() {
    let (place, database) = (Place::without_docker(), dense());
    let disk = SlowDisk::mount(&place, FAST, SLOW_TO_WRITE);
    let run = Running::create(&place, &database, &["slow/a.sql"]);
    wait_for_bytes(&place.dir().join("behind/.a.sql.gz.partial"));
    disk.fail();
    let (outcome, _) = run.end();
    assert_eq!(outcome.code, 1, "{outcome}");
    outcome.hints("disk");
    drop(disk);
    assert_cleaned(&place);
}

#[test]
fn a_bad_backup_that_is_changed_while_it_is_read_is_not_verified() {
    let (whole, cut) = (large(), large()[..large().len() - 100].to_vec());
    // Cut, with a manifest that says that it is another file, and both.
    for (bytes, with_manifest) in [(&cut, false), (&whole, true), (&cut, true)] {
        let place = Place::new();
        let file = place.file("behind/a.sql", bytes);
        if with_manifest {
            let mut create = place.create(unchanged_database());
            create.args(["other.sql", "--compress", "none"]);
            assert_eq!(place.outcome(&mut create).code, 0);
            let manifest = std::fs::read(place.dir().join("other.sql.manifest.json")).unwrap();
            let mut manifest = Manifest::parse(&manifest, &Identities::default()).unwrap();
            manifest.outline.files[0].bytes = bytes.len() as u64;
            place.file("behind/a.sql.manifest.json", &manifest.to_bytes(None).unwrap());
        }
        let disk = SlowDisk::mount(&place, 10 * SLOW, FAST);
        let mut run = Running::verify(&place, "slow/a.sql");
        run.wait_for("Backup file exists");
        std::fs::write(file.with_extension("new"), good_dump()).unwrap();
        std::fs::rename(file.with_extension("new"), &file).unwrap();
        let (outcome, _) = run.end();
        outcome.not_verified("the backup was changed, replaced or removed while it was read");
        drop(disk);
    }
}

// A disk is frozen while nothing is asked of it: what it has begun to answer, no system lets go of.

#[test]
fn a_create_whose_disk_does_not_answer_any_more_can_be_interrupted() {
    let (place, database) = (Place::without_docker(), database());
    let disk = SlowDisk::mount(&place, FAST, FAST);
    let lock = database.locked();
    let mut run = Running::create(&place, &database, &["slow/a.sql"]);
    database.wait_for_a_dump();
    disk.freeze();
    drop(lock);
    std::thread::sleep(Duration::from_secs(1));
    let took = run.signal(Signal::INT).leaves();
    drop(disk);
    let (outcome, _) = run.end();
    assert_eq!(outcome.code, 2, "{outcome}");
    outcome.hints("`ccc-backup cleanup --older-than AGE` removes what was written");
    assert!(took < SOON, "{took:?}");
    assert_cleaned(&place);
}

#[test]
fn a_verification_whose_disk_does_not_answer_any_more_can_be_interrupted() {
    // More than what is read ahead, so that the disk is asked for it; and nothing, so that all that is left to do
    // with the file is to close it.
    for rest in [300_000, 0] {
        let place = Place::new();
        let rest = "SELECT 'a statement of its own';\n".repeat(rest);
        place.file("behind/a.sql", &with_sql_first(&format!("{WAIT}\n{rest}")));
        let disk = SlowDisk::mount(&place, FAST, FAST);
        let mut run = Running::verify(&place, "slow/a.sql");
        run.wait_for("Restoring backup (");
        std::thread::sleep(Duration::from_secs(1));
        disk.freeze();
        if !rest.is_empty() {
            release(&place);
            std::thread::sleep(Duration::from_secs(1));
        }
        let took = run.signal(Signal::INT).leaves();
        place.assert_nothing_left();
        drop(disk);
        let (outcome, _) = run.end();
        outcome.not_verified("interrupted by SIGINT").hints("run it again");
        let unwritten = "warning: the history was not written: its disk, or another run that \
                         writes it, does not answer";
        assert!(outcome.stderr.contains(unwritten), "{outcome}");
        assert!(took < SOON, "{took:?}");
    }
}

#[test]
fn a_second_ctrl_c_leaves_a_disk_that_never_answered() {
    let place = Place::without_docker();
    place.file("behind/a.sql", good_dump());
    let disk = SlowDisk::mount(&place, FAST, FAST);
    disk.freeze();
    let mut run = Running::verify(&place, "slow/a.sql");
    std::thread::sleep(Duration::from_secs(1));
    run.signal(Signal::INT);
    std::thread::sleep(Duration::from_millis(500));
    let took = run.signal(Signal::INT).leaves();
    drop(disk);
    let (outcome, _) = run.end();
    assert_eq!(outcome.code, 2, "{outcome}");
    outcome.hints("cleanup --sandbox");
    assert!(took < SOON, "{took:?}");
}

#[test]
fn a_run_whose_time_is_up_does_not_wait_for_a_backup_on_a_disk_that_never_answered() {
    let place = Place::without_docker();
    place.file("behind/a.sql", good_dump());
    let disk = SlowDisk::mount(&place, FAST, FAST);
    disk.freeze();
    let run = Running::verify_with(&place, "slow/a.sql", &["--timeout", "1s"]);
    run.leaves();
    drop(disk);
    let (outcome, _) = run.end();
    outcome.not_verified("timed out after 1 s (--timeout)");
}

#[test]
fn a_run_whose_time_is_up_leaves_a_directory_that_never_answered_by_itself() {
    let place = Place::without_docker();
    place.file("behind/backup_20260114_020000.sql", good_dump());
    let disk = SlowDisk::mount(&place, FAST, FAST);
    disk.freeze();
    let args = ["verify", "--latest", "--backup-dir", "slow", "--port", "0", "--timeout", "1s"];
    let run = Running::start(&place, &args);
    run.leaves();
    drop(disk);
    let (outcome, _) = run.end();
    assert_eq!(outcome.code, 2, "{outcome}");
    let why = "error: timed out after 1 s (--timeout), and something does not answer: leaving";
    assert!(outcome.stderr.contains(why), "{outcome}");
}
