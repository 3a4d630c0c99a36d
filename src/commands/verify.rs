//! `verify`: reads the backup, restores it into a throwaway PostgreSQL, checks what came back.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use tokio_util::sync::CancellationToken;

use crate::checks::{self, AppTable};
use crate::commands::{Stop, record};
use crate::dump::inspect::{self, InspectError, Inspection};
use crate::dump::item::Facts;
use crate::dump::open::{BackupFile, Compression};
use crate::events::{Event, Events};
use crate::outcome::{CheckResult, Defect, Obstacle, RunReport, Section};
use crate::pg::Session;
use crate::restore::load::{self, Restored};
use crate::sandbox::{self, Sandbox, SandboxError};
use crate::settings::VerifySettings;
use crate::store::{history, latest};

/// The database that the backup is restored into.
const DATABASE: &str = "restore_test";
/// How much larger than its backup file a database is taken to be, before anything is known.
const GROWTH: u64 = 16;
/// The major version taken where the dump does not say.
const DEFAULT_VERSION: u32 = 15;

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
    };
    if let Some(limit) = settings.timeout {
        limit_time(limit, stop.clone());
    }
    if let Err(obstacle) = run.steps().await {
        run.report.obstacle = Some(obstacle);
    }
    run.report.seconds = clock.elapsed().as_secs_f64();
    let (report, sandbox) = (Arc::new(run.report), run.sandbox);
    if let Err(error) = history::append(&settings.history_dir, &record::verification(&report)) {
        events.emit(Event::Warning(format!("the history was not written: {error}")));
    }
    events.emit(Event::VerifyFinished(Arc::clone(&report)));
    leave(settings, events, sandbox).await;
    report
}

/// Asks to stop when the time is up.
fn limit_time(limit: Duration, stop: Stop) {
    tokio::spawn(async move {
        tokio::time::sleep(limit).await;
        stop.because(format!("timed out after {} s (--timeout)", limit.as_secs()));
    });
}

/// Removes the sandbox, or keeps it for the operator.
async fn leave(settings: &VerifySettings, events: &Events, sandbox: Option<Sandbox>) {
    let Some(sandbox) = sandbox else { return };
    if settings.keep {
        sandbox.keep(DATABASE, events);
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
}

impl Run<'_> {
    /// The steps, in order. An `Err` is what stood in the way; what speaks against the backup is
    /// in the report.
    async fn steps(&mut self) -> Result<(), Obstacle> {
        let path = self.find()?;
        self.report.backup.clone_from(&path);
        self.events.emit(Event::VerifyStarted { backup: path.clone() });
        let file = BackupFile::open(&path).map_err(|error| obstacle(&error, error.hint()))?;
        self.report.backup_bytes = file.bytes();
        self.events.emit(Event::BackupFound { bytes: file.bytes() });
        let compression = match file.sniff().map_err(|error| obstacle(&error, error.hint()))? {
            Ok(compression) => compression,
            Err(not_a_dump) => {
                self.report.defects.push(Defect {
                    cause: not_a_dump.to_string(),
                    hint: Some("look at the job that wrote it, and use an older backup".into()),
                });
                return Ok(());
            }
        };
        let Some(inspection) = self.read_and_start(&file, compression).await? else {
            return Ok(());
        };
        self.restore(&file, compression, &inspection).await?;
        self.check().await?;
        if file.has_changed() {
            return Err(changed());
        }
        Ok(())
    }

    /// The backup that is meant.
    fn find(&self) -> Result<PathBuf, Obstacle> {
        if let Some(file) = &self.settings.file {
            return Ok(file.clone());
        }
        let dir = &self.settings.backup_dir;
        match latest::find_latest(dir) {
            Ok(Some(found)) => Ok(found.path),
            Ok(None) => Err(Obstacle {
                cause: format!("No backup found in {}", dir.display()),
                hint: Some("make one with `ccc-backup create`, or name --backup-dir".into()),
            }),
            Err(error) => Err(Obstacle { cause: error.to_string(), hint: error.hint() }),
        }
    }
}

