//! Which backup `verify --latest` takes, and where its result is noted.

use crate::support::dumps::gzipped;
use crate::support::{Outcome, Place, good_dump};

/// The backup that `--latest` takes. It is no dump, so that no server is needed to say so.
fn taken(place: &Place, args: &[&str]) -> String {
    let output = place.ccc().args(["verify", "--latest"]).args(args).output().unwrap();
    let outcome = Outcome::of(&output);
    assert_eq!(outcome.code, 1, "{outcome}");
    let line = outcome.stdout.lines().find_map(|line| line.strip_prefix("Backup file: "));
    line.unwrap_or_else(|| panic!("{outcome}")).to_owned()
}

#[test]
fn the_newest_by_the_time_in_its_name_is_taken_whatever_the_times_of_the_files() {
    let place = Place::without_docker();
    for name in ["20260114_020000.sql", "20260116_020000.sql.gz", "20260115_020000.sql.gz"] {
        place.file(&format!("backups/backup_{name}"), b"");
    }
    assert_eq!(taken(&place, &[]), "./backups/backup_20260116_020000.sql.gz");
    place.file("backups/backup_20260117_020000.sql", b"");
    assert_eq!(taken(&place, &[]), "./backups/backup_20260117_020000.sql");
}

#[test]
fn the_directories_one_level_below_are_searched_and_no_deeper() {
    let place = Place::without_docker();
    place.file("backups/backup_20260114_020000.sql", b"");
    place.file("backups/database/backup_20260115_020000.sql.gz", b"");
    place.file("backups/database/old/backup_20260116_020000.sql.gz", b"");
    place.file("backups/.hidden/backup_20260116_020000.sql.gz", b"");
    assert_eq!(taken(&place, &[]), "./backups/database/backup_20260115_020000.sql.gz");
}

#[test]
fn partial_files_manifests_and_other_files_are_never_taken() {
    let place = Place::without_docker();
    place.file("backups/backup_20260114_020000.sql.gz", b"");
    for name in [
        ".backup_20260115_020000.sql.gz.partial",
        "backup_20260115_020000.sql.gz.manifest.json",
        "backup_20260115_020000.txt",
        "history.jsonl",
    ] {
        place.file(&format!("backups/{name}"), b"");
    }
    assert_eq!(taken(&place, &[]), "./backups/backup_20260114_020000.sql.gz");
}

#[test]
fn the_backup_directory_comes_from_its_flag_else_from_the_environment() {
    let place = Place::without_docker();
    place.file("a/backup_20260114_020000.sql.gz", b"");
    place.file("b/backup_20260114_020000.sql.gz", b"");
    assert_eq!(taken(&place, &["--backup-dir", "a"]), "a/backup_20260114_020000.sql.gz");
    let mut command = place.ccc();
    command.args(["verify", "--latest"]).env("CCC_BACKUP_DIR", "b");
    let outcome = Outcome::of(&command.output().unwrap());
    outcome.failed("empty").says("Backup file: b/backup_20260114_020000.sql.gz");
    let outcome = Outcome::of(&command.args(["--backup-dir", "a"]).output().unwrap());
    outcome.failed("empty").says("Backup file: a/backup_20260114_020000.sql.gz");
}

#[test]
fn backup_verify_is_another_spelling_and_takes_the_latest_too() {
    let place = Place::on_a_lent_server();
    place.file("backups/backup_20260115_020000.sql", b"an older one, and broken");
    place.file("backups/database/backup_20260116_020000.sql.gz", &gzipped(good_dump()));
    let args =
        ["backup", "verify", "--latest", "--port", "0", "--container-name", &place.container];
    let outcome = place.outcome(place.ccc().args(args));
    outcome.passed().says("Backup file: ./backups/database/backup_20260116_020000.sql.gz");
}

#[test]
fn every_verification_is_noted_in_the_history_with_its_verdict() {
    let place = Place::on_a_lent_server();
    place.verify_bytes("backups/a.sql", good_dump()).passed();
    place.verify_bytes("backups/b.sql", b"").failed("empty");
    let dead = format!("unix://{}/dead.sock", place.dir().display());
    let outcome = place.outcome(
        place.verify().args(["backups/a.sql", "--engine=docker"]).env("DOCKER_HOST", dead),
    );
    outcome.not_verified("no Docker Engine answers");
    // What was not there has no history.
    place.outcome(place.verify().arg("backups/none.sql")).not_verified("not found");
    let history = std::fs::read_to_string(place.dir().join("backups/history.jsonl")).unwrap();
    let noted: Vec<(String, String)> = history
        .lines()
        .map(|line| {
            let record: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = |name: &str| record[name].as_str().unwrap().to_owned();
            (text("backup"), text("verdict"))
        })
        .collect();
    let expected = [("a.sql", "passed"), ("b.sql", "failed"), ("a.sql", "not_verified")];
    assert_eq!(noted, expected.map(|(name, verdict)| (name.to_owned(), verdict.to_owned())));
}
