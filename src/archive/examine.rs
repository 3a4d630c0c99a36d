//! Reads an archive from its first byte to its last without PostgreSQL: its checksum, and whether
//! it has all its pieces.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use super::fields::Fields;
use super::members::{Members, TOC, drain, read_toc};
use super::toc::{self, Extra};
use super::{ArchiveError, ArchiveFlaw, CUSTOM, Head, UnknownVersion, blocks, tar};
use crate::archive::directory::{ArchiveDirectory, Member};
use crate::model::damage::{damage, refusal};
use crate::model::files::{FileFacts, sha256_of_directory};
use crate::model::format::Format;
use crate::model::packing::Packing;
use crate::model::span::{RowsAt, Span};
use crate::packing::file::BackupFile;
use crate::packing::hashing::Hashing;
use crate::packing::member_index::MemberIndex;
use crate::packing::read_error::ReadError;
use crate::packing::unpack::decompress_noting;
use crate::packing::unpack::gunzip;

/// Told the bytes of the backup read so far.
pub type Progress = Arc<dyn Fn(u64) + Send + Sync>;

/// What reading an archive found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// Its head, where the archive is whole as far as it can be known.
    pub head: Result<Head, Fault>,
    /// Zeros follow it.
    pub padded: bool,
    /// SHA-256 of the file in hex; of a directory, see [`sha256_of_directory`].
    pub sha256: String,
    /// The files of a directory, in the order of their names.
    pub files: Vec<FileFacts>,
    /// Where the rows of tables are, as far as that is known.
    pub rows: Vec<RowsAt>,
}

/// Why an archive is not known to be whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is bad.
    Flaw(ArchiveFlaw),
    /// It could not be told.
    Version(UnknownVersion),
}

/// The head of an archive in a file; `None` where it has none that is understood. Why is found, and
/// said, by whoever reads it all.
pub(super) fn head_of_file(file: &BackupFile, packing: Packing, format: Format) -> Option<Head> {
    let stream = file.stream(packing);
    match format {
        Format::Custom | Format::Plain | Format::Directory => {
            return Head::read(&mut Fields::new(stream)).ok();
        }
        Format::Tar => {}
    }
    let mut archive = ::tar::Archive::new(stream);
    let first = archive.entries().ok()?.raw(true).next()?.ok()?;
    Head::read(&mut Fields::new(first)).ok()
}

/// The same for a directory.
pub(super) fn head_of_directory(directory: &ArchiveDirectory) -> Option<Head> {
    let toc = directory.toc()?;
    Head::read(&mut Fields::new(directory.open(toc).ok()?.raw())).ok()
}

/// Reads an archive of the formats custom or tar.
///
/// # Errors
/// When the disk fails or `cancel` is set; a bad archive is a value.
pub(super) fn examine_file(
    file: &BackupFile,
    packing: Packing,
    format: Format,
    cancel: &CancellationToken,
    progress: Progress,
) -> Result<Examined, ReadError> {
    let raw = file.at_rest();
    let raw = Watched { raw, cancel: cancel.clone(), progress, before: 0, read: 0 };
    let hashing = Hashing::new(raw);
    let (members, mut padded, mut rows) = (MemberIndex::default(), false, Vec::new());
    let packed = file.unsealing(hashing.clone());
    let stream = Noting::new(decompress_noting(packed, packing, &members));
    let read = match format {
        Format::Tar => tar::read(stream.clone(), &|| stream.position(), &mut rows),
        Format::Custom | Format::Plain | Format::Directory => {
            custom(stream.clone(), &mut padded, &mut rows)
        }
    };
    let mut head = fault_of(read, &stream, cancel)?;
    if matches!(head, Err(Fault::Flaw(_))) && file.has_changed_line_ends()? {
        head = Err(Fault::Flaw(ArchiveFlaw::LineEnds));
    }
    let failed = if head.is_err() { file.check_unsealing().err() } else { None };
    let sha256 = hashing.finish(cancel).map_err(|error| of_disk(error, cancel))?;
    let padded = padded || members.padded();
    let sha256 = sha256.ok_or(ReadError::Interrupted)?;
    if let Some(error) = failed {
        return Err(match refusal(&error) {
            Some(refusal) => ReadError::Refused { refusal: refusal.clone(), sha256 },
            None => of_disk(error, cancel),
        });
    }
    Ok(Examined { head, padded, sha256, files: Vec::new(), rows })
}

