//! Reads the backup to its end while the sandbox starts.

use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::{Run, changed, obstacle};
use crate::checks::{self, checksum};
use crate::dump::inspect::{self, InspectError, Inspection};
use crate::dump::item::Facts;
use crate::dump::open::{BackupFile, Compression};
use crate::dump::statements::StatementsOfKind;
use crate::events::{Event, Events, Progress, Work};
use crate::outcome::{CheckResult, Defect, Obstacle, Status};
use crate::sandbox;
use crate::store::manifest::{Manifest, Statements};

/// How much larger than its backup file a database is taken to be, before anything is known.
const GROWTH: u64 = 16;
/// The major version taken where the dump does not say.
const DEFAULT_VERSION: u32 = 15;

impl Run<'_> {
    /// Reads the backup to its end while the sandbox starts. `None` when the backup is bad.
    ///
    /// What can be known without a server is found whether or not there is one: a backup that is
    /// cut off is bad, also where no Docker answers.
    pub(super) async fn read_and_start(
        &mut self,
        file: &BackupFile,
        compression: Compression,
    ) -> Result<Option<Inspection>, Obstacle> {
        let facts = inspect::preamble(file, compression);
        let version = self.version(&facts);
        let request = self.sandbox_request(version, file.bytes());
        let clock = Instant::now();
        let reading = {
            let (file, cancel, events) =
                (file.clone(), self.stop.token().clone(), self.events.clone());
            tokio::task::spawn_blocking(move || read(&file, compression, &cancel, &events))
        };
        let enough = self.stop.token().child_token();
        let starting = sandbox::start(&request, self.events, &enough);
        tokio::pin!(reading, starting);
        let (inspected, started) = tokio::select! {
            inspected = &mut reading => {
                if !matches!(&inspected, Ok(Ok(inspection)) if inspection.unsound.is_none()) {
                    enough.cancel();
                }
                (inspected, starting.await)
            }
            started = &mut starting => (reading.await, started),
        };
        self.report.phase("read and start", clock.elapsed());
        if let Ok(sandbox) = &started {
            self.report.sandbox = Some(sandbox.facts().clone());
        }
        let started = started.map(|sandbox| self.sandbox = Some(sandbox));
        let inspected = inspected.map_err(|error| {
            obstacle(&error, "this is a defect of ccc-backup: please report it")
        })?;
        let inspection = match inspected {
            Err(InspectError::Refused { sha256, .. }) if self.is_another(file, &sha256)? => {
                return Ok(None);
            }
            other => other.map_err(|error| self.unread(&error))?,
        };
        let checksum = self.checksum(&inspection.sha256);
        if let Some(unsound) = &inspection.unsound {
            if file.has_changed() {
                return Err(changed());
            }
            // It tells whether the file was written so, or became so.
            checksum.into_iter().for_each(|check| self.note(check));
            self.report.defects.push(Defect::new(
                unsound.to_string(),
                "this file cannot be restored whole: use an older backup, and look at the job \
                 that wrote it",
            ));
            return Ok(None);
        }
        if self.is_another(file, &inspection.sha256)? {
            return Ok(None);
        }
        started.map_err(|error| self.no_sandbox(&error))?;
        self.report.rows = Some(inspection.contents.rows());
        self.events.emit(Event::BackupRead {
            tables: inspection.contents.tables(),
            rows: inspection.contents.rows(),
            bytes: inspection.dump_bytes,
        });
        checksum.into_iter().for_each(|check| self.note(check));
        let statements = self.manifest.as_ref().map(|manifest| statements(manifest, &inspection));
        statements.into_iter().for_each(|check| self.note(check));
        Ok(Some(inspection))
    }

    /// Holds the file to the checksum of the manifest, if there is one.
    fn checksum(&self, sha256: &str) -> Option<CheckResult> {
        let manifest = self.manifest.as_ref()?;
        Some(checksum::judge(sha256, &manifest.file.sha256))
    }

    /// Whether the manifest proves that the file is not the one that was written; notes it then.
    fn is_another(&mut self, file: &BackupFile, sha256: &str) -> Result<bool, Obstacle> {
        let failed = self.checksum(sha256).filter(|check| check.status == Status::Failed);
        let Some(check) = failed else { return Ok(false) };
        if file.has_changed() {
            return Err(changed());
        }
        self.note(check);
        Ok(true)
    }

    /// The sandbox for a backup of this size.
    fn sandbox_request(&self, version: u32, file_bytes: u64) -> sandbox::Request {
        sandbox::Request {
            version,
            image: self.settings.image.clone(),
            port: self.settings.port,
            name: self.settings.container_name.clone(),
            keep: self.settings.keep,
            data_bytes: Some(file_bytes.saturating_mul(GROWTH)),
            settings: self.settings.server_settings.clone(),
        }
    }

    /// The major version to restore into.
    fn version(&self, facts: &Facts) -> u32 {
        if let Some(version) = self.settings.version {
            return version;
        }
        let of_dump = facts.server_major();
        if of_dump.is_none() {
            let text = format!("the dump does not say its version; taking {DEFAULT_VERSION}");
            self.events.emit(Event::Warning(text));
        }
        of_dump.unwrap_or(DEFAULT_VERSION)
    }
}

/// Whether the dump has the statements of the manifest.
fn statements(manifest: &Manifest, inspection: &Inspection) -> CheckResult {
    let recorded = |of: &Statements| StatementsOfKind {
        kind: of.kind.clone(),
        count: of.count,
        fingerprint: of.fingerprint.0,
    };
    let recorded: Vec<_> = manifest.statements.iter().map(recorded).collect();
    checks::statements::judge(&inspection.contents.statements.by_kind(), &recorded)
}

/// Reads the whole backup on a thread of its own.
fn read(
    file: &BackupFile,
    compression: Compression,
    cancel: &CancellationToken,
    events: &Events,
) -> Result<Inspection, InspectError> {
    let total = Some(file.bytes());
    inspect::inspect(file, compression, cancel, &|done| {
        events.emit(Event::Progress(Progress { work: Work::Reading, done, total, current: None }));
    })
}
