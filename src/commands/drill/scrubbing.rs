//! Compares the bytes of a backup with its manifest, as they lie there: no server, and no keys. It finds what a disk or a
//! place has lost, and proves nothing of what the bytes are worth.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use chrono::Utc;

use crate::archive::Storage;
use crate::checks::checksum;
use crate::commands::at_rest::{self, AtRest};
use crate::commands::open::{self, OpenError};
use crate::commands::steps::context::{Place, Surroundings};
use crate::commands::steps::findings::{Notes, Step};
use crate::commands::steps::holding::hold;
use crate::commands::steps::obstacles::{aside, changed, interrupted, obstacle};
use crate::commands::steps::report::{Collected, Collector};
use crate::commands::steps::signature;
use crate::commands::{Stop, ledger, record};
use crate::events::{Event, Events, Progress, Work};
use crate::model::files::FileFacts;
use crate::model::outcome::{CheckResult, Defect, Obstacle, RunReport, Section, Status};
use crate::settings::VerifySettings;
use crate::store::globals::globals_path;
use crate::store::manifest::{self, ManifestError, Outline};
use crate::store::naming::manifest_path;
use crate::store::objects::ObjectError;

/// What to do where nothing says what the bytes were.
const NO_MANIFEST: &str = "a backup by `ccc-backup create` has one; of another, `ccc-backup verify` tells whether it \
                           restores";

/// Compares one backup, and puts that on record.
pub(super) async fn run(settings: &VerifySettings, events: &Events, stop: &Stop) -> Arc<RunReport> {
    let clock = Instant::now();
    let mut collector = Collector::begin(&settings.choice, &settings.proof, Utc::now());
    if let Some(limit) = settings.timeout {
        stop.after(limit);
    }
    let around = Surroundings {
        choice: &settings.choice,
        proof: &settings.proof,
        place: Place::Sandbox(&settings.sandbox),
        events,
        stop,
    };
    let ended = collector.take(compare(around).await).map(drop);
    let Collected { report, is_there, is_sealed, .. } = collector.finish(ended, clock.elapsed());
    let report = Arc::new(report);
    if is_there {
        let line = record::scrub(&report);
        let line = if is_sealed { line.of_sealed() } else { line };
        let (dir, metrics_file) = (&settings.history_dir, settings.metrics_file.as_deref());
        let unwritten = ledger::put_on_record(dir, &report.backup, line, metrics_file, stop).await;
        unwritten.warnings().for_each(|text| events.emit(Event::Warning(text)));
    }
    events.emit(Event::VerifyFinished(Arc::clone(&report)));
    report
}

async fn compare(around: Surroundings<'_>) -> Step<()> {
    let mut notes = Notes::new(around.events);
    let outcome = compared(around, &mut notes).await;
    notes.end(outcome.map(Some))
}

async fn compared(around: Surroundings<'_>, notes: &mut Notes<'_>) -> Result<(), Obstacle> {
    let path = around.choice.file.clone().unwrap_or_default();
    notes.findings.facts.backup = Some(path.clone());
    around.events.emit(Event::VerifyStarted { backup: path.clone() });
    let storage = opened(around.stop, path.clone()).await?;
    notes.findings.facts.is_there = true;
    // So that no clean-up removes what is being read.
    if let Some(handle) = storage.handle() {
        hold(around, &path, handle).await?;
    }
    notes.findings.facts.backup_bytes = Some(storage.bytes());
    around.events.emit(Event::BackupFound { bytes: storage.bytes() });
    let Some((outline, bytes)) = read_outline(&storage, around.stop, notes).await? else {
        return Ok(());
    };
    notes.findings.facts.is_sealed = outline.encryption.is_some();
    notes.findings.facts.format = Some(outline.format);
    if !signature::note(around, &storage, Some((&outline, &bytes)), notes)? {
        return Ok(());
    }
    let clock = Instant::now();
    let check = bytes_of_backup(around, &storage, &outline, notes).await?;
    notes.phase("read", clock.elapsed());
    notes.check(check);
    if let Some(globals) = &outline.globals {
        let check = bytes_of_globals(around, &path, globals).await?;
        notes.check(check);
    }
    Ok(())
}

async fn opened(stop: &Stop, path: PathBuf) -> Result<Storage, Obstacle> {
    let opened = aside(stop, move || open::open(&path)).await?;
    opened.map_err(|error: OpenError| obstacle(&error, &error.hint()))
}

