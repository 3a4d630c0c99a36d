//! The backups of a directory, with what is known of each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::error::StoreError;
use super::in_place::InPlace;
use super::latest::{self, Found};
use super::manifest::{Manifest, ManifestError, Outline};
use super::naming::database_in_name;
use super::place::ObjectUrl;
use super::proof::{Backup, Judged, Memory, Proven};
use super::sealed_names::is_sealed_name;
use super::signature::{self, Signed};
use super::sweep;
use crate::sealing::Identities;

/// A backup, and what is known of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Listed {
    /// Its path below the backup directory.
    pub name: PathBuf,
    /// When it was made.
    pub time: DateTime<Utc>,
    /// Whether the time is from its name; else it is the time of its last change.
    pub time_from_name: bool,
    /// Its size.
    pub bytes: u64,
    /// To whom it is sealed: public keys of age, or `passphrase`; absent where it is not, as far as is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<String>,
    /// The database that was backed up.
    pub database: Option<String>,
    /// Rows in it: by its manifest, else by what the history says of it.
    pub rows: Option<u64>,
    /// Whether there is a manifest of it, and one that can be used.
    pub manifest: ManifestState,
    /// The signature of its manifest; absent where it has none.
    pub signature: Option<Signed>,
    /// Whether the last verification that could tell proved it sound; false where it proved it bad, and
    /// absent where none could tell.
    pub proven: Option<bool>,
    /// The last verification that could tell.
    pub verdict: Option<Judged>,
    /// The last verification, whether or not it could tell.
    pub last_attempt: Option<Judged>,
    /// The last run that compared its bytes with its manifest, and did no more; absent where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scrubbed: Option<Judged>,
    /// Where it lies, where copies were asked for: in the first place, if it is there, and in those of its copies.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<CopyOf>,
}

/// A backup in one of several places.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CopyOf {
    /// The place.
    pub place: PathBuf,
    /// As [`Listed::proven`], there.
    pub proven: Option<bool>,
}

/// What there is of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ManifestState {
    /// One that can be used.
    Present,
    /// None.
    Absent,
    /// One whose contents are sealed.
    Sealed,
    /// One that is damaged, another file's, or a newer version's.
    Unusable,
}

/// A backup as it lies in the directory.
#[derive(Debug)]
pub struct AtRest {
    /// Where it is, and from when.
    pub found: Found,
    /// Its size.
    pub bytes: u64,
    /// Its manifest; `None` when it has none.
    pub manifest: Option<Result<Manifest, ManifestError>>,
    /// Its SHA-256 by its manifest, or by that of the file that it is a link to.
    pub recorded: Option<String>,
}

/// The backups of a directory and of those right below it, newest first, and the directories that
/// could not be looked into.
///
/// # Errors
/// As [`latest::find_latest`].
pub fn at_rest(dir: &Path) -> Result<(Vec<AtRest>, Vec<PathBuf>), StoreError> {
    let (found, not_searched) = latest::find_all(dir)?;
    let look = |found: Found| {
        // A link is shown with the size of what it leads to.
        let path = std::fs::canonicalize(&found.path).unwrap_or_else(|_| found.path.clone());
        let bytes = sweep::size(&path);
        let of = |path: &Path| {
            let belongs = |manifest: Manifest| {
                manifest.outline.check_belongs(path, bytes)?;
                Ok(manifest)
            };
            // What is sealed stays so.
            let manifest = Manifest::read(path, &Identities::default()).transpose()?;
            let manifest = match manifest {
                Err(ManifestError::Sealed { outline, why }) => outline
                    .check_belongs(path, bytes)
                    .and(Err(ManifestError::Sealed { outline, why })),
                manifest => manifest.and_then(belongs),
            };
            Some(manifest)
        };
        let manifest = of(&found.path);
        let of_target = manifest.is_none().then(|| of(&path)).flatten();
        let known = manifest.as_ref().or(of_target.as_ref());
        let recorded = known.and_then(outline_of).map(Outline::sha256);
        AtRest { found, bytes, manifest, recorded }
    };
    Ok((found.into_iter().map(look).collect(), not_searched))
}

