use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

/// The names in a directory, sorted.
pub(in crate::store) fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Writes a file in one go.
fn write(target: &Path, bytes: &[u8], overwrite: bool) -> Result<(), StoreError> {
    let mut partial = Partial::create(target, overwrite)?;
    partial.write_all(bytes).unwrap();
    partial.publish().map(drop)
}

#[test]
fn a_file_appears_under_its_name_only_when_it_is_published() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("x.sql.gz");
    let mut partial = Partial::create(&target, false).unwrap();
    partial.write_all(b"dump").unwrap();
    assert_eq!(names(dir.path()), [".x.sql.gz.partial"]);
    drop(partial.publish().unwrap());
    assert_eq!(names(dir.path()), ["x.sql.gz"]);
    assert_eq!(std::fs::read(&target).unwrap(), b"dump");
    let mode = std::fs::metadata(&target).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_file_that_is_not_published_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    drop(Partial::create(&dir.path().join("x.sql.gz"), false).unwrap());
    assert!(names(dir.path()).is_empty());
}

#[test]
fn missing_directories_are_made_for_their_owner_only() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("a/b/x.json"), b"{}", false).unwrap();
    let mode = dir.path().join("a").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn an_existing_file_is_replaced_only_when_that_is_allowed() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("x");
    write(&target, b"old", false).unwrap();
    let error = write(&target, b"new", false).unwrap_err();
    assert!(matches!(error, StoreError::TargetExists(_)), "{error}");
    assert!(error.hint().unwrap().contains("--force"));
    assert_eq!(std::fs::read(&target).unwrap(), b"old");
    write(&target, b"new", true).unwrap();
    assert_eq!(std::fs::read(&target).unwrap(), b"new");
    assert_eq!(names(dir.path()), ["x"]);
}

#[test]
fn a_name_taken_while_writing_is_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("x");
    let partial = Partial::create(&target, false).unwrap();
    std::fs::write(&target, b"another").unwrap();
    assert!(matches!(partial.publish(), Err(StoreError::TargetExists(_))));
    assert_eq!(std::fs::read(&target).unwrap(), b"another");
    assert_eq!(names(dir.path()), ["x"]);
}

#[test]
fn a_directory_that_took_the_name_while_writing_is_named_and_stays() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("x");
    let partial = Partial::create(&target, true).unwrap();
    std::fs::create_dir(&target).unwrap();
    assert!(matches!(partial.publish(), Err(StoreError::TargetIsDirectory(_))));
    assert!(target.is_dir());
    assert_eq!(names(dir.path()), ["x"]);
}

#[test]
fn a_file_whose_directory_went_away_while_writing_is_not_published() {
    let dir = tempfile::tempdir().unwrap();
    let below = dir.path().join("below");
    for overwrite in [false, true] {
        let partial = Partial::create(&below.join("x"), overwrite).unwrap();
        std::fs::remove_dir_all(&below).unwrap();
        let error = partial.publish().unwrap_err();
        assert!(error.to_string().contains("could not rename a file to"), "{error}");
        assert!(names(dir.path()).is_empty());
    }
}

#[test]
fn the_fallback_for_other_file_systems_does_not_replace_either() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    std::fs::write(&from, b"new").unwrap();
    std::fs::write(&to, b"old").unwrap();
    let error = link_and_unlink(&from, &to).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    std::fs::remove_file(&to).unwrap();
    link_and_unlink(&from, &to).unwrap();
    assert_eq!(names(dir.path()), ["to"]);
}

#[test]
fn what_cannot_be_linked_is_renamed_and_replaces_nothing_either() {
    let dir = tempfile::tempdir().unwrap();
    // No file system has hard links of directories.
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    std::fs::create_dir(&from).unwrap();
    std::fs::create_dir(&to).unwrap();
    let error = link_and_unlink(&from, &to).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(names(dir.path()), ["from", "to"]);
    std::fs::remove_dir(&to).unwrap();
    link_and_unlink(&from, &to).unwrap();
    assert_eq!(names(dir.path()), ["to"]);
}

#[test]
fn the_partial_file_of_a_dead_run_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(".x.partial"), b"half").unwrap();
    write(&dir.path().join("x"), b"whole", false).unwrap();
    assert_eq!(names(dir.path()), ["x"]);
    assert_eq!(std::fs::read(dir.path().join("x")).unwrap(), b"whole");
}

#[test]
fn the_partial_file_of_a_live_run_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("x");
    let first = Partial::create(&target, false).unwrap();
    let error = Partial::create(&target, true).unwrap_err();
    assert!(matches!(error, StoreError::BeingWritten(_)), "{error}");
    drop(first.publish().unwrap());
    assert_eq!(names(dir.path()), ["x"]);
}

