//! `create`: what the source is, what a backup of it is called, and who makes it; it is published whole or not at all, with
//! its manifest.

mod archive;
mod copies;
mod copying;
mod failing;
mod finishing;
mod globals;
mod piped;
mod plain;
mod signing;
mod sink;
mod stream;
mod streamed;
mod streamed_directory;
mod target;
pub(in crate::commands) mod tools;

use std::path::{Path, PathBuf};
use std::time::Instant;

use chrono::{DateTime, Utc};

use crate::commands::copy::bringing::Beside;
use crate::commands::record;
use crate::commands::steps::spool;
use crate::commands::{Failure, Stop, ledger, signer};
use crate::events::{Event, Events};
use crate::model::format::Format;
use crate::model::outcome::Verdict;
use crate::settings::{CreateSettings, process_environment};
use crate::signing::Signer;
use crate::source::client_tools::PgDump;
use crate::source::coverage::{self, SourceHas};
use crate::source::facts::{self, Facts};
use crate::source::pg_dump::DumpRequest;
use crate::store::copies::Brought;
use crate::store::error::StoreError;
use crate::store::globals::is_globals_name;
use crate::store::manifest::Manifest;
use crate::store::{naming, sealed_names};
use copies::Source;
use copying::{Copying, Feed};
use failing::{interrupted, named_like_globals};
use tools::Tools;

/// The backup to be made, and who is told of it and may stop it.
struct Job<'a> {
    settings: &'a CreateSettings,
    target: &'a Path,
    started_at: DateTime<Utc>,
    signer: Option<&'a Signer>,
    copying: &'a Copying,
    events: &'a Events,
    stop: &'a Stop,
}

impl Job<'_> {
    /// Begins the copies that are written with the backup.
    fn begin_copies(&self) -> Feed {
        let Self { settings, target, copying, stop, .. } = *self;
        let name = target.file_name().unwrap_or_default();
        copying.begin(&settings.copies, (name.as_ref(), settings.format), stop.token())
    }
}

/// A backup that was made.
struct NewBackup {
    manifest: Manifest,
    beside: Beside,
}

/// Makes a backup.
///
/// # Errors
/// [`Failure`] with exit code 1 when the backup could not be made, 2 when the settings or the
/// environment do not allow it, or the run was interrupted.
pub async fn run(settings: &CreateSettings, events: &Events, stop: &Stop) -> Result<(), Failure> {
    let (started_at, clock) = (Utc::now(), Instant::now());
    if let Some(limit) = settings.timeout {
        stop.after(limit);
    }
    for warning in &settings.warnings {
        events.emit(Event::Warning(warning.clone()));
    }
    let target = target(settings, started_at);
    let _ending = settings.outgoing.as_ref().map(|_| piped::Ending::with(stop));
    let copying = Copying::default();
    let made = match signer::have(settings.sign.as_ref(), events, stop).await {
        Ok(signer) => {
            let signer = signer.as_ref();
            let (target, copying) = (&*target, &copying);
            make(&Job { settings, target, started_at, signer, copying, events, stop }).await
        }
        Err(error) => {
            Err(Failure { cause: format!("no backup was made: {}", error.cause), ..error })
        }
    };
    if settings.outgoing.is_some() {
        spool::unrecorded(settings.metrics_file.as_deref(), events);
        return made.map(drop).map_err(|failure| piped::failed(failure, stop));
    }
    let verdict = match &made {
        Ok(_) => Verdict::Passed,
        Err(failure) if failure.exit == 1 => Verdict::Failed,
        Err(_) => Verdict::NotVerified,
    };
    let seconds = clock.elapsed().as_secs_f64();
    let manifest = made.as_ref().ok().map(|made| &made.manifest);
    let mut line = record::history(&target, started_at, seconds, verdict, manifest);
    if settings.recipients.is_some() {
        line = line.of_sealed();
    } else {
        line.database = line.database.or_else(|| settings.source.dbname.clone());
    }
    let (dir, metrics_file) = (naming::directory_of(&target), settings.metrics_file.as_deref());
    let mut unwritten = ledger::put_on_record(dir, &target, line.clone(), metrics_file, stop).await;
    if made.is_err() {
        let _ = stop.wait_for(copying.ended()).await;
        // Where the backup itself could not be made, that is what has to be said.
        unwritten.history = None;
    }
    unwritten.warnings().for_each(|text| events.emit(Event::Warning(text)));
    let NewBackup { manifest, beside } = made?;
    let (outline, run, copying) = (&manifest.outline, line.clone(), &copying);
    let source = Source { target: &target, outline, beside, run, copying };
    let (places, copied) = copies::complete(source, settings, events, stop).await;
    copies::tell(dir, Brought { run: line, places }, settings, events, stop).await;
    copied
}

