use std::fs::{Permissions, create_dir, create_dir_all, set_permissions, write};
use std::os::unix::fs::{PermissionsExt, symlink};

use super::super::history::{Record, Work};
use super::super::proof::{Backup, Proven};
use super::*;
use crate::model::outcome::Verdict;

const SHA: &str = "aa";

/// Puts a verdict on the bytes [`SHA`] into a history.
fn verdict(dir: &Path, verdict: Verdict) {
    let mut record = Record::new(Work::Verify, "x.sql", chrono::Utc::now(), verdict);
    record.sha256 = Some(SHA.to_owned());
    write(history_path(dir), serde_json::to_string(&record).unwrap() + "\n").unwrap();
}

fn proven(dir: &Path) -> Option<Proven> {
    let path = dir.join("y.sql");
    let backup = Backup { path: &path, bytes: 1, recorded: Some(SHA) };
    read(dir).unwrap().memory.of_backup(&backup).proven()
}

#[test]
fn verdicts_are_looked_for_in_the_directory_above_and_in_those_right_below() {
    let place = tempfile::tempdir().unwrap();
    let (above, dir) = (place.path().join("backups"), place.path().join("backups/database"));
    create_dir_all(dir.join("old/older")).unwrap();
    assert_eq!(proven(&dir), None);
    for near in [&above, &dir, &dir.join("old")] {
        verdict(near, Verdict::Passed);
        assert_eq!(proven(&dir), Some(Proven::Sound), "{}", near.display());
        std::fs::remove_file(history_path(near)).unwrap();
    }
    for far in [place.path(), &dir.join("old/older")] {
        verdict(far, Verdict::Passed);
        assert_eq!(proven(&dir), None, "{}", far.display());
    }
}

#[test]
fn a_directory_that_is_a_link_is_in_one_directory_and_leads_into_another() {
    let place = tempfile::tempdir().unwrap();
    for dir in ["disk/backups", "named", "hidden/.x"] {
        create_dir_all(place.path().join(dir)).unwrap();
    }
    let link = place.path().join("named/backups");
    symlink(place.path().join("disk/backups"), &link).unwrap();
    for near in ["named", "disk", "disk/backups"] {
        verdict(&place.path().join(near), Verdict::Passed);
        assert_eq!(proven(&link), Some(Proven::Sound), "{near}");
        std::fs::remove_file(history_path(&place.path().join(near))).unwrap();
    }
    verdict(&place.path().join("hidden/.x"), Verdict::Passed);
    assert_eq!(proven(&place.path().join("hidden")), None);
}

#[test]
fn what_cannot_be_read_around_is_said_and_what_cannot_be_read_here_is_an_error() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("backups");
    create_dir(&dir).unwrap();
    // Another program's, for all that can be told.
    write(history_path(place.path()), b"{\"display\":\"ls\"}\n{\n").unwrap();
    assert_eq!(read(&dir).unwrap().warnings().count(), 0);
    write(history_path(place.path()), b"{\n{\"version\":9}\n").unwrap();
    write(history_path(&dir), b"{\n").unwrap();
    let said: Vec<String> = read(&dir).unwrap().warnings().collect();
    assert_eq!(said, ["set aside in the history: 2 damaged lines, 1 line of a newer ccc-backup"]);
    // A directory in its place is nobody's history.
    std::fs::remove_file(history_path(place.path())).unwrap();
    create_dir(history_path(place.path())).unwrap();
    assert_eq!(read(&dir).unwrap().unread, [""; 0]);
    std::fs::remove_file(history_path(&dir)).unwrap();
    create_dir(history_path(&dir)).unwrap();
    assert!(read(&dir).is_err());
}

#[test]
fn where_everybody_may_write_only_a_history_of_ours_counts() {
    if !rustix::process::geteuid().is_root() {
        return; // Only root can give a file to another user.
    }
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("backups");
    create_dir_all(dir.join("theirs")).unwrap();
    let chown = |path: &Path| std::os::unix::fs::chown(path, Some(65534), None).unwrap();
    for near in [place.path(), &dir.join("theirs")] {
        let outer = if near == place.path() { near } else { &dir };
        verdict(near, Verdict::Failed);
        chown(&history_path(near));
        assert_eq!(proven(&dir), Some(Proven::Bad), "only its users may write there");
        set_permissions(outer, Permissions::from_mode(0o1777)).unwrap();
        assert_eq!(proven(&dir), None, "{}", near.display());
        verdict_of_root(near);
        assert_eq!(proven(&dir), Some(Proven::Sound), "{}", near.display());
        std::fs::remove_file(history_path(near)).unwrap();
        set_permissions(outer, Permissions::from_mode(0o755)).unwrap();
    }
}

fn verdict_of_root(dir: &Path) {
    std::fs::remove_file(history_path(dir)).unwrap();
    verdict(dir, Verdict::Passed);
}

#[test]
fn a_history_is_begun_only_in_a_directory_of_ours() {
    let place = tempfile::tempdir().unwrap();
    assert!(may_record_in(place.path()).unwrap());
    assert!(may_record_in(&place.path().join("none")).is_err());
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(place.path(), Some(65534), None).unwrap();
        assert!(!may_record_in(place.path()).unwrap());
        write(history_path(place.path()), b"").unwrap();
        assert!(may_record_in(place.path()).unwrap());
    }
}
