//! Flags that make no sense are exit 2, with a word on what would; nothing is started.

use crate::support::{Outcome, Place, ccc};

fn refused(args: &[&str]) -> String {
    let place = Place::without_docker();
    let outcome = Outcome::of(&place.ccc().args(args).output().unwrap());
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{args:?}: {outcome}");
    assert!(outcome.stderr.starts_with("error: "), "{outcome}");
    assert!(outcome.stderr.contains("--help"), "{outcome}");
    assert_eq!(place.names("."), Vec::<String>::new());
    outcome.stderr
}

#[test]
fn flags_that_exclude_each_other_are_refused() {
    assert!(refused(&["verify", "a.sql", "--latest"]).contains("cannot be used with '--latest'"));
    assert!(
        refused(&["verify", "--latest", "--quiet", "--verbose"]).contains("cannot be used with")
    );
}

#[test]
fn neither_a_file_nor_latest_is_refused() {
    assert!(refused(&["verify"]).contains("required"));
}

#[test]
fn an_unknown_flag_is_refused() {
    assert!(refused(&["verify", "--lastest"]).contains("--latest"));
    refused(&["create", "--no-such-flag"]);
    refused(&["cleanup", "--no-such-flag"]);
    refused(&["restore"]);
}

#[test]
fn a_value_that_makes_no_sense_is_refused() {
    refused(&["verify", "a.sql", "--port", "70000"]);
    refused(&["verify", "a.sql", "--postgres-version", "fifteen"]);
    refused(&["verify", "a.sql", "--timeout", "10"]);
    refused(&["verify", "a.sql", "--engine", "podman"]);
    refused(&["cleanup"]);
}

#[test]
fn an_age_needs_a_unit_and_is_never_negative() {
    for age in ["30", "d", "", "-30d", "1y", "1.5d", "30 d", "99999999999999999w"] {
        let place = Place::without_docker();
        let age = format!("--older-than={age}");
        let outcome = Outcome::of(&place.ccc().args(["cleanup", &age]).output().unwrap());
        assert_eq!(outcome.code, 2, "{age}: {outcome}");
    }
}

fn answered(args: &[&str]) -> Outcome {
    Outcome::of(&ccc().args(args).output().unwrap())
}

#[test]
fn help_and_version_are_answers() {
    for args in
        [&["--help"][..], &["--version"], &["verify", "--help"], &["backup", "--help"], &["help"]]
    {
        let outcome = answered(args);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{args:?}");
        assert!(outcome.stdout.len() > 10);
    }
}

#[test]
fn version_says_in_full_what_was_built_and_in_short_only_the_version() {
    let short = concat!("ccc-backup ", env!("CARGO_PKG_VERSION"), "\n");
    for args in [&["--version"][..], &["-V"]] {
        assert_eq!(answered(args).stdout, short);
    }
    for args in [&["--version", "--verbose"][..], &["--verbose", "--version"], &["-Vv"]] {
        let outcome = answered(args);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{args:?}");
        let facts = outcome.stdout.strip_prefix(short).unwrap();
        let names: Vec<&str> = facts.lines().map(|line| line.split_once(": ").unwrap().0).collect();
        assert_eq!(names, ["commit", "date", "target", "rustc", "profile", "linked"]);
        assert!(facts.contains(&format!("target: {}-", std::env::consts::ARCH)), "{facts}");
    }
}

#[test]
fn help_shows_examples_and_exit_codes() {
    for command in ["create", "verify", "cleanup"] {
        let outcome = answered(&[command, "--help"]);
        assert!(outcome.stdout.contains(&format!("ccc-backup {command} ")), "{outcome}");
        assert!(outcome.stdout.contains("Examples:"), "{outcome}");
    }
}

#[test]
fn completions_and_the_man_page_are_printed() {
    for args in [&["completions", "bash"][..], &["completions", "zsh"], &["man"]] {
        let outcome = answered(args);
        assert_eq!(outcome.code, 0, "{outcome}");
        assert!(outcome.stdout.contains("ccc-backup") || outcome.stdout.contains("ccc\\-backup"));
    }
}
