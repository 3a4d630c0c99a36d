//! The last backup of a database before another one that was proven sound.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::error::StoreError;
use super::in_place;
use super::latest;
use super::manifest::{Manifest, Outline};
use super::nearby;
use super::place::Place;
use super::proof::{Backup, Proven};
use super::sweep;
use crate::sealing::Identities;

/// Such a backup.
#[derive(Debug)]
pub struct Earlier {
    /// Where it lies.
    pub path: PathBuf,
    /// What it holds.
    pub manifest: Manifest,
}

/// A backup as it lies in a place.
struct Lying {
    path: PathBuf,
    time: DateTime<Utc>,
    /// Its size, where a list has told it.
    bytes: Option<u64>,
}

/// The last backup of `database` in the place of `backup` that was made before it, at this time, and passed, as far as
/// its manifest can be read.
///
/// # Errors
/// What the system, or the place, refuses.
pub fn last_passed(
    backup: &Path,
    made: DateTime<Utc>,
    database: &str,
    identities: &Identities,
) -> Result<Option<Earlier>, StoreError> {
    let dir = super::naming::directory_of(backup);
    let memory = nearby::read(dir)?.memory;
    if memory.is_empty() {
        return Ok(None);
    }
    let name = backup.file_name();
    for Lying { path, time, bytes } in lying(dir)? {
        if time > made || path.file_name() == name {
            continue;
        }
        let (bytes, recorded) = match bytes {
            Some(bytes) => (bytes, None),
            None => of_file(&path),
        };
        let known = Backup { path: &path, bytes, recorded: recorded.as_deref() };
        if memory.of_backup(&known).proven() != Some(Proven::Sound) {
            continue;
        }
        // One whose manifest is sealed for others, or damaged, says nothing of its rows.
        let Ok(Some(manifest)) = Manifest::read(&path, identities) else { continue };
        if manifest.source.database.as_deref() == Some(database) && manifest.has_contents() {
            return Ok(Some(Earlier { path, manifest }));
        }
    }
    Ok(None)
}

/// The size of a file or directory, and its checksum by its manifest.
fn of_file(path: &Path) -> (u64, Option<String>) {
    let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let recorded = Outline::read(path).ok().flatten().map(|outline| outline.sha256());
    (sweep::size(&real), recorded)
}

/// The backups of a place, newest first.
fn lying(dir: &Path) -> Result<Vec<Lying>, StoreError> {
    if let Place::Objects(url) = Place::of(dir)? {
        let found = in_place::look(&url)?.backups.into_iter().map(|backup| Lying {
            path: backup.path(&url),
            time: backup.time().0,
            bytes: Some(backup.bytes()),
        });
        let mut found: Vec<Lying> = found.collect();
        found.sort_by(|one, other| (other.time, &other.path).cmp(&(one.time, &one.path)));
        return Ok(found);
    }
    let (found, _) = latest::find_all(dir)?;
    let lying = |found: latest::Found| Lying { path: found.path, time: found.time, bytes: None };
    Ok(found.into_iter().map(lying).collect())
}

#[cfg(test)]
mod tests {
    use super::super::history::{Record, Work};
    use super::super::ledger::Ledger;
    use super::super::manifest::{Contents, New, Source};
    use super::*;
    use crate::model::contents::StatementsOfKind;
    use crate::model::dump_options::DumpOptions;
    use crate::model::files::FileFacts;
    use crate::model::fingerprint::Fingerprint;
    use crate::model::format::Format;
    use crate::model::outcome::Verdict;
    use crate::model::packing::Packing;

    fn at(day: u32) -> DateTime<Utc> {
        format!("2026-01-{day:02}T02:00:00Z").parse().unwrap()
    }

    fn name(day: u32) -> String {
        format!("backup_202601{day:02}_020000.sql")
    }

    /// A backup of a day, and what a verification said of it.
    fn backup(dir: &Path, day: u32, database: &str, verdict: Option<Verdict>) {
        let (name, path) = (name(day), dir.join(name(day)));
        std::fs::write(&path, day.to_string()).unwrap();
        let sha256 = format!("{day:064}");
        let bytes = day.to_string().len() as u64;
        let statements = vec![StatementsOfKind {
            kind: "TABLE".into(),
            count: 1,
            fingerprint: Fingerprint::default(),
        }];
        let manifest = Manifest::of(New {
            created_at: at(day),
            pg_dump: "15.18".into(),
            name: name.clone(),
            format: Format::Plain,
            packing: Packing::None,
            files: vec![FileFacts { name: name.clone(), bytes, sha256: sha256.clone() }],
            dump_bytes: bytes,
            globals: None,
            encryption: None,
            source: Source { database: Some(database.into()), ..Source::default() },
            options: DumpOptions::default(),
            contents: Contents { statements, ..Contents::default() },
        });
        manifest.write(&path, None).unwrap();
        if let Some(verdict) = verdict {
            let record = Record::new(Work::Verify, name, at(day), verdict);
            let record = Record { sha256: Some(sha256), file_bytes: Some(bytes), ..record };
            Ledger::open(dir).unwrap().append(record).unwrap();
        }
    }

    #[test]
    fn the_last_one_before_that_passed_is_found_of_the_same_database() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let found = |day: u32| {
            let earlier = last_passed(&dir.join(name(day)), at(day), "ccc", &Identities::default());
            earlier.unwrap().map(|earlier| earlier.path.file_name().unwrap().to_owned())
        };
        backup(dir, 20, "ccc", None);
        assert_eq!(found(20), None);
        backup(dir, 10, "ccc", Some(Verdict::Passed));
        backup(dir, 11, "ccc", Some(Verdict::Passed));
        backup(dir, 12, "shop", Some(Verdict::Passed));
        backup(dir, 13, "ccc", Some(Verdict::Failed));
        backup(dir, 14, "ccc", None);
        backup(dir, 21, "ccc", Some(Verdict::Passed));
        assert_eq!(found(20), Some(name(11).into()));
        assert_eq!(found(11), Some(name(10).into()));
        assert_eq!(found(10), None);
        std::fs::remove_file(super::super::naming::manifest_path(&dir.join(name(11)))).unwrap();
        assert_eq!(
            found(20),
            Some(name(10).into()),
            "without its manifest, nothing is known of it"
        );
    }
}
