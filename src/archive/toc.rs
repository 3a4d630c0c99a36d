//! The table of contents of an archive. Only the entries that have data are kept: the others are
//! statements, which pg_restore decodes.

use std::io::Read;

use super::fields::Fields;
use super::{ArchiveError, Head, NAME_BYTES, corrupt};
use crate::model::span::{RowsAt, Span};

/// Bytes kept of the kind of an entry, such as `TABLE DATA`.
const KIND_BYTES: usize = 64;
/// Digits of an OID.
const OID_BYTES: usize = 16;
/// Bytes of entries that are kept, some three hundred thousand tables.
const MOST_BYTES: usize = 64 << 20;

/// The table of contents.
#[derive(Debug)]
pub(super) struct Toc {
    /// The entries that have data.
    pub(super) entries: Vec<Entry>,
    /// Whether these are all: the memory they may take is bounded.
    pub(super) complete: bool,
    /// The statements that pg_restore sends first: encoding, literals, search path.
    pub(super) session: Vec<u8>,
    /// The extensions that are created, as far as their names are UTF-8.
    pub(super) extensions: Vec<String>,
    /// The constraints that lock readers out of their tables while they are made.
    pub(super) constraints: Vec<Constraint>,
}

/// A primary key, or what else is unique.
#[derive(Debug)]
pub(super) struct Constraint {
    /// Its number.
    pub(super) id: i64,
    /// The schema of its table.
    pub(super) schema: String,
    /// The name of its table, a space, its own name.
    pub(super) name: String,
}

/// An entry that has data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its number.
    pub(super) id: i64,
    /// The OID of what it is of, where pg_dump noted one.
    pub(super) table: u32,
    /// Its file, in the formats directory and tar.
    pub(super) file: String,
    /// The COPY statement whose rows its data are; as much of it as was asked for. None where they are
    /// statements.
    pub(super) copy: Option<Vec<u8>>,
    /// Whether its data are large objects.
    pub(super) large_objects: bool,
    /// Where its block of data begins, in the custom format; 0 where pg_dump could not note it.
    pub(super) offset: u64,
    pub(super) schema: Option<String>,
    pub(super) name: String,
    kind: String,
}

impl Entry {
    fn size(&self) -> usize {
        let texts = [&self.file, &self.kind, &self.name].map(String::len).iter().sum::<usize>();
        let copy = self.copy.as_ref().map_or(0, Vec::len);
        size_of::<Self>() + texts + copy + self.schema.as_ref().map_or(0, String::len)
    }

    /// Whether its data are rows of a COPY statement, whose end is known.
    pub(super) fn copied(&self) -> bool {
        self.copy.is_some()
    }

    /// Whether its data are the rows of a table.
    pub(super) fn is_table(&self) -> bool {
        self.kind == ROWS
    }

    /// The rows that it holds, at this place, where it is known where they end.
    pub(super) fn rows(&self, span: Span) -> Option<RowsAt> {
        let schema = self.schema.clone().filter(|_| self.copied())?;
        Some(RowsAt { schema, name: self.name.clone(), span })
    }

    /// Such as `TABLE DATA public.users`.
    pub(super) fn object(&self) -> String {
        match self.schema.as_deref().filter(|schema| !schema.is_empty()) {
            Some(schema) => format!("{} {schema}.{}", self.kind, self.name),
            None => format!("{} {}", self.kind, self.name),
        }
    }
}

/// What follows the common fields of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extra {
    /// In the custom format: whether there are data, and their place in the file.
    Place,
    /// In the others: the name of a file.
    File,
}

/// The state of data in the custom format that an entry does not have.
/// Source: `pg_backup_archiver.h`, `K_OFFSET_NO_DATA`.
pub(super) const NO_DATA: u8 = 3;
/// The state of data that are somewhere: `K_OFFSET_POS_NOT_SET`.
pub(super) const NOT_PLACED: u8 = 1;
/// The state of data whose place was noted: `K_OFFSET_POS_SET`.
const PLACED: u8 = 2;

