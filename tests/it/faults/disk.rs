//! Disks that are full, at each place where the tool writes: the backup directory, the history, the
//! reports and the log, stdout, and the sandbox.

use crate::support::dumps::with_sql_last;
use crate::support::mounts::{left_on_the_disk, on_a_disk};
use crate::support::source::connection;
use crate::support::{BINARY, Outcome, Place, clean_environment, good_dump, unchanged_database};

/// Fills the disk to its last byte.
const FILL: &str = "cat /dev/zero >disk/fill 2>/dev/null";
/// A disk with room for a directory and little more.
const SMALL: &str = "size=256k";

fn verify(place: &Place, words: &str) -> String {
    format!("verify --port 0 --container-name {} {words}", place.container)
}

#[test]
fn a_disk_that_fills_up_makes_no_backup_in_any_format() {
    for format in ["plain", "custom", "directory", "tar"] {
        let (place, database) = (Place::without_docker(), unchanged_database());
        let create = format!("create --backup-dir disk --format {format}");
        let outcome = on_a_disk(&place, "size=48k", "", &create, &connection(database));
        assert_eq!(outcome.code, 1, "{outcome}");
        let full = outcome.stderr.to_lowercase().contains("no space left");
        assert!(full, "{format}: {outcome}");
        outcome.hints("");
        let left = left_on_the_disk(&place);
        assert!(left.iter().all(|name| name.starts_with("history.")), "{format}: {left:?}");
    }
}

#[test]
fn a_backup_that_is_to_be_replaced_survives_a_full_disk() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    place.file("old", b"the backup before");
    let prepare = format!("cp old disk/a.sql.gz; {FILL}; cp disk/a.sql.gz before");
    let create = "create disk/a.sql --force; code=$?; cp disk/a.sql.gz after; (exit $code)";
    let outcome = on_a_disk(&place, SMALL, &prepare, create, &connection(database));
    assert_eq!(outcome.code, 1, "{outcome}");
    let after = std::fs::read(place.dir().join("after")).unwrap();
    assert_eq!(after, b"the backup before");
    let left = left_on_the_disk(&place);
    assert!(!left.iter().any(|name| name.contains("partial")), "{left:?}");
}

#[test]
fn a_history_on_a_full_disk_is_a_warning_and_changes_no_verdict() {
    let place = Place::new();
    place.file("good.sql", good_dump());
    place.file("bad.sql", b"");
    let run = |file: &str| {
        let words = verify(&place, &format!("{file} --backup-dir disk"));
        on_a_disk(&place, SMALL, FILL, &words, &[])
    };
    let (good, bad) = (run("good.sql"), run("bad.sql"));
    good.passed();
    bad.failed("the backup file is empty");
    for outcome in [good, bad] {
        let warned = "warning: the history was not written: no space left";
        assert!(outcome.stderr.contains(warned), "{outcome}");
    }
    place.assert_nothing_left();
}

#[test]
fn reports_on_a_full_disk_are_errors_of_their_own_and_change_no_verdict() {
    let place = Place::without_docker();
    place.file("bad.sql", b"");
    let words = verify(&place, "bad.sql --report disk/r.json --junit disk/j.xml");
    let outcome = on_a_disk(&place, SMALL, FILL, &words, &[]);
    outcome.failed("the backup file is empty");
    for what in ["the report was not written", "the JUnit report was not written"] {
        assert!(outcome.stderr.contains(&format!("error: {what}")), "{outcome}");
    }
    assert_eq!(left_on_the_disk(&place), ["fill"]);
}

#[test]
fn a_log_on_a_full_disk_changes_no_verdict() {
    let place = Place::without_docker();
    place.file("bad.sql", b"");
    let words = verify(&place, "bad.sql --log-file disk/run.log");
    let outcome = on_a_disk(&place, SMALL, FILL, &words, &[]);
    outcome.failed("the backup file is empty");
}

#[test]
fn a_full_disk_behind_stdout_is_no_verdict() {
    let place = Place::without_docker();
    place.file("bad.sql", b"");
    let line = format!("'{BINARY}' verify bad.sql >/dev/full");
    let mut command = assert_cmd::Command::new("sh");
    command.args(["-c", &line]).env_clear().envs(clean_environment()).current_dir(place.dir());
    let outcome = Outcome::of(&command.output().unwrap());
    assert_ne!(outcome.code, 0, "{outcome}");
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn data_that_do_not_fit_into_the_sandbox_are_no_verdict() {
        let place = Place::new();
        // A data directory in memory may take seven tenths of it; this is more than that.
        let large = "CREATE TABLE public.too_much AS SELECT repeat(md5(n::text), 60) AS t
                 FROM generate_series(1, 1000000) n;";
        place.file("a.sql", &with_sql_last(large));
        let outcome = place.outcome(place.verify().args(["a.sql", "--memory", "1400MB"]));
        outcome.not_verified("(SQLSTATE 53100)").hints("the data do not fit");
    }
}
