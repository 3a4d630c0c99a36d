//! The first step: finds the backup, opens and holds it, and reads its manifest.

use std::path::{Path, PathBuf};

use chrono::Utc;

use super::context::{Context, Place, Surroundings};
use super::findings::{Notes, Step};
use super::holding::hold;
use super::obstacles::{aside, changed, interrupted, obstacle};
use super::signature;
use super::spool::{self, Spooled};
use super::transit;
use crate::archive::sniff::NotADump;
use crate::archive::{OpenBackup, Storage};
use crate::checks::age::{self, Made};
use crate::commands::open::{self, OpenError};
use crate::commands::{altered, newest};
use crate::events::{Event, RestoreEvent};
use crate::model::outcome::{Defect, Obstacle};
use crate::sealing::Identities;
use crate::store::latest;
use crate::store::manifest::{self, Manifest, Outline};
use crate::store::naming::manifest_path;
use crate::store::place::without_slash;
use crate::store::sealed_names::is_sealed_name;

/// A backup that is open, and held as long as this is.
#[derive(Debug)]
pub(in crate::commands) struct Opened {
    /// The backup.
    pub backup: OpenBackup,
    manifest: Option<Manifest>,
    // What came through a pipe stays as long as it is open.
    _spooled: Option<Spooled>,
}

impl Opened {
    /// What the next steps are given.
    pub fn context<'a>(&'a self, around: Surroundings<'a>) -> Context<'a> {
        let Surroundings { choice, proof, place, events, stop } = around;
        Context {
            proof,
            place,
            events,
            stop,
            unsealing: &choice.unsealing,
            backup: &self.backup,
            manifest: self.manifest.as_ref(),
        }
    }
}

/// Opens the backup that is meant.
pub(in crate::commands) async fn open(around: Surroundings<'_>) -> Step<Opened> {
    let (mut notes, mut storage) = (Notes::new(around.events), None);
    let mut outcome = opened(around, &mut notes, &mut storage).await;
    if let (Ok(None), Some(storage)) = (&outcome, storage)
        && let Err(doubt) = transit::confirm(&storage, around.stop).await
    {
        notes.findings.defects.clear();
        outcome = Err(doubt);
    }
    notes.end(outcome)
}

async fn opened(
    around: Surroundings<'_>,
    notes: &mut Notes<'_>,
    found: &mut Option<Storage>,
) -> Result<Option<Opened>, Obstacle> {
    let path = find(around)?;
    notes.findings.facts.backup = Some(path.clone());
    around.events.emit(match around.place {
        Place::Sandbox(_) => Event::VerifyStarted { backup: path.clone() },
        Place::Destination(request) => Event::Restore(RestoreEvent::Started {
            backup: path.clone(),
            server: request.place.clone(),
            database: request.name.clone(),
        }),
    });
    let (path, spooled) = copied(around, path).await?;
    let unopened = |error: OpenError| obstacle(&error, &error.hint());
    let mut storage = {
        let path = path.clone();
        aside(around.stop, move || open::open(&path)).await?.map_err(unopened)?
    };
    if let Some(dir) = &around.choice.spool
        && let Err(why) = storage.read_once(dir)
    {
        let dir = dir.display();
        notes.warn(format!(
            "it comes over the network twice, because it is not kept in {dir}: {why} (--spool DIR; --spool none asks for this)"
        ));
    }
    notes.findings.facts.is_there = true;
    *found = Some(storage.clone());
    // So that no clean-up removes what is being verified.
    if let Some(handle) = storage.handle() {
        hold(around, &path, handle).await?;
    }
    let bytes = storage.bytes();
    notes.findings.facts.backup_bytes = Some(bytes);
    around.events.emit(Event::BackupFound { bytes });
    let (storage, sniffed) = sniff(around, storage).await?;
    let sniffed = match sniffed {
        // The manifest of what no key opens is sealed, too, and would be said not to open.
        Err(_) if around.stop.token().is_cancelled() => return Err(interrupted(around.stop)),
        Err(error @ OpenError::Sealed { .. }) => {
            notes.findings.facts.is_sealed = true;
            // A manifest that is damaged is proof all the same.
            let identities = &around.choice.unsealing.identities;
            if let Ok(Err(defect)) = read_manifest(&storage, identities) {
                notes.defect(defect);
                return Ok(None);
            }
            let to = sealed_for(storage.path());
            let obstacle = unopened(error);
            return Err(Obstacle { cause: format!("{}{to}", obstacle.cause), ..obstacle });
        }
        sniffed => sniffed,
    };
    if let Ok(Ok(backup)) = &sniffed {
        notes.findings.facts.is_sealed = backup.is_unsealed();
        let says_so = path.file_name().is_some_and(is_sealed_name);
        if says_so && !backup.is_unsealed() {
            notes.warn("its name says that it is encrypted, and it is not".to_owned());
        }
    }
    if let Ok(Err(not_a_dump)) = &sniffed {
        let hint = "look at the job that wrote it, and use an older backup";
        notes.defect(Defect::new(not_a_dump.to_string(), hint));
        return Ok(None);
    }
    // A file of another format is another file, where there is a manifest to tell.
    let (manifest, signed) = match read_manifest(&storage, &around.choice.unsealing.identities)? {
        Ok(manifest) => manifest,
        Err(defect) => {
            notes.defect(defect);
            return Ok(None);
        }
    };
    let outline = manifest.as_ref().map(|manifest| &manifest.outline);
    if !signature::note(around, &storage, outline.zip(signed.as_deref()), notes)? {
        return Ok(None);
    }
    note_manifest(manifest.as_ref(), notes);
    note_age(around, &path, manifest.as_ref(), notes);
    let Ok(backup) = sniffed.map_err(unopened)? else { return Ok(None) };
    Ok(Some(Opened { backup, manifest, _spooled: spooled }))
}

