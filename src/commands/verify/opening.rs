//! The first step: finds the backup, opens and holds it, and reads its manifest.

use std::path::PathBuf;
use std::time::Duration;

use chrono::Utc;

use super::context::{Context, Surroundings};
use super::findings::{Notes, Step};
use super::holding::hold;
use super::obstacles::{changed, obstacle};
use crate::archive::{OpenBackup, Storage};
use crate::commands::open;
use crate::events::Event;
use crate::model::outcome::{Defect, Obstacle};
use crate::store::latest;
use crate::store::manifest::Manifest;

/// Clocks that are no further apart than this agree.
const AHEAD: Duration = Duration::from_secs(300);

/// A backup that is open, and held as long as this is.
#[derive(Debug)]
pub(super) struct Opened {
    /// The backup.
    pub backup: OpenBackup,
    manifest: Option<Manifest>,
}

impl Opened {
    /// What the next steps are given.
    pub fn context<'a>(&'a self, around: Surroundings<'a>) -> Context<'a> {
        let Surroundings { settings, events, stop } = around;
        Context { settings, events, stop, backup: &self.backup, manifest: self.manifest.as_ref() }
    }
}

/// Opens the backup that is meant.
pub(super) async fn open(around: Surroundings<'_>) -> Step<Opened> {
    let mut notes = Notes::new(around.events);
    let outcome = opened(around, &mut notes).await;
    notes.end(outcome)
}

async fn opened(
    around: Surroundings<'_>,
    notes: &mut Notes<'_>,
) -> Result<Option<Opened>, Obstacle> {
    let path = find(around)?;
    notes.findings.facts.backup = Some(path.clone());
    around.events.emit(Event::VerifyStarted { backup: path.clone() });
    let unopened = |error: open::OpenError| obstacle(&error, error.hint());
    let storage = open::open(&path).map_err(unopened)?;
    notes.findings.facts.is_there = true;
    // So that no clean-up removes what is being verified.
    if let Some(handle) = storage.handle() {
        hold(around, &path, handle).await?;
    }
    let bytes = storage.bytes();
    notes.findings.facts.backup_bytes = Some(bytes);
    around.events.emit(Event::BackupFound { bytes });
    let sniffed = open::sniff(&storage);
    if let Ok(Err(not_a_dump)) = &sniffed {
        let hint = "look at the job that wrote it, and use an older backup";
        notes.defect(Defect::new(not_a_dump.to_string(), hint));
        return Ok(None);
    }
    // A file of another format is another file, where there is a manifest to tell.
    let manifest = match read_manifest(&storage)? {
        Ok(manifest) => manifest,
        Err(defect) => {
            notes.defect(defect);
            return Ok(None);
        }
    };
    note_manifest(manifest.as_ref(), notes);
    let Ok(backup) = sniffed.map_err(unopened)? else { return Ok(None) };
    Ok(Some(Opened { backup, manifest }))
}

/// Reads the manifest beside the backup. The inner error is proof that the backup is bad.
fn read_manifest(storage: &Storage) -> Result<Result<Option<Manifest>, Defect>, Obstacle> {
    let path = storage.path();
    let read = Manifest::read(path).and_then(|manifest| match manifest {
        Some(manifest) => manifest.check_belongs(path, storage.bytes()).map(|()| Some(manifest)),
        None => Ok(None),
    });
    match read {
        Ok(manifest) => Ok(Ok(manifest)),
        // The new manifest of a backup that was made anew is not the old one's.
        Err(error) if error.proves_bad() && storage.has_changed() => Err(changed()),
        Err(error) if error.proves_bad() => {
            Ok(Err(Defect { cause: error.to_string(), hint: error.hint() }))
        }
        Err(error) => Err(Obstacle { cause: error.to_string(), hint: error.hint() }),
    }
}

/// Notes what the manifest leaves open.
fn note_manifest(manifest: Option<&Manifest>, notes: &mut Notes<'_>) {
    let Some(manifest) = manifest else {
        let missing = "no manifest: the file itself is not proven to be the one that was written";
        notes.not_proven(missing);
        return;
    };
    for reason in &manifest.contents.not_recorded {
        notes.not_proven(format!("not recorded by create: {reason}"));
    }
    notes.findings.facts.source_database.clone_from(&manifest.source.database);
}

/// The backup that is meant.
fn find(around: Surroundings<'_>) -> Result<PathBuf, Obstacle> {
    let Surroundings { settings, events, .. } = around;
    if let Some(file) = &settings.file {
        // Without a slash at its end, after which no manifest could stand.
        return Ok(file.components().collect());
    }
    let dir = &settings.backup_dir;
    match latest::find_latest(dir) {
        Ok(Some(found)) => {
            for dir in &found.not_searched {
                events.emit(Event::Warning(format!(
                    "{} cannot be read; a newer backup may be in it",
                    dir.display()
                )));
            }
            if found.time > Utc::now() + AHEAD {
                events.emit(Event::Warning(format!(
                    "{} is dated {} UTC, which is to come: a clock is or was wrong, and a \
                     newer backup may be dated earlier",
                    found.path.display(),
                    found.time.format("%Y-%m-%d %H:%M")
                )));
            }
            Ok(found.path)
        }
        Ok(None) => Err(Obstacle {
            cause: format!("No backup found in {}", dir.display()),
            hint: Some("make one with `ccc-backup create`, or name --backup-dir".into()),
        }),
        Err(error) => Err(Obstacle { cause: error.to_string(), hint: error.hint() }),
    }
}
