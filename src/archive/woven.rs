//! An archive of the custom format whose table of contents pg_dump wrote, and whose rows come from elsewhere, or are left out.
//!
//! Source: PostgreSQL 15 to 18, `pg_backup_custom.c` (`_StartData`, `_WriteData`, `_EndData`) and `pg_backup_archiver.c`
//! (`WriteInt`).

use std::io::{self, Read, Write};
use std::ops::Range;

use super::blocks::DATA;
use super::fields::Fields;
use super::members::END_OF_ROWS;
use super::toc::{self, Entry, Extra};
use super::{ArchiveError, CUSTOM, Head, MAGIC};

/// Where the compression stands: behind the magic, three bytes of the version, the sizes of integers and places, and the format.
const COMPRESSION: usize = MAGIC.len() + 6;

/// All of an archive that stands before its data.
#[derive(Debug)]
pub struct Beginning {
    /// As it was read.
    bytes: Vec<u8>,
    /// Where it says how its data are compressed; zeros are not at all.
    compression: Range<usize>,
    int_size: usize,
    entries: Vec<Entry>,
    complete: bool,
}

/// The rows of a table that an archive is to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rows {
    /// The number of their entry.
    pub entry: i64,
    /// The OID of their table.
    pub table: u32,
}

impl Beginning {
    /// Reads it; what was read beyond it is lost.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn read(stream: impl Read) -> Result<Self, ArchiveError> {
        let mut fields = Fields::new(Recorded { stream, bytes: Vec::new() });
        let head = Head::read(&mut fields)?;
        head.expect(CUSTOM)?;
        let toc = toc::read(&mut fields, &head, Extra::Place, 0)?;
        let (at, int_size) = (fields.at(), fields.int_size);
        let mut bytes = fields.into_inner().bytes;
        bytes.truncate(usize::try_from(at).unwrap_or(usize::MAX));
        // The method since 1.15; before, a level of gzip, with its sign.
        let length = if head.version >= (1, 15) { 1 } else { 1 + int_size };
        let compression = COMPRESSION..COMPRESSION + length;
        let (entries, complete) = (toc.entries, toc.complete);
        Ok(Self { bytes, compression, int_size, entries, complete })
    }

    /// The rows that belong behind it, in their order; `None` where other data do, too, such as large objects or INSERT
    /// statements.
    pub fn rows(&self) -> Option<Vec<Rows>> {
        let entries = self.entries.iter().map(|entry| {
            let is_rows = entry.is_table() && entry.copied() && entry.table != 0;
            is_rows.then_some(Rows { entry: entry.id, table: entry.table })
        });
        entries.collect::<Option<_>>().filter(|_| self.complete)
    }

    /// An archive with this beginning whose tables are empty, uncompressed; `None` where it has other data than rows.
    pub fn without_rows(mut self) -> Option<Vec<u8>> {
        let rows = self.rows()?;
        self.bytes[self.compression.clone()].fill(0);
        let mut archive = std::mem::take(&mut self.bytes);
        let written = rows.iter().try_for_each(|rows| {
            self.begin_rows(rows.entry, &mut archive)?;
            self.end_rows(&mut archive)
        });
        written.ok().map(|()| archive)
    }

    /// Writes it.
    ///
    /// # Errors
    /// The sink's.
    pub fn write(&self, sink: &mut impl Write) -> io::Result<()> {
        sink.write_all(&self.bytes)
    }

    /// Begins the rows of a table.
    ///
    /// # Errors
    /// The sink's.
    pub fn begin_rows(&self, entry: i64, sink: &mut impl Write) -> io::Result<()> {
        sink.write_all(&[DATA])?;
        self.write_int(entry, sink)
    }

    /// Writes some of its rows, at least a byte.
    ///
    /// # Errors
    /// The sink's.
    pub fn write_rows(&self, rows: &[u8], sink: &mut impl Write) -> io::Result<()> {
        self.write_int(rows.len() as i64, sink)?;
        sink.write_all(rows)
    }

    /// Ends the rows of a table.
    ///
    /// # Errors
    /// The sink's.
    pub fn end_rows(&self, sink: &mut impl Write) -> io::Result<()> {
        self.write_rows(END_OF_ROWS, sink)?;
        self.write_int(0, sink)
    }

    fn write_int(&self, value: i64, sink: &mut impl Write) -> io::Result<()> {
        let mut bytes = vec![u8::from(value < 0)];
        let magnitude = value.unsigned_abs().to_le_bytes();
        bytes.extend(magnitude.iter().chain(std::iter::repeat(&0)).take(self.int_size));
        sink.write_all(&bytes)
    }
}

/// Keeps what is read.
struct Recorded<R> {
    stream: R,
    bytes: Vec<u8>,
}

impl<R: Read> Read for Recorded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(buffer)?;
        self.bytes.extend_from_slice(&buffer[..read]);
        Ok(read)
    }
}
