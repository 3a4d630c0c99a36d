//! `create --format plain`: pg_dump's stream, counted, fingerprinted and compressed on its way.

use std::fs::File;
use std::num::NonZeroUsize;

use super::failing::{abandoned, died, interrupted};
use super::finishing::{finish, in_words, not_in_it};
use super::globals::{self, Globals};
use super::parallel::{self, Begun, Parallel};
use super::sink::{Sink, finish_file, seal};
use super::stream::{self, StreamError, Streamed};
use super::target::Target;
use super::{Asked, Job, NewBackup, expected_bytes, piped, request, with_tools};
use crate::commands::record::{self, Made, Packed};
use crate::commands::{Failure, Stop};
use crate::events::{Event, Events, Progress, Work};
use crate::packing::codec::Codec;
use crate::packing::compress::Compressor;
use crate::packing::written::Written;
use crate::source::client_tools::PgDump;
use crate::source::pg_dump::{DumpProcess, DumpRequest};
use crate::store::globals::globals_path;

/// Makes a plain dump and its manifest.
pub(super) async fn make(job: &Job<'_>, pg_dump: PgDump) -> Result<NewBackup, Failure> {
    let partial = Target::begin(job)?;
    with_tools(job, pg_dump, async |asked, pg_dump| dumped(job, pg_dump, asked, partial).await)
        .await
}

async fn dumped(
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
    let (pipe, maker) = begin(request, events, stop).await?;
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
            maker.kill().await;
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
    let warnings = maker.finish(stop).await?;
    Ok((streamed, warnings))
}

/// What makes the dump.
enum Maker {
    PgDump(Box<DumpProcess>),
    Parallel(Box<Parallel>),
}

impl Maker {
    async fn kill(self) {
        match self {
            Self::PgDump(process) => process.kill().await,
            Self::Parallel(parallel) => parallel.kill().await,
        }
    }

    /// Waits for its end, which alone says that the dump is whole; returns warnings.
    async fn finish(self, stop: &Stop) -> Result<Vec<String>, Failure> {
        match self {
            Self::PgDump(process) => Ok(process.finish().await?),
            Self::Parallel(parallel) => parallel.finish(stop).await,
        }
    }
}

/// Begins the dump, by several connections where that was asked for and is possible.
async fn begin(
    request: &DumpRequest,
    events: &Events,
    stop: &Stop,
) -> Result<(File, Maker), Failure> {
    if request.jobs > 1 {
        match parallel::begin(request, stop).await? {
            Begun::Parallel(pipe, parallel) => return Ok((pipe, Maker::Parallel(parallel))),
            Begun::Alone(None) => {}
            Begun::Alone(Some(why)) => {
                let warning = format!("--jobs: one connection makes the dump, because {why}");
                events.emit(Event::Warning(warning));
            }
        }
    }
    let (pipe, process) = request.start()?;
    Ok((pipe, Maker::PgDump(Box::new(process))))
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
        not_in_it: not_in_it(made, &manifest),
        globals: made.globals.as_ref().map(|_| globals_path(made.target)),
    };
    finish(made, manifest, globals, || sink.publish(), created, events)
}
