//! An archive of the custom format, as it comes out of a pipe, made into the files of the directory format. pg_dump
//! writes a directory itself, file by file in the open; of what must be sealed on its way, only a stream will do. And the
//! table of contents of a directory made into one of the custom format.
//!
//! Source: PostgreSQL 15 to 18, `pg_backup_archiver.c` (`WriteHead`, `WriteToc`), `pg_backup_directory.c`.

use std::io::{self, Read};

use thiserror::Error;

use super::blocks::{DATA, LARGE_OBJECTS};
use super::fields::Fields;
use super::members::{Members, TOC, read_toc};
use super::toc::{NO_DATA, NOT_PLACED};
use super::{ArchiveError, CUSTOM, MAGIC, TAR, corrupt};
use crate::model::packing::Packing;
use crate::model::span::{RowsAt, Span};

/// Bytes of data handed on at a time.
const PIECE_BYTES: usize = 256 * 1024;
/// Bytes of a statement or name in the table of contents at the most.
const TEXT_BYTES: usize = 1 << 30;

/// Where the files go, one after the other.
pub trait Files {
    /// Begins a file. What is to be packed has the ending of its packing in its name already.
    ///
    /// # Errors
    /// Whatever keeps it from being written.
    fn begin(&mut self, name: &str, packing: Packing) -> io::Result<()>;

    /// Writes to the file that was begun.
    ///
    /// # Errors
    /// As [`Files::begin`].
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Ends it.
    ///
    /// # Errors
    /// As [`Files::begin`].
    fn end(&mut self) -> io::Result<()>;
}

/// Why an archive could not be made into files.
#[derive(Debug, Error)]
pub enum ConvertError {
    /// It cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A file could not be written.
    #[error("could not write the backup: {0}")]
    File(#[source] io::Error),
}

/// Makes the files of an archive of the custom format whose data are not compressed, and packs them. Gives their table
/// of contents.
///
/// # Errors
/// [`ConvertError`].
pub fn to_directory(
    stream: impl Read,
    packing: Packing,
    files: &mut dyn Files,
) -> Result<Vec<u8>, ConvertError> {
    let mut copy = Copy { fields: Fields::new(stream), out: Vec::new() };
    let version = head(&mut copy, [CUSTOM, TAR], packing)?;
    let count = copy.int()?;
    let mut named = std::collections::HashMap::new();
    for _ in 0..count {
        let (id, is_large_objects) = entry(&mut copy, version)?;
        let file = place_to_file(&mut copy, version, (id, is_large_objects))?;
        named.extend(file.map(|file| (id, file)));
    }
    let Copy { mut fields, out: toc } = copy;
    while let Some(kind) = fields.next_byte()? {
        let began = fields.at() - 1;
        let id = fields.int()?;
        let file = named.remove(&id);
        let file = file.ok_or_else(|| corrupt("a block of data belongs to no entry", began))?;
        match kind {
            DATA => data(&mut fields, &file, packing, files)?,
            LARGE_OBJECTS => large_objects(&mut fields, &file, packing, files)?,
            _ => return Err(corrupt("a block of data is of no known kind", began).into()),
        }
    }
    if let Some(object) = named.into_values().next() {
        return Err(ArchiveError::from(super::ArchiveFlaw::LostData { object }).into());
    }
    write(files, TOC, Packing::None, &toc)?;
    Ok(toc)
}

/// What an archive of the custom format begins with that has this table of contents, which is a directory's: all that stands
/// before its data, which are to follow uncompressed.
///
/// # Errors
/// [`ArchiveError`].
pub(super) fn to_custom(toc: impl Read) -> Result<Vec<u8>, ArchiveError> {
    let mut copy = Copy { fields: Fields::new(toc), out: Vec::new() };
    let version = head(&mut copy, [TAR, CUSTOM], Packing::None)?;
    for _ in 0..copy.int()? {
        entry(&mut copy, version)?;
        let file = copy.fields.string(TEXT_BYTES)?.unwrap_or_default();
        copy.out.push(if file.is_empty() { NO_DATA } else { NOT_PLACED });
        copy.out.extend(std::iter::repeat_n(0, copy.fields.offset_size));
    }
    Ok(copy.out)
}

/// Where the rows of tables are in the files of a directory with this table of contents: those of each file, by its
/// name, with its place among the files and its size.
///
/// # Errors
/// [`ArchiveError`].
pub fn rows_in(
    toc: &[u8],
    files: impl Iterator<Item = (String, usize, u64)>,
) -> Result<Vec<RowsAt>, ArchiveError> {
    let (_, toc) = read_toc(toc, 0)?;
    let members = Members::new(toc);
    let rows = files.filter_map(|(name, file, bytes)| {
        members.rows(&name, Span { file, offset: 0, bytes: Some(bytes), rows: None })
    });
    Ok(rows.collect())
}

/// Copies the head, with another format, and its packing. The format of a directory's table of contents is tar's.
fn head<R: Read>(
    copy: &mut Copy<R>,
    [from, to]: [u8; 2],
    packing: Packing,
) -> Result<(u8, u8), ArchiveError> {
    for expected in MAGIC {
        if copy.byte()? != *expected {
            return Err(corrupt("it does not begin with PGDMP", 0));
        }
    }
    let version = (copy.byte()?, copy.byte()?);
    let _revision = copy.byte()?;
    let (int_size, offset_size) = (copy.byte()?, copy.byte()?);
    if !super::VERSIONS.contains(&version) {
        let (major, minor) = version;
        return Err(super::UnknownVersion { major, minor }.into());
    }
    if copy.fields.byte()? != from || !matches!(int_size, 1..=8) || !matches!(offset_size, 1..=8) {
        return Err(corrupt("its head makes no sense", copy.fields.at()));
    }
    copy.out.push(to);
    (copy.fields.int_size, copy.fields.offset_size) = (int_size.into(), offset_size.into());
    let method = super::method_of(packing);
    if version >= (1, 15) {
        copy.fields.byte()?;
        copy.out.push(method);
    } else {
        copy.fields.int()?;
        copy.put_int(method.into());
    }
    // When it was made: seconds, minutes, hours, day, month, year, summer time.
    for _ in 0..7 {
        copy.int()?;
    }
    // Database, version of its server, version of pg_dump.
    for _ in 0..3 {
        copy.text()?;
    }
    Ok(version)
}

/// Copies an entry, but for where its data are. Gives its number, and whether they are large objects.
fn entry<R: Read>(copy: &mut Copy<R>, version: (u8, u8)) -> Result<(i64, bool), ArchiveError> {
    let id = copy.int()?;
    let _had_data = copy.int()?;
    // The table of the catalog, the number in it, the name.
    for _ in 0..3 {
        copy.text()?;
    }
    let is_large_objects = copy.text()?.as_deref() == Some(b"BLOBS");
    let _section = copy.int()?;
    // What makes it, what drops it, what copies it; schema, tablespace.
    for _ in 0..5 {
        copy.text()?;
    }
    if version >= (1, 14) {
        let _access_method = copy.text()?;
    }
    if version >= (1, 16) {
        let _kind_of_relation = copy.int()?;
    }
    let _owner = copy.text()?;
    let _with_oids = copy.text()?;
    // What it depends on, up to a string that is none.
    while copy.text()?.is_some() {}
    Ok((id, is_large_objects))
}

/// Makes the place of an entry's data the name of a file, where it has some.
fn place_to_file<R: Read>(
    copy: &mut Copy<R>,
    version: (u8, u8),
    (id, is_large_objects): (i64, bool),
) -> Result<Option<String>, ArchiveError> {
    let state = copy.fields.byte()?;
    copy.fields.offset()?;
    let file = match (state == NO_DATA, is_large_objects) {
        (true, _) => None,
        (false, true) if version >= (1, 16) => Some(format!("blobs_{id}.toc")),
        (false, true) => Some("blobs.toc".to_owned()),
        (false, false) => Some(format!("{id}.dat")),
    };
    copy.put_text(file.as_deref().unwrap_or_default().as_bytes());
    Ok(file)
}

/// Copies the pieces of a block into a file.
fn data<R: Read>(
    fields: &mut Fields<R>,
    file: &str,
    packing: Packing,
    files: &mut dyn Files,
) -> Result<(), ConvertError> {
    let name = format!("{file}{}", packing.suffix());
    files.begin(&name, packing).map_err(ConvertError::File)?;
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let bytes = u64::try_from(fields.int()?)
            .map_err(|_| corrupt("a piece of data has a negative length", fields.at()))?;
        if bytes == 0 {
            return files.end().map_err(ConvertError::File);
        }
        let mut left = bytes;
        while left > 0 {
            let most = usize::try_from(left).map_or(piece.len(), |left| left.min(piece.len()));
            let read = fields.some(&mut piece[..most])?;
            files.write(&piece[..read]).map_err(ConvertError::File)?;
            left -= read as u64;
        }
    }
}