impl Run<'_> {
    /// Reads the backup to its end while the sandbox starts. `None` when the backup is bad.
    ///
    /// What can be known without a server is found whether or not there is one: a backup that is
    /// cut off is bad, also where no Docker answers.
    async fn read_and_start(
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
        let inspection = inspected
            .map_err(|error| obstacle(&error, "this is a defect of ccc-backup: please report it"))?
            .map_err(|error| self.unread(&error))?;
        if let Some(unsound) = &inspection.unsound {
            if file.has_changed() {
                return Err(changed());
            }
            self.report.defects.push(Defect::new(
                unsound.to_string(),
                "this file cannot be restored whole: use an older backup, and look at the job \
                 that wrote it",
            ));
            return Ok(None);
        }
        started.map_err(|error| self.no_sandbox(&error))?;
        self.report.rows = Some(inspection.contents.rows());
        self.events.emit(Event::BackupRead {
            tables: inspection.contents.tables.len(),
            rows: inspection.contents.rows(),
            bytes: inspection.dump_bytes,
        });
        Ok(Some(inspection))
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
            settings: Vec::new(),
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

    /// Restores the dump into a new database of the sandbox.
    async fn restore(
        &mut self,
        file: &BackupFile,
        compression: Compression,
        inspection: &Inspection,
    ) -> Result<(), Obstacle> {
        let Some(sandbox) = &self.sandbox else { return Ok(()) };
        let database = DATABASE.to_owned();
        self.events.emit(Event::RestoreStarted { database: database.clone() });
        self.events.emit(Event::DatabaseCreating { database });
        let locale = sandbox::Locale::of_encoding(inspection.facts.client_encoding.as_deref());
        let replaced = sandbox
            .create_database(DATABASE, &locale)
            .await
            .map_err(|error| self.no_sandbox(&error))?;
        if let Some(announcement) = replaced {
            self.report.warnings.push(announcement.clone());
            self.events.emit(Event::Warning(announcement));
        }
        self.events.emit(Event::Restoring);
        let clock = Instant::now();
        let target = sandbox.connect_info().database(DATABASE);
        let events = self.events.clone();
        let total = inspection.dump_bytes;
        let progress = move |done, table: Option<&str>| {
            events.emit(Event::Progress(crate::events::Progress {
                work: "restoring",
                done,
                total: Some(total),
                current: table.map(str::to_owned),
            }));
        };
        let loaded = tokio::select! {
            biased;
            () = self.stop.token().cancelled() => return Err(self.interrupted()),
            loaded = load::load(file.stream(compression), &target, &progress) => loaded,
        };
        self.report.phase("restore", clock.elapsed());
        match loaded {
            Ok(restored) => {
                self.restored(&restored, file)?;
                Ok(())
            }
            Err(error) => Err(self.cut_short(&error).await),
        }
    }

    /// Notes what the restore found.
    fn restored(&mut self, restored: &Restored, file: &BackupFile) -> Result<(), Obstacle> {
        let errors: Vec<String> = restored.errors.iter().map(ToString::to_string).collect();
        let tolerated = restored.tolerated.values().sum();
        self.events.emit(Event::RestoreFinished { errors, tolerated });
        for (rule, count) in &restored.tolerated {
            self.report.warnings.push(format!("{count} × {rule}"));
        }
        if restored.unsound.is_some() && file.has_changed() {
            return Err(changed());
        }
        if let Some(unsound) = &restored.unsound {
            self.report.defects.push(Defect { cause: unsound.to_string(), hint: None });
        }
        if let Some(first) = restored.errors.first() {
            let (cause, hint) = match first.missing_extension() {
                Some(extension) => (
                    format!("the backup needs the extension {extension}, which the image lacks"),
                    format!("use an image that has {extension}: --image IMAGE"),
                ),
                None => (
                    format!("restore error: {}", first.to_string().lines().next().unwrap_or("")),
                    "the log has every error: --log-file FILE".to_owned(),
                ),
            };
            self.report.defects.push(Defect::new(cause, hint));
        }
        Ok(())
    }

    /// Runs the checks on the restored database.
    async fn check(&mut self) -> Result<(), Obstacle> {
        let Some(sandbox) = &self.sandbox else { return Ok(()) };
        let clock = Instant::now();
        let target = sandbox.connect_info().database(DATABASE);
        let checking = async {
            let session = target.connect().await.map_err(|error| crate::pg::describe(&error))?;
            application(&session, &self.settings.tables, self.events, &mut self.report).await
        };
        let checked = tokio::select! {
            biased;
            () = self.stop.token().cancelled() => return Err(self.interrupted()),
            checked = checking => checked,
        };
        self.report.phase("checks", clock.elapsed());
        match checked {
            Ok(()) => Ok(()),
            Err(error) => Err(self.cut_short(&error).await),
        }
    }

    fn interrupted(&self) -> Obstacle {
        Obstacle { cause: self.stop.reason(), hint: Some("run it again".into()) }
    }

    fn unread(&self, error: &InspectError) -> Obstacle {
        match error {
            InspectError::Interrupted => self.interrupted(),
            InspectError::Disk(_) => obstacle(error, "check the disk that holds the backup"),
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
        Obstacle { cause, hint: Some("run it again; --log-file FILE keeps the details".into()) }
    }
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
        events.emit(Event::Progress(crate::events::Progress {
            work: "reading",
            done,
            total,
            current: None,
        }));
    })
}

/// The application's checks, section by section, in the order of the report.
async fn application(
    session: &Session,
    tables: &[AppTable],
    events: &Events,
    report: &mut RunReport,
) -> Result<(), String> {
    let mut note = |result: Result<CheckResult, checks::CheckError>| {
        let check = result.map_err(|error| error.to_string())?;
        events.emit(Event::Checked(check.clone()));
        report.checks.push(check);
        Ok::<(), String>(())
    };
    events.emit(Event::SectionStarted(Section::Schema));
    for table in tables {
        note(checks::schema::check(session, table).await)?;
    }
    events.emit(Event::SectionStarted(Section::Data));
    for table in tables.iter().filter(|table| table.counted) {
        note(checks::data::check(session, table).await)?;
    }
    events.emit(Event::SectionStarted(Section::Migrations));
    note(checks::migrations::check(session).await)
}

fn obstacle(error: &dyn std::fmt::Display, hint: &str) -> Obstacle {
    Obstacle { cause: error.to_string(), hint: Some(hint.to_owned()) }
}

fn changed() -> Obstacle {
    Obstacle {
        cause: "the backup file was changed while it was read".into(),
        hint: Some("verify it again when whatever writes it is done".into()),
    }
}
