//! `create`: what the source is, what a backup of it is called, and who makes it; it is published whole or not at all, with
//! its manifest. Of several databases, one after the other.

mod archive;
mod copies;
mod copying;
mod failing;
mod finishing;
mod globals;
mod parallel;
mod part_queue;
mod piped;
mod plain;
mod several;
mod signing;
mod sink;
mod stream;
mod streamed;
mod streamed_directory;
mod target;
mod together;
pub(in crate::commands) mod tools;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};

use crate::commands::copy::bringing::Beside;
use crate::commands::reaching::{self, Client};
use crate::commands::record;
use crate::commands::steps::spool;
use crate::commands::{Failure, Stop, ledger, signer};
use crate::events::{CreateEvent, Event, Events};
use crate::libpq::settings::ConnectSettings;
use crate::model::creation::{CreateEnd, CreateReport, DatabaseBackup, MadeBackup, Trouble};
use crate::model::format::Format;
use crate::model::outcome::Verdict;
use crate::settings::{CreateSettings, CreationSettings, process_environment};
use crate::signing::Signer;
use crate::source::client_tools::PgDump;
use crate::source::coverage::{self, SourceHas};
use crate::source::databases;
use crate::source::facts::{self, Facts};
use crate::source::pg_dump::DumpRequest;
use crate::store::copies::Brought;
use crate::store::error::StoreError;
use crate::store::globals::is_globals_name;
use crate::store::manifest::Manifest;
use crate::store::{naming, sealed_names};
use copies::Source;
use copying::{Copying, Feed};
use failing::{NOT_MADE, interrupted, named_like_globals};
use together::Together;
use tools::Tools;

/// The backup to be made, and who is told of it and may stop it.
struct Job<'a> {
    settings: &'a CreateSettings,
    target: &'a Path,
    started_at: DateTime<Utc>,
    together: &'a Together,
    signer: Option<&'a Signer>,
    client: &'a Client,
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

/// Makes a backup, or one of each of several databases, and returns the exit code.
///
/// # Errors
/// [`Failure`] with exit code 1 when the backup could not be made, 2 when the settings or the
/// environment do not allow it, or the run was interrupted. Of several, when none of them could be begun.
pub async fn run(settings: &CreationSettings, events: &Events, stop: &Stop) -> Result<u8, Failure> {
    let (started_at, clock, common) = (Utc::now(), Instant::now(), &settings.backup);
    if let Some(limit) = common.timeout {
        stop.after(limit);
    }
    for warning in &common.warnings {
        events.emit(Event::Warning(warning.clone()));
    }
    let signer = signer::have(common.sign.as_ref(), events, stop).await;
    let signer =
        signer.map_err(|error| Failure { cause: format!("{NOT_MADE}{}", error.cause), ..error });
    let several = settings.several.as_ref();
    let (databases, troubles, result) = match (several, signer) {
        (Some(_), Err(failure)) => return Err(failure),
        (Some(several), signer) => {
            let together = Together::alone(started_at, signer);
            let (databases, troubles) =
                several::run((common, several), together, events, stop).await?;
            (databases, troubles, Ok(()))
        }
        (None, signer) => {
            let together = Together::alone(started_at, signer);
            let (database, result) = back_up(common, &together, events, stop).await;
            (vec![database], Vec::new(), result)
        }
    };
    let report = CreateReport {
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at,
        seconds: clock.elapsed().as_secs_f64(),
        several: several.is_some(),
        databases,
        troubles,
    };
    let exit_code = report.exit_code();
    events.emit(Event::Create(CreateEvent::Finished(Arc::new(report))));
    result.map(|()| exit_code)
}

