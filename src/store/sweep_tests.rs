use std::fs::write;
use std::os::unix::fs::symlink;
use std::time::Duration;

use chrono::{TimeZone, Utc};

use super::super::history::{History, Record, Work};
use super::super::publish::Partial;
use super::super::publish::tests::names;
use super::super::publish_directory::PartialDirectory;
use super::super::retention::{Policy, plan};
use super::*;
use crate::model::outcome::Verdict;

fn a_month() -> Policy {
    Policy { older_than: Some(Duration::from_secs(30 * 86_400)), ..Policy::default() }
}

fn plan_for(dir: &Path, passed_ones: &[&str]) -> Plan {
    let now = Utc.with_ymd_and_hms(2026, 3, 15, 0, 0, 0).unwrap();
    let passed = |name: &&str| Record::new(Work::Verify, *name, now, Verdict::Passed);
    let history =
        History { records: passed_ones.iter().map(passed).collect(), ..History::default() };
    let memory = Memory::of(vec![(dir.to_owned(), history)]);
    plan(now, scan(dir, &memory).unwrap(), &a_month())
}

const OLD: &str = "backup_20250101_020000.sql.gz";
const OLDER: &str = "backup_20240101_020000.sql.gz";
const NEW: &str = "backup_20260314_020000.sql.gz";

#[test]
fn an_old_backup_goes_with_its_manifest_and_signature_and_nothing_else_does() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let manifest = format!("{OLD}.manifest.json");
    let signature = format!("{manifest}.sig");
    for name in [OLD, &manifest, &signature, OLDER, NEW, "README.md", "history.jsonl", "old.sql"] {
        write(dir.join(name), b"12345").unwrap();
    }
    std::fs::create_dir(dir.join("database")).unwrap();
    write(dir.join("database").join(OLD), b"x").unwrap();
    let removals = apply(&plan_for(dir, &[OLDER]));
    assert_eq!(removals.len(), 1);
    assert_eq!(*removals[0].as_ref().unwrap(), 15);
    assert_eq!(names(dir), ["README.md", OLDER, NEW, "database", "history.jsonl", "old.sql"]);
    assert_eq!(names(&dir.join("database")), [OLD]);
}

#[test]
fn symbolic_links_are_not_followed_and_not_removed() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::create_dir(dir.join("elsewhere")).unwrap();
    write(dir.join("elsewhere/precious"), b"x").unwrap();
    write(dir.join("elsewhere/toc.dat"), b"x").unwrap();
    symlink(dir.join("elsewhere/precious"), dir.join(OLD)).unwrap();
    symlink(dir.join("elsewhere"), dir.join("backup_20250101_000000")).unwrap();
    symlink(dir.join("elsewhere/precious"), dir.join(format!(".{OLD}.partial"))).unwrap();
    write(dir.join(NEW), b"x").unwrap();
    assert!(apply(&plan_for(dir, &[])).is_empty());
    assert_eq!(names(dir).len(), 5);
    assert_eq!(names(&dir.join("elsewhere")), ["precious", "toc.dat"]);
}

#[test]
fn a_manifest_that_is_a_link_stays_and_its_target_too() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(dir.join("precious"), b"x").unwrap();
    write(dir.join(OLD), b"x").unwrap();
    write(dir.join(NEW), b"x").unwrap();
    symlink(dir.join("precious"), manifest_path(&dir.join(OLD))).unwrap();
    assert!(apply(&plan_for(dir, &[]))[0].is_ok());
    assert!(dir.join("precious").exists() && !dir.join(OLD).exists());
}

#[test]
fn a_backup_that_is_being_verified_stays() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(dir.join(OLD), b"x").unwrap();
    write(dir.join(NEW), b"x").unwrap();
    let before = plan_for(dir, &[]);
    let reader = File::open(dir.join(OLD)).unwrap();
    assert!(lock::try_shared(&reader).unwrap());
    assert_eq!(plan_for(dir, &[]).removals().count(), 0);
    // A plan that was made before does not remove it either.
    let removals = apply(&before);
    let error = removals[0].as_ref().unwrap_err();
    assert!(matches!(error, RemovalError::InUse(_)), "{error}");
    assert_eq!(error.hint().unwrap(), "run the clean-up again later");
    assert!(dir.join(OLD).exists());
}

#[test]
fn a_backup_that_changed_after_the_plan_stays() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(dir.join(OLD), b"x").unwrap();
    write(dir.join(NEW), b"x").unwrap();
    let before = plan_for(dir, &[]);
    write(dir.join(OLD), b"another").unwrap();
    let removals = apply(&before);
    assert!(matches!(removals[0], Err(RemovalError::Changed(_))));
    assert!(dir.join(OLD).exists());
}

#[test]
fn a_backup_whose_manifest_went_after_the_plan_stays() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for name in [OLD, &format!("{OLD}.manifest.json"), NEW] {
        write(dir.join(name), b"12345").unwrap();
    }
    let before = plan_for(dir, &[]);
    // Somebody makes the backup anew, or removes it by hand.
    std::fs::remove_file(manifest_path(&dir.join(OLD))).unwrap();
    let removals = apply(&before);
    assert!(matches!(removals[0], Err(RemovalError::Changed(_))));
    assert_eq!(names(dir), [OLD, NEW]);
}

