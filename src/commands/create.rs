//! `create`: pg_dump's stream, counted, fingerprinted and compressed on its way, published whole
//! or not at all, with its manifest.

mod archive;
mod globals;
mod stream;
mod tools;

use std::fs::File;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

use chrono::{DateTime, Utc};

use crate::commands::record::{self, Made, Packed};
use crate::commands::{DEFECT, Failure, Stop, ledger};
use crate::events::{Event, Events, Progress, Work};
use crate::model::format::Format;
use crate::model::outcome::{Verdict, counted};
use crate::packing::codec::Codec;
use crate::packing::compress::{CompressError, Compressor};
use crate::settings::{CreateSettings, process_environment};
use crate::source::client_tools::PgDump;
use crate::source::coverage::{self, SourceHas};
use crate::source::error::SourceError;
use crate::source::facts::{self, Facts};
use crate::source::pg_dump::DumpRequest;
use crate::store::error::StoreError;
use crate::store::globals::{globals_path, is_globals_name};
use crate::store::manifest::Manifest;
use crate::store::naming;
use crate::store::publish::Partial;
use globals::Globals;
use stream::{StreamError, Streamed};
use tools::Tools;

/// The backup to be made, and who is told of it and may stop it.
struct Job<'a> {
    settings: &'a CreateSettings,
    target: &'a Path,
    started_at: DateTime<Utc>,
    events: &'a Events,
    stop: &'a Stop,
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
    let job = Job { settings, target: &target, started_at, events, stop };
    let made = make(&job).await;
    let verdict = match &made {
        Ok(_) => Verdict::Passed,
        Err(failure) if failure.exit == 1 => Verdict::Failed,
        Err(_) => Verdict::NotVerified,
    };
    let seconds = clock.elapsed().as_secs_f64();
    let mut line = record::history(&target, started_at, seconds, verdict, made.as_ref().ok());
    line.database = line.database.or_else(|| settings.source.dbname.clone());
    let (dir, metrics_file) = (naming::directory_of(&target), settings.metrics_file.as_deref());
    let mut unwritten = ledger::put_on_record(dir, &target, line, metrics_file, stop).await;
    if made.is_err() {
        // Where the backup itself could not be made, that is what has to be said.
        unwritten.history = None;
    }
    unwritten.warnings().for_each(|text| events.emit(Event::Warning(text)));
    made.map(drop)
}

/// The file to be made.
fn target(settings: &CreateSettings, now: DateTime<Utc>) -> PathBuf {
    let (format, packing) = (settings.format, settings.codec.packing());
    match &settings.output {
        Some(output) => naming::output_path(output, format, packing),
        None => settings.backup_dir.join(naming::default_name(now, format, packing)),
    }
}

async fn make(job: &Job<'_>) -> Result<Manifest, Failure> {
    let Job { settings, target, stop, .. } = *job;
    job.events.emit(Event::CreateStarted {
        database: settings
            .source
            .dbname
            .clone()
            .unwrap_or_else(|| "(from libpq's environment)".to_owned()),
        host: shown_host(settings),
        output: target.to_owned(),
    });
    let pg_dump = tokio::select! {
        biased;
        () = stop.token().cancelled() => return Err(interrupted(stop)),
        pg_dump = PgDump::find(settings.pg_dump.as_deref()) => pg_dump?,
    };
    // Meant as the place for a backup, most likely, and not as the beginning of its name.
    let named = settings.output.as_ref().filter(|output| output.is_dir() && *output != target);
    if let Some(directory) = named {
        return Err(StoreError::TargetIsDirectory(directory.clone()).into());
    }
    if target.file_name().is_some_and(is_globals_name) {
        return Err(named_like_globals(target));
    }
    if settings.format != Format::Plain {
        return archive::make(job, pg_dump).await;
    }
    let partial = Partial::create(target, settings.force)?;
    let (asked, tools) = ask_source(job, pg_dump).await?;
    let made = plain(job, &tools.pg_dump, asked, partial).await;
    tools.close().await;
    made
}

