//! `cleanup --older-than`: what goes, what stays and why. The clock is the real one, so names are
//! made from it.

use chrono::{Duration, Utc};

use crate::support::{Outcome, Place, good_dump};

/// The name that `create` gave a backup this long ago.
fn aged(days: i64) -> String {
    (Utc::now() - Duration::days(days)).format("backup_%Y%m%d_%H%M%S.sql.gz").to_string()
}

/// A place with backups of these ages in days, each of ten bytes.
fn place(ages: &[i64]) -> Place {
    let place = Place::without_docker();
    for days in ages {
        place.file(&format!("backups/{}", aged(*days)), b"ten bytes!");
    }
    place
}

fn cleaned(place: &Place, args: &[&str]) -> Outcome {
    Outcome::of(&place.ccc().arg("cleanup").args(args).output().unwrap())
}

/// The ages in days of the backups that are still there, youngest first.
fn ages_left(place: &Place, ages: &[i64]) -> Vec<i64> {
    let names = place.names("backups");
    let day = |days: &i64| aged(*days)[..15].to_owned();
    let there = |days: &&i64| names.iter().any(|name| name.starts_with(&day(days)));
    ages.iter().filter(there).copied().collect()
}

#[test]
fn what_is_older_goes_and_what_is_younger_stays() {
    let ages = [1, 10, 29, 31, 400];
    let place = place(&ages);
    let outcome = cleaned(&place, &["--older-than", "30d"]);
    assert_eq!(outcome.code, 0, "{outcome}");
    assert_eq!(ages_left(&place, &ages), [1, 10, 29]);
    outcome.says("Removed: 2 (20 bytes), kept: 3");
    outcome.says(&format!("remove  {}  (31 days old)", removed(&outcome, "31 days")));
    assert!(outcome.stdout.contains("(not old enough)"), "{outcome}");
}

fn removed(outcome: &Outcome, age: &str) -> String {
    let line = outcome.stdout.lines().find(|line| line.contains(age)).unwrap();
    line.split_whitespace().nth(1).unwrap().to_owned()
}

#[test]
fn a_dry_run_says_the_same_and_removes_nothing() {
    let ages = [1, 31, 400];
    let place = place(&ages);
    let outcome = cleaned(&place, &["--older-than", "30d", "--dry-run"]);
    assert_eq!(outcome.code, 0, "{outcome}");
    outcome.says("Would remove: 2 (20 bytes), kept: 1");
    assert_eq!(outcome.stdout.matches("would remove  backup_").count(), 2);
    assert_eq!(ages_left(&place, &ages), ages);
}

#[test]
fn the_newest_backup_stays_however_old_it_is() {
    let ages = [100, 200];
    let place = place(&ages);
    let outcome = cleaned(&place, &["--older-than", "1d"]);
    assert_eq!(ages_left(&place, &ages), [100]);
    assert!(outcome.stdout.contains("(the newest backup)"), "{outcome}");
}

#[test]
fn the_newest_backup_that_passed_verification_stays() {
    let ages = [50, 60, 70];
    let place = place(&ages);
    let passed = aged(60);
    let record = serde_json::json!({
        "version": 1, "work": "verify", "started_at": Utc::now(), "seconds": 1.0,
        "verdict": "passed", "backup": passed, "tool_version": "0.1.0",
    });
    // The name has seconds; the file is the one that has this record's name.
    place.file(&format!("backups/{passed}"), b"ten bytes!");
    place.file("backups/history.jsonl", format!("{record}\n").as_bytes());
    let outcome = cleaned(&place, &["--older-than", "30d"]);
    assert_eq!(ages_left(&place, &ages), [50, 60], "{outcome}");
    assert!(outcome.stdout.contains("(the newest that passed verification)"), "{outcome}");
}

#[test]
fn a_verification_that_passed_protects_its_backup_from_the_next_clean_up() {
    let place = Place::new();
    let (good, newer) = (aged(40), aged(35));
    place.verify_bytes(&format!("backups/{good}"), good_dump()).passed();
    place.file(&format!("backups/{newer}"), b"not verified");
    let outcome = cleaned(&place, &["--older-than", "30d"]);
    assert_eq!(place.names("backups"), [good, newer, "history.jsonl".to_owned()], "{outcome}");
}

