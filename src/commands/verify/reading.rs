//! Reads the backup to its end while the sandbox starts.

use std::time::Instant;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Run, changed, obstacle};
use crate::checks::{self, checksum};
use crate::commands::DEFECT;
use crate::commands::inspect::{self, Inspection};
use crate::dump::items::Unsound;
use crate::dump::statements::StatementsOfKind;
use crate::events::{Event, Events, Progress, Work};
use crate::model::outcome::{CheckResult, Defect, Obstacle, Status};
use crate::model::packing::Packing;
use crate::packing::file::BackupFile;
use crate::packing::read_error::ReadError;
use crate::sandbox::{self, Limits, SandboxError};
use crate::store::manifest::{Manifest, Statements};

/// How much larger than its backup file a dump is taken to be, before anything is known.
const GROWTH: u64 = 16;
/// The major version taken where the dump does not say.
const DEFAULT_VERSION: u32 = 15;
/// The oldest major version that is taken because the dump says so: of those before it, images are not
/// everywhere, and 9 is none.
const OLDEST_VERSION: u32 = 10;

impl Run<'_> {
    /// Reads the backup to its end while the sandbox starts. `None` when the backup is bad.
    ///
    /// What can be known without a server is found whether or not there is one: a backup that is
    /// cut off is bad, also where no Docker answers.
    pub(super) async fn read_and_start(
        &mut self,
        file: &BackupFile,
        compression: Packing,
    ) -> Result<Option<Inspection>, Obstacle> {
        let facts = inspect::preamble(file, compression);
        let version = self.version(facts.server_major());
        let request = self.sandbox_request(version, dump_bytes(file.bytes(), compression));
        let reading = {
            let (file, cancel, events) =
                (file.clone(), self.stop.token().clone(), self.events.clone());
            tokio::task::spawn_blocking(move || read(&file, compression, &cancel, &events))
        };
        let accepted = self.settings.accept_foreign_sql;
        let sound = |inspection: &Inspection| match &inspection.unsound {
            None => true,
            Some(unsound) => accepted && *unsound == Unsound::Foreign,
        };
        let (inspected, started) = self.start_while(&request, reading, sound).await?;
        let mut inspection = match inspected {
            Err(error) => {
                if let ReadError::Refused { sha256, .. } = &error {
                    let checksum = self.checksum(sha256);
                    if !self.is_the_file(checksum.as_ref(), file.has_changed())? {
                        return Ok(None);
                    }
                }
                return Err(self.unread(&error));
            }
            Ok(inspection) => inspection,
        };
        let checksum = self.checksum(&inspection.sha256);
        if inspection.unsound.as_ref().is_some_and(|_| sound(&inspection)) {
            let text = "that the file is whole: it has no header and trailer of pg_dump";
            self.report.not_proven.push(text.to_owned());
            inspection.unsound = None;
        }
        if let Some(unsound) = &inspection.unsound {
            if let Some(hint) = unsound.our_limit() {
                let is_the_file = self.is_the_file(checksum.as_ref(), file.has_changed())?;
                return if is_the_file { Err(obstacle(unsound, hint)) } else { Ok(None) };
            }
            let (cause, hint) = (unsound.to_string(), unsound.hint());
            self.is_bad(cause, hint, checksum, file.has_changed())?;
            return Ok(None);
        }
        if !self.is_the_file(checksum.as_ref(), file.has_changed())? {
            return Ok(None);
        }
        if self.is_empty(&inspection, file.has_changed())? {
            return Ok(None);
        }
        started.map_err(|error| self.no_sandbox(&error))?;
        self.is_read(&inspection, checksum);
        if let Some(manifest) = &self.manifest {
            self.note(statements(manifest, &inspection));
        }
        Ok(Some(inspection))
    }

    /// Starts the sandbox while the backup is read. It is not waited for when the backup turns out
    /// not to be worth it.
    pub(super) async fn start_while<T>(
        &mut self,
        request: &sandbox::Request,
        reading: JoinHandle<Result<T, ReadError>>,
        is_sound: impl Fn(&T) -> bool,
    ) -> Result<(Result<T, ReadError>, Result<(), SandboxError>), Obstacle> {
        let clock = Instant::now();
        let enough = self.stop.token().child_token();
        let starting = sandbox::start(request, self.events, &enough);
        tokio::pin!(reading, starting);
        let (read, started) = tokio::select! {
            read = self.stop.wait_for(&mut reading) => {
                if !matches!(&read, Some(Ok(Ok(found))) if is_sound(found)) {
                    enough.cancel();
                }
                (read, starting.await)
            }
            started = &mut starting => (self.stop.wait_for(&mut reading).await, started),
        };
        self.report.phase("read and start", clock.elapsed());
        if let Ok(sandbox) = &started {
            self.report.sandbox = Some(sandbox.facts().clone());
        }
        let started = started.map(|sandbox| self.sandbox = Some(sandbox));
        let Some(read) = read else { return Ok((Err(ReadError::Interrupted), started)) };
        let read = read.map_err(|error| obstacle(&error, DEFECT))?;
        Ok((read, started))
    }

    /// Notes the checksum of the backup, and gives its comparison with the manifest's.
    pub(super) fn checksum(&mut self, found: &str) -> Option<CheckResult> {
        self.report.sha256 = Some(found.to_owned());
        let manifest = self.manifest.as_ref()?;
        Some(checksum::judge(found, &manifest.file.sha256))
    }

    /// Notes that the backup itself is bad.
    pub(super) fn is_bad(
        &mut self,
        cause: String,
        hint: &str,
        checksum: Option<CheckResult>,
        has_changed: bool,
    ) -> Result<(), Obstacle> {
        if has_changed {
            return Err(changed());
        }
        // It tells whether the file was written so, or became so.
        checksum.into_iter().for_each(|check| self.note(check));
        self.report.defects.push(Defect::new(cause, hint));
        Ok(())
    }

    /// Whether it is the file that was written, as far as it is known; notes it where it is not.
    pub(super) fn is_the_file(
        &mut self,
        checksum: Option<&CheckResult>,
        has_changed: bool,
    ) -> Result<bool, Obstacle> {
        match checksum.filter(|check| check.status == Status::Failed) {
            None => Ok(true),
            Some(_) if has_changed => Err(changed()),
            Some(check) => {
                self.note(check.clone());
                Ok(false)
            }
        }
    }

    /// Whether there is nothing in the backup where there should be; notes that.
    pub(super) fn is_empty(
        &mut self,
        inspection: &Inspection,
        has_changed: bool,
    ) -> Result<bool, Obstacle> {
        let empty = !inspection.contents.holds_anything() && !self.may_be_without_rows();
        if empty {
            let cause = "nothing is in it: the backup makes no table and has no row".to_owned();
            let hint = "look whether the job dumps the right database; where that is meant: data = \
                        \"none\" below [checks] in ccc-backup.toml";
            self.is_bad(cause, hint, None, has_changed)?;
        }
        Ok(empty)
    }

    /// Tells that the backup was read to its end.
    pub(super) fn is_read(&mut self, inspection: &Inspection, checksum: Option<CheckResult>) {
        self.report.rows = Some(inspection.contents.rows());
        self.report.tables = Some(inspection.contents.tables() as u64);
        self.events.emit(Event::BackupRead {
            tables: inspection.contents.tables(),
            rows: inspection.contents.rows(),
            bytes: inspection.dump_bytes,
        });
        checksum.into_iter().for_each(|check| self.note(check));
        let facts = &inspection.facts;
        if let Some(first) = &facts.first_unmade {
            self.report.not_proven.push(format!(
                "that nothing was lost of {} objects which the dump announces and does not make, the \
                 first: {first}",
                facts.unmade
            ));
        }
        if facts.padded {
            self.warn(
                "zeros follow the end of the dump, as a disk image or a tape fills it up".into(),
            );
        }
        self.tell_taken_rights(inspection);
    }

    /// The sandbox for a dump of this size.
    pub(super) fn sandbox_request(&self, version: u32, dump_bytes: u64) -> sandbox::Request {
        sandbox::Request {
            choice: self.settings.engine,
            version,
            image: self.settings.image.clone(),
            port: self.settings.port,
            name: self.settings.container_name.clone(),
            keep: self.settings.keep,
            wait: self.settings.wait,
            connections: self.settings.jobs,
            data_bytes: Some(dump_bytes),
            settings: self.settings.server_settings.clone(),
            settings_are_trusted: self.settings.config_is_named,
            limits: Limits { memory: self.settings.memory, nano_cpus: self.settings.nano_cpus },
            programs: false,
        }
    }

    /// The major version to restore into: what was asked for, else what fits the dump.
    pub(super) fn version(&self, of_dump: Option<u32>) -> u32 {
        if let Some(version) = self.settings.version {
            return version;
        }
        if of_dump.is_none() {
            let text = format!("the dump does not say its version; taking {DEFAULT_VERSION}");
            self.events.emit(Event::Warning(text));
        }
        match of_dump {
            Some(old) if old < OLDEST_VERSION => {
                let text = format!(
                    "the dump is of PostgreSQL {old}, which is no longer kept; taking \
                     {DEFAULT_VERSION} (--postgres-version takes another)"
                );
                self.events.emit(Event::Warning(text));
                DEFAULT_VERSION
            }
            other => other.unwrap_or(DEFAULT_VERSION),
        }
    }
}

/// How large the dump in a file of so many bytes is taken to be.
pub(super) fn dump_bytes(bytes: u64, compression: Packing) -> u64 {
    if compression == Packing::None { bytes } else { bytes.saturating_mul(GROWTH) }
}

/// Whether the dump has the statements of the manifest.
pub(super) fn statements(manifest: &Manifest, inspection: &Inspection) -> CheckResult {
    let recorded = |of: &Statements| StatementsOfKind {
        kind: of.kind.clone(),
        count: of.count,
        fingerprint: of.fingerprint.0,
    };
    let recorded: Vec<_> = manifest.statements.iter().map(recorded).collect();
    let found = &inspection.contents.statements;
    let order = manifest.statements_in_order.map(|written| (written.0, found.in_order()));
    checks::statements::judge(&found.by_kind(), &recorded, order)
}

/// Reads the whole backup on a thread of its own.
fn read(
    file: &BackupFile,
    compression: Packing,
    cancel: &CancellationToken,
    events: &Events,
) -> Result<Inspection, ReadError> {
    let total = Some(file.bytes());
    inspect::inspect(file, compression, cancel, &|done| {
        events.emit(Event::Progress(Progress { work: Work::Reading, done, total, current: None }));
    })
}