/// Makes a backup of one database, and tells what came of it.
async fn back_up(
    settings: &CreateSettings,
    together: &Together,
    events: &Events,
    stop: &Stop,
) -> (DatabaseBackup, Result<(), Failure>) {
    let clock = Instant::now();
    let (settings, client) = reached(settings, stop).await;
    let settings = &settings;
    let mut backup = DatabaseBackup {
        database: shown_database(settings),
        host: shown_host(settings),
        backup: None,
        seconds: 0.0,
        end: CreateEnd::NotReached { why: String::new() },
    };
    let (made, result) = match name_of_database(settings, &client, stop).await {
        Ok(database) => {
            let target = target(settings, together.at, database.as_deref());
            backup.backup = Some(piped::shown(&target, settings).display().to_string());
            make_and_tell((settings, client), &target, together, events, stop).await
        }
        Err(failure) => (None, Err(failure)),
    };
    let trouble = result.as_ref().err().map(|failure| Trouble {
        exit_code: failure.exit,
        cause: failure.cause.clone(),
        hint: failure.hint.clone(),
    });
    backup.seconds = clock.elapsed().as_secs_f64();
    backup.end = match (made, trouble) {
        (Some(made), trouble) => CreateEnd::Made(MadeBackup { trouble, ..made }),
        (None, Some(trouble)) => CreateEnd::NotMade(trouble),
        (None, None) => backup.end,
    };
    (backup, result)
}

/// The settings as the container completes them that the database runs in, where it is in one, and where its client tools
/// are.
async fn reached(
    settings: &CreateSettings,
    stop: &Stop,
) -> (CreateSettings, Result<Client, Failure>) {
    let reached = tokio::select! {
        biased;
        () = stop.token().cancelled() => Err(interrupted(stop)),
        reached = reaching::reach(settings.container.as_deref(), &settings.source) => {
            reached.map_err(Failure::from)
        }
    };
    match reached {
        Ok((source, client)) => (CreateSettings { source, ..settings.clone() }, Ok(client)),
        Err(failure) => (settings.clone(), Err(failure)),
    }
}

/// Makes a backup and its copies, and puts that on record.
async fn make_and_tell(
    (settings, client): (&CreateSettings, Result<Client, Failure>),
    target: &Path,
    together: &Together,
    events: &Events,
    stop: &Stop,
) -> (Option<MadeBackup>, Result<(), Failure>) {
    let (started_at, clock) = (Utc::now(), Instant::now());
    let _ending = settings.outgoing.as_ref().map(|_| piped::Ending::with(stop));
    let copying = Copying::default();
    let made = match (&together.signer, &client) {
        (Ok(signer), Ok(client)) => {
            let (signer, copying) = (signer.as_ref(), &copying);
            let job = Job {
                settings,
                target,
                started_at,
                together,
                signer,
                client,
                copying,
                events,
                stop,
            };
            make(&job).await
        }
        (Err(failure), _) | (_, Err(failure)) => Err(failure.clone()),
    };
    let manifest = made.as_ref().ok().map(|made| &made.manifest);
    let there = manifest.map(made_backup);
    if settings.outgoing.is_some() {
        spool::unrecorded(settings.metrics_file.as_deref(), events);
        return (there, made.map(drop).map_err(|failure| piped::failed(failure, stop)));
    }
    let verdict = match &made {
        Ok(_) => Verdict::Passed,
        Err(failure) if failure.exit == 1 => Verdict::Failed,
        Err(_) => Verdict::NotVerified,
    };
    let seconds = clock.elapsed().as_secs_f64();
    let mut line = record::history(target, started_at, seconds, verdict, manifest);
    if settings.recipients.is_some() {
        line = line.of_sealed();
    } else {
        line.database = line.database.or_else(|| settings.source.dbname.clone());
    }
    let (dir, metrics_file) = (naming::directory_of(target), settings.metrics_file.as_deref());
    let mut unwritten = ledger::put_on_record(dir, target, line.clone(), metrics_file, stop).await;
    if made.is_err() {
        let _ = stop.wait_for(copying.ended()).await;
        // Where the backup itself could not be made, that is what has to be said.
        unwritten.history = None;
    }
    unwritten.warnings().for_each(|text| events.emit(Event::Warning(text)));
    let NewBackup { manifest, beside } = match made {
        Ok(made) => made,
        Err(failure) => return (None, Err(failure)),
    };
    let (outline, run, copying) = (&manifest.outline, line.clone(), &copying);
    let source = Source { target, outline, beside, run, copying };
    let (places, copied) = copies::complete(source, settings, events, stop).await;
    copies::tell(dir, Brought { run: line, places }, settings, events, stop).await;
    (there, copied)
}