#[test]
fn what_create_did_not_name_stays() {
    let place = place(&[1]);
    let foreign = [
        "README.md",
        "backup_20200101_020000.sql.gz.bak",
        "backup_20200101_020000_before_upgrade.sql.gz",
        "manual.sql.gz",
        "shop_20200101_020000.sql.gz",
    ];
    for name in foreign {
        place.file(&format!("backups/{name}"), b"x");
    }
    let outcome = cleaned(&place, &["--older-than", "1d"]);
    let names = place.names("backups");
    for name in foreign {
        assert!(names.contains(&name.to_owned()), "{name}: {outcome}");
    }
    assert!(outcome.stdout.contains("manual.sql.gz  (not named by ccc-backup)"), "{outcome}");
}

#[test]
fn a_manifest_goes_with_its_backup_and_stays_with_it() {
    let (old, new) = (aged(40), aged(1));
    let place = Place::without_docker();
    for name in [&old, &new] {
        place.file(&format!("backups/{name}"), b"x");
        place.file(&format!("backups/{name}.manifest.json"), b"{}");
    }
    let outcome = cleaned(&place, &["--older-than", "30d"]);
    let manifest = format!("{new}.manifest.json");
    assert_eq!(place.names("backups"), [new, manifest], "{outcome}");
}

#[test]
fn a_backup_in_the_making_that_nobody_writes_goes() {
    let place = place(&[1]);
    place.file("backups/.backup_20200101_020000.sql.gz.partial", b"half");
    let outcome = cleaned(&place, &["--older-than", "30d"]);
    assert_eq!(place.names("backups").len(), 1, "{outcome}");
    assert!(outcome.stdout.contains("(left by a run that died)"), "{outcome}");
}

#[test]
fn a_symbolic_link_is_never_followed_nor_removed() {
    let place = place(&[1]);
    let elsewhere = place.file("elsewhere/backup_20200101_020000.sql.gz", b"x");
    let link = place.dir().join("backups/backup_20200101_020000.sql.gz");
    std::os::unix::fs::symlink(&elsewhere, &link).unwrap();
    let outcome = cleaned(&place, &["--older-than", "30d"]);
    assert!(elsewhere.exists() && link.is_symlink(), "{outcome}");
}

#[test]
fn ages_can_be_given_in_hours_days_and_weeks() {
    for (age, expected) in
        [("36h", &[1][..]), ("5d", &[1]), ("2w", &[1, 10]), ("60d", &[1, 10, 40])]
    {
        let ages = [1, 10, 40];
        let place = place(&ages);
        let outcome = cleaned(&place, &["--older-than", age]);
        assert_eq!(ages_left(&place, &ages), expected, "{age}: {outcome}");
    }
}

#[test]
fn the_directory_comes_from_its_flag_or_the_environment() {
    let place = Place::without_docker();
    for dir in ["a", "b", "backups"] {
        for days in [1, 40] {
            place.file(&format!("{dir}/{}", aged(days)), b"x");
        }
    }
    cleaned(&place, &["--older-than", "30d", "--backup-dir", "a"]);
    let mut command = place.ccc();
    command.args(["backup", "cleanup", "--older-than", "30d"]).env("CCC_BACKUP_DIR", "b");
    assert_eq!(Outcome::of(&command.output().unwrap()).code, 0);
    let count = |dir| place.names(dir).len();
    assert_eq!((count("a"), count("b"), count("backups")), (1, 1, 2));
}

#[test]
fn a_directory_that_is_missing_is_an_error_with_a_hint() {
    let outcome = cleaned(&Place::without_docker(), &["--older-than", "30d"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""));
    assert!(outcome.stderr.contains("backup directory not found: ./backups"), "{outcome}");
    outcome.hints("--backup-dir");
}

#[test]
fn an_empty_directory_has_nothing_to_remove() {
    let place = place(&[]);
    std::fs::create_dir(place.dir().join("backups")).unwrap();
    let outcome = cleaned(&place, &["--older-than", "30d"]);
    assert_eq!(outcome.code, 0, "{outcome}");
    outcome.says("Removed: 0 (0 bytes), kept: 0");
}

#[test]
fn quiet_prints_nothing_when_all_went_well() {
    let place = place(&[1, 40]);
    let outcome = cleaned(&place, &["--older-than", "30d", "--quiet"]);
    assert_eq!((outcome.code, outcome.stdout.as_str(), outcome.stderr.as_str()), (0, "", ""));
}
