//! Surroundings that are not as they are at a terminal: read-only disks, links, no HOME, no
//! directory for temporary files, streams that are closed, a bare locale.

use std::os::unix::fs::symlink;

use crate::support::docker::image;
use crate::support::mounts::on_a_disk;
use crate::support::source::connection;
use crate::support::{
    BINARY, Outcome, Place, clean_environment, database, good_dump, unchanged_database,
};

/// Runs the binary from a line of shell, where `ccc` is its name.
fn shell(place: &Place, line: &str, environment: &[(&str, &str)]) -> Outcome {
    let mut command = assert_cmd::Command::new("timeout");
    command.args(["120", "bash", "-c", &line.replace("ccc ", &format!("'{BINARY}' "))]);
    command.env_clear().envs(clean_environment()).current_dir(place.dir());
    command.envs(environment.iter().copied());
    place.outcome(&mut command)
}

fn verify(place: &Place, words: &str) -> String {
    format!("ccc verify --port 0 --container-name {} {words}", place.container)
}

#[test]
fn a_backup_on_a_read_only_disk_is_verified_and_only_the_history_is_not_written() {
    let place = Place::new();
    place.file("good.sql", good_dump());
    let prepare = "cp good.sql disk/good.sql; mount -o remount,ro disk";
    let words = format!("verify --port 0 --container-name {} disk/good.sql", place.container);
    let outcome = on_a_disk(&place, "size=16m", prepare, &words, &[]);
    outcome.passed();
    let warned = "warning: the history was not written: disk/history.jsonl is on a read-only";
    assert!(outcome.stderr.contains(warned), "{outcome}");
    place.assert_nothing_left();
}

#[test]
fn a_read_only_backup_directory_is_listed_and_a_clean_up_of_it_is_exit_2() {
    let place = Place::without_docker();
    let prepare = "touch disk/backup_20200101_000000.sql.gz disk/backup_20200102_000000.sql.gz; \
                   mount -o remount,ro disk";
    let listed = on_a_disk(&place, "size=1m", prepare, "list --backup-dir disk", &[]);
    assert_eq!(listed.code, 0, "{listed}");
    assert!(listed.stdout.contains("backup_20200101_000000.sql.gz"), "{listed}");
    let history = on_a_disk(&place, "size=1m", prepare, "history --backup-dir disk", &[]);
    assert_eq!(history.code, 0, "{history}");
    let cleanup = "cleanup --older-than 1d --backup-dir disk";
    let cleaned = on_a_disk(&place, "size=1m", prepare, cleanup, &[]);
    assert_eq!(cleaned.code, 2, "{cleaned}");
    assert!(cleaned.stderr.contains("read-only file system"), "{cleaned}");
}

#[test]
fn closed_streams_leave_the_exit_code_to_tell() {
    let place = Place::new();
    place.file("good.sql", good_dump());
    place.file("bad.sql", b"");
    for (file, code) in [("good.sql", 0), ("bad.sql", 1), ("none.sql", 2)] {
        let outcome = shell(&place, &verify(&place, &format!("{file} >&- 2>&-")), &[]);
        assert_eq!(outcome.code, code, "{file}: {outcome}");
    }
}

#[test]
fn a_create_whose_reader_goes_away_ends_and_leaves_no_half_backup() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    let source = connection(database);
    let source: Vec<_> = source.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let line = "ccc create | true; exit ${PIPESTATUS[0]}";
    let outcome = shell(&place, line, &source);
    let begun = place.dir().join("backups").exists();
    let names = if begun { place.names("backups") } else { Vec::new() };
    let backup = names.iter().find(|name| name.ends_with(".sql.gz"));
    match outcome.code {
        // It was done before it noticed.
        0 => assert!(backup.is_some(), "{names:?}"),
        2 => assert!(!names.iter().any(|name| name.contains(".sql")), "{names:?}: {outcome}"),
        _ => panic!("{outcome}"),
    }
}

#[test]
fn a_machine_that_has_nothing_but_the_binary_verifies_at_an_engine() {
    let place = Place::new();
    place.file("a.sql", good_dump());
    let mut command = assert_cmd::Command::new(BINARY);
    command.env_clear().current_dir(place.dir());
    if let Ok(host) = std::env::var("DOCKER_HOST") {
        command.env("DOCKER_HOST", host);
    }
    command.args(["verify", "a.sql", "--port", "0", "--container-name", &place.container]);
    command.args(["--image", image()]);
    place.outcome(&mut command).passed();
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn links_to_a_backup_directory_and_to_a_backup_are_followed() {
        let (place, database) = (Place::new(), unchanged_database());
        std::fs::create_dir(place.dir().join("real")).unwrap();
        symlink("real", place.dir().join("backups")).unwrap();
        let made = Outcome::of(&place.create(database).output().unwrap());
        assert_eq!(made.code, 0, "{made}");
        let names = place.names("real");
        let backup = names.iter().find(|name| name.ends_with(".sql.gz")).unwrap();
        let latest = place.outcome(place.verify().arg("--latest"));
        latest.passed();
        assert!(latest.stdout.contains("✓ Checksum matches the manifest"), "{latest}");
        symlink(format!("real/{backup}"), place.dir().join("link.sql.gz")).unwrap();
        place.outcome(place.verify().arg("link.sql.gz")).passed();
    }

    #[test]
    fn neither_home_nor_a_directory_for_temporary_files_is_needed() {
        let (place, database) = (Place::new(), database());
        let nowhere = place.dir().join("nowhere").display().to_string();
        let mut create = place.create(&database);
        create.arg("a.sql").env_remove("HOME").env("TMPDIR", &nowhere);
        let made = Outcome::of(&create.output().unwrap());
        assert_eq!(made.code, 0, "{made}");
        for options in [&[][..], &["--report", "r.json"]] {
            let mut verify = place.verify();
            verify.arg("a.sql.gz").args(options).env_remove("HOME").env("TMPDIR", &nowhere);
            place.outcome(&mut verify).passed();
        }
    }

    #[test]
    fn a_closed_stdin_changes_nothing() {
        let (place, database) = (Place::new(), unchanged_database());
        place.file("a.sql", good_dump());
        shell(&place, &verify(&place, "a.sql <&-"), &[]).passed();
        let source = connection(database);
        let source: Vec<_> = source.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let made = shell(&place, "ccc create b.sql <&-", &source);
        assert_eq!(made.code, 0, "{made}");
    }

    #[test]
    fn a_bare_locale_changes_nothing() {
        let (place, database) = (Place::new(), unchanged_database());
        let mut create = place.create(database);
        let made =
            Outcome::of(&create.arg("a.sql").env("LC_ALL", "C").env("LANG", "C").output().unwrap());
        assert_eq!(made.code, 0, "{made}");
        let mut verify = place.verify();
        verify.arg("a.sql.gz").env("LC_ALL", "C").env("LANG", "C");
        place.outcome(&mut verify).passed();
    }
}
