//! Looks at a backup directory for a clean-up, and removes what its plan says.
//!
//! Only the directory itself, not those below it, and no symbolic link is ever followed.

use std::collections::BTreeSet;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::lock;
use super::naming::{
    is_backup_directory, is_backup_directory_name, is_backup_name, manifest_path, own_time,
    partial_of,
};
use super::publish::open_unfollowed;
use super::retention::{Action, Entry, Kind, Plan};

/// The entries of a backup directory. `passed` names the backups whose last verification passed
/// ([`super::history::passed_backups`]).
///
/// # Errors
/// [`StoreError::DirectoryMissing`], [`StoreError::NotADirectory`],
/// [`StoreError::DirectoryUnreadable`].
pub fn scan(dir: &Path, passed: &BTreeSet<String>) -> Result<Vec<Entry>, StoreError> {
    let unreadable = |error| StoreError::directory(dir, error);
    let mut entries = Vec::new();
    for found in std::fs::read_dir(dir).map_err(unreadable)? {
        let found = found.map_err(unreadable)?;
        let path = found.path();
        // Gone meanwhile, or not to be looked at: not ours to remove.
        let Ok(metadata) = std::fs::symlink_metadata(&path) else {
            continue;
        };
        let Some(kind) = kind_of(&path, &metadata) else {
            continue;
        };
        let name = found.file_name().to_string_lossy().into_owned();
        let manifest = Some(manifest_path(&path)).filter(|path| is_plain_file(path));
        let manifest_bytes = manifest.as_deref().map_or(0, size);
        entries.push(Entry {
            bytes: size(&path) + manifest_bytes,
            busy: kind != Kind::Foreign && is_busy(&path),
            passed: passed.contains(&name),
            manifest,
            path,
            name,
            kind,
        });
    }
    Ok(entries)
}

/// What an entry is; `None` for what is no backup.
fn kind_of(path: &Path, metadata: &Metadata) -> Option<Kind> {
    let name = path.file_name()?;
    let own = name.to_str().and_then(own_time);
    if metadata.is_file() {
        let text = name.to_str();
        if text.and_then(partial_of).is_some_and(is_own_partial) {
            return Some(Kind::Partial);
        }
        match own {
            Some(time) if is_backup_name(name) => Some(Kind::Backup { time }),
            _ => is_backup_name(name).then_some(Kind::Foreign),
        }
    } else if metadata.is_dir()
        && name.to_str().and_then(partial_of).is_some_and(is_backup_directory_name)
    {
        Some(Kind::Partial)
    } else if metadata.is_dir() && is_backup_directory(path) {
        Some(own.map_or(Kind::Foreign, |time| Kind::Backup { time }))
    } else {
        // A link that is named like a backup is shown, and stays.
        (metadata.is_symlink() && is_backup_name(name)).then_some(Kind::Foreign)
    }
}

/// Whether a partial file is to become something that `create` writes: a backup under any name
/// (the file is its own, whoever chose the name), or a manifest.
fn is_own_partial(target: &str) -> bool {
    let manifest_of = target.strip_suffix(".manifest.json");
    manifest_of.is_some_and(is_backup_directory_name)
        || is_backup_name(manifest_of.unwrap_or(target).as_ref())
}

fn is_plain_file(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file())
}

/// Bytes of a file, or of the files right in a directory (pg_dump's directory format is flat) that
/// are not hidden: those are none of pg_dump's.
pub(crate) fn size(path: &Path) -> u64 {
    let Ok(metadata) = std::fs::symlink_metadata(path) else {
        return 0;
    };
    if !metadata.is_dir() {
        return metadata.len();
    }
    let Ok(entries) = std::fs::read_dir(path) else {
        return 0;
    };
    let bytes = |entry: io::Result<std::fs::DirEntry>| {
        let entry = entry.ok()?;
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        let metadata = entry.metadata().ok().filter(|metadata| metadata.is_file() && !hidden)?;
        Some(metadata.len())
    };
    entries.filter_map(bytes).sum()
}

/// Whether somebody holds a lock on it. What cannot be asked counts as busy.
fn is_busy(path: &Path) -> bool {
    let free = open_unfollowed(path).and_then(|file| lock::try_exclusive(&file));
    !matches!(free, Ok(true))
}

/// What became of an entry that was to go.
#[derive(Debug)]
pub struct Removal {
    /// The entry's path.
    pub path: PathBuf,
    /// Bytes that became free, or why it is still there.
    pub result: Result<u64, RemovalError>,
}

/// Why an entry is still there.
#[derive(Debug, thiserror::Error)]
pub enum RemovalError {
    /// Somebody began to use it after the plan was made.
    #[error("now in use: {}", .0.display())]
    InUse(PathBuf),
    /// It is not what the plan was made for.
    #[error("changed meanwhile: {}", .0.display())]
    Changed(PathBuf),
    /// The system refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RemovalError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::InUse(_) | Self::Changed(_) => Some("run the clean-up again later".to_owned()),
            Self::Store(error) => error.hint(),
        }
    }
}