/// The kind of the rows of a table.
const ROWS: &str = "TABLE DATA";
/// The kind of an extension.
const EXTENSION: &str = "EXTENSION";
/// The kind of a constraint that is none of rows alone, nor of other tables.
const CONSTRAINT: &str = "CONSTRAINT";
/// Constraints that are kept.
const MOST_CONSTRAINTS: usize = 100_000;
/// Extensions whose names are kept.
const MOST_EXTENSIONS: usize = 10_000;
/// The kinds of statements that pg_restore sends first. Source: `pg_backup_archiver.c`,
/// `processEncodingEntry` and what follows it.
const SESSION: [&str; 3] = ["ENCODING", "STDSTRINGS", "SEARCHPATH"];
/// Bytes of each of them.
const SESSION_BYTES: usize = 4096;

/// Reads the table of contents that follows the head, with up to `copy_bytes` of each COPY statement.
pub(super) fn read<R: Read>(
    fields: &mut Fields<R>,
    head: &Head,
    extra: Extra,
    copy_bytes: usize,
) -> Result<Toc, ArchiveError> {
    let count = fields.int()?;
    if count < 0 {
        return Err(corrupt("its table of contents has less than no entries", fields.at()));
    }
    let (mut entries, mut bytes, mut session) = (Vec::new(), 0, Vec::new());
    let (mut extensions, mut constraints) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let (entry, has_data, said) = read_entry(fields, head, extra, copy_bytes)?;
        if session.len() < SESSION.len() * SESSION_BYTES {
            session.extend(said);
        }
        if !has_data {
            if entry.kind == EXTENSION && extensions.len() < MOST_EXTENSIONS {
                extensions.push(entry.name);
            } else if entry.kind == CONSTRAINT && constraints.len() < MOST_CONSTRAINTS {
                let Entry { id, schema, name, .. } = entry;
                constraints.push(Constraint { id, schema: schema.unwrap_or_default(), name });
            }
            continue;
        }
        bytes += entry.size();
        if bytes <= MOST_BYTES {
            entries.push(entry);
        }
    }
    Ok(Toc { entries, complete: bytes <= MOST_BYTES, session, extensions, constraints })
}

/// An entry, whether it has data, and what it says of the session.
fn read_entry<R: Read>(
    fields: &mut Fields<R>,
    head: &Head,
    extra: Extra,
    copy_bytes: usize,
) -> Result<(Entry, bool, Vec<u8>), ArchiveError> {
    let id = fields.int()?;
    if id <= 0 {
        return Err(corrupt("an entry of its table of contents has no number", fields.at()));
    }
    let had_data = fields.int()? != 0;
    // Of the catalog's row: its table, its OID.
    fields.string(0)?;
    let oid = fields.text(OID_BYTES)?.and_then(|digits| digits.parse().ok());
    let name = fields.text(NAME_BYTES)?.unwrap_or_default();
    let kind = fields.text(KIND_BYTES)?.unwrap_or_default();
    let _section = fields.int()?;
    // The statements that make and drop it.
    let kept = if SESSION.contains(&kind.as_str()) { SESSION_BYTES } else { 0 };
    let session = fields.string(kept)?.unwrap_or_default();
    fields.string(0)?;
    let copy = fields.string(copy_bytes.max(1))?.filter(|text| !text.is_empty());
    let schema = fields.text(NAME_BYTES)?;
    let _tablespace = fields.string(0)?;
    if head.version >= (1, 14) {
        let _access_method = fields.string(0)?;
    }
    if head.version >= (1, 16) {
        let _kind_of_relation = fields.int()?;
    }
    let _owner = fields.string(0)?;
    let _with_oids = fields.string(0)?;
    // What it depends on, up to a string that is none.
    while fields.string(0)?.is_some() {}
    let (file, offset, has_data) = match extra {
        Extra::Place => {
            let state = fields.byte()?;
            if !matches!(state, NOT_PLACED..=NO_DATA) {
                return Err(corrupt("an entry has data in no known state", fields.at()));
            }
            let offset = fields.offset()?;
            (String::new(), if state == PLACED { offset } else { 0 }, state != NO_DATA)
        }
        Extra::File => {
            let file = fields.text(NAME_BYTES)?.unwrap_or_default();
            let has_data = had_data && !file.is_empty();
            (file, 0, has_data)
        }
    };
    let large_objects = kind == "BLOBS";
    let table = oid.unwrap_or_default();
    let entry = Entry { id, table, file, copy, large_objects, offset, kind, schema, name };
    Ok((entry, has_data, session))
}
