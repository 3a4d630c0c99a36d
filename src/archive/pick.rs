//! The data of some tables of an archive, read from their own places: in the custom format from a block, in
//! the formats directory and tar from a file. What lies between is passed over, where the archive is not
//! packed once more without being read.
//!
//! Source: PostgreSQL 15 to 18, `pg_backup_custom.c`, `pg_backup_directory.c`, `pg_backup_tar.c`.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::blocks::{self, DATA, LARGE_OBJECTS};
use super::directory::{ArchiveDirectory, Member};
use super::fields::Fields;
use super::members::{TOC, bare, read_toc};
use super::toc::{self, Constraint, Entry, Extra, Toc};
use super::{
    ArchiveError, ArchiveFlaw, CUSTOM, Head, OpenBackup, Storage, UnknownVersion, corrupt,
};
use crate::model::damage::Damage;
use crate::model::format::Format;
use crate::model::packing::Packing;
use crate::packing::file::BackupFile;
use crate::packing::metered::Meter;
use crate::packing::unpack::{Zlib, decompress};

/// Bytes of a COPY statement that are kept: a table has at most 1,600 columns, of 63 bytes each.
const COPY_BYTES: usize = 256 * 1024;

/// The tables of an archive that have data.
#[derive(Debug)]
pub struct Tables {
    /// The head of the archive.
    pub head: Head,
    /// What pg_restore sends before all else: encoding, literals, search path.
    pub session: Vec<u8>,
    entries: Vec<Entry>,
    int_size: usize,
}

/// A table of an archive.
#[derive(Debug, Clone, Copy)]
pub struct TableData<'a> {
    /// Its schema, as far as it is UTF-8.
    pub schema: &'a str,
    /// Its name, as far as it is UTF-8.
    pub name: &'a str,
    /// The COPY statement whose rows its data are; else they are INSERT statements.
    pub copy: Option<&'a [u8]>,
}

/// Given the number of a table and its data as SQL has them, up to and with the line `\.`.
pub type Each<'a> = &'a mut dyn FnMut(usize, &mut dyn Read) -> ControlFlow<()>;