/// Reads an archive of the custom format as it comes, to its end.
///
/// # Errors
/// When the stream fails; a bad archive is a value.
pub fn examine_stream(stream: impl Read) -> Result<(Result<Head, Fault>, Vec<RowsAt>), ReadError> {
    let (mut padded, mut rows) = (false, Vec::new());
    let stream = Noting::new(stream);
    let read = custom(stream.clone(), &mut padded, &mut rows);
    let head = fault_of(read, &stream, &CancellationToken::new())?;
    Ok((head, rows))
}

fn custom(
    stream: impl Read,
    padded: &mut bool,
    rows: &mut Vec<RowsAt>,
) -> Result<Head, ArchiveError> {
    let mut fields = Fields::new(stream);
    let head = Head::read(&mut fields)?;
    head.expect(CUSTOM)?;
    let toc = toc::read(&mut fields, &head, Extra::Place, 0)?;
    let placed = toc.entries.iter().filter(|entry| entry.offset > 0);
    rows.extend(placed.filter_map(|entry| {
        entry.rows(Span { file: 0, offset: entry.offset, bytes: None, rows: None })
    }));
    *padded = blocks::walk(&mut fields, &toc)?;
    Ok(head)
}

/// Tells a verdict from trouble. What a damaged compressed stream gave is flawed because of the
/// damage, so the rest of the stream is looked at.
fn fault_of<R: Read>(
    read: Result<Head, ArchiveError>,
    stream: &Noting<R>,
    cancel: &CancellationToken,
) -> Result<Result<Head, Fault>, ReadError> {
    if let Err(ArchiveError::Flaw(_) | ArchiveError::Version(_)) = &read {
        // What stops it is noted.
        let _ = drain(stream.clone());
    }
    match (stream.failure(), read) {
        (Some(error), _) => match damage(&error) {
            Some(damage) => {
                let (damage, at) = (damage.clone(), stream.position());
                Ok(Err(Fault::Flaw(ArchiveFlaw::Damaged { damage, at })))
            }
            None if refusal(&error).is_some() => {
                Ok(Err(Fault::Flaw(ArchiveFlaw::Cut { at: stream.position() })))
            }
            None => Err(of_disk(error, cancel)),
        },
        (None, Ok(head)) => Ok(Ok(head)),
        (None, Err(ArchiveError::Flaw(flaw))) => Ok(Err(Fault::Flaw(flaw))),
        (None, Err(ArchiveError::Version(version))) => Ok(Err(Fault::Version(version))),
        (None, Err(ArchiveError::Disk(error))) => Err(of_disk(error, cancel)),
    }
}