/// Copies large objects, each into a file of its own, and lists them.
fn large_objects<R: Read>(
    fields: &mut Fields<R>,
    list: &str,
    packing: Packing,
    files: &mut dyn Files,
) -> Result<(), ConvertError> {
    let mut listed = String::new();
    loop {
        match fields.int()? {
            0 => break,
            oid => {
                let file = format!("blob_{oid}.dat");
                data(fields, &file, packing, files)?;
                listed.push_str(&format!("{oid} {file}\n"));
            }
        }
    }
    write(files, list, Packing::None, listed.as_bytes())
}

fn write(
    files: &mut dyn Files,
    name: &str,
    packing: Packing,
    bytes: &[u8],
) -> Result<(), ConvertError> {
    let written = files.begin(name, packing).and_then(|()| files.write(bytes));
    written.and_then(|()| files.end()).map_err(ConvertError::File)
}

/// Values that are read and written once more as they were.
struct Copy<R> {
    fields: Fields<R>,
    out: Vec<u8>,
}

impl<R: Read> Copy<R> {
    fn byte(&mut self) -> Result<u8, ArchiveError> {
        let byte = self.fields.byte()?;
        self.out.push(byte);
        Ok(byte)
    }

    fn int(&mut self) -> Result<i64, ArchiveError> {
        let value = self.fields.int()?;
        self.put_int(value);
        Ok(value)
    }

    fn text(&mut self) -> Result<Option<Vec<u8>>, ArchiveError> {
        let text = self.fields.string(TEXT_BYTES)?;
        match &text {
            Some(text) => self.put_text(text),
            None => self.put_int(-1),
        }
        Ok(text)
    }

    /// A byte that is not 0 for a negative value, then the magnitude, lowest byte first.
    fn put_int(&mut self, value: i64) {
        self.out.push(u8::from(value < 0));
        let magnitude = value.unsigned_abs().to_le_bytes();
        self.out.extend_from_slice(&magnitude[..self.fields.int_size]);
    }

    fn put_text(&mut self, text: &[u8]) {
        self.put_int(i64::try_from(text.len()).unwrap_or(i64::MAX));
        self.out.extend_from_slice(text);
    }
}
