//! `create --format plain --jobs N`: rows read by several connections that see one snapshot, put together in pg_dump's own
//! order, byte for byte as pg_dump would have written them.
//!
//! pg_dump makes the table of contents of an archive and is ended before the rows; psql reads these, part by part; and
//! pg_restore writes the archive that comes of both as SQL, which is what pg_dump does itself with a plain dump. Until the end,
//! one session holds the snapshot and a lock on each table, because TRUNCATE and ALTER TABLE heed no snapshot.

use std::fs::File;
use std::io::{self, BufWriter};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};

use super::failing::{NOT_MADE, died, failed, interrupted};
use super::part_queue::{PartQueue, Piece};
use crate::archive::woven::{Beginning, Rows};
use crate::commands::{Failure, Stop};
use crate::model::dump_options::DumpOptions;
use crate::model::format::Format;
use crate::packing::codec::Codec;
use crate::source::client_tools::Tool;
use crate::source::error::SourceError;
use crate::source::pg_dump::{self, DumpProcess, DumpRequest};
use crate::source::psql_session::{PsqlSession, Unanswered};
use crate::source::table_parts::{self, Table};

/// Bytes gathered before they are written to pg_restore.
const WRITE_BYTES: usize = 256 * 1024;
/// How long it may take until we hear that pg_dump has ended.
const HEARD: Duration = Duration::from_millis(50);

/// What makes a dump by several connections.
#[derive(Debug)]
pub(super) struct Parallel {
    keeper: Helper,
    readers: Vec<Reader>,
    queue: Arc<PartQueue>,
    feeding: JoinHandle<Result<(), Unfed>>,
    pg_restore: DumpProcess,
}

/// A session, and the psql that has it.
#[derive(Debug)]
struct Helper {
    session: PsqlSession,
    process: DumpProcess,
}

/// A thread that reads parts by a session of its own, and the psql that has it.
#[derive(Debug)]
struct Reader {
    /// Whether its psql ended before it had answered.
    reading: JoinHandle<bool>,
    process: DumpProcess,
}

/// Why pg_restore was not given everything.
#[derive(Debug)]
enum Unfed {
    /// Not all rows were read.
    Rows,
    /// It takes no more.
    PgRestore,
}