/// Reads an archive of the directory format. Hidden files and directories in it are none of its files.
///
/// # Errors
/// When the disk fails or `cancel` is set; a bad archive is a value.
pub(super) fn examine_directory(
    directory: &ArchiveDirectory,
    cancel: &CancellationToken,
    progress: &Progress,
) -> Result<Examined, ReadError> {
    let read = |error| of_disk(error, cancel);
    let known = match directory.toc() {
        Some(toc) => match directory.open(toc) {
            Ok(file) => read_toc(file.raw(), 0),
            Err(error) => Err(ArchiveError::Disk(error)),
        },
        None => Err(ArchiveFlaw::LostMember {
            name: TOC.to_owned(),
            object: "its table of contents".to_owned(),
        }
        .into()),
    };
    let (head, mut members) = match known {
        Ok((head, toc)) => (Ok(head), Some(Members::new(toc))),
        Err(ArchiveError::Flaw(flaw)) => (Err(Fault::Flaw(flaw)), None),
        Err(ArchiveError::Version(version)) => (Err(Fault::Version(version)), None),
        Err(ArchiveError::Disk(error)) => match damage(&error) {
            Some(damage) => {
                let flaw = ArchiveFlaw::Damaged { damage: damage.clone(), at: 0 };
                (Err(Fault::Flaw(flaw)), None)
            }
            None => return Err(read(error)),
        },
    };
    let (mut files, mut rows, mut before) = (Vec::new(), Vec::new(), 0);
    let mut flaw = None;
    for member in directory.members() {
        let (name, file) = (member.name.to_string_lossy(), member.file_name());
        let file = file.to_string_lossy().into_owned();
        let span = Span { file: files.len(), offset: 0, bytes: Some(member.bytes), rows: None };
        rows.extend(members.as_ref().and_then(|members| members.rows(&name, span)));
        let raw = Watched {
            raw: directory.at_rest(member).map_err(read)?.at_rest(),
            cancel: cancel.clone(),
            progress: Arc::clone(progress),
            before,
            read: 0,
        };
        let hashing = Hashing::new(raw);
        let found = match directory.open(member) {
            Ok(file) => check(member, members.as_mut(), file.unsealing(hashing.clone())),
            Err(error) => Err(ArchiveError::Disk(error)),
        };
        match found {
            Ok(()) => {}
            Err(ArchiveError::Disk(error)) => match damage(&error) {
                Some(damage) => {
                    let (name, object) = (file.clone(), "a part of the backup".to_owned());
                    let damaged =
                        ArchiveFlaw::DamagedMember { name, object, damage: damage.clone() };
                    flaw = flaw.or(Some(damaged));
                }
                None => return Err(read(error)),
            },
            Err(ArchiveError::Flaw(found)) => flaw = flaw.or(Some(found)),
            Err(ArchiveError::Version(_)) => {}
        }
        let sha256 = hashing.finish(cancel).map_err(read)?.ok_or(ReadError::Interrupted)?;
        files.push(FileFacts { name: file, bytes: member.bytes, sha256 });
        before += member.bytes;
    }
    if let Some(Err(ArchiveError::Flaw(found))) = members.map(Members::finish) {
        flaw = flaw.or(Some(found));
    }
    let head = head.and_then(|head| flaw.map_or(Ok(head), |flaw| Err(Fault::Flaw(flaw))));
    Ok(Examined { head, padded: false, sha256: sha256_of_directory(&files), files, rows })
}

fn check(
    member: &Member,
    members: Option<&mut Members>,
    raw: impl Read + Send,
) -> Result<(), ArchiveError> {
    match (members, member.name.to_str()) {
        (Some(members), Some(name)) if name.ends_with(".gz") && members.knows(name) => {
            members.read(name, member.bytes, gunzip(raw))
        }
        (Some(members), Some(name)) if name != TOC => members.read(name, member.bytes, raw),
        _ => Ok(()),
    }
}

fn of_disk(error: io::Error, cancel: &CancellationToken) -> ReadError {
    if cancel.is_cancelled() { ReadError::Interrupted } else { ReadError::Disk(error) }
}

/// Stops reading when cancelled, and tells how far it is.
struct Watched<R> {
    raw: R,
    cancel: CancellationToken,
    progress: Progress,
    before: u64,
    read: u64,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancel.is_cancelled() {
            return Err(io::Error::other("interrupted"));
        }
        let read = self.raw.read(buffer)?;
        self.read += read as u64;
        (self.progress)(self.before + self.read);
        Ok(read)
    }
}

/// Keeps the error that ended a stream, whatever its reader makes of it. The clones share one
/// position.
struct Noting<R>(Arc<Mutex<Notes<R>>>);

struct Notes<R> {
    stream: R,
    bytes: u64,
    failure: Option<io::Error>,
}

impl<R> Clone for Noting<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R> Noting<R> {
    fn new(stream: R) -> Self {
        Self(Arc::new(Mutex::new(Notes { stream, bytes: 0, failure: None })))
    }

    fn position(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }

    fn failure(&self) -> Option<io::Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).failure.take()
    }
}

impl<R: Read> Read for Noting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let notes = &mut *notes;
        if let Some(error) = &notes.failure {
            return Err(io::Error::other(error.to_string()));
        }
        match notes.stream.read(buffer) {
            Ok(read) => {
                notes.bytes += read as u64;
                Ok(read)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let same = io::Error::other(error.to_string());
                notes.failure = Some(error);
                Err(same)
            }
        }
    }
}