impl Tables {
    /// Reads the table of contents.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn of(archive: &OpenBackup, meter: &Meter) -> Result<Self, ArchiveError> {
        let (head, toc, int_size) = toc_of(archive, meter)?;
        let Toc { mut entries, session, .. } = toc;
        entries.retain(Entry::is_table);
        Ok(Self { head, session, entries, int_size })
    }

    /// The tables, by their numbers.
    pub fn list(&self) -> impl Iterator<Item = TableData<'_>> {
        self.entries.iter().map(|entry| TableData {
            schema: entry.schema.as_deref().unwrap_or_default(),
            name: &entry.name,
            copy: entry.copy.as_deref(),
        })
    }

    /// Reads the data of these tables, in the order of the archive, until `each` has enough.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn read(
        &self,
        archive: &OpenBackup,
        wanted: &[usize],
        meter: &Meter,
        each: Each<'_>,
    ) -> Result<(), ArchiveError> {
        match archive.storage() {
            Storage::Directory(directory) => self.of_directory(directory, wanted, meter, each),
            Storage::File(file) => {
                let packing = archive.packing();
                match (archive.format(), packing) {
                    (Format::Tar, Packing::None) => {
                        let mut tar = ::tar::Archive::new(meter.of(file.raw()));
                        self.of_tar(tar.entries_with_seek(), wanted, each)
                    }
                    (Format::Tar, _) => {
                        let mut tar = ::tar::Archive::new(unpacked(file, packing, meter));
                        self.of_tar(tar.entries(), wanted, each)
                    }
                    (Format::Custom, Packing::None) if self.are_placed(wanted) => {
                        self.of_blocks(file, wanted, meter, each)
                    }
                    (Format::Custom | Format::Plain | Format::Directory, _) => {
                        self.of_stream(unpacked(file, packing, meter), wanted, each)
                    }
                }
            }
        }
    }

    /// Whether it is noted where their blocks begin: a pg_dump that wrote into a pipe could not.
    fn are_placed(&self, wanted: &[usize]) -> bool {
        wanted.iter().all(|at| self.entries[*at].offset > 0)
    }

    fn of_directory(
        &self,
        directory: &ArchiveDirectory,
        wanted: &[usize],
        meter: &Meter,
        each: Each<'_>,
    ) -> Result<(), ArchiveError> {
        for at in wanted {
            let entry = &self.entries[*at];
            let Some(member) = member(directory, |name| bare(name) == entry.file) else {
                let (name, object) = (entry.file.clone(), entry.object());
                return Err(ArchiveFlaw::LostMember { name, object }.into());
            };
            let raw = meter.of(directory.open(member).map_err(ArchiveError::Disk)?.raw());
            let packings = [Packing::Gzip, Packing::Lz4, Packing::Zstd];
            let name = member.name.to_string_lossy();
            let packing = packings.into_iter().find(|packing| name.ends_with(packing.suffix()));
            let mut data = decompress(raw, packing.unwrap_or_default());
            if each(*at, &mut data).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn of_tar<R: Read>(
        &self,
        members: io::Result<::tar::Entries<'_, R>>,
        wanted: &[usize],
        each: Each<'_>,
    ) -> Result<(), ArchiveError> {
        let mut missing: Vec<usize> = wanted.to_vec();
        for member in members.map_err(ArchiveError::Disk)?.raw(true) {
            let mut member = member.map_err(of_tar)?;
            let name = String::from_utf8_lossy(&member.path_bytes()).into_owned();
            let found = missing.iter().position(|at| self.entries[*at].file == name);
            let Some(found) = found else { continue };
            if each(missing.remove(found), &mut member).is_break() || missing.is_empty() {
                return Ok(());
            }
        }
        self.lost(missing.first())
    }

    fn of_blocks(
        &self,
        file: &BackupFile,
        wanted: &[usize],
        meter: &Meter,
        each: Each<'_>,
    ) -> Result<(), ArchiveError> {
        for at in wanted {
            let entry = &self.entries[*at];
            let mut fields = Fields::new(boxed(meter.of(file.raw_from(entry.offset))));
            fields.int_size = self.int_size;
            let (kind, id) = (fields.byte()?, fields.int()?);
            if (kind, id) != (DATA, entry.id) {
                return Err(corrupt(
                    "the data of a table are not where they should be",
                    entry.offset,
                ));
            }
            let (_, flow) = self.block(*at, fields, each)?;
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Looks through all blocks for those that are wanted.
    fn of_stream(
        &self,
        stream: Stream,
        wanted: &[usize],
        each: Each<'_>,
    ) -> Result<(), ArchiveError> {
        let mut missing: Vec<usize> = wanted.to_vec();
        let mut fields = Fields::new(stream);
        toc_of_custom(&mut fields)?;
        while !missing.is_empty() {
            let kind = fields.next_byte()?;
            let id = match kind {
                Some(DATA | LARGE_OBJECTS) => fields.int()?,
                _ => break,
            };
            if kind == Some(LARGE_OBJECTS) {
                while fields.int()? != 0 {
                    blocks::pass_over(&mut fields)?;
                }
                continue;
            }
            let Some(found) = missing.iter().position(|at| self.entries[*at].id == id) else {
                blocks::pass_over(&mut fields)?;
                continue;
            };
            let (rest, flow) = self.block(missing.remove(found), fields, each)?;
            if flow.is_break() {
                return Ok(());
            }
            fields = rest;
        }
        self.lost(missing.first())
    }

    /// Hands out the block whose pieces come next, and gives what follows it.
    fn block(
        &self,
        at: usize,
        fields: Fields<Stream>,
        each: Each<'_>,
    ) -> Result<(Fields<Stream>, ControlFlow<()>), ArchiveError> {
        let version = self.head.version;
        let unknown = UnknownVersion { major: version.0, minor: version.1 };
        let packing = self.head.packing.ok_or(unknown)?;
        let pieces = Pieces::new(fields);
        let flow = match packing {
            Packing::Gzip => each(at, &mut Zlib::new(pieces.clone())),
            packing => each(at, &mut decompress(pieces.clone(), packing)),
        };
        if flow.is_continue() {
            // What follows the end of what was packed.
            let passed = io::copy(&mut pieces.clone(), &mut io::sink());
            passed.map_err(ArchiveError::Disk)?;
        }
        let fields = pieces.into_fields().ok_or(ArchiveError::Disk(io::ErrorKind::Other.into()))?;
        Ok((fields, flow))
    }

    fn lost(&self, missing: Option<&usize>) -> Result<(), ArchiveError> {
        match missing {
            None => Ok(()),
            Some(at) => {
                let object = self.entries[*at].object();
                Err(ArchiveFlaw::LostData { object }.into())
            }
        }
    }
}

type Stream = Box<dyn Read + Send>;

fn boxed(stream: impl Read + Send + 'static) -> Stream {
    Box::new(stream)
}

fn unpacked(file: &BackupFile, packing: Packing, meter: &Meter) -> Stream {
    decompress(meter.of(file.raw()), packing)
}

fn member(directory: &ArchiveDirectory, is_it: impl Fn(&str) -> bool) -> Option<&Member> {
    directory.members().iter().find(|member| member.name.to_str().is_some_and(&is_it))
}

/// The extensions that an archive creates, by its table of contents.
///
/// # Errors
/// [`ArchiveError`].
pub fn extensions(archive: &OpenBackup) -> Result<Vec<String>, ArchiveError> {
    let (_, toc, _) = toc_of(archive, &Meter::default())?;
    Ok(toc.extensions)
}

/// What pg_restore has to be done with before a table can be read, and not be in its way.
#[derive(Debug)]
pub struct Before {
    /// Schema and name of each table, as far as they are UTF-8, by the number of the entry with its rows.
    pub tables: BTreeMap<i64, (String, String)>,
    /// The entry with the rows of its table, by the number of each constraint that locks readers out while it is made.
    pub constraints: BTreeMap<i64, i64>,
}

/// The tables of an archive, and what locks them.
///
/// # Errors
/// [`ArchiveError`].
pub fn before_reading(archive: &OpenBackup) -> Result<Before, ArchiveError> {
    let (_, toc, _) = toc_of(archive, &Meter::default())?;
    let tables = toc.entries.into_iter().filter(Entry::is_table);
    let tables: BTreeMap<_, _> =
        tables.map(|of| (of.id, (of.schema.unwrap_or_default(), of.name))).collect();
    let entries: BTreeMap<_, _> = tables.iter().map(|(id, name)| (name, *id)).collect();
    let of_table = |Constraint { id, schema, name }: Constraint| {
        // Both names may have spaces.
        let ends = name.match_indices(' ').map(|(end, _)| end);
        let mut tables =
            ends.filter_map(|end| entries.get(&(schema.clone(), name[..end].to_owned())));
        Some((id, *tables.next()?))
    };
    let constraints = toc.constraints.into_iter().filter_map(of_table).collect();
    Ok(Before { tables, constraints })
}

/// Head and table of contents, and how large numbers are in the blocks of data.
fn toc_of(archive: &OpenBackup, meter: &Meter) -> Result<(Head, Toc, usize), ArchiveError> {
    let mut int_size = 4;
    let (head, toc) = match archive.storage() {
        Storage::Directory(directory) => {
            let toc = directory.toc().ok_or_else(|| {
                let object = "its table of contents".to_owned();
                ArchiveFlaw::LostMember { name: TOC.to_owned(), object }
            })?;
            read_toc(meter.of(directory.open(toc).map_err(ArchiveError::Disk)?.raw()), COPY_BYTES)?
        }
        Storage::File(file) => {
            let stream = unpacked(file, archive.packing(), meter);
            match archive.format() {
                Format::Tar => toc_of_tar(stream)?,
                Format::Custom | Format::Plain | Format::Directory => {
                    let mut fields = Fields::new(stream);
                    let read = toc_of_custom(&mut fields)?;
                    int_size = fields.int_size;
                    read
                }
            }
        }
    };
    Ok((head, toc, int_size))
}

fn toc_of_custom(fields: &mut Fields<Stream>) -> Result<(Head, Toc), ArchiveError> {
    let head = Head::read(fields)?;
    head.expect(CUSTOM)?;
    let toc = toc::read(fields, &head, Extra::Place, COPY_BYTES)?;
    Ok((head, toc))
}

fn toc_of_tar(stream: Stream) -> Result<(Head, Toc), ArchiveError> {
    let mut tar = ::tar::Archive::new(stream);
    let first = tar.entries().map_err(ArchiveError::Disk)?.raw(true).next();
    match first.ok_or(ArchiveFlaw::Cut { at: 0 })?.map_err(of_tar)? {
        member if *member.path_bytes() == *TOC.as_bytes() => read_toc(member, COPY_BYTES),
        _ => Err(corrupt("its first member is not toc.dat", 0)),
    }
}

/// An error of the library, or of the stream below it.
fn of_tar(error: io::Error) -> ArchiveError {
    match error.raw_os_error() {
        Some(_) => ArchiveError::Disk(error),
        None => {
            ArchiveError::Disk(Damage::Corrupt { format: "tar", cause: error.to_string() }.into())
        }
    }
}

/// The pieces of a block, each with its length before it, as one stream. The clones share one place.
#[derive(Clone)]
struct Pieces(Arc<Mutex<Inside>>);

struct Inside {
    fields: Fields<Stream>,
    /// Bytes left of the piece at hand.
    left: u64,
    ended: bool,
}

impl Pieces {
    fn new(fields: Fields<Stream>) -> Self {
        Self(Arc::new(Mutex::new(Inside { fields, left: 0, ended: false })))
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What follows; `None` while another clone is at hand.
    fn into_fields(self) -> Option<Fields<Stream>> {
        let inside = Arc::into_inner(self.0)?.into_inner();
        Some(inside.unwrap_or_else(PoisonError::into_inner).fields)
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.lock().read(buffer).map_err(|error| match error {
            ArchiveError::Disk(error) => error,
            other => Damage::Corrupt { format: "archive", cause: other.to_string() }.into(),
        })
    }
}

impl Inside {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ArchiveError> {
        if self.left == 0 && !self.ended {
            let bytes = self.fields.int()?;
            self.left = u64::try_from(bytes)
                .map_err(|_| corrupt("a piece of data has a negative length", self.fields.at()))?;
            self.ended = self.left == 0;
        }
        if self.ended || buffer.is_empty() {
            return Ok(0);
        }
        let most = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let read = self.fields.some(&mut buffer[..most])?;
        self.left -= read as u64;
        Ok(read)
    }
}