/// Removes what the plan says, oldest first, each backup with its manifest; goes on after an error.
pub fn apply(plan: &Plan) -> Vec<Removal> {
    plan.decisions
        .iter()
        .rev()
        .filter(|decision| matches!(decision.action, Action::Remove(_)))
        .map(|decision| Removal {
            path: decision.entry.path.clone(),
            result: remove(&decision.entry),
        })
        .collect()
}

fn remove(entry: &Entry) -> Result<u64, RemovalError> {
    let path = &entry.path;
    let failed = |error| StoreError::io("remove", path, error);
    // Locked until it is gone, so that nobody begins to verify what is being removed.
    let file = open_unfollowed(path).map_err(failed)?;
    if !lock::try_exclusive(&file).map_err(failed)? {
        return Err(RemovalError::InUse(path.clone()));
    }
    if !is_as_planned(entry, &file).map_err(failed)? {
        return Err(RemovalError::Changed(path.clone()));
    }
    // The manifest first: a backup without a manifest is still one, a manifest alone is litter.
    if let Some(manifest) = &entry.manifest {
        gone(std::fs::remove_file(manifest))
            .map_err(|error| StoreError::io("remove", manifest, error))?;
    }
    let removed = if file.metadata().map_err(failed)?.is_dir() {
        std::fs::remove_dir_all(path)
    } else {
        std::fs::remove_file(path)
    };
    removed.map_err(failed)?;
    Ok(entry.bytes)
}

/// Whether the open file is the one that was planned for: of the same name, kind and size.
fn is_as_planned(entry: &Entry, file: &File) -> io::Result<bool> {
    let metadata = file.metadata()?;
    let manifest_bytes = entry.manifest.as_deref().map_or(0, size);
    Ok(lock::still_names(&entry.path, file)?
        && kind_of(&entry.path, &metadata) == Some(entry.kind)
        && (metadata.is_dir() || metadata.size() + manifest_bytes == entry.bytes))
}

/// What is gone already needs no removing.
fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::write;
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    use chrono::{TimeZone, Utc};

    use super::super::publish::Partial;
    use super::super::publish_directory::PartialDirectory;
    use super::super::retention::{Policy, plan};
    use super::*;

    fn a_month() -> Policy {
        Policy { older_than: Some(Duration::from_secs(30 * 86_400)), ..Policy::default() }
    }

    fn plan_for(dir: &Path, passed: &[&str]) -> Plan {
        let passed = passed.iter().map(|name| (*name).to_owned()).collect();
        let now = Utc.with_ymd_and_hms(2026, 3, 15, 0, 0, 0).unwrap();
        plan(now, scan(dir, &passed).unwrap(), &a_month())
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    const OLD: &str = "backup_20250101_020000.sql.gz";
    const OLDER: &str = "backup_20240101_020000.sql.gz";
    const NEW: &str = "backup_20260314_020000.sql.gz";

    #[test]
    fn an_old_backup_goes_with_its_manifest_and_nothing_else_does() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let manifest = format!("{OLD}.manifest.json");
        for name in [OLD, &manifest, OLDER, NEW, "README.md", "history.jsonl", "old.sql"] {
            write(dir.join(name), b"12345").unwrap();
        }
        std::fs::create_dir(dir.join("database")).unwrap();
        write(dir.join("database").join(OLD), b"x").unwrap();
        let removals = apply(&plan_for(dir, &[OLDER]));
        assert_eq!(removals.len(), 1);
        assert_eq!(*removals[0].result.as_ref().unwrap(), 10);
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
        assert!(apply(&plan_for(dir, &[]))[0].result.is_ok());
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
        assert!(matches!(removals[0].result, Err(RemovalError::InUse(_))));
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
        assert!(matches!(removals[0].result, Err(RemovalError::Changed(_))));
        assert!(dir.join(OLD).exists());
    }

    #[test]
    fn the_partial_files_of_dead_runs_go_and_those_of_live_ones_stay() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        for name in [".manual.sql.gz.partial", ".x.sql.manifest.json.partial", ".notes.partial"] {
            write(dir.join(name), b"half").unwrap();
        }
        let live = Partial::create(&dir.join(NEW), false).unwrap();
        let removals = apply(&plan_for(dir, &[]));
        assert!(removals.len() == 2 && removals.iter().all(|removal| removal.result.is_ok()));
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
        assert_eq!(*removals[0].result.as_ref().unwrap(), 9);
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
        write(dir.join(".live.dir.manifest.json.partial"), b"{").unwrap();
        write(dir.join(".x.manifest.json.partial"), b"{").unwrap();
        write(dir.join(NEW), b"x").unwrap();
        let live = PartialDirectory::create(&dir.join("live.dir"), false).unwrap();
        let removals = apply(&plan_for(dir, &[]));
        assert!(removals.len() == 3 && removals.iter().all(|removal| removal.result.is_ok()));
        let kept = [".cache.partial", ".live.dir.partial", ".x.manifest.json.partial"];
        assert_eq!(names(dir), [&kept[..], &[NEW, "database.dir"]].concat());
        drop(live);
    }

    #[test]
    fn a_missing_directory_is_named() {
        let scanned = scan(Path::new("/no/such/backups"), &BTreeSet::new());
        assert!(matches!(scanned, Err(StoreError::DirectoryMissing(_))));
    }
}