#[test]
fn of_many_runs_at_once_one_writes_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("x");
    std::fs::write(dir.path().join(".x.partial"), b"stale").unwrap();
    let won = std::thread::scope(|scope| {
        let runs: Vec<_> =
            (0..16).map(|_| scope.spawn(|| write(&target, &[7; 4096], false).is_ok())).collect();
        runs.into_iter().filter(|_| true).map(|run| run.join().unwrap()).filter(|won| *won).count()
    });
    assert_eq!(won, 1);
    assert_eq!(names(dir.path()), ["x"]);
    assert_eq!(std::fs::read(&target).unwrap(), [7; 4096]);
}

#[test]
fn of_many_runs_at_once_that_renew_a_file_each_writes_it_whole() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("x");
    std::fs::write(dir.path().join(".x.partial"), b"stale, and longer than what follows").unwrap();
    std::thread::scope(|scope| {
        for n in 0..16 {
            let target = &target;
            scope.spawn(move || write_anew(target, &[n; 16], 0o640).unwrap());
        }
    });
    let bytes = std::fs::read(&target).unwrap();
    assert!(bytes.len() == 16 && bytes.iter().all(|byte| *byte == bytes[0]), "{bytes:?}");
    assert_eq!(std::fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(names(dir.path()), ["x"]);
}

#[test]
fn who_renews_a_file_waits_for_who_does_so_already() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("x");
    let mut first = Partial::renew(&target, 0o600).unwrap();
    let second = std::thread::spawn({
        let target = target.clone();
        move || write_anew(&target, b"second", 0o600)
    });
    first.write_all(b"first").unwrap();
    assert!(!second.is_finished());
    drop(first.publish().unwrap());
    second.join().unwrap().unwrap();
    assert_eq!(std::fs::read(&target).unwrap(), b"second");
}

#[test]
fn a_file_is_not_renewed_where_there_is_no_directory() {
    let dir = tempfile::tempdir().unwrap();
    assert!(write_anew(&dir.path().join("no/x"), b"", 0o600).is_err());
    assert!(names(dir.path()).is_empty());
}

#[test]
fn a_published_file_stays_locked_while_its_maker_holds_it() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("x");
    let held = Partial::create(&target, false).unwrap().publish().unwrap();
    let other = File::open(&target).unwrap();
    assert!(!lock::try_exclusive(&other).unwrap());
    drop(held);
    assert!(lock::try_exclusive(&other).unwrap());
}

#[test]
fn a_directory_a_path_without_a_name_and_a_file_as_directory_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let made = Partial::create(dir.path(), true);
    assert!(matches!(made, Err(StoreError::TargetIsDirectory(_))));
    let made = Partial::create(Path::new("/"), true);
    assert!(matches!(made, Err(StoreError::NoFileName(_))));
    std::fs::write(dir.path().join("file"), b"").unwrap();
    let made = Partial::create(&dir.path().join("file/x"), false);
    assert!(matches!(made, Err(StoreError::NotADirectory(_))), "{made:?}");
}

#[test]
fn a_name_that_is_too_long_is_refused_and_nothing_is_left() {
    let dir = tempfile::tempdir().unwrap();
    // The second is none by itself: with what the partial file adds, it is.
    for (length, doing) in [(300, "look at"), (250, "create")] {
        let error = Partial::create(&dir.path().join("x".repeat(length)), true).unwrap_err();
        assert!(error.to_string().starts_with(&format!("could not {doing} ")), "{error}");
        assert!(error.hint().unwrap().contains("check the path"));
    }
    let below = dir.path().join("x".repeat(300)).join("x");
    let error = Partial::create(&below, true).unwrap_err();
    assert!(error.to_string().starts_with("could not create "), "{error}");
    assert!(names(dir.path()).is_empty());
}

#[test]
fn a_symbolic_link_in_the_place_of_the_partial_file_is_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let precious = dir.path().join("precious");
    std::fs::write(&precious, b"keep").unwrap();
    symlink(&precious, dir.path().join(".x.partial")).unwrap();
    assert!(Partial::create(&dir.path().join("x"), false).is_err());
    assert_eq!(std::fs::read(&precious).unwrap(), b"keep");
}

#[test]
fn a_full_disk_is_called_a_full_disk() {
    let error = StoreError::io("write", Path::new("x"), io::ErrorKind::StorageFull.into());
    assert_eq!(error.to_string(), "no space left to write x");
    assert!(error.hint().is_some());
}