/// To whom a backup is sealed, in words, as far as its manifest says.
fn sealed_for(backup: &Path) -> String {
    let encryption = Outline::read(backup).ok().flatten().and_then(|outline| outline.encryption);
    encryption.map_or_else(String::new, |encryption| {
        format!(" (it is sealed for {})", encryption.recipients.join(", "))
    })
}

/// Tells what the backup is. One that no key at hand opens may be known to be bad all the same, where its manifest has
/// its checksum: the inner error.
async fn sniff(around: Surroundings<'_>, storage: Storage) -> Result<(Storage, Sniffed), Obstacle> {
    let unsealing = around.choice.unsealing.clone();
    let sniffing = move || {
        let sniffed = open::sniff(&storage, &unsealing);
        (storage, sniffed)
    };
    let (storage, sniffed) = aside(around.stop, sniffing).await?;
    let Ok(Some(outline)) = Outline::read(storage.path()) else { return Ok((storage, sniffed)) };
    let is_closed = match &sniffed {
        Ok(Ok(backup)) => !backup.is_unsealed() && outline.encryption.is_some(),
        Ok(Err(_)) => false,
        Err(error) => matches!(error, OpenError::Sealed { .. }),
    };
    if !is_closed {
        return Ok((storage, sniffed));
    }
    let cancel = around.stop.token().clone();
    let looking = move || {
        let altered = altered::is_altered(&storage, &outline, &cancel);
        (storage, altered)
    };
    let (storage, altered) = aside(around.stop, looking).await?;
    let is_altered = altered.is_ok_and(|altered| altered);
    Ok((storage, if is_altered { Ok(Err(altered::finding())) } else { sniffed }))
}

type Sniffed = Result<Result<OpenBackup, NotADump>, OpenError>;

/// A manifest, and the bytes that say it.
type Read = (Option<Manifest>, Option<Vec<u8>>);

/// Reads the manifest beside the backup. The inner error is proof that the backup is bad.
fn read_manifest(
    storage: &Storage,
    identities: &Identities,
) -> Result<Result<Read, Defect>, Obstacle> {
    let path = storage.path();
    let read = manifest::bytes(&manifest_path(path)).and_then(|bytes| {
        let parse = |bytes| Manifest::parse(bytes, identities);
        let manifest = bytes.as_deref().map(parse).transpose()?;
        if let Some(manifest) = &manifest {
            manifest.outline.check_belongs(path, storage.bytes())?;
        }
        Ok((manifest, bytes))
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

/// Holds the newest backup to its age, where it may be only so old.
fn note_age(
    around: Surroundings<'_>,
    path: &Path,
    manifest: Option<&Manifest>,
    notes: &mut Notes<'_>,
) {
    let Some(allowed) = around.proof.max_age else { return };
    let by_name = || latest::time_of(path);
    let made = match manifest {
        Some(manifest) => Some(Made { at: manifest.outline.created_at, is_said: true }),
        None => by_name().map(|(at, is_said)| Made { at, is_said }),
    };
    match made {
        Some(made) => notes.check(age::judge(made, Utc::now(), allowed)),
        None => notes.check(age::not_known()),
    }
}

/// The private copy of what comes through a pipe; of others, the backup itself.
async fn copied(
    around: Surroundings<'_>,
    path: PathBuf,
) -> Result<(PathBuf, Option<Spooled>), Obstacle> {
    let Surroundings { choice, proof, events, stop, .. } = around;
    let Some(incoming) = &choice.incoming else { return Ok((path, None)) };
    let spooled = spool::spool(incoming, proof.allowed_signers.is_some(), events, stop).await?;
    Ok((spooled.path().to_owned(), Some(spooled)))
}

/// The backup that is meant.
fn find(around: Surroundings<'_>) -> Result<PathBuf, Obstacle> {
    let Surroundings { choice, events, .. } = around;
    if let Some(incoming) = &choice.incoming {
        return Ok(PathBuf::from(&incoming.name));
    }
    if let Some(file) = &choice.file {
        // Without a slash at its end, after which no manifest could stand.
        return Ok(without_slash(file));
    }
    let newest = newest::find(&choice.backup_dir, &choice.database, events);
    newest.map_err(|none| Obstacle { cause: none.cause, hint: none.hint })
}