/// What is in the clear of the manifest, and its bytes; `None` where it is proof that the backup is bad.
async fn read_outline(
    storage: &Storage,
    stop: &Stop,
    notes: &mut Notes<'_>,
) -> Result<Option<(Outline, Vec<u8>)>, Obstacle> {
    let (path, length) = (storage.path().to_owned(), storage.bytes());
    let read = aside(stop, move || {
        let Some(bytes) = manifest::bytes(&manifest_path(&path))? else { return Ok(None) };
        let outline = Outline::parse(&bytes)?;
        outline.check_belongs(&path, length)?;
        Ok::<_, ManifestError>(Some((outline, bytes)))
    });
    match read.await? {
        Ok(Some(read)) => Ok(Some(read)),
        Ok(None) => Err(obstacle(&"no manifest: nothing says what its bytes were", NO_MANIFEST)),
        Err(error) if error.proves_bad() && storage.has_changed() => Err(changed()),
        Err(error) if error.proves_bad() => {
            notes.defect(Defect { cause: error.to_string(), hint: error.hint() });
            Ok(None)
        }
        Err(error) => Err(Obstacle { cause: error.to_string(), hint: error.hint() }),
    }
}

/// Compares the files of the backup. What came over a network and is other bytes is read once more: what was changed on the
/// way is not the backup's fault.
async fn bytes_of_backup(
    around: Surroundings<'_>,
    storage: &Storage,
    outline: &Outline,
    notes: &mut Notes<'_>,
) -> Result<CheckResult, Obstacle> {
    let found = read(around, storage).await?;
    let (written, files) = (outline.sha256(), outline.files_of_directory());
    let recorded = checksum::Bytes { sha256: &written, files };
    let check =
        checksum::judge(checksum::Bytes { sha256: &found.sha256, files: &found.files }, recorded);
    if storage.has_changed() {
        return Err(changed());
    }
    if check.status == Status::Failed && !storage.is_local() {
        let again = opened(around.stop, storage.path().to_owned()).await?;
        if read(around, &again).await? != found {
            let cause = "what came over the network is not what lies there: read once more, it was other bytes";
            return Err(obstacle(&cause, "check the network and the storage, and run it again"));
        }
    }
    notes.findings.facts.sha256 = Some(found.sha256);
    Ok(check)
}

/// Reads all files of the backup as they lie there.
async fn read(around: Surroundings<'_>, storage: &Storage) -> Result<AtRest, Obstacle> {
    let Surroundings { events, stop, .. } = around;
    let (events, cancel, storage) = (events.clone(), stop.token().clone(), storage.clone());
    let total = Some(storage.bytes());
    let reading = move || {
        at_rest::read(&storage, &cancel, |done| {
            events.emit(Event::Progress(Progress {
                work: Work::Reading,
                done,
                total,
                current: None,
            }));
        })
    };
    aside(stop, reading).await?.map_err(|error| unread(&error, stop))
}

fn unread(error: &io::Error, stop: &Stop) -> Obstacle {
    if error.kind() == io::ErrorKind::Interrupted && stop.token().is_cancelled() {
        return interrupted(stop);
    }
    let hint = ObjectError::within(error).map(|error| error.hint);
    obstacle(error, hint.unwrap_or("check the disk that holds the backup"))
}

/// Compares the file of roles and tablespaces beside the backup. That it is not there is no damage of the backup.
async fn bytes_of_globals(
    around: Surroundings<'_>,
    backup: &Path,
    recorded: &FileFacts,
) -> Result<CheckResult, Obstacle> {
    let (path, cancel) = (globals_path(backup), around.stop.token().clone());
    let read = aside(around.stop, move || {
        let file = match open::open_file(&path) {
            Err(error) if error.is_missing() => return Ok(None),
            opened => opened.map_err(|error| obstacle(&error, &error.hint()))?,
        };
        let read = at_rest::sha256(&file, &cancel, |_| {});
        read.map(Some).map_err(|error| obstacle(&error, "check the disk that holds the backup"))
    });
    let (status, said) = match read.await?? {
        Some(sha256) if sha256.eq_ignore_ascii_case(&recorded.sha256) => {
            (Status::Passed, "Roles and tablespaces match the manifest")
        }
        Some(_) => (Status::Failed, "Roles and tablespaces do not match the manifest"),
        None => (Status::Warned, "Roles and tablespaces are missing"),
    };
    let title = format!("{said} ({})", recorded.name);
    Ok(CheckResult::new("file.globals", Section::File, status, title))
}