/// The file to be made.
fn target(settings: &CreateSettings, now: DateTime<Utc>) -> PathBuf {
    let (format, packing) = (settings.format, settings.codec.packing());
    let open = match &settings.output {
        Some(output) => naming::output_path(&sealed_names::open_path(output), format, packing),
        None if settings.outgoing.is_some() => piped::name(settings)
            .unwrap_or_else(|| naming::default_name(now, format, packing))
            .into(),
        None => settings.backup_dir.join(naming::default_name(now, format, packing)),
    };
    if settings.recipients.is_some() { sealed_names::sealed_path(&open) } else { open }
}

async fn make(job: &Job<'_>) -> Result<NewBackup, Failure> {
    let Job { settings, target, stop, .. } = *job;
    job.events.emit(Event::CreateStarted {
        database: settings
            .source
            .dbname
            .clone()
            .unwrap_or_else(|| "(from libpq's environment)".to_owned()),
        host: shown_host(settings),
        output: piped::shown(target, settings),
    });
    let pg_dump = tokio::select! {
        biased;
        () = stop.token().cancelled() => return Err(interrupted(stop)),
        pg_dump = PgDump::find(settings.pg_dump.as_deref()) => pg_dump?,
    };
    // Meant as the place for a backup, most likely, and not as the beginning of its name.
    let named = settings.output.as_ref().filter(|output| output.is_dir() && *output != target);
    if let (Some(directory), None) = (named, &settings.outgoing) {
        return Err(StoreError::TargetIsDirectory(directory.clone()).into());
    }
    if target.file_name().is_some_and(is_globals_name) {
        return Err(named_like_globals(target));
    }
    if settings.format != Format::Plain {
        return archive::make(job, pg_dump).await;
    }
    plain::make(job, pg_dump).await
}

/// What the source says of itself.
struct Asked {
    facts: Facts,
    has: SourceHas,
}

/// Asks the source, and has the backup made by the tools that it takes.
async fn with_tools(
    job: &Job<'_>,
    pg_dump: PgDump,
    make: impl AsyncFnOnce(Asked, &PgDump) -> Result<NewBackup, Failure>,
) -> Result<NewBackup, Failure> {
    let (asked, tools) = ask_source(job, pg_dump).await?;
    let made = make(asked, &tools.pg_dump).await;
    tools.close().await;
    made
}

/// What the source is, and the tools that it takes.
async fn ask_source(job: &Job<'_>, pg_dump: PgDump) -> Result<(Asked, Tools), Failure> {
    let asked = async {
        let source = &job.settings.source;
        let facts = facts::source_facts(source, &pg_dump).await?;
        let has = match &facts {
            Facts::Known(_) => coverage::source_has(source, &pg_dump).await,
            Facts::Unknown { .. } => SourceHas::default(),
        };
        let tools = tools::fitting(job, pg_dump, &facts).await?;
        Ok((Asked { facts, has }, tools))
    };
    tokio::select! {
        biased;
        () = job.stop.token().cancelled() => Err(interrupted(job.stop)),
        asked = asked => asked,
    }
}

/// About how large a file may become, where the source says how large the database is: without indexes it is smaller,
/// and what was packed in it is larger.
fn expected_bytes(database_bytes: Option<u64>) -> u64 {
    const UNKNOWN: u64 = 16 << 30;
    database_bytes.unwrap_or(UNKNOWN)
}

/// The call of pg_dump that was asked for.
fn request(settings: &CreateSettings, pg_dump: PgDump) -> DumpRequest {
    DumpRequest {
        settings: settings.source.clone(),
        pg_dump,
        extra_args: settings.pg_dump_args.clone(),
        keep_owner: settings.keep_owner,
        format: settings.format,
        codec: settings.codec,
        jobs: settings.jobs,
    }
}

/// `host:port` as the transcript shows it; libpq's own settings where ours say nothing.
fn shown_host(settings: &CreateSettings) -> String {
    match (&settings.source.host, &settings.source.port) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        _ => match process_environment("PGSERVICE") {
            Some(service) => format!("service {service}"),
            None => "(from libpq's environment)".to_owned(),
        },
    }
}