/// How a dump is made.
pub(super) enum Begun {
    /// By several connections; the file is its stream.
    Parallel(File, Box<Parallel>),
    /// It is not: for this reason, or because there is little to read.
    Alone(Option<&'static str>),
}

/// Begins a dump by so many connections, and two more.
pub(super) async fn begin(request: &DumpRequest, stop: &Stop) -> Result<Begun, Failure> {
    check(&request.options())?;
    let tools = (request.pg_dump.psql().await, request.pg_dump.pg_restore().await);
    let (Some(psql @ Tool::Here(_)), Some(pg_restore @ Tool::Here(_))) = tools else {
        return Ok(Begun::Alone(Some("that takes psql and pg_restore on this machine")));
    };
    let keeper = Helper::start(request, &psql)?;
    let (keeper, name) = keeper.ask(table_parts::export_snapshot().into(), stop).await?;
    let snapshot = String::from_utf8_lossy(name.trim_ascii()).into_owned();
    let Some(outlined) = outline(request, &snapshot, stop).await? else {
        return Ok(Begun::Alone(Some("the archive of this pg_dump is not known")));
    };
    let Outlined { beginning, pipe, mut pg_dump } = outlined;
    let rows = match beginning.rows() {
        Some(rows) if !rows.is_empty() => rows,
        rows => {
            pg_dump.kill().await;
            let objects = "large objects are read by pg_dump alone";
            return Ok(Begun::Alone(rows.is_none().then_some(objects)));
        }
    };
    let oids = || rows.iter().map(|rows| rows.table);
    let (keeper, lines) = keeper.ask(table_parts::question(oids()).into(), stop).await?;
    let tables = table_parts::answer(&lines, oids());
    let locks = tables.iter().flatten().flat_map(Table::lock).collect();
    let (keeper, _) = keeper.ask(locks, stop).await?;
    // As long as pg_dump has something to write, its locks hold, and so nobody came between its locks and ours.
    let is_short = tokio::time::timeout(HEARD, pg_dump.exited()).await.is_ok();
    pg_dump.kill().await;
    drop(pipe);
    match tables {
        Some(tables) if !is_short => {
            let request = (request, &psql);
            weave(request, keeper, &snapshot, beginning, (rows, tables), &pg_restore)
        }
        _ => Ok(Begun::Alone(None)),
    }
}

/// What an archive begins with, and the pg_dump that would go on with it.
struct Outlined {
    beginning: Beginning,
    pipe: File,
    pg_dump: DumpProcess,
}

/// Has pg_dump write the beginning of an archive. `None` where it is not understood.
async fn outline(
    request: &DumpRequest,
    snapshot: &str,
    stop: &Stop,
) -> Result<Option<Outlined>, Failure> {
    let mut as_archive =
        DumpRequest { format: Format::Custom, codec: Codec::None, ..request.clone() };
    as_archive.extra_args.push(format!("--snapshot={snapshot}").into());
    let (mut pipe, pg_dump) = as_archive.start()?;
    let reading = spawn_blocking(move || (Beginning::read(&mut pipe), pipe));
    let ((beginning, pipe), pg_dump) = or_killed(reading, pg_dump, stop).await?;
    match beginning {
        Ok(beginning) => Ok(Some(Outlined { beginning, pipe, pg_dump })),
        Err(error) => {
            tracing::debug!(%error, "the beginning of pg_dump's archive");
            drop(pipe);
            pg_dump.finish().await?;
            Ok(None)
        }
    }
}

/// Begins to read the rows, and to write them.
fn weave(
    (request, psql): (&DumpRequest, &Tool),
    keeper: Helper,
    snapshot: &str,
    beginning: Beginning,
    (rows, tables): (Vec<Rows>, Vec<Table>),
    pg_restore: &Tool,
) -> Result<Begun, Failure> {
    let parts: Vec<Vec<Vec<u8>>> = tables.iter().map(Table::parts).collect();
    let counts = parts.iter().map(Vec::len);
    let blocks: Vec<(Rows, usize)> = rows.into_iter().zip(counts).collect();
    let parts: Arc<Vec<Vec<u8>>> = Arc::new(parts.into_iter().flatten().collect());
    let queue = Arc::new(PartQueue::new(parts.len(), request.jobs));
    let mut readers = Vec::new();
    for _ in 0..request.jobs {
        let Helper { session, process } = Helper::start(request, psql)?;
        let (queue, parts) = (Arc::clone(&queue), Arc::clone(&parts));
        let snapshot = table_parts::import_snapshot(snapshot);
        let reading = spawn_blocking(move || {
            let read = read(session, &snapshot, &parts, &queue);
            if read.is_err() {
                queue.close();
            }
            matches!(read, Err(Unanswered::Ended))
        });
        readers.push(Reader { reading, process });
    }
    let (feed, sql, pg_restore) = pg_dump::start_writing_as(pg_restore, &request.options())?;
    let feeding = {
        let queue = Arc::clone(&queue);
        spawn_blocking(move || {
            let fed = write(feed, &beginning, &blocks, &queue);
            queue.close();
            fed
        })
    };
    let parallel = Parallel { keeper, readers, queue, feeding, pg_restore };
    Ok(Begun::Parallel(sql, Box::new(parallel)))
}

/// Reads parts as long as there are some.
fn read(
    mut session: PsqlSession,
    snapshot: &str,
    parts: &[Vec<u8>],
    queue: &PartQueue,
) -> Result<(), Unanswered<()>> {
    session.read(snapshot.as_bytes(), &mut |_| Ok(()))?;
    while let Some((part, sender)) = queue.begin() {
        session.read(&parts[part], &mut |rows| {
            sender.send(Piece::Rows(rows.to_vec())).map_err(drop)
        })?;
        sender.send(Piece::End).map_err(|_| Unanswered::Taker(()))?;
    }
    Ok(())
}

/// Writes the archive: each block of rows has so many parts.
fn write(
    feed: File,
    beginning: &Beginning,
    blocks: &[(Rows, usize)],
    queue: &PartQueue,
) -> Result<(), Unfed> {
    let mut feed = BufWriter::with_capacity(WRITE_BYTES, feed);
    let refused = |_: io::Error| Unfed::PgRestore;
    beginning.write(&mut feed).map_err(refused)?;
    for (rows, parts) in blocks {
        beginning.begin_rows(rows.entry, &mut feed).map_err(refused)?;
        for _ in 0..*parts {
            let taken = queue.take(&mut |rows| beginning.write_rows(rows, &mut feed));
            if !taken.map_err(refused)? {
                return Err(Unfed::Rows);
            }
        }
        beginning.end_rows(&mut feed).map_err(refused)?;
    }
    feed.into_inner().map(drop).map_err(|error| refused(error.into_error()))
}

impl Parallel {
    /// Waits for its end, when its stream has been read to the end; returns warnings. Only this says that the dump is whole.
    pub(super) async fn finish(self, stop: &Stop) -> Result<Vec<String>, Failure> {
        let Self { keeper, readers, queue, feeding, pg_restore } = self;
        let fed = feeding.await.map_err(|error| died(&error))?;
        queue.close();
        if matches!(fed, Err(Unfed::PgRestore)) {
            pg_restore.finish().await?;
            let cause = "pg_restore ended before it had read everything".to_owned();
            return Err(failed(cause, "run it again, or without --jobs"));
        }
        let mut warnings = Vec::new();
        for Reader { reading, process } in readers {
            let is_cause = reading.await.map_err(|error| died(&error))? || fed.is_ok();
            match process.finish().await {
                Ok(lines) => warnings.extend(lines),
                Err(error) if is_cause => return Err(error.into()),
                // It ended because nobody takes what it reads any more.
                Err(error) => tracing::debug!(%error, "after another has ended"),
            }
        }
        fed.map_err(|_| lost())?;
        // That it answers says that its locks were there until now.
        let (Helper { session, process }, _) = keeper.ask("SELECT 1;".into(), stop).await?;
        drop(session);
        warnings.extend(process.finish().await?);
        warnings.extend(pg_restore.finish().await?);
        Ok(warnings)
    }