/// What the source says of itself.
struct Asked {
    facts: Facts,
    has: SourceHas,
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

/// Makes a plain dump and its manifest.
async fn plain(
    job: &Job<'_>,
    pg_dump: &PgDump,
    asked: Asked,
    partial: Partial,
) -> Result<Manifest, Failure> {
    let Job { settings, target, started_at, events, stop } = *job;
    let Asked { facts, has } = asked;
    let globals = globals::dump(job, pg_dump, &facts).await?;
    let request = request(settings, pg_dump.clone());
    let size = match &facts {
        Facts::Known(known) => known.database_bytes,
        Facts::Unknown { .. } => None,
    };
    let (streamed, warnings) = dump(&request, settings.codec, partial, size, events, stop).await?;
    for line in warnings {
        events.emit(Event::Warning(line));
    }
    let file = globals.as_ref().map(|globals| globals.file.clone());
    let made = Made { settings, request: &request, facts, has, target, globals: file, started_at };
    publish(&made, streamed, globals, events)
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

/// Runs pg_dump into the partial file, and gives its warnings.
async fn dump(
    request: &DumpRequest,
    codec: Codec,
    partial: Partial,
    total: Option<u64>,
    events: &Events,
    stop: &Stop,
) -> Result<(Streamed<Partial>, Vec<String>), Failure> {
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let compressor = Compressor::new(partial, codec, threads).map_err(StreamError::Sink)?;
    let (pipe, process) = request.start()?;
    let streaming = {
        let events = events.clone();
        tokio::task::spawn_blocking(move || {
            stream::stream(pipe, compressor, &|done| {
                let (work, current) = (Work::Dumping, None);
                events.emit(Event::Progress(Progress { work, done, total, current }));
            })
        })
    };
    tokio::pin!(streaming);
    let streamed = tokio::select! {
        biased;
        () = stop.token().cancelled() => {
            process.kill().await;
            // Its end closes the pipe, and the thread lets go of the partial file; unless something
            // that it left running holds the pipe, or the disk does not answer.
            let ended = stop.wait_for(&mut streaming).await.is_some();
            return Err(if ended { interrupted(stop) } else { abandoned(stop) });
        }
        streamed = &mut streaming => streamed,
    };
    let streamed = streamed.map_err(|error| died(&error))?;
    // A full disk ends pg_dump too: then the disk is what has to be named.
    let streamed = streamed?;
    let warnings = process.finish().await?;
    Ok((streamed, warnings))
}

/// Gives the file its name, then writes its manifest.
fn publish(
    made: &Made,
    streamed: Streamed<Partial>,
    globals: Option<Globals>,
    events: &Events,
) -> Result<Manifest, Failure> {
    let Streamed { compressed, contents, facts, not_understood } = streamed;
    let (bytes, sha256) = (compressed.bytes_out, compressed.sha256_hex());
    let packed = Packed::file(made.target, bytes, sha256, compressed.bytes_in);
    let not_recorded = record::not_recorded(&made.facts, &contents, not_understood.as_ref());
    let mut manifest = record::manifest(made, packed, &contents, &facts, not_recorded);
    let is_packed = made.settings.codec != Codec::None;
    record::place_rows(&mut manifest.contents.tables, is_packed, &compressed.members);
    finish(made, &manifest, globals, || compressed.sink.publish(), events)?;
    events.emit(Event::Created {
        file: made.target.to_owned(),
        dump_bytes: compressed.bytes_in,
        file_bytes: compressed.bytes_out,
        compressed: is_packed,
        contents: in_words(&manifest),
        globals: made.globals.as_ref().map(|_| globals_path(made.target)),
    });
    Ok(manifest)
}

/// Publishes the globals, the backup, then its manifest.
fn finish(
    made: &Made,
    manifest: &Manifest,
    globals: Option<Globals>,
    publish: impl FnOnce() -> Result<File, StoreError>,
    events: &Events,
) -> Result<(), Failure> {
    let mut globals = globals.map(Globals::publish).transpose()?;
    if made.settings.force {
        // The manifest of the file that is being replaced must not stand beside the new one.
        let _ = std::fs::remove_file(naming::manifest_path(made.target));
    }
    let published = publish()?;
    if let Some(globals) = &mut globals {
        globals.keep();
    }
    for reason in &manifest.contents.not_recorded {
        events.emit(Event::Warning(format!("not recorded: {reason}")));
    }
    if globals.is_none()
        && let Some(older) = globals::of_another_backup(made.target)
    {
        events.emit(Event::Warning(older));
    }
    manifest.write(made.target).map_err(|error| Failure {
        exit: 1,
        cause: format!("{} was made, but not its manifest: {error}", made.target.display()),
        hint: error.hint(),
        notes: Vec::new(),
    })?;
    // Until here the lock on the file kept every clean-up away from it.
    drop((published, globals));
    Ok(())
}

/// What was counted, in words.
fn in_words(manifest: &Manifest) -> Option<String> {
    let rows = manifest.rows();
    let tables = manifest.contents.tables.len();
    (tables > 0).then(|| {
        let (tables, rows) = (counted(tables as u64, "table"), counted(rows, "row"));
        format!("{tables}, {rows}")
    })
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

fn named_like_globals(target: &Path) -> Failure {
    Failure {
        exit: 2,
        cause: format!("{} would not be taken for a backup by its name", target.display()),
        hint: Some("choose a name that does not end in .globals.sql".to_owned()),
        notes: Vec::new(),
    }
}

/// A thread of ours that died.
fn died(error: &tokio::task::JoinError) -> Failure {
    Failure {
        exit: 1,
        cause: format!("the dump was not read to its end: {error}"),
        hint: Some(DEFECT.to_owned()),
        notes: Vec::new(),
    }
}

/// The partial file stays: a thread that cannot be stopped still has it.
fn abandoned(stop: &Stop) -> Failure {
    let then = "`ccc-backup cleanup --older-than AGE` removes what was written";
    Failure { hint: Some(format!("{}; {then}", stop.hint())), ..interrupted(stop) }
}

fn interrupted(stop: &Stop) -> Failure {
    let hint = Some(format!("{}; what was written of the backup is removed", stop.hint()));
    Failure { exit: 2, cause: stop.reason(), hint, notes: Vec::new() }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        let environment = matches!(
            error,
            SourceError::PgDumpNotFound(_)
                | SourceError::NotPgDump { .. }
                | SourceError::Process(_)
                | SourceError::Argument { .. }
        );
        Self {
            exit: if environment { 2 } else { 1 },
            cause: format!("no backup was made: {error}"),
            hint: error.hint(),
            notes: error.stderr().to_vec(),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self {
            exit: if matches!(error, StoreError::DiskFull(_)) { 1 } else { 2 },
            cause: format!("no backup was made: {error}"),
            hint: error.hint(),
            notes: Vec::new(),
        }
    }
}

impl From<StreamError> for Failure {
    fn from(error: StreamError) -> Self {
        let hint = match &error {
            StreamError::Sink(error) => CompressError::hint(error),
            StreamError::Pipe(_) => None,
        };
        let cause = format!("no backup was made: {error}");
        Self { exit: 1, cause, hint, notes: Vec::new() }
    }
}
