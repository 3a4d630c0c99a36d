//! `create`: pg_dump's stream, counted, fingerprinted and compressed on its way, published whole
//! or not at all, with its manifest.

mod archive;
mod copies;
mod copying;
mod failing;
mod globals;
mod piped;
mod signing;
mod stream;
mod streamed;
mod streamed_directory;
mod target;
mod tools;

use std::io::Write;
use std::mem;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

use chrono::{DateTime, Utc};

use crate::commands::copy::bringing::Beside;
use crate::commands::record::{self, Made, Packed};
use crate::commands::steps::spool;
use crate::commands::{DEFECT, Failure, Stop, ledger, signer};
use crate::events::{Event, Events, Progress, Work};
use crate::model::format::Format;
use crate::model::outcome::{Verdict, counted};
use crate::packing::codec::Codec;
use crate::packing::compress::{CompressError, Compressor};
use crate::packing::written::{Hashed, Written};
use crate::sealing::{Recipients, Sealer};
use crate::settings::{CreateSettings, process_environment};
use crate::signing::Signer;
use crate::source::client_tools::PgDump;
use crate::source::coverage::{self, SourceHas};
use crate::source::facts::{self, Facts};
use crate::source::pg_dump::DumpRequest;
use crate::store::copies::Brought;
use crate::store::error::StoreError;
use crate::store::globals::{globals_path, is_globals_name};
use crate::store::manifest::Manifest;
use crate::store::new_file::Published;
use crate::store::{naming, sealed_names, signature as signed_at_rest};
use copies::Source;
use copying::{Copying, Feed};
use globals::Globals;
use stream::{StreamError, Streamed};
use target::Target;
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
    let partial = Target::begin(job)?;
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
    mut partial: Target,
) -> Result<NewBackup, Failure> {
    let Job { settings, target, started_at, signer, events, stop, .. } = *job;
    let Asked { facts, has } = asked;
    let globals = globals::dump(job, pg_dump, &facts).await?;
    let request = request(settings, pg_dump.clone());
    let size = facts.database_bytes();
    partial.expect(expected_bytes(size), stop.token());
    let sink = seal(partial, settings.recipients.as_ref())?;
    let (streamed, warnings) = dump(&request, settings.codec, sink, size, events, stop).await?;
    for line in warnings {
        events.emit(Event::Warning(line));
    }
    let file = globals.as_ref().map(|globals| globals.file.clone());
    let request = &request;
    let made = Made { settings, request, facts, has, target, globals: file, started_at, signer };
    publish(&made, streamed, globals, events)
}

/// About how large a file may become, where the source says how large the database is: without indexes it is smaller,
/// and what was packed in it is larger.
fn expected_bytes(database_bytes: Option<u64>) -> u64 {
    const UNKNOWN: u64 = 16 << 30;
    database_bytes.unwrap_or(UNKNOWN)
}

/// The file of a backup, hashed as it is written, and sealed on the way to it.
type Sink = Sealer<Hashed<Target>>;

/// Begins a file, sealed if there is somebody to seal it for.
fn seal<W: Write>(
    partial: W,
    recipients: Option<&Recipients>,
) -> Result<Sealer<Hashed<W>>, Failure> {
    Sealer::new(Hashed::new(partial), recipients)
        .map_err(|error| StreamError::Sink(CompressError::Sink(error)).into())
}

/// Ends a file.
fn finish_file<W: Write>(sink: Sealer<Hashed<W>>) -> Result<Written<W>, Failure> {
    let written = sink.finish().and_then(Hashed::finish);
    written.map_err(|error| StreamError::Sink(CompressError::Sink(error)).into())
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
    sink: Sink,
    total: Option<u64>,
    events: &Events,
    stop: &Stop,
) -> Result<(Streamed<Sink>, Vec<String>), Failure> {
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let compressor = Compressor::new(sink, codec, threads).map_err(StreamError::Sink)?;
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
    streamed: Streamed<Sink>,
    globals: Option<Globals>,
    events: &Events,
) -> Result<NewBackup, Failure> {
    let Streamed { compressed, contents, facts, not_understood } = streamed;
    let Written { sink, bytes, sha256 } = finish_file(compressed.sink)?;
    let files = vec![record::file_facts(made.target, bytes, sha256)];
    let packed = Packed { files, dump_bytes: compressed.bytes_in };
    let not_recorded = record::not_recorded(&made.facts, &contents, not_understood.as_ref());
    let mut manifest = record::manifest(made, packed, &contents, &facts, not_recorded);
    let is_packed = made.settings.codec != Codec::None;
    record::place_rows(&mut manifest.contents.tables, is_packed, &compressed.members);
    let created = Event::Created {
        file: piped::shown(made.target, made.settings),
        dump_bytes: compressed.bytes_in,
        file_bytes: bytes,
        compressed: is_packed,
        contents: in_words(&manifest),
        globals: made.globals.as_ref().map(|_| globals_path(made.target)),
    };
    finish(made, manifest, globals, || sink.publish(), created, events)
}

/// Publishes the globals, the backup, then its signature and its manifest, and tells that it is `created`.
fn finish(
    made: &Made,
    manifest: Manifest,
    mut globals: Option<Globals>,
    publish: impl FnOnce() -> Result<Published, Failure>,
    created: Event,
    events: &Events,
) -> Result<NewBackup, Failure> {
    let recipients = made.settings.recipients.as_ref();
    let signed = signing::sign(made.target, &manifest, recipients, made.signer)?;
    let beside = signed.beside(globals.as_mut().map(|globals| mem::take(&mut globals.at_rest)));
    let mut globals = globals.map(Globals::publish).transpose()?;
    let outgoing = made.settings.outgoing.as_ref();
    if made.settings.force && outgoing.is_none() {
        // The manifest of the file that is being replaced must not stand beside the new one.
        signed_at_rest::make_way(made.target)?;
    }
    let published = publish()?;
    if let Some(globals) = &mut globals {
        globals.keep();
    }
    for reason in &manifest.contents.not_recorded {
        events.emit(Event::Warning(format!("not recorded: {reason}")));
    }
    if globals.is_none()
        && outgoing.is_none()
        && let Some(older) = globals::of_another_backup(made.target)
    {
        events.emit(Event::Warning(older));
    }
    let signed = match outgoing {
        Some(outgoing) => {
            piped::deliver(signed, outgoing, (made.target, made.settings.force), events)?
        }
        None => signed.publish(made.target)?,
    };
    // Until here the lock on the file kept every clean-up away from it.
    drop((published, globals));
    events.emit(created);
    signed.into_iter().for_each(|signed| events.emit(signed));
    Ok(NewBackup { manifest, beside })
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