    /// Ends it.
    pub(super) async fn kill(self) {
        self.queue.close();
        for Reader { process, .. } in self.readers {
            process.kill().await;
        }
        self.pg_restore.kill().await;
        self.keeper.process.kill().await;
    }
}

impl Helper {
    fn start(request: &DumpRequest, psql: &Tool) -> Result<Self, SourceError> {
        let (session, process) = PsqlSession::start(&request.settings, psql)?;
        Ok(Self { session, process })
    }

    /// The answer to statements.
    async fn ask(self, statements: Vec<u8>, stop: &Stop) -> Result<(Self, Vec<u8>), Failure> {
        let Self { mut session, process } = self;
        let asking = spawn_blocking(move || {
            let answer = session.ask(&statements);
            (session, answer)
        });
        let ((session, answer), process) = or_killed(asking, process, stop).await?;
        if let Ok(answer) = answer {
            return Ok((Self { session, process }, answer));
        }
        drop(session);
        process.finish().await?;
        Err(lost())
    }
}

/// What a thread makes of a process, which is killed where the run is asked to stop.
async fn or_killed<T>(
    working: JoinHandle<T>,
    process: DumpProcess,
    stop: &Stop,
) -> Result<(T, DumpProcess), Failure> {
    tokio::select! {
        biased;
        () = stop.token().cancelled() => {
            process.kill().await;
            Err(interrupted(stop))
        }
        worked = working => Ok((worked.map_err(|error| died(&error))?, process)),
    }
}

/// Options of pg_dump that say what is dumped, and not how it is written.
const FITTING: [&str; 6] = [
    // It comes with --clean.
    "if-exists",
    "no-comments",
    "no-publications",
    "no-subscriptions",
    "lock-wait-timeout",
    "exclude-extension",
];

/// Refuses options that change how rows are read or written.
fn check(options: &DumpOptions) -> Result<(), Failure> {
    let other = options.other.iter().map(|option| option.split('=').next().unwrap_or(option));
    let flags = [
        (options.inserts, "inserts"),
        (options.create, "create"),
        (options.schema_only, "schema-only"),
        (options.data_only, "data-only"),
        (!options.sections.is_empty(), "section"),
        (options.quote_all_identifiers, "quote-all-identifiers"),
    ];
    let flags = flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, name)| name);
    let unfit = flags.chain(other).find(|name| !FITTING.contains(name));
    let Some(option) = unfit else { return Ok(()) };
    Err(Failure {
        exit: 2,
        cause: format!("{NOT_MADE}--jobs: pg_dump takes --{option} with one connection alone"),
        hint: Some("leave one of them out".to_owned()),
        notes: Vec::new(),
    })
}

/// A psql that ended without saying why.
fn lost() -> Failure {
    failed(
        "a connection that the dump needs has ended".to_owned(),
        "look into the server's log, then run it again",
    )
}