/// What is told of a backup that was made.
fn made_backup(manifest: &Manifest) -> MadeBackup {
    MadeBackup {
        bytes: manifest.outline.bytes(),
        dump_bytes: manifest.dump_bytes,
        sha256: manifest.outline.sha256(),
        tables: manifest.contents.tables.len() as u64,
        rows: manifest.rows(),
        globals: manifest.outline.globals.is_some(),
        trouble: None,
    }
}

/// What the name of a backup says of its database, where it says so. Of a sealed one nobody is to learn the name.
async fn name_of_database(
    settings: &CreateSettings,
    client: &Result<Client, Failure>,
    stop: &Stop,
) -> Result<Option<String>, Failure> {
    if !settings.names_database || settings.output.is_some() || settings.outgoing.is_some() {
        return Ok(None);
    }
    if settings.recipients.is_none() {
        return Ok(settings.source.dbname.clone());
    }
    let client = client.as_ref().map_err(Clone::clone)?;
    let asking = async {
        let pg_dump = client.pg_dump(settings.pg_dump.as_deref()).await?;
        let psql = databases::psql(&pg_dump).await?;
        databases::alias(&settings.source, &psql).await
    };
    tokio::select! {
        biased;
        () = stop.token().cancelled() => Err(interrupted(stop)),
        alias = asking => Ok(Some(alias?)),
    }
}

/// The file to be made.
fn target(settings: &CreateSettings, now: DateTime<Utc>, database: Option<&str>) -> PathBuf {
    let (format, packing) = (settings.format, settings.codec.packing());
    let default_name = || naming::default_name(now, database, format, packing);
    let open = match &settings.output {
        Some(output) => naming::output_path(&sealed_names::open_path(output), format, packing),
        None if settings.outgoing.is_some() => {
            piped::name(settings).unwrap_or_else(default_name).into()
        }
        None => settings.backup_dir.join(default_name()),
    };
    if settings.recipients.is_some() { sealed_names::sealed_path(&open) } else { open }
}

async fn make(job: &Job<'_>) -> Result<NewBackup, Failure> {
    let Job { settings, target, stop, .. } = *job;
    job.events.emit(Event::CreateStarted {
        database: shown_database(settings),
        host: shown_host(settings),
        output: piped::shown(target, settings),
    });
    let pg_dump = tokio::select! {
        biased;
        () = stop.token().cancelled() => return Err(interrupted(stop)),
        pg_dump = job.client.pg_dump(settings.pg_dump.as_deref()) => pg_dump?,
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
            Facts::Known(_) => {
                let has = coverage::source_has(source, &pg_dump).await;
                has.without_databases(&job.together.beside(job.settings))
            }
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

/// The database as the transcript shows it.
fn shown_database(settings: &CreateSettings) -> String {
    settings.source.dbname.clone().unwrap_or_else(|| "(from libpq's environment)".to_owned())
}

/// `host:port` as the transcript shows it, and in which container that is; libpq's own settings where ours say nothing.
fn shown_host(settings: &CreateSettings) -> String {
    let ConnectSettings { host, port, .. } = &settings.source;
    if let Some(container) = &settings.container {
        let Some(host) = host else { return format!("container {container}") };
        let port = port.as_ref().map(|port| format!(":{port}")).unwrap_or_default();
        return format!("{host}{port} in container {container}");
    }
    match (host, port) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        _ => match process_environment("PGSERVICE") {
            Some(service) => format!("service {service}"),
            None => "(from libpq's environment)".to_owned(),
        },
    }
}
