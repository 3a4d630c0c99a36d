//! The files of an archive in the formats directory and tar: each that the table of contents names
//! is there, is not empty, and ends as pg_dump ends it.
//!
//! Source: PostgreSQL 15 to 18, `pg_backup_directory.c`, `pg_backup_tar.c`, `compress_io.c`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use super::fields::Fields;
use super::toc::{self, Entry, Extra, Toc};
use super::{ArchiveError, ArchiveFlaw, Head, TAR};
use crate::model::damage::{Damage, damage};
use crate::model::packing::Packing;
use crate::model::span::{RowsAt, Span};

/// The member that holds the table of contents.
pub(super) const TOC: &str = "toc.dat";
/// How pg_dump packs the files of an archive.
const PACKINGS: [Packing; 3] = [Packing::Gzip, Packing::Lz4, Packing::Zstd];
/// What ends the rows of a table. Source: `pg_dump.c`, `dumpTableData_copy`.
pub(super) const END_OF_ROWS: &[u8] = b"\\.\n\n\n";
/// Bytes read at a time.
const READ_BYTES: usize = 256 * 1024;
/// Names of members that are kept, and their bytes.
const MOST_NAMES: usize = 1 << 20;
/// The longest line of a list of large objects: a number and the name of a file.
const LINE_BYTES: u64 = 2048;

/// Reads the table of contents that is a member of its own.
pub(super) fn read_toc<R: Read>(stream: R, copy_bytes: usize) -> Result<(Head, Toc), ArchiveError> {
    let mut fields = Fields::new(stream);
    let head = Head::read(&mut fields)?;
    head.expect(TAR)?;
    let toc = toc::read(&mut fields, &head, Extra::File, copy_bytes)?;
    let at = fields.at();
    match fields.next_byte()? {
        None => Ok((head, toc)),
        Some(_) => Err(ArchiveFlaw::TrailingGarbage { at }.into()),
    }
}

/// Which members an archive should have, and which were seen.
pub(super) struct Members {
    expected: BTreeMap<String, Entry>,
    /// Whether the table of contents was too long for all to be known.
    all_known: bool,
    seen: BTreeSet<String>,
    /// Files of large objects, by the lists of them.
    listed: BTreeSet<String>,
}

impl Members {
    pub(super) fn new(toc: Toc) -> Self {
        // In the tar format, the file that is named for large objects is not written.
        let is_file = |entry: &Entry| !(entry.large_objects && entry.file.ends_with(".dat"));
        let entries = toc.entries.into_iter().filter(is_file);
        let expected = entries.map(|entry| (entry.file.clone(), entry)).collect();
        Self { expected, all_known: toc.complete, seen: BTreeSet::new(), listed: BTreeSet::new() }
    }

    /// Whether the table of contents has this member, compressed or not.
    pub(super) fn knows(&self, name: &str) -> bool {
        let bare = bare(name);
        self.expected.contains_key(bare) || bare.starts_with("blob_")
    }

    /// The rows of a table in a member that lies at this place.
    pub(super) fn rows(&self, name: &str, span: Span) -> Option<RowsAt> {
        self.expected.get(bare(name))?.rows(span)
    }

    /// Reads a member to its end; `raw` gives it unpacked.
    ///
    /// # Errors
    /// [`ArchiveError::Flaw`] when it cannot be what it should be.
    pub(super) fn read<R: Read>(
        &mut self,
        name: &str,
        bytes: u64,
        raw: R,
    ) -> Result<(), ArchiveError> {
        let bare = bare(name);
        if self.seen.len() < MOST_NAMES {
            self.seen.insert(bare.to_owned());
        } else {
            self.all_known = false;
        }
        if bare.starts_with("blobs") && bare.ends_with(".toc") {
            if bytes == 0 {
                let object = "a list of large objects".to_owned();
                return Err(ArchiveFlaw::EmptyMember { name: name.to_owned(), object }.into());
            }
            return self.read_list(name, raw);
        }
        match self.expected.get(bare) {
            Some(entry) => {
                let end = if entry.copied() { End::OfRows } else { End::Some };
                read_data(name, bytes, raw, &entry.object(), end)
            }
            None if bare.starts_with("blob_") => {
                read_data(name, bytes, raw, "a large object", End::Any)
            }
            None => drain(raw),
        }
    }

