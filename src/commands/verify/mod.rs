//! `verify`: reads the backup, restores it into a throwaway PostgreSQL, checks what came back.

mod again;
mod archive;
mod by_value;
mod checking;
mod collation;
mod extensions;
mod holding;
mod lacking;
mod pg_restore;
mod reading;
mod restoring;
mod rights;
mod tables;
mod watching;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::archive::Archive;
use crate::archive::directory::ArchiveDirectory;
use crate::checks::restore_time;
use crate::commands::open::{self, Packed};
use crate::commands::{Stop, ledger, record};
use crate::events::{Event, Events};
use crate::model::format::Format;
use crate::model::outcome::{Defect, Obstacle, RunReport};
use crate::packing::read_error::ReadError;
use crate::sandbox::{OUT_OF_MEMORY, Sandbox, SandboxError};
use crate::settings::VerifySettings;
use crate::store::manifest::Manifest;
use crate::store::{latest, naming};
use chrono::Utc;

/// The database that the backup is restored into, unless it makes databases of its own.
const DATABASE: &str = "restore_test";
/// The one that it begins in where it makes one of that name by itself.
const OTHER_DATABASE: &str = "restore_test_begin";
/// What an error of the server ends with whose disk is full, and what is said where there is no SQLSTATE.
const DISK_FULL: [&str; 3] = ["(SQLSTATE 53100)", "No space left on device", ": wrote only "];
/// What a server says whose answer has a name that cannot be told in UTF-8.
const NOT_UTF8: &str = "invalid byte sequence for encoding \"UTF8\"";
/// Clocks that are no further apart than this agree.
const AHEAD: Duration = Duration::from_secs(300);

/// Verifies one backup and tells what was found; cleans up whatever happens.
pub async fn run(settings: &VerifySettings, events: &Events, stop: &Stop) -> Arc<RunReport> {
    let clock = Instant::now();
    let mut run = Run {
        settings,
        events,
        stop,
        report: RunReport::begin(
            settings.file.clone().unwrap_or_else(|| settings.backup_dir.clone()),
            Utc::now(),
        ),
        sandbox: None,
        database: DATABASE.to_owned(),
        about: None,
        without_rows: false,
        has_c_for_locale: false,
        manifest: None,
        opened: false,
    };
    run.report.require_proof = settings.require_proof;
    if let Some(limit) = settings.timeout {
        stop.after(limit);
    }
    if let Err(obstacle) = run.steps().await {
        if obstacle == changed() {
            // What was read is of no file that there is.
            run.report.sha256 = None;
        }
        run.report.obstacle = Some(obstacle);
    }
    if settings.rto.is_some() && run.report.restore_time().is_none() {
        run.report.checks.push(restore_time::not_measured());
    }
    run.report.seconds = clock.elapsed().as_secs_f64();
    let database = run.manifest.as_ref().and_then(|manifest| manifest.source.database.clone());
    let (report, opened) = (Arc::new(run.report), run.opened);
    let kept = run.sandbox.map(|sandbox| (sandbox, run.database));
    if opened {
        let line = record::verification(&report, database);
        let metrics_file = settings.metrics_file.as_deref();
        let (dir, backup) = (&settings.history_dir, &report.backup);
        let unwritten = ledger::put_on_record(dir, backup, line, metrics_file, stop).await;
        unwritten.warnings().for_each(|text| events.emit(Event::Warning(text)));
    }
    events.emit(Event::VerifyFinished(Arc::clone(&report)));
    leave(settings, events, kept).await;
    report
}

/// Removes the sandbox, or keeps it for the operator.
async fn leave(settings: &VerifySettings, events: &Events, kept: Option<(Sandbox, String)>) {
    let Some((sandbox, database)) = kept else { return };
    if settings.keep {
        sandbox.keep(&database, events).await;
    } else if let Err(error) = sandbox.close(events).await {
        events.emit(Event::Warning(format!("the sandbox was not cleaned up: {error}")));
    }
}

