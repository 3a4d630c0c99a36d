//! The histories in which a verdict on a backup can be: that of its directory, of the one above, as
//! `verify --latest --backup-dir` writes it, and of those right below.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::history::{self, History};
use super::naming::{directory_of, history_path, is_backup_directory};
use super::place::{ObjectUrl, Place};
use super::proof::Memory;
use super::runs;

/// What everybody may write: the bit of a directory's mode.
const BY_EVERYBODY: u32 = 0o002;

/// What is on record about the backups of a directory and of those right below it.
#[derive(Debug, Default)]
pub struct Nearby {
    /// The runs of all histories that were read.
    pub memory: Memory,
    /// Lines that were set aside, in all of them.
    pub set_aside: History,
    /// Histories that could not be read, one sentence each.
    pub unread: Vec<String>,
}

impl Nearby {
    /// What has to be said of it, one sentence each.
    pub fn warnings(&self) -> impl Iterator<Item = String> + '_ {
        self.set_aside.set_aside().into_iter().chain(self.unread.iter().cloned())
    }
}

/// Reads the history of a directory and those around it.
///
/// # Errors
/// What the system refuses of the directory's own history. Of the others that is said in
/// [`Nearby::unread`].
pub fn read(dir: &Path) -> Result<Nearby, StoreError> {
    if let Place::Objects(url) = Place::of(dir)? {
        return of_objects(&url);
    }
    let home = real(dir);
    let own = history::read(dir)?;
    let (mut histories, mut nearby) = (Vec::new(), Nearby::default());
    let mut seen = BTreeSet::from([home.clone()]);
    nearby.count(&own);
    histories.push((home, own));
    for (near, outer) in around(dir) {
        if !seen.insert(near.clone()) || !is_trusted(&near, &outer, dir) {
            continue;
        }
        match history::read(&near) {
            // Another program's file of that name.
            Ok(history) if history.records.is_empty() && history.newer == 0 => {}
            Ok(history) => {
                nearby.count(&history);
                histories.push((near, history));
            }
            Err(error) => {
                nearby
                    .unread
                    .push(format!("verdicts that are on record there are not known: {error}"));
            }
        }
    }
    nearby.memory = Memory::of(histories);
    Ok(nearby)
}

/// The history of a place in object storage. It has one, and what lies below is another place.
fn of_objects(place: &ObjectUrl) -> Result<Nearby, StoreError> {
    let history = runs::read(place)?;
    let mut nearby = Nearby::default();
    nearby.count(&history);
    nearby.memory = Memory::of(vec![(place.path(), history)]);
    Ok(nearby)
}

impl Nearby {
    fn count(&mut self, history: &History) {
        self.set_aside.damaged += history.damaged;
        self.set_aside.newer += history.newer;
    }
}

/// The directories around one, by their real names, each with the outermost directory whose writers
/// could put a history there.
fn around(dir: &Path) -> Vec<(PathBuf, PathBuf)> {
    let real_dir = real(dir);
    // A link is in one directory, and leads into another.
    let above = [real_dir.parent().map(Path::to_owned), Some(real(directory_of(dir)))];
    let above = above.into_iter().flatten().map(|above| (above.clone(), above));
    above.chain(below(dir).map(|path| (real(&path), real_dir.clone()))).collect()
}

/// The directories right below one, but for hidden ones and those that are backups.
fn below(dir: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let shown = entries.filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."));
    let paths = shown.map(|entry| entry.path());
    paths.filter(|path| path.is_dir() && !is_backup_directory(path))
}

/// The directories right below one that have a history of their own, sorted.
pub fn with_history_below(dir: &Path) -> Vec<PathBuf> {
    let is_ours = |path: &PathBuf| {
        is_trusted(&real(path), &real(dir), dir)
            && history::read(path).is_ok_and(|history| !history.records.is_empty())
    };
    let mut found: Vec<PathBuf> = below(dir).filter(is_ours).collect();
    found.sort();
    found
}

fn real(dir: &Path) -> PathBuf {
    std::fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned())
}

/// Whether the history there can be taken for one of the operator's: where everybody may write, only
/// a file of ours, of root or of the owner of `dir`.
fn is_trusted(near: &Path, outer: &Path, dir: &Path) -> bool {
    let Ok(file) = std::fs::metadata(history_path(near)) else { return false };
    let known = |path: &Path| std::fs::metadata(path);
    let is_open = |dir: &Path| known(dir).is_ok_and(|dir| dir.mode() & BY_EVERYBODY != 0);
    let ours = |file: &Metadata| {
        let owner = known(dir).ok().map(|dir| dir.uid());
        [Some(0), Some(rustix::process::geteuid().as_raw()), owner].contains(&Some(file.uid()))
    };
    file.is_file() && (ours(&file) || !(is_open(near) || is_open(outer)))
}

/// Whether a history may be begun, or is, in a directory by us: in one of another user it would be a
/// file that its user cannot write.
///
/// # Errors
/// What the system refuses.
pub fn may_record_in(dir: &Path) -> io::Result<bool> {
    let is_there = history_path(dir).try_exists()?;
    Ok(is_there || std::fs::metadata(dir)?.uid() == rustix::process::geteuid().as_raw())
}

#[cfg(test)]
#[path = "nearby_tests.rs"]
mod tests;