/// What is in the clear of a manifest.
fn outline_of(manifest: &Result<Manifest, ManifestError>) -> Option<&Outline> {
    match manifest {
        Ok(manifest) => Some(&manifest.outline),
        Err(error) => error.outline(),
    }
}

/// The backups of a place in object storage, newest first, with what is known of each. No manifest is read: what is in a
/// backup is known by the history.
pub fn of_objects(place: &ObjectUrl, backups: &[InPlace], memory: &Memory) -> Vec<Listed> {
    let mut listed: Vec<Listed> =
        backups.iter().map(|backup| listed_object(place, backup, memory)).collect();
    listed.sort_by(|one, other| (other.time, &other.name).cmp(&(one.time, &one.name)));
    listed
}

fn listed_object(place: &ObjectUrl, backup: &InPlace, memory: &Memory) -> Listed {
    let (path, bytes, (time, time_from_name)) = (backup.path(place), backup.bytes(), backup.time());
    let known = memory.of_backup(&Backup { path: &path, bytes, recorded: None });
    let is_sealed = is_sealed_name(backup.name.as_ref());
    Listed {
        name: PathBuf::from(&backup.name),
        time,
        time_from_name,
        bytes,
        recipients: Vec::new(),
        database: known
            .last(|record| record.database.clone())
            .or_else(|| database_in_name(&backup.name)),
        rows: known.last(|record| record.rows),
        manifest: if is_sealed { ManifestState::Sealed } else { ManifestState::Present },
        signature: backup.signature.as_ref().map(|_| Signed { key: None, fits: true }),
        proven: known.proven().map(|proven| proven == Proven::Sound),
        verdict: known.verdict(),
        last_attempt: known.last_attempt(),
        scrubbed: known.last_scrub(),
        copies: Vec::new(),
    }
}

/// The backups of a place and those of the places of its copies, each once, newest first.
pub fn with_copies(
    dir: &Path,
    backups: Vec<Listed>,
    copies: Vec<(PathBuf, Vec<Listed>)>,
) -> Vec<Listed> {
    let mut all: BTreeMap<PathBuf, Listed> = BTreeMap::new();
    for (place, found) in [(dir.to_owned(), backups)].into_iter().chain(copies) {
        for backup in found {
            let copy = CopyOf { place: place.clone(), proven: backup.proven };
            let known = all.entry(backup.name.clone()).or_insert(backup);
            known.copies.push(copy);
        }
    }
    let mut all: Vec<Listed> = all.into_values().collect();
    all.sort_by(|one, other| (other.time, &other.name).cmp(&(one.time, &one.name)));
    all
}

/// What is known of the backups of `dir`.
pub fn list(dir: &Path, backups: &[AtRest], memory: &Memory) -> Vec<Listed> {
    backups.iter().map(|backup| listed(dir, backup, memory)).collect()
}