#[test]
fn a_directory_goes_though_what_lay_beside_it_went_after_the_plan() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let old = dir.join("backup_20250101_000000.dir");
    std::fs::create_dir(&old).unwrap();
    write(old.join("toc.dat"), b"PGDMP").unwrap();
    let beside = [manifest_path(&old), globals_path(&old), dir.join(NEW)];
    for path in &beside {
        write(path, b"x").unwrap();
    }
    let before = plan_for(dir, &[]);
    for path in &beside[..2] {
        std::fs::remove_file(path).unwrap();
    }
    assert!(apply(&before)[0].is_ok());
    assert_eq!(names(dir), [NEW]);
}

#[test]
fn the_partial_files_of_dead_runs_go_and_those_of_live_ones_stay() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let manifest = ".x.sql.manifest.json.partial";
    let signature = ".x.sql.manifest.json.sig.partial";
    for name in [".manual.sql.gz.partial", manifest, signature, ".notes.partial"] {
        write(dir.join(name), b"half").unwrap();
    }
    let live = Partial::create(&dir.join(NEW), false).unwrap();
    let removals = apply(&plan_for(dir, &[]));
    assert!(removals.len() == 3 && removals.iter().all(Result::is_ok));
    assert_eq!(names(dir), [format!(".{NEW}.partial"), ".notes.partial".to_owned()]);
    drop(live.publish().unwrap());
}

#[test]
fn an_old_directory_of_pg_dump_goes_whole() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let old = dir.join("backup_20250101_000000");
    std::fs::create_dir(&old).unwrap();
    write(old.join("toc.dat"), b"PGDMP").unwrap();
    write(old.join("1.dat.gz"), b"rows").unwrap();
    write(dir.join(NEW), b"x").unwrap();
    let removals = apply(&plan_for(dir, &[]));
    assert_eq!(*removals[0].as_ref().unwrap(), 9);
    assert_eq!(names(dir), [NEW]);
}

#[test]
fn a_directory_of_ours_goes_with_its_manifest_and_a_half_written_one_of_a_dead_run_too() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let old = dir.join("backup_20250101_000000.dir");
    let half = dir.join(".backup_20250102_000000.dir.partial");
    for path in [&old, &half, &dir.join("database.dir"), &dir.join(".cache.partial")] {
        std::fs::create_dir(path).unwrap();
        write(path.join("1.dat.gz"), b"rows").unwrap();
    }
    write(old.join("toc.dat"), b"PGDMP").unwrap();
    write(manifest_path(&old), b"{}").unwrap();
    write(dir.join(NEW), b"x").unwrap();
    let live = PartialDirectory::create(&dir.join("live.dir"), false).unwrap();
    write(dir.join(".live.dir.manifest.json.partial"), b"{").unwrap();
    write(dir.join(".x.manifest.json.partial"), b"{").unwrap();
    let removals = apply(&plan_for(dir, &[]));
    assert!(removals.len() == 3 && removals.iter().all(Result::is_ok));
    let kept = [".cache.partial", ".live.dir.partial", ".x.manifest.json.partial"];
    assert_eq!(names(dir), [&kept[..], &[NEW, "database.dir"]].concat());
    drop(live);
}

#[test]
fn a_missing_directory_is_named() {
    let scanned = scan(Path::new("/no/such/backups"), &Memory::default());
    assert!(matches!(scanned, Err(StoreError::DirectoryMissing(_))));
}

#[test]
fn the_globals_go_with_their_backup_and_stay_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let globals = |backup: &str| backup.replace(".sql.gz", ".globals.sql");
    for name in [OLD, &globals(OLD), NEW, &globals(NEW)] {
        write(dir.join(name), b"12345").unwrap();
    }
    // Nobody's any more, and nobody's yet.
    let alone = "backup_20240101_020000.globals.sql";
    write(dir.join(alone), b"x").unwrap();
    write(dir.join(format!(".{alone}.partial")), b"x").unwrap();
    let removals = apply(&plan_for(dir, &[]));
    let freed = removals.iter().map(|removal| *removal.as_ref().unwrap());
    assert_eq!(freed.sum::<u64>(), 11);
    assert_eq!(names(dir), [alone, &globals(NEW), NEW]);
}

#[test]
fn the_globals_of_two_backups_go_with_the_last_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let other = OLD.replace(".sql.gz", ".dump");
    let globals = OLD.replace(".sql.gz", ".globals.sql");
    for name in [OLD, &other, &globals, NEW] {
        write(dir.join(name), b"12345").unwrap();
    }
    // One of them passed, and stays.
    let removals = apply(&plan_for(dir, &[OLD]));
    assert_eq!(names(dir), [globals.as_str(), OLD, NEW]);
    assert_eq!(*removals[0].as_ref().unwrap(), 5);
    write(dir.join(&other), b"12345").unwrap();
    assert_eq!(apply(&plan_for(dir, &[])).len(), 2);
    assert_eq!(names(dir), [NEW]);
}

#[test]
fn globals_that_are_a_link_stay_and_so_does_what_they_lead_to() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for name in [OLD, NEW, "precious"] {
        write(dir.join(name), b"x").unwrap();
    }
    let link = OLD.replace(".sql.gz", ".globals.sql");
    symlink(dir.join("precious"), dir.join(&link)).unwrap();
    assert!(apply(&plan_for(dir, &[]))[0].is_ok());
    assert_eq!(names(dir), [link.as_str(), NEW, "precious"]);
}
