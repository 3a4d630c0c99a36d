//! `create --format custom|directory|tar`: pg_dump writes the archive itself, then pg_restore writes
//! it as SQL, which is counted and fingerprinted as a plain dump is. So a backup is also known to
//! be readable before it gets its name.

use std::fmt::Display;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};

use super::failing::{abandoned, died, interrupted};
use super::finishing::{finish, in_words, not_in_it};
use super::globals::{self, Globals};
use super::{Asked, Job, NewBackup, request, with_tools};
use crate::archive::directory::ArchiveDirectory;
use crate::archive::{Examined, Fault, OpenBackup};
use crate::commands::decoding::Decoding;
use crate::commands::inspect::Inspection;
use crate::commands::record::{self, Made, Packed};
use crate::commands::{Failure, Stop};
use crate::events::{Event, Events, Progress, Work};
use crate::model::files::FileFacts;
use crate::model::format::Format;
use crate::model::packing::Packing;
use crate::model::span::RowsAt;
use crate::packing::codec::Codec;
use crate::packing::file::{BackupFile, FileError};
use crate::packing::read_error::ReadError;
use crate::settings::CreateSettings;
use crate::source::client_tools::{PgDump, Tool};
use crate::source::facts::Facts;
use crate::source::pg_dump::{self, DumpProcess, DumpRequest};
use crate::store::error::StoreError;
use crate::store::globals::globals_path;
use crate::store::new_file::Published;
use crate::store::place::is_url;
use crate::store::publish::Partial;
use crate::store::publish_directory::PartialDirectory;

/// How often the growth of the archive is looked at.
const PERIOD: Duration = Duration::from_millis(300);

/// What a pg_restore says of an archive that a newer pg_dump wrote.
const KNOWN_OLDER: &str = "unsupported version (";

/// The first major version whose pg_dump compresses archives by zstd.
const KNOWS_ZSTD: u32 = 16;

/// What is being written.
enum Place {
    File(Partial),
    Directory(PartialDirectory),
}

impl Place {
    fn create(target: &Path, settings: &CreateSettings) -> Result<Self, StoreError> {
        match settings.format {
            Format::Directory => {
                PartialDirectory::create(target, settings.force).map(Self::Directory)
            }
            _ => Partial::create(target, settings.force).map(Self::File),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::File(partial) => partial.path(),
            Self::Directory(partial) => partial.path(),
        }
    }

    fn publish(self) -> Result<Published, StoreError> {
        let locked = match self {
            Self::File(partial) => partial.publish(),
            Self::Directory(partial) => partial.publish(),
        };
        locked.map(Published::held_by)
    }

    /// Opens what was written.
    fn open(&self, format: Format) -> Result<OpenBackup, FileError> {
        match self {
            Self::File(partial) => {
                let file = BackupFile::open(partial.path())?;
                Ok(OpenBackup::file(file, Packing::None, format))
            }
            Self::Directory(partial) => {
                ArchiveDirectory::open_at(partial.path()).map(OpenBackup::directory)
            }
        }
    }
}

/// Makes the archive and its manifest.
pub(super) async fn make(job: &Job<'_>, pg_dump: PgDump) -> Result<NewBackup, Failure> {
    if matches!(job.settings.codec, Codec::Zstd { .. }) && pg_dump.major < KNOWS_ZSTD {
        return Err(Failure {
            exit: 2,
            cause: format!("pg_dump {} does not compress archives by zstd", pg_dump.version),
            hint: Some(format!(
                "use --compress gzip, or name a pg_dump of version {KNOWS_ZSTD} or newer with \
                 --pg-dump FILE"
            )),
            notes: Vec::new(),
        });
    }
    let is_stream = pg_dump.tool.is_apart() && job.settings.format != Format::Tar;
    let is_away = job.settings.outgoing.is_some() || is_url(job.target);
    if job.settings.recipients.is_some() || is_away || is_stream {
        return super::streamed::make(job, pg_dump).await;
    }
    let place = Place::create(job.target, job.settings)?;
    with_tools(job, pg_dump, async |asked, pg_dump| archive(job, pg_dump, asked, place).await).await
}