fn listed(dir: &Path, backup: &AtRest, memory: &Memory) -> Listed {
    let path = &backup.found.path;
    let manifest = backup.manifest.as_ref().and_then(|manifest| manifest.as_ref().ok());
    let outline = backup.manifest.as_ref().and_then(outline_of);
    let recipients =
        outline.and_then(|outline| Some(outline.encryption.as_ref()?.recipients.clone()));
    let recorded = backup.recorded.as_deref();
    let known = memory.of_backup(&Backup { path, bytes: backup.bytes, recorded });
    Listed {
        name: path.strip_prefix(dir).unwrap_or(path).to_owned(),
        time: backup.found.time,
        time_from_name: backup.found.time_from_name,
        bytes: backup.bytes,
        recipients: recipients.unwrap_or_default(),
        database: manifest
            .and_then(|manifest| manifest.source.database.clone())
            .or_else(|| known.last(|record| record.database.clone()))
            .or_else(|| database_in_name(&path.file_name()?.to_string_lossy())),
        rows: manifest.map(Manifest::rows).or_else(|| known.last(|record| record.rows)),
        manifest: match &backup.manifest {
            None => ManifestState::Absent,
            Some(Ok(_)) => ManifestState::Present,
            Some(Err(ManifestError::Sealed { .. })) => ManifestState::Sealed,
            Some(Err(_)) => ManifestState::Unusable,
        },
        signature: signature::at_rest(path),
        proven: known.proven().map(|proven| proven == Proven::Sound),
        verdict: known.verdict(),
        last_attempt: known.last_attempt(),
        scrubbed: known.last_scrub(),
        copies: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::history::{History, Record, Work};
    use super::super::naming::manifest_path;
    use super::*;
    use crate::model::outcome::Verdict;

    const NAME: &str = "backup_20260114_020000.sql.gz";

    fn run(work: Work, verdict: Verdict, minute: u64) -> Record {
        let at = DateTime::UNIX_EPOCH + Duration::from_secs(60 * minute);
        Record::new(work, NAME, at, verdict)
    }

    fn listed_with(records: &[Record]) -> Listed {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(NAME), b"12345").unwrap();
        let (backups, not_searched) = at_rest(dir.path()).unwrap();
        assert!(not_searched.is_empty());
        let history = History { records: records.to_vec(), ..History::default() };
        let memory = Memory::of(vec![(dir.path().to_owned(), history)]);
        list(dir.path(), &backups, &memory).remove(0)
    }

    fn verdict(records: &[Record]) -> Option<(Verdict, i64)> {
        listed_with(records).verdict.map(|judged| (judged.verdict, judged.at.timestamp() / 60))
    }

    #[test]
    fn the_last_verdict_that_could_tell_is_shown_and_the_last_attempt_too() {
        use Verdict::{Failed, NotVerified, Passed};
        let runs = [
            run(Work::Create, Passed, 1),
            run(Work::Verify, Failed, 2),
            run(Work::Verify, Passed, 3),
            run(Work::Verify, NotVerified, 4),
        ];
        let listed = listed_with(&runs);
        assert_eq!(verdict(&runs), Some((Passed, 3)));
        assert_eq!(listed.last_attempt.unwrap().verdict, NotVerified);
        assert_eq!((listed.bytes, listed.manifest), (5, ManifestState::Absent));
    }

    #[test]
    fn a_backup_made_anew_under_an_old_name_has_no_verdict() {
        let runs = [run(Work::Verify, Verdict::Passed, 1), run(Work::Create, Verdict::Passed, 2)];
        assert_eq!(verdict(&runs), None);
        // One that was not made is not there, and changes nothing.
        let runs = [run(Work::Verify, Verdict::Passed, 1), run(Work::Create, Verdict::Failed, 2)];
        assert_eq!(verdict(&runs), Some((Verdict::Passed, 1)));
    }

    #[test]
    fn a_verdict_on_a_file_of_another_size_is_not_about_this_one() {
        let mut other = run(Work::Verify, Verdict::Passed, 1);
        other.file_bytes = Some(6);
        assert_eq!(verdict(&[other.clone()]), None);
        other.file_bytes = Some(5);
        assert_eq!(verdict(&[other]), Some((Verdict::Passed, 1)));
    }

    #[test]
    fn rows_and_database_come_from_the_history_where_there_is_no_manifest() {
        let mut made = run(Work::Create, Verdict::Passed, 1);
        (made.rows, made.database) = (Some(7), Some("ccc".into()));
        let listed = listed_with(&[made, run(Work::Verify, Verdict::Passed, 2)]);
        assert_eq!((listed.rows, listed.database.as_deref()), (Some(7), Some("ccc")));
    }

    #[test]
    fn a_damaged_manifest_is_shown_as_such_and_the_backup_is_listed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(NAME);
        std::fs::write(&path, b"12345").unwrap();
        std::fs::write(manifest_path(&path), b"{").unwrap();
        let (backups, _) = at_rest(dir.path()).unwrap();
        let listed = list(dir.path(), &backups, &Memory::default());
        assert_eq!((listed.len(), listed[0].manifest), (1, ManifestState::Unusable));
    }
}