struct Run<'a> {
    settings: &'a VerifySettings,
    events: &'a Events,
    stop: &'a Stop,
    report: RunReport,
    sandbox: Option<Sandbox>,
    /// The database that the application's checks are made in.
    database: String,
    /// The one that the checks at hand are about, where there are several.
    about: Option<String>,
    /// Whether it is a backup of the schema alone, and meant to be one.
    without_rows: bool,
    /// Whether the sandbox lacks the source's locale, and C took its place.
    has_c_for_locale: bool,
    manifest: Option<Manifest>,
    /// Whether there was a backup at all; what was not there has no history.
    opened: bool,
}

impl Run<'_> {
    /// The steps, in order. An `Err` is what stood in the way; what speaks against the backup is
    /// in the report.
    async fn steps(&mut self) -> Result<(), Obstacle> {
        let path = self.find()?;
        self.report.backup.clone_from(&path);
        self.events.emit(Event::VerifyStarted { backup: path.clone() });
        if is_directory(&path) {
            let opened = ArchiveDirectory::open_at(&path);
            let directory = opened.map_err(|error| obstacle(&error, error.hint()))?;
            self.found(&path, Some(directory.file()), directory.bytes()).await?;
            if !self.read_manifest(&path, directory.bytes(), &|| directory.has_changed())? {
                return Ok(());
            }
            return self.archive(Archive::Directory(directory)).await;
        }
        let file = open::open(&path).map_err(|error| obstacle(&error, error.hint()))?;
        self.found(&path, file.local(), file.bytes()).await?;
        let sniffed = open::sniff(&file);
        if let Ok(Err(not_a_dump)) = &sniffed {
            self.report.defects.push(Defect {
                cause: not_a_dump.to_string(),
                hint: Some("look at the job that wrote it, and use an older backup".into()),
            });
            return Ok(());
        }
        // A file of another format is another file, where there is a manifest to tell.
        if !self.read_manifest(&path, file.bytes(), &|| file.has_changed())? {
            return Ok(());
        }
        let Ok(packed) = sniffed.map_err(|error| obstacle(&error, error.hint()))? else {
            return Ok(());
        };
        let Packed { compression, format } = packed;
        if format != Format::Plain {
            return self.archive(Archive::File { file, compression, format }).await;
        }
        self.report.format = Some(format.name().to_owned());
        let Some(inspection) = self.read_and_start(&file, compression).await? else {
            return Ok(());
        };
        if !self.restore(&file, compression, &inspection).await? {
            return Ok(());
        }
        // What was restored of another file would be compared with this one.
        if file.has_changed() {
            return Err(changed());
        }
        self.check(&inspection, by_value::Source::Plain(&file, compression)).await?;
        if file.has_changed() {
            return Err(changed());
        }
        Ok(())
    }

    /// Notes that there is a backup, and holds it to the end, so that no clean-up removes what is
    /// being verified: as long as `file` is open.
    async fn found(
        &mut self,
        path: &Path,
        file: Option<&File>,
        bytes: u64,
    ) -> Result<(), Obstacle> {
        self.opened = true;
        if let Some(file) = file {
            self.hold(path, file).await?;
        }
        self.report.backup_bytes = bytes;
        self.events.emit(Event::BackupFound { bytes });
        Ok(())
    }

    /// Reads the manifest beside the backup. `false` when it proves the backup bad.
    fn read_manifest(
        &mut self,
        path: &Path,
        bytes: u64,
        has_changed: &dyn Fn() -> bool,
    ) -> Result<bool, Obstacle> {
        let read = Manifest::read(path).and_then(|manifest| match manifest {
            Some(manifest) => manifest.check_belongs(path, bytes).map(|()| Some(manifest)),
            None => Ok(None),
        });
        match read {
            Ok(manifest) => {
                let missing = "no manifest: the file itself is not proven to be the one that was \
                               written";
                let open = manifest.as_ref().map_or(vec![missing.to_owned()], |manifest| {
                    let reason = |reason: &String| format!("not recorded by create: {reason}");
                    manifest.not_recorded.iter().map(reason).collect()
                });
                self.report.not_proven.extend(open);
                self.manifest = manifest;
                Ok(true)
            }
            // The new manifest of a backup that was made anew is not the old one's.
            Err(error) if error.proves_bad() && has_changed() => Err(changed()),
            Err(error) if error.proves_bad() => {
                self.report.defects.push(Defect { cause: error.to_string(), hint: error.hint() });
                Ok(false)
            }
            Err(error) => Err(Obstacle { cause: error.to_string(), hint: error.hint() }),
        }
    }

    /// The backup that is meant.
    fn find(&self) -> Result<PathBuf, Obstacle> {
        if let Some(file) = &self.settings.file {
            // Without a slash at its end, after which no manifest could stand.
            return Ok(file.components().collect());
        }
        let dir = &self.settings.backup_dir;
        match latest::find_latest(dir) {
            Ok(Some(found)) => {
                for dir in &found.not_searched {
                    self.events.emit(Event::Warning(format!(
                        "{} cannot be read; a newer backup may be in it",
                        dir.display()
                    )));
                }
                if found.time > Utc::now() + AHEAD {
                    self.events.emit(Event::Warning(format!(
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
}

impl Run<'_> {
    fn interrupted(&self) -> Obstacle {
        Obstacle { cause: self.stop.reason(), hint: Some(self.stop.hint().into()) }
    }

    fn unread(&self, error: &ReadError) -> Obstacle {
        match error {
            ReadError::Interrupted => self.interrupted(),
            ReadError::Disk(_) => obstacle(error, "check the disk that holds the backup"),
            ReadError::Refused { .. } => obstacle(
                error,
                "decompress it with its own program, and verify the file that comes of it",
            ),
        }
    }

    fn no_sandbox(&self, error: &SandboxError) -> Obstacle {
        match error {
            SandboxError::Interrupted => self.interrupted(),
            _ => Obstacle { cause: error.to_string(), hint: error.hint() },
        }
    }

    /// What to say when the server went away: what became of its container, where that is known.
    async fn cut_short(&self, error: &dyn std::fmt::Display) -> Obstacle {
        let diagnosis = match &self.sandbox {
            Some(sandbox) => sandbox.diagnose().await,
            None => None,
        };
        let cause = match diagnosis {
            Some(diagnosis) => format!("{error}; {diagnosis}"),
            None => error.to_string(),
        };
        let hint = if cause.contains(OUT_OF_MEMORY) {
            "give it more: --memory SIZE, or memory in ccc-backup.toml; where there is no limit, free \
             memory on the machine"
        } else if DISK_FULL.iter().any(|full| cause.contains(full)) {
            "the data do not fit: make room where Docker keeps its data (docker system df), or give \
             the container more memory where it has a limit (--memory)"
        } else if cause.contains(NOT_UTF8) {
            "a name in it is in no encoding: restore it with PostgreSQL's own tools, and look at it there"
        } else if is_answer(&cause) {
            "--log-file FILE keeps the details, and --no-cleanup the server to look into"
        } else {
            "run it again; --log-file FILE keeps the details"
        };
        Obstacle { cause, hint: Some(hint.into()) }
    }
}

/// Whether a server that is well gave this answer, which it would give again: its SQLSTATE is of no class
/// that tells of its own trouble, or of others beside it.
fn is_answer(cause: &str) -> bool {
    const TROUBLE: [&str; 5] = ["08", "40", "53", "57", "58"];
    let code = cause.split_once("(SQLSTATE ").map(|(_, code)| code);
    code.is_some_and(|code| !TROUBLE.iter().any(|class| code.starts_with(class)))
}

fn obstacle(error: &dyn std::fmt::Display, hint: &str) -> Obstacle {
    Obstacle { cause: error.to_string(), hint: Some(hint.to_owned()) }
}

/// Whether this is a directory that is, or was, a backup.
fn is_directory(path: &Path) -> bool {
    path.is_dir() && (naming::is_backup_directory(path) || naming::manifest_path(path).is_file())
}

fn changed() -> Obstacle {
    Obstacle {
        cause: "the backup was changed, replaced or removed while it was read".into(),
        hint: Some("verify it again when whatever writes it is done".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::is_answer;

    #[test]
    fn a_run_is_repeated_where_the_server_was_in_trouble_and_not_where_it_answered() {
        assert!(is_answer("permission denied for table t (SQLSTATE 42501)"));
        for trouble in [
            "connection closed",
            "terminating connection due to administrator command (SQLSTATE 57P01)",
            "deadlock detected (SQLSTATE 40P01)",
        ] {
            assert!(!is_answer(trouble), "{trouble}");
        }
    }
}
