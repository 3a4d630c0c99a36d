//! Looks at a backup directory for a clean-up, and removes what its plan says.
//!
//! Only the directory itself, not those below it, and no symbolic link is ever followed.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::globals::{globals_path, is_globals_name, is_shared};
use super::lock;
use super::manifest::{Manifest, Outline};
use super::naming::{
    database_in_name, is_backup_directory, is_backup_directory_name, is_backup_name, manifest_path,
    own_time, partial_of,
};
use super::proof::{Backup, Memory, Proven};
use super::publish::open_unfollowed;
use super::retention::{Action, Decision, Entry, Kind, Plan};
use super::signature;
use crate::sealing::Identities;

/// How the name of a manifest ends.
const MANIFEST: &str = ".manifest.json";

/// The entries of a backup directory, each with what is proven of it.
///
/// # Errors
/// [`StoreError::DirectoryMissing`], [`StoreError::NotADirectory`],
/// [`StoreError::DirectoryUnreadable`].
pub fn scan(dir: &Path, memory: &Memory) -> Result<Vec<Entry>, StoreError> {
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
        let globals = Some(globals_path(&path)).filter(|path| is_plain_file(path));
        let signature = Some(signature::path_of(&path)).filter(|path| is_plain_file(path));
        let bytes = size(&path);
        let (database, proven) = known(&path, bytes, kind, memory);
        entries.push(Entry {
            bytes: bytes + sizes([&manifest, &signature, &globals]),
            busy: kind != Kind::Foreign && is_busy(&path),
            database,
            proven,
            manifest,
            globals,
            signature,
            path,
            name,
            kind,
        });
    }
    Ok(entries)
}

/// The database of a backup that `create` named, and what is proven of it; a manifest that cannot be used says nothing.
fn known(path: &Path, bytes: u64, kind: Kind, memory: &Memory) -> (Option<String>, Option<Proven>) {
    if !matches!(kind, Kind::Backup { .. }) {
        return (None, None);
    }
    let outline = Outline::read(path).ok().flatten();
    let outline = outline.filter(|outline| outline.check_belongs(path, bytes).is_ok());
    let recorded = outline.as_ref().map(Outline::sha256);
    let known = memory.of_backup(&Backup { path, bytes, recorded: recorded.as_deref() });
    let named = path.file_name().and_then(|name| database_in_name(&name.to_string_lossy()));
    let on_record = || known.last(|record| record.database.clone());
    let in_manifest = || {
        outline.as_ref()?;
        // What is sealed stays so.
        Manifest::read(path, &Identities::default()).ok()??.source.database
    };
    (named.or_else(on_record).or_else(in_manifest), known.proven())
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

/// Whether a partial file is to become something that ccc-backup writes here: a backup under any name
/// (the file is its own, whoever chose the name), its manifest, the signature of that, or its globals.
fn is_own_partial(target: &str) -> bool {
    let signed = target.strip_suffix(".sig").filter(|signed| signed.ends_with(MANIFEST));
    let manifest_of = signed.unwrap_or(target).strip_suffix(MANIFEST);
    manifest_of.is_some_and(is_backup_directory_name)
        || is_backup_name(manifest_of.unwrap_or(target).as_ref())
        || is_globals_name(target.as_ref())
}

fn is_plain_file(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file())
}

/// Bytes of those of these files that there are.
fn sizes<const N: usize>(files: [&Option<PathBuf>; N]) -> u64 {
    files.into_iter().flatten().map(|file| size(file)).sum()
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

/// Whether somebody holds a lock on it. Where that cannot be asked, [`apply`] cannot lock it either,
/// and says why it stays.
fn is_busy(path: &Path) -> bool {
    let free = open_unfollowed(path).and_then(|file| lock::try_exclusive(&file));
    matches!(free, Ok(false))
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
    /// Object lock keeps it.
    #[error("locked: {}", .0.display())]
    Locked(PathBuf),
    /// The system refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RemovalError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::InUse(_) | Self::Changed(_) => Some("run the clean-up again later".to_owned()),
            Self::Locked(_) => Some("wait until its retention is over".to_owned()),
            Self::Store(error) => error.hint(),
        }
    }
}

/// Removes what the plan says, oldest first, each backup with its manifest, signature and globals; goes on after
/// an error. Gives for each the bytes that became free, or why it is still there.
pub fn apply(plan: &Plan) -> Vec<Result<u64, RemovalError>> {
    apply_with(plan, remove)
}

/// The same, by another way to remove an entry.
pub fn apply_with(
    plan: &Plan,
    remove: impl Fn(&Entry) -> Result<u64, RemovalError>,
) -> Vec<Result<u64, RemovalError>> {
    let goes = |decision: &&Decision| matches!(decision.action, Action::Remove(_));
    let removals = plan.decisions.iter().rev().filter(goes);
    removals.map(|decision| remove(&decision.entry)).collect()
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
    // The manifest first: a backup without a manifest is still one, a manifest alone is litter. Then its
    // signature, which is found again while its backup is there.
    for beside in [&entry.manifest, &entry.signature].into_iter().flatten() {
        gone(std::fs::remove_file(beside))
            .map_err(|error| StoreError::io("remove", beside, error))?;
    }
    let removed = if file.metadata().map_err(failed)?.is_dir() {
        std::fs::remove_dir_all(path)
    } else {
        std::fs::remove_file(path)
    };
    removed.map_err(failed)?;
    // Its globals last: while it lives, it has them.
    match &entry.globals {
        Some(globals) if is_shared(path) => Ok(entry.bytes.saturating_sub(size(globals))),
        Some(globals) => gone(std::fs::remove_file(globals))
            .map(|()| entry.bytes)
            .map_err(|error| StoreError::io("remove", globals, error).into()),
        None => Ok(entry.bytes),
    }
}

/// Whether the open file is the one that was planned for: of the same name, kind and size.
fn is_as_planned(entry: &Entry, file: &File) -> io::Result<bool> {
    let metadata = file.metadata()?;
    let beside = sizes([&entry.manifest, &entry.signature, &entry.globals]);
    Ok(lock::still_names(&entry.path, file)?
        && kind_of(&entry.path, &metadata) == Some(entry.kind)
        && (metadata.is_dir() || metadata.size() + beside == entry.bytes))
}

/// What is gone already needs no removing.
fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
#[path = "sweep_tests.rs"]
mod tests;
