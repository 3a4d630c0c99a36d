//! The backups of a place in object storage, as one list of it tells of them.
//!
//! What has a manifest is a backup: that is put last. What has none is unfinished, or not ours.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::{DateTime, Utc};

use super::error::StoreError;
use super::globals::is_globals_name;
use super::naming::time_in_name;
use super::objects::{Bucket, Object};
use super::place::ObjectUrl;
use super::runs::FOLDER;

const MANIFEST: &str = ".manifest.json";
const SIGNATURE: &str = ".manifest.json.sig";

/// A backup, or what is there under the name of one.
#[derive(Debug, Clone, Default)]
pub struct InPlace {
    /// Its name in the place.
    pub name: String,
    /// Its objects: one, or those of a directory.
    pub objects: Vec<Object>,
    /// Its manifest. Without it, it is unfinished.
    pub manifest: Option<Object>,
    /// The signature of that.
    pub signature: Option<Object>,
}

/// All that a place holds.
#[derive(Debug, Default)]
pub struct Contents {
    /// What has a manifest, and its bytes.
    pub backups: Vec<InPlace>,
    /// What has only one of both.
    pub unfinished: Vec<InPlace>,
    /// The files of roles and tablespaces beside them, by their names.
    pub globals: BTreeMap<String, Object>,
}

impl InPlace {
    /// Its size, without what stands beside it.
    pub fn bytes(&self) -> u64 {
        self.objects.iter().map(|object| object.bytes).sum()
    }

    /// When it was made: by its name, else by its last change. And whether its name says so.
    pub fn time(&self) -> (DateTime<Utc>, bool) {
        let named = time_in_name(&self.name);
        named.map_or_else(|| (self.time_written(), false), |time| (time, true))
    }

    /// When any of it was written last.
    pub fn time_written(&self) -> DateTime<Utc> {
        self.everything().map(|object| object.modified).max().unwrap_or_default()
    }

    /// All its objects, and those beside it.
    pub fn everything(&self) -> impl Iterator<Item = &Object> {
        self.objects.iter().chain(&self.signature).chain(&self.manifest)
    }

    /// The path that names it.
    pub fn path(&self, place: &ObjectUrl) -> PathBuf {
        place.join(&self.name).path()
    }
}

/// What an object is to its backup.
enum Part {
    Bytes,
    Manifest,
    Signature,
}

/// Looks at a place, but not at its history.
///
/// # Errors
/// What the place answers.
pub fn look(place: &ObjectUrl) -> Result<Contents, StoreError> {
    Ok(sort(place, Bucket::of(place)?.list_beside(place, FOLDER)?))
}

fn sort(place: &ObjectUrl, objects: Vec<Object>) -> Contents {
    let mut named: BTreeMap<String, InPlace> = BTreeMap::new();
    let mut globals = BTreeMap::new();
    let start = if place.key.is_empty() { 0 } else { place.key.len() + 1 };
    for object in objects {
        let Some(below) = object.url.key.get(start..).map(str::to_owned) else { continue };
        let (name, in_directory) = match below.split_once('/') {
            Some((FOLDER, _)) => continue,
            Some((name, member)) if !member.contains('/') => (name.to_owned(), true),
            Some(_) => continue,
            None => (below, false),
        };
        if !in_directory && is_globals_name(name.as_ref()) {
            globals.insert(name, object);
            continue;
        }
        let (backup, part) = match (name.strip_suffix(SIGNATURE), name.strip_suffix(MANIFEST)) {
            (Some(backup), _) if !in_directory => (backup, Part::Signature),
            (_, Some(backup)) if !in_directory => (backup, Part::Manifest),
            _ => (&*name, Part::Bytes),
        };
        let found = named.entry(backup.to_owned()).or_default();
        found.name = backup.to_owned();
        match part {
            Part::Bytes => found.objects.push(object),
            Part::Manifest => found.manifest = Some(object),
            Part::Signature => found.signature = Some(object),
        }
    }
    let mut contents = Contents { globals, ..Contents::default() };
    for backup in named.into_values() {
        let is_whole = backup.manifest.is_some() && !backup.objects.is_empty();
        if is_whole { contents.backups.push(backup) } else { contents.unfinished.push(backup) }
    }
    contents
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(key: &str) -> Object {
        let url = ObjectUrl::of(format!("s3://b/{key}").as_ref()).unwrap().unwrap();
        Object { url, bytes: 2, modified: DateTime::UNIX_EPOCH, e_tag: None }
    }

    #[test]
    fn what_has_a_manifest_is_a_backup_and_nothing_else_is() {
        let place = ObjectUrl::of("s3://b/p".as_ref()).unwrap().unwrap();
        let keys = [
            "p/backup_20260114_143022.sql.gz",
            "p/backup_20260114_143022.sql.gz.manifest.json",
            "p/backup_20260114_143022.sql.gz.manifest.json.sig",
            "p/backup_20260115_143022.dir/toc.dat",
            "p/backup_20260115_143022.dir/1.dat.gz",
            "p/backup_20260115_143022.dir.manifest.json",
            "p/backup_20260116_143022.sql.gz",
            "p/history/20260114T143022000000Z.create.passed.-.-.-.1.-.x",
            "p/deeper/still/x.sql.gz",
            "p/backup_20260114_143022.globals.sql",
        ];
        let contents = sort(&place, keys.map(object).to_vec());
        let names = |of: &[InPlace]| of.iter().map(|one| one.name.clone()).collect::<Vec<_>>();
        assert_eq!(
            names(&contents.backups),
            ["backup_20260114_143022.sql.gz", "backup_20260115_143022.dir"]
        );
        assert_eq!(names(&contents.unfinished), ["backup_20260116_143022.sql.gz"]);
        assert_eq!(contents.globals.len(), 1);
        assert_eq!(contents.backups[1].bytes(), 4);
        assert!(contents.backups[0].signature.is_some());
        assert_eq!(contents.backups[0].everything().count(), 3);
    }
}