async fn archive(
    job: &Job<'_>,
    pg_dump: &PgDump,
    asked: Asked,
    place: Place,
) -> Result<NewBackup, Failure> {
    let Job { settings, target, events, stop, .. } = *job;
    let globals = globals::dump(job, pg_dump, &asked.facts).await?;
    let request = request(settings, pg_dump.clone());
    dump(&request, &asked.facts, place.path(), events, stop).await?;
    let archive = place.open(settings.format).map_err(|error| unreadable(&error))?;
    let (examined, read) =
        read_back(&archive, pg_dump.pg_restore().await, &request, events, stop).await?;
    if let Err(fault) = &examined.head {
        let fault = match fault {
            Fault::Flaw(flaw) => flaw.to_string(),
            Fault::Version(version) => version.to_string(),
        };
        return Err(unreadable(&fault));
    }
    let files = match settings.format {
        Format::Directory => examined.files,
        _ => vec![record::file_facts(target, archive.bytes(), examined.sha256)],
    };
    let written = WrittenArchive { files, rows: examined.rows, read };
    publish(job, asked, &request, globals, written, || Ok(place.publish()?))
}

/// An archive that was written, and read back.
pub(super) struct WrittenArchive {
    /// Its files.
    pub files: Vec<FileFacts>,
    /// Where its rows are.
    pub rows: Vec<RowsAt>,
    /// What it holds; the error is why that could not be read here, which does not speak against the archive.
    pub read: Result<Inspection, String>,
}

/// Gives the archive its name, and writes its manifest.
pub(super) fn publish(
    job: &Job<'_>,
    asked: Asked,
    request: &DumpRequest,
    globals: Option<Globals>,
    written: WrittenArchive,
    publish: impl FnOnce() -> Result<Published, Failure>,
) -> Result<NewBackup, Failure> {
    let Job { settings, target, started_at, signer, events, .. } = *job;
    let Asked { facts, has } = asked;
    let WrittenArchive { files, rows, read } = written;
    let (decoded, unread) = match read {
        Ok(decoded) => (decoded, None),
        Err(why) => (Inspection::default(), Some(why)),
    };
    let packed = Packed { files, dump_bytes: decoded.dump_bytes };
    let file = globals.as_ref().map(|globals| globals.file.clone());
    let made = Made { settings, request, facts, has, target, globals: file, started_at, signer };
    let Inspection { unsound, facts, contents, .. } = decoded;
    let mut not_recorded = record::not_recorded(&made.facts, &contents, unsound.as_ref());
    not_recorded.extend(unread.map(|why| format!("rows, contents and statements: {why}")));
    let mut manifest = record::manifest(&made, packed, &contents, &facts, not_recorded);
    record::place_rows_of_archive(&mut manifest.contents.tables, rows);
    let bytes = manifest.outline.bytes();
    let created = Event::Created {
        file: super::piped::shown(target, settings),
        dump_bytes: bytes,
        file_bytes: bytes,
        compressed: false,
        contents: in_words(&manifest),
        not_in_it: not_in_it(&made, &manifest),
        globals: made.globals.as_ref().map(|_| globals_path(target)),
    };
    finish(&made, manifest, globals, publish, created, events)
}

/// Runs pg_dump, which writes to `place`.
async fn dump(
    request: &DumpRequest,
    facts: &Facts,
    place: &Path,
    events: &Events,
    stop: &Stop,
) -> Result<(), Failure> {
    let total = facts.database_bytes();
    let (mut process, carrying) = begin(request, place)?;
    let mut clock = tokio::time::interval(PERIOD);
    loop {
        tokio::select! {
            biased;
            () = stop.token().cancelled() => {
                process.kill().await;
                let ended = stop.wait_for(carrying).await.is_some();
                return Err(if ended { interrupted(stop) } else { abandoned(stop) });
            }
            () = process.exited() => break,
            _ = clock.tick() => {
                let (work, done, current) = (Work::Dumping, size(place), None);
                events.emit(Event::Progress(Progress { work, done, total, current }));
            }
        }
    }
    // A full disk ends pg_dump, too: then the disk is what has to be named.
    let carried = carrying.await.map_err(|error| died(&error))?;
    carried.map_err(|error| StoreError::io("write", place, error))?;
    for line in process.finish().await? {
        events.emit(Event::Warning(line));
    }
    Ok(())
}

