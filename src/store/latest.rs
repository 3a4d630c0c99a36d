//! Finds the backups, and the newest of them, in a directory and in the directories right below it.

use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::error::StoreError;
use super::in_place;
use super::naming::{is_backup_directory, is_backup_name, time_in_name};
use super::place::{ObjectUrl, Place};

/// A backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The file, or the directory of pg_dump's directory format.
    pub path: PathBuf,
    /// When it was made.
    pub time: DateTime<Utc>,
    /// Whether the time is from its name; else it is the time of its last change.
    pub time_from_name: bool,
    /// Directories that could not be looked into; a newer backup may be there.
    pub not_searched: Vec<PathBuf>,
}

/// The newest backup by the time in its name, else by its last change; `None` when there is none.
/// Hidden directories are not searched.
///
/// # Errors
/// [`StoreError::DirectoryMissing`], [`StoreError::NotADirectory`] or
/// [`StoreError::DirectoryUnreadable`], of `dir` itself.
pub fn find_latest(dir: &Path) -> Result<Option<Found>, StoreError> {
    let (backups, not_searched) = find_all(dir)?;
    Ok(backups.into_iter().next().map(|found| Found { not_searched, ..found }))
}

/// All backups, newest first, and the directories that could not be looked into.
///
/// # Errors
/// As [`find_latest`].
pub fn find_all(dir: &Path) -> Result<(Vec<Found>, Vec<PathBuf>), StoreError> {
    if let Place::Objects(url) = Place::of(dir)? {
        return Ok((in_objects(&url)?, Vec::new()));
    }
    let mut search = Search::default();
    search.look_into(dir, true).map_err(|error| StoreError::directory(dir, error))?;
    search.backups.sort_by(|one, other| (other.time, &other.path).cmp(&(one.time, &one.path)));
    Ok((search.backups, search.not_searched))
}

/// The backups of a place in object storage, newest first. Only what has a manifest is one, and places below it are
/// not looked into.
fn in_objects(place: &ObjectUrl) -> Result<Vec<Found>, StoreError> {
    let found = in_place::look(place)?.backups.into_iter().map(|backup| {
        let (time, time_from_name) = backup.time();
        Found { path: backup.path(place), time, time_from_name, not_searched: Vec::new() }
    });
    let mut backups: Vec<Found> = found.collect();
    backups.sort_by(|one, other| (other.time, &other.path).cmp(&(one.time, &one.path)));
    Ok(backups)
}

/// When a backup of this machine was made by its name, else by its last change; and whether its name says so.
pub fn time_of(path: &Path) -> Option<(DateTime<Utc>, bool)> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let changed = || std::fs::metadata(path).ok()?.modified().ok().map(DateTime::<Utc>::from);
    match time_in_name(&name) {
        Some(time) => Some((time, true)),
        None => changed().map(|time| (time, false)),
    }
}

#[derive(Default)]
struct Search {
    backups: Vec<Found>,
    not_searched: Vec<PathBuf>,
}

impl Search {
    fn look_into(&mut self, dir: &Path, deeper: bool) -> io::Result<()> {
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            let name = entry.file_name();
            if name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            // Followed: operators link to backups elsewhere. A link to nowhere is none.
            let Ok(metadata) = std::fs::metadata(entry.path()) else {
                continue;
            };
            if metadata.is_file() && is_backup_name(&name) {
                self.consider(entry.path());
            } else if metadata.is_dir() {
                let path = entry.path();
                if is_backup_directory(&path) {
                    self.consider(path);
                } else if deeper && self.look_into(&path, false).is_err() {
                    self.not_searched.push(path);
                }
            }
        }
        Ok(())
    }

    fn consider(&mut self, path: PathBuf) {
        if let Some((time, time_from_name)) = time_of(&path) {
            self.backups.push(Found { path, time, time_from_name, not_searched: Vec::new() });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{create_dir, write};
    use std::os::unix::fs::symlink;

    use super::*;

    fn latest(dir: &Path) -> Option<String> {
        let found = find_latest(dir).unwrap()?;
        let path = found.path.strip_prefix(dir).unwrap();
        Some(path.to_str().unwrap().to_owned())
    }

    #[test]
    fn find_latest_backup() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        // Written in the wrong order: the names decide, not the times of the files.
        for name in ["20260114_020000", "20260116_020000", "20260115_020000"] {
            write(dir.join(format!("backup_{name}.sql.gz")), b"x").unwrap();
        }
        assert_eq!(latest(dir).unwrap(), "backup_20260116_020000.sql.gz");
        create_dir(dir.join("database")).unwrap();
        write(dir.join("database/backup_20260117_020000.dump"), b"x").unwrap();
        assert_eq!(latest(dir).unwrap(), "database/backup_20260117_020000.dump");
    }

    #[test]
    fn find_latest_backup_empty_dir() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(find_latest(dir.path()).unwrap(), None);
    }

    #[test]
    fn find_latest_backup_nonexistent_dir() {
        let dir = tempfile::tempdir().unwrap();
        let error = find_latest(&dir.path().join("none")).unwrap_err();
        assert!(matches!(error, StoreError::DirectoryMissing(_)), "{error}");
        assert!(error.hint().is_some());
    }

    #[test]
    fn a_file_in_the_place_of_the_directory_is_named_as_such() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = find_latest(file.path()).unwrap_err();
        assert!(matches!(error, StoreError::NotADirectory(_)), "{error}");
    }

    #[test]
    fn what_is_no_backup_is_never_the_latest() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        for name in [
            ".backup_20300101_000000.sql.gz.partial",
            ".backup_20300101_000000.sql",
            "backup_20300101_000000.sql.gz.manifest.json",
            "history.jsonl",
            "README.md",
        ] {
            write(dir.join(name), b"x").unwrap();
        }
        create_dir(dir.join(".hidden")).unwrap();
        write(dir.join(".hidden/backup_20300101_000000.sql"), b"x").unwrap();
        create_dir(dir.join("a")).unwrap();
        create_dir(dir.join("a/b")).unwrap();
        write(dir.join("a/b/backup_20300101_000000.sql"), b"x").unwrap();
        create_dir(dir.join("backup_20300101_000000.sql")).unwrap();
        symlink("nowhere", dir.join("backup_20300101_000001.sql")).unwrap();
        assert_eq!(latest(dir), None);
    }

    #[test]
    fn a_name_without_a_time_counts_by_its_last_change() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path().join("backup_20200101_000000.sql"), b"x").unwrap();
        write(dir.path().join("manual.sql"), b"x").unwrap();
        let found = find_latest(dir.path()).unwrap().unwrap();
        assert!(found.path.ends_with("manual.sql") && !found.time_from_name);
    }

    #[test]
    fn a_directory_of_pg_dump_is_one_backup() {
        let dir = tempfile::tempdir().unwrap();
        let backup = dir.path().join("backup_20260101_000000");
        create_dir(&backup).unwrap();
        write(backup.join("toc.dat"), b"PGDMP").unwrap();
        write(backup.join("backup_20270101_000000.sql"), b"x").unwrap();
        assert_eq!(find_latest(dir.path()).unwrap().unwrap().path, backup);
    }

    #[test]
    fn names_that_are_not_utf_8_are_found() {
        use std::os::unix::ffi::OsStrExt;
        let dir = tempfile::tempdir().unwrap();
        let name = std::ffi::OsStr::from_bytes(b"b\xff_20260101_000000\n.sql");
        write(dir.path().join(name), b"x").unwrap();
        let found = find_latest(dir.path()).unwrap().unwrap();
        assert!(found.time_from_name && found.path.file_name() == Some(name));
    }
}
