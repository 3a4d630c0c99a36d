//! `create --format custom|directory`, sealed, to a place or through a pipe: pg_dump writes into a pipe, because nothing of it
//! may lie on a disk, or unsealed. What goes by goes into the file, or into the files of a directory, and is read twice
//! meanwhile, as [`super::archive`] does it afterwards: here, and as pg_restore writes it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::archive::{WrittenArchive, decoded, publish, unreadable};
use super::copying::Feed;
use super::failing::{abandoned, died, interrupted};
use super::globals;
use super::sink::{Sink, finish_file, seal};
use super::stream::StreamError;
use super::streamed_directory::{StreamedDirectory, WrittenDirectory};
use super::target::Target;
use super::{Asked, Job, NewBackup, expected_bytes, request, with_tools};
use crate::archive::{self, ArchiveError, ConvertError, Fault};
use crate::commands::Failure;
use crate::commands::channel::{ChannelReader, ChannelWriter, IN_FLIGHT};
use crate::commands::decoding::Decoding;
use crate::commands::inspect::Inspection;
use crate::commands::record;
use crate::events::{Event, Events, Progress, Work};
use crate::model::format::Format;
use crate::model::span::RowsAt;
use crate::packing::codec::Codec;
use crate::packing::compress::CompressError;
use crate::packing::read_error::ReadError;
use crate::packing::written::Written;
use crate::source::client_tools::{PgDump, Tool};
use crate::source::pg_dump::{self, DumpRequest};
use crate::store::new_directory::NewDirectory;
use crate::store::new_file::Published;

/// How long the threads of a run that was stopped may take to end.
const GIVEN_UP: Duration = Duration::from_secs(2);
/// Bytes of the archive that are handed on at a time.
const PIECE_BYTES: usize = 256 * 1024;

/// What is begun.
enum New {
    File(Target),
    Directory(NewDirectory, Feed),
}

/// What is being written.
enum Place {
    File(Sink),
    Directory(StreamedDirectory),
}

/// What was written.
enum Whole {
    File(Written<Target>),
    Directory(WrittenDirectory),
}

impl Whole {
    fn publish(self) -> Result<Published, Failure> {
        match self {
            Self::File(written) => written.sink.publish(),
            Self::Directory(written) => Ok(written.publish()?),
        }
    }
}

/// Makes the archive and its manifest.
pub(super) async fn make(job: &Job<'_>, pg_dump: PgDump) -> Result<NewBackup, Failure> {
    let Job { settings, target, stop, .. } = *job;
    let new = match settings.format {
        Format::Directory => {
            let partial = NewDirectory::create(target, settings.force)?;
            New::Directory(partial, job.begin_copies())
        }
        Format::Plain | Format::Custom | Format::Tar => New::File(Target::begin(job)?),
    };
    let begun = async |asked: Asked, pg_dump: &PgDump| {
        let expected = expected_bytes(asked.facts.database_bytes());
        let recipients = settings.recipients.as_ref();
        let place = match new {
            New::Directory(mut partial, mut copies) => {
                partial.expect(expected, stop.token());
                copies.expect(expected);
                let (begun, recipients) = ((partial, copies), recipients.cloned());
                Place::Directory(StreamedDirectory::new(begun, recipients, settings.codec))
            }
            New::File(mut partial) => {
                partial.expect(expected, stop.token());
                Place::File(seal(partial, recipients)?)
            }
        };
        archive(job, pg_dump, asked, place).await
    };
    with_tools(job, pg_dump, begun).await
}

async fn archive(
    job: &Job<'_>,
    pg_dump: &PgDump,
    asked: Asked,
    place: Place,
) -> Result<NewBackup, Failure> {
    let globals = globals::dump(job, pg_dump, &asked.facts).await?;
    let request = request(job.settings, pg_dump.clone());
    let total = asked.facts.database_bytes();
    let Dumped { whole, rows, read } = dump(job, &request, place, total).await?;
    let files = match &whole {
        Whole::File(Written { bytes, sha256, .. }) => {
            vec![record::file_facts(job.target, *bytes, sha256.clone())]
        }
        Whole::Directory(written) => {
            written.members.iter().map(|file| file.facts.clone()).collect()
        }
    };
    let written = WrittenArchive { files, rows, read };
    publish(job, asked, &request, globals, written, || whole.publish())
}

/// What went by.
struct Dumped {
    whole: Whole,
    rows: Vec<RowsAt>,
    /// The inner error is why it could not be read here, which does not speak against the archive.
    read: Result<Inspection, String>,
}