/// Starts pg_dump, which writes to `place`; where it does not see that, what it writes is carried there.
fn begin(
    request: &DumpRequest,
    place: &Path,
) -> Result<(DumpProcess, JoinHandle<io::Result<()>>), Failure> {
    if !request.pg_dump.tool.is_apart() {
        return Ok((request.start_into(place)?, spawn_blocking(|| Ok(()))));
    }
    let file = File::options().write(true).open(place);
    let mut file = file.map_err(|error| StoreError::io("write", place, error))?;
    let (mut pipe, process) = request.start()?;
    let carrying = spawn_blocking(move || io::copy(&mut pipe, &mut file).map(drop));
    Ok((process, carrying))
}

/// Reads the archive as it lies there, and as pg_restore writes it; the inner error is why that
/// could not be read here, which does not speak against the archive.
async fn read_back(
    archive: &OpenBackup,
    pg_restore: Option<Tool>,
    request: &DumpRequest,
    events: &Events,
    stop: &Stop,
) -> Result<(Examined, Result<Inspection, String>), Failure> {
    let examining = {
        let (archive, cancel) = (archive.clone(), stop.token().clone());
        tokio::task::spawn_blocking(move || archive.examine(&cancel, Arc::new(|_| {})))
    };
    // As `verify` does it.
    let no_owner = !request.options().owners;
    let decoding = async {
        match pg_restore {
            Some(pg_restore) => decode(&pg_restore, archive, no_owner, events, stop).await,
            None => Ok(Err("pg_restore was not found".to_owned())),
        }
    };
    let (examined, decoded) = tokio::join!(stop.wait_for(examining), decoding);
    let examined = examined.ok_or_else(|| interrupted(stop))?.map_err(|error| died(&error))?;
    Ok((examined.map_err(|error| unread(&error, stop))?, decoded?))
}

async fn decode(
    pg_restore: &Tool,
    archive: &OpenBackup,
    no_owner: bool,
    events: &Events,
    stop: &Stop,
) -> Result<Result<Inspection, String>, Failure> {
    let (pipe, process) = pg_dump::start_decoding(pg_restore, no_owner, archive.path())?;
    let undecoded = |error: &dyn Display| Failure {
        exit: 1,
        cause: format!("no backup was made: what pg_dump wrote cannot be read: {error}"),
        hint: Some("check the disk, and that pg_dump and pg_restore are sound".to_owned()),
        notes: Vec::new(),
    };
    decoded(Decoding::begin(pipe, process, events, stop), undecoded, stop).await
}

/// What pg_restore wrote. The inner error is why it does not read the archive, which does not speak against it;
/// `undecoded` is what to say where it should have.
pub(super) async fn decoded(
    decoding: Decoding,
    undecoded: impl Fn(&dyn Display) -> Failure,
    stop: &Stop,
) -> Result<Result<Inspection, String>, Failure> {
    let read = decoding.read(stop).await.map_err(|error| died(&error))?;
    let (read, process) = read.ok_or_else(|| interrupted(stop))?;
    let read = match read {
        Ok(read) => read,
        Err(error) => {
            process.kill().await;
            return Err(unread(&error, stop));
        }
    };
    match process.finish().await {
        Ok(_) => Ok(Ok(read)),
        // Where pg_dump and pg_restore are not of one version.
        Err(error) if error.to_string().contains(KNOWN_OLDER) => Ok(Err(error.to_string())),
        Err(error) => Err(Failure { notes: error.stderr().to_vec(), ..undecoded(&error) }),
    }
}

/// Bytes written so far.
fn size(place: &Path) -> u64 {
    let bytes = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    match std::fs::read_dir(place) {
        Ok(entries) => entries.flatten().map(|entry| bytes(&entry.path())).sum(),
        Err(_) => bytes(place),
    }
}

pub(super) fn unreadable(why: &dyn Display) -> Failure {
    Failure {
        exit: 1,
        cause: format!("no backup was made: what pg_dump wrote is not whole: {why}"),
        hint: Some("check the disk that it was written to, then run it again".to_owned()),
        notes: Vec::new(),
    }
}

fn unread(error: &ReadError, stop: &Stop) -> Failure {
    match error {
        ReadError::Interrupted => interrupted(stop),
        ReadError::Disk(_) | ReadError::Refused { .. } => unreadable(error),
    }
}
