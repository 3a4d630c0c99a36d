//! How a place is written: what is none is refused before anything is done, and is never taken for a path.

use crate::support::{Outcome, Place, unchanged_database};

#[test]
fn a_url_that_is_no_place_is_refused_by_every_command_and_makes_no_directory() {
    let place = Place::without_docker();
    let url = "ftp://example.org/backups";
    for args in [
        &["list", "--backup-dir", url][..],
        &["history", "--backup-dir", url],
        &["cleanup", "--older-than=1d", "--backup-dir", url],
        &["verify", "--latest", "--backup-dir", url],
        &["verify", "ftp://example.org/backups/x.sql"],
        &["extract", "--table=a", "ftp://example.org/x.sql"],
        &["diff", "ftp://example.org/x.sql", "ftp://example.org/y.sql"],
        &["keys", "check", "--backup-dir", url],
        &["copy", url, "here", "--missing"],
        &["create", "--backup-dir", url],
    ] {
        let outcome = Outcome::of(&place.ccc().args(args).output().unwrap());
        assert_eq!(outcome.code, 2, "{args:?}: {outcome}");
        assert!(outcome.stderr.contains("ftp:// is no place for backups"), "{args:?}: {outcome}");
        outcome.hints("s3://bucket/prefix");
    }
    assert_eq!(place.names("."), Vec::<String>::new());
}

#[test]
fn a_password_in_a_url_is_refused_and_not_shown() {
    let place = Place::without_docker();
    let url = "s3://key:hunter2@bucket/p";
    let outcome = Outcome::of(&place.ccc().args(["list", "--backup-dir", url]).output().unwrap());
    assert_eq!(outcome.code, 2, "{outcome}");
    assert!(!format!("{outcome}").contains("hunter2"), "{outcome}");
    outcome.hints("AWS_ACCESS_KEY_ID");
}

#[test]
fn what_cannot_be_streamed_to_a_place_is_refused_before_the_work() {
    let place = Place::without_docker();
    for (args, words) in [
        (&["--format=tar"][..], "the format tar cannot be streamed"),
        (&["--format=directory", "--jobs=2"], "one table at a time"),
        (&["s3://bucket"], "is a place, and no backup in it"),
    ] {
        let mut command = place.create(unchanged_database());
        let outcome = command.args(["--backup-dir", "s3://bucket/p"]).args(args).output().unwrap();
        let outcome = Outcome::of(&outcome);
        assert!(outcome.code == 2 && outcome.stderr.contains(words), "{args:?}: {outcome}");
    }
}

#[test]
fn a_server_that_is_not_this_machine_is_not_spoken_to_in_the_open_without_a_word() {
    let place = Place::without_docker();
    let mut command = place.ccc();
    command.args(["list", "--backup-dir", "s3://bucket"]);
    command.env("AWS_ENDPOINT_URL", "http://192.0.2.1:1");
    let outcome = Outcome::of(&command.output().unwrap());
    assert!(outcome.code == 2 && outcome.stderr.contains("is http"), "{outcome}");
    outcome.hints("AWS_ALLOW_HTTP=true");
}