/// Runs pg_dump, and pg_restore beside it.
async fn dump(
    job: &Job<'_>,
    request: &DumpRequest,
    place: Place,
    total: Option<u64>,
) -> Result<Dumped, Failure> {
    let Job { events, stop, .. } = *job;
    let is_directory = matches!(place, Place::Directory(_));
    let codec = if is_directory { Codec::None } else { request.codec };
    let as_stream = DumpRequest { format: Format::Custom, codec, ..request.clone() };
    let (pipe, process) = as_stream.start()?;
    let (feed, decoding) = match request.pg_dump.pg_restore().await {
        Some(tool @ Tool::Here(_)) => {
            let no_owner = !request.options().owners;
            let (feed, sql, process) = pg_dump::start_decoding_stream(&tool, no_owner)?;
            // How far it is, pg_dump's own progress tells.
            (Some(feed), Ok(Decoding::begin(sql, process, &Events::silent(), stop)))
        }
        Some(Tool::Elsewhere(..)) => (None, Err("pg_restore is not on this machine")),
        None => (None, Err("pg_restore was not found")),
    };
    let (sender, archive) = mpsc::channel(IN_FLIGHT);
    let archive = ChannelReader::new(archive);
    let (sink, taking) = match place {
        Place::File(sink) => (Some(sink), spawn_blocking(|| look_at(archive))),
        Place::Directory(files) => (None, spawn_blocking(|| take_apart(archive, files))),
    };
    let mut ways = Ways { sink, feed, reader: Some(ChannelWriter::new(sender)) };
    let telling = events.clone();
    let carrying = spawn_blocking(move || {
        ways.carry(pipe, &|done| {
            let (work, current) = (Work::Dumping, None);
            telling.emit(Event::Progress(Progress { work, done, total, current }));
        })?;
        Ok::<_, StreamError>(ways.sink)
    });
    let working = async { tokio::join!(carrying, taking) };
    tokio::pin!(working);
    let (carried, taken) = tokio::select! {
        biased;
        () = stop.token().cancelled() => {
            process.kill().await;
            // Its end closes the pipe, and the threads let go of what they write.
            let ended = tokio::time::timeout(GIVEN_UP, &mut working).await.is_ok();
            return Err(if ended { interrupted(stop) } else { abandoned(stop) });
        }
        worked = &mut working => worked,
    };
    let (sink, taken) =
        (carried.map_err(|error| died(&error))?, taken.map_err(|error| died(&error))?);
    // A full disk ends pg_dump, too: then the disk is what has to be named.
    let sink = sink?;
    let taken = match taken {
        Err(ConvertError::File(error)) => {
            return Err(StreamError::Sink(CompressError::Sink(error)).into());
        }
        taken => taken,
    };
    for line in process.finish().await? {
        events.emit(Event::Warning(line));
    }
    let Taken { directory, rows } = taken.map_err(|error| unreadable(&error))?;
    let whole = match (sink, directory) {
        (_, Some(written)) => Whole::Directory(written),
        (Some(sink), None) => Whole::File(finish_file(sink)?),
        (None, None) => return Err(unreadable(&"nothing was written")),
    };
    let read = match decoding {
        Ok(decoding) => decoded(decoding, unreadable, stop).await?,
        Err(why) => Err(why.to_owned()),
    };
    Ok(Dumped { whole, rows, read })
}

/// What was made of the archive that went by.
struct Taken {
    directory: Option<WrittenDirectory>,
    /// Where rows are in it.
    rows: Vec<RowsAt>,
}

/// Reads what is written to a file by another.
fn look_at(archive: ChannelReader) -> Result<Taken, ConvertError> {
    let examined = archive::examine_stream(archive);
    let (head, rows) = examined.map_err(|error| match error {
        ReadError::Disk(error) => ArchiveError::Disk(error),
        other => ArchiveError::Disk(io::Error::other(other.to_string())),
    })?;
    match head {
        Ok(_) => Ok(Taken { directory: None, rows }),
        Err(Fault::Flaw(flaw)) => Err(ArchiveError::Flaw(flaw).into()),
        Err(Fault::Version(version)) => Err(ArchiveError::Version(version).into()),
    }
}

/// Writes the files of a directory.
fn take_apart(archive: ChannelReader, mut files: StreamedDirectory) -> Result<Taken, ConvertError> {
    let toc = archive::to_directory(archive, files.packing(), &mut files)?;
    let written = files.finish();
    let places = written.members.iter().enumerate();
    let places = places.map(|(at, file)| (file.name.clone(), at, file.facts.bytes));
    let rows = archive::rows_in(&toc, places)?;
    Ok(Taken { directory: Some(written), rows })
}

/// Where the archive goes.
struct Ways {
    /// The file, where it is one.
    sink: Option<Sink>,
    /// pg_restore, until it has ended: what became of it is told by its exit code.
    feed: Option<File>,
    /// Our own reader, which makes the files of a directory.
    reader: Option<ChannelWriter>,
}

impl Ways {
    fn carry(&mut self, mut pipe: impl Read, progress: &dyn Fn(u64)) -> Result<(), StreamError> {
        let (mut piece, mut done) = (vec![0; PIECE_BYTES], 0);
        loop {
            let read = match pipe.read(&mut piece) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(StreamError::Pipe(error)),
            };
            let bytes = &piece[..read];
            if let Some(sink) = &mut self.sink {
                let sealed = sink.write_all(bytes);
                sealed.map_err(|error| StreamError::Sink(CompressError::Sink(error)))?;
            }
            if self.feed.as_mut().is_some_and(|feed| feed.write_all(bytes).is_err()) {
                self.feed = None;
            }
            if self.reader.as_mut().is_some_and(|reader| reader.write_all(bytes).is_err()) {
                self.reader = None;
                if self.sink.is_none() {
                    // It says why; nothing of this is kept.
                    return Ok(());
                }
            }
            done += read as u64;
            progress(done);
        }
        self.feed = None;
        if let Some(mut reader) = self.reader.take() {
            // Where nobody reads any more, that is said by who did.
            let _ = reader.flush();
        }
        Ok(())
    }
}
