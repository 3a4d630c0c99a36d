//! Looks at a place in object storage for a clean-up, and removes what its plan says.
//!
//! There are no locks: what is younger than a day and has no manifest may still be written.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::error::StoreError;
use super::globals::globals_path;
use super::in_place::{self, Contents, InPlace};
use super::naming::{
    database_in_name, is_backup_directory_name, is_backup_name, manifest_path, own_time,
};
use super::objects::{Bucket, Kind as Answer, Object, ObjectError};
use super::place::ObjectUrl;
use super::proof::{Backup, Memory};
use super::retention::{Entry, Kind};
use super::signature;
use super::sweep::RemovalError;

/// What has no manifest and is older is left by a run that died.
const UNFINISHED: Duration = Duration::from_secs(24 * 3600);

/// The entries of a place, each with what is proven of it there.
///
/// # Errors
/// What the place answers.
pub fn scan(
    place: &ObjectUrl,
    memory: &Memory,
    now: DateTime<Utc>,
) -> Result<Vec<Entry>, StoreError> {
    let contents = in_place::look(place)?;
    let whole = contents.backups.iter().map(|backup| entry(place, &contents, backup, memory));
    let left = contents.unfinished.iter().filter(|left| is_ours(&left.name));
    let left = left.map(|left| {
        let busy = may_be_written(left.time_written(), now);
        Entry { kind: Kind::Partial, busy, ..entry(place, &contents, left, memory) }
    });
    // Their run died right after it had written them, or a clean-up did.
    let alone = contents.globals.iter().filter(|(name, _)| is_ours(name));
    let alone = alone.map(|(name, object)| globals_alone(name, object, now));
    let everything = contents.backups.iter().chain(&contents.unfinished);
    let theirs: HashSet<PathBuf> = everything.map(|of| globals_path(&of.path(place))).collect();
    let alone = alone.filter(|globals| !theirs.contains(&globals.path));
    Ok(whole.chain(left).chain(alone).collect())
}

/// Gives up the uploads of backups that nobody ended within a day, where the place can tell of them; those that were or
/// would be given up.
///
/// # Errors
/// What the place answers.
pub fn give_up_uploads(
    place: &ObjectUrl,
    now: DateTime<Utc>,
    dry_run: bool,
) -> Result<Vec<String>, StoreError> {
    let bucket = Bucket::of(place)?;
    let mut given_up = Vec::new();
    for upload in bucket.unended(place)? {
        let below = upload.url.key.strip_prefix(&place.key).unwrap_or(&upload.url.key);
        let name = below.trim_start_matches('/').to_owned();
        let of_backup = name.split('/').next().unwrap_or_default();
        if may_be_written(upload.begun, now) || !is_ours(of_backup) {
            continue;
        }
        if !dry_run {
            bucket.give_up(&upload)?;
        }
        given_up.push(name);
    }
    Ok(given_up)
}

/// Whether what has no manifest, or the roles beside it, have a name that `create` gives by itself: what somebody put
/// there by hand stays.
fn is_ours(name: &str) -> bool {
    own_time(&name.replace(".globals.sql", ".sql")).is_some()
}

/// Whether a run may still be at work on what was written then.
fn may_be_written(then: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    (now - then).to_std().unwrap_or_default() < UNFINISHED
}

/// Roles that no backup has.
fn globals_alone(name: &str, object: &Object, now: DateTime<Utc>) -> Entry {
    Entry {
        name: name.to_owned(),
        kind: Kind::Partial,
        bytes: object.bytes,
        busy: may_be_written(object.modified, now),
        manifest: None,
        signature: None,
        globals: None,
        database: None,
        proven: None,
        path: object.url.path(),
    }
}

fn entry(place: &ObjectUrl, contents: &Contents, backup: &InPlace, memory: &Memory) -> Entry {
    let (path, bytes) = (backup.path(place), backup.bytes());
    let own = own_time(&backup.name)
        .filter(|_| is_backup_name(backup.name.as_ref()) || is_backup_directory_name(&backup.name));
    let kind = own.map_or(Kind::Foreign, |time| Kind::Backup { time });
    let known = memory.of_backup(&Backup { path: &path, bytes, recorded: None });
    let globals = globals_of(place, contents, backup);
    let beside = globals.as_ref().map_or(0, |(_, bytes)| *bytes);
    let all: u64 = backup.everything().map(|object| object.bytes).sum();
    Entry {
        name: backup.name.clone(),
        kind,
        bytes: all + beside,
        busy: false,
        manifest: backup.manifest.as_ref().map(|_| manifest_path(&path)),
        signature: backup.signature.as_ref().map(|_| signature::path_of(&path)),
        globals: globals.map(|(path, _)| path),
        database: own
            .and_then(|_| database_in_name(&backup.name))
            .or_else(|| known.last(|record| record.database.clone()).filter(|_| own.is_some())),
        proven: known.proven().filter(|_| matches!(kind, Kind::Backup { .. })),
        path,
    }
}

/// The file of roles that goes with a backup, unless another backup has it, too.
fn globals_of(place: &ObjectUrl, contents: &Contents, of: &InPlace) -> Option<(PathBuf, u64)> {
    let path = globals_path(&of.path(place));
    let name = path.file_name()?.to_str()?;
    let object = contents.globals.get(name)?;
    let shares =
        |other: &&InPlace| other.name != of.name && globals_path(&other.path(place)) == path;
    contents.backups.iter().find(shares).is_none().then_some((path, object.bytes))
}

/// Removes an entry: its manifest first, for what has none is no backup, and gives the bytes that became free.
///
/// # Errors
/// [`RemovalError::Locked`] where object lock keeps it, and what the place answers.
pub fn remove(entry: &Entry) -> Result<u64, RemovalError> {
    let Some(Ok(url)) = ObjectUrl::of(&entry.path) else {
        return Err(RemovalError::Changed(entry.path.clone()));
    };
    let refused = |error: ObjectError| match error.kind {
        Answer::Locked => RemovalError::Locked(entry.path.clone()),
        _ => RemovalError::Store(error.into()),
    };
    let bucket = Bucket::of(&url).map_err(refused)?;
    for beside in [&entry.manifest, &entry.signature].into_iter().flatten() {
        if let Some(Ok(url)) = ObjectUrl::of(beside) {
            bucket.remove(&url).map_err(refused)?;
        }
    }
    if is_backup_directory_name(&entry.name) {
        for object in bucket.list(&url).map_err(refused)? {
            bucket.remove(&object.url).map_err(refused)?;
        }
    } else {
        bucket.remove(&url).map_err(refused)?;
    }
    if let Some(Some(Ok(globals))) = entry.globals.as_ref().map(|path| ObjectUrl::of(path)) {
        bucket.remove(&globals).map_err(refused)?;
    }
    Ok(entry.bytes)
}