    /// What is missing at the end.
    pub(super) fn finish(self) -> Result<(), ArchiveError> {
        if !self.all_known {
            return Ok(());
        }
        let lost = |name: &str, object: String| {
            Err(ArchiveFlaw::LostMember { name: name.to_owned(), object }.into())
        };
        for (name, entry) in &self.expected {
            if !self.seen.contains(name) {
                return lost(name, entry.object());
            }
        }
        match self.listed.difference(&self.seen).next() {
            Some(name) => lost(name, "a large object".to_owned()),
            None => Ok(()),
        }
    }

    /// A list of large objects: a number and the name of a file on each line.
    fn read_list<R: Read>(&mut self, name: &str, raw: R) -> Result<(), ArchiveError> {
        if name != bare(name) {
            return drain(raw);
        }
        let mut lines = io::BufReader::new(raw);
        loop {
            let mut line = Vec::new();
            let read =
                io::BufRead::read_until(&mut (&mut lines).take(LINE_BYTES), b'\n', &mut line);
            if read.map_err(ArchiveError::Disk)? == 0 {
                return Ok(());
            }
            let text = String::from_utf8_lossy(&line);
            let file = text.trim_end().split_once(' ').map(|(_, file)| file);
            match file.filter(|_| self.listed.len() < MOST_NAMES) {
                Some(file) => drop(self.listed.insert(bare(file).to_owned())),
                None => self.all_known = false,
            }
        }
    }
}

/// How the data of a member end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// There can be none: an empty large object.
    Any,
    /// There are some: INSERT statements.
    Some,
    /// With the end of rows.
    OfRows,
}

fn read_data<R: Read>(
    name: &str,
    bytes: u64,
    raw: R,
    object: &str,
    end: End,
) -> Result<(), ArchiveError> {
    let (name, object) = (name.to_owned(), object.to_owned());
    // Compressed, nothing is something.
    if bytes == 0 && (end != End::Any || bare(&name) != name) {
        return Err(ArchiveFlaw::EmptyMember { name, object }.into());
    }
    match tail(raw) {
        Err(error) => match damage(&error) {
            Some(damage) => {
                let damage: Damage = damage.clone();
                Err(ArchiveFlaw::DamagedMember { name, object, damage }.into())
            }
            None => Err(ArchiveError::Disk(error)),
        },
        // What is packed otherwise is pg_restore's to unpack.
        Ok(last) if end == End::OfRows && !is_opaque(&name) && last != END_OF_ROWS => {
            Err(ArchiveFlaw::CutMember { name, object }.into())
        }
        Ok(_) => Ok(()),
    }
}

fn is_opaque(name: &str) -> bool {
    [Packing::Lz4, Packing::Zstd].iter().any(|packing| name.ends_with(packing.suffix()))
}

/// The name without what compression adds to it.
pub(super) fn bare(name: &str) -> &str {
    PACKINGS.iter().find_map(|packing| name.strip_suffix(packing.suffix())).unwrap_or(name)
}

/// Reads to the end; gives the last bytes, as many as [`END_OF_ROWS`] has.
fn tail(mut stream: impl Read) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; READ_BYTES];
    let mut last = Vec::new();
    loop {
        let read = match stream.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        if read == 0 {
            return Ok(last);
        }
        let fresh = &buffer[read.saturating_sub(END_OF_ROWS.len())..read];
        last.extend_from_slice(fresh);
        last.drain(..last.len().saturating_sub(END_OF_ROWS.len()));
    }
}

pub(super) fn drain(raw: impl Read) -> Result<(), ArchiveError> {
    tail(raw).map(drop).map_err(ArchiveError::Disk)
}
