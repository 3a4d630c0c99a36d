//! What the reader hands out: statements, COPY blocks, the few meta-commands, and what it learnt.
//!
//! Plain values; they know nothing of how they were read nor of how they are restored.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::model::version::major_of;

/// A piece of a dump, in the order of the dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A statement that is sent as it is written.
    Statement(Statement),
    /// `COPY … FROM stdin;`. Its data follow as [`Item::CopyData`], its end as [`Item::CopyEnd`].
    CopyStart(CopyBlock),
    /// Bytes of COPY data, cut anywhere, without the terminating line.
    CopyData(Bytes),
    /// The line `\.` was read.
    CopyEnd,
    /// A psql command that pg_dump or pg_dumpall writes.
    Meta(Meta),
}

/// An SQL statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// As written, in the dump's encoding, without leading space and comments, with its `;`.
    pub text: Bytes,
    /// The comment that pg_dump wrote above it: a hint, never the truth.
    pub toc: Option<Arc<TocEntry>>,
    /// Line where the text starts, from 1.
    pub line: u64,
    /// Byte where the text starts, from 0, counted in the uncompressed dump.
    pub offset: u64,
}

/// The head of a COPY block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyBlock {
    /// The whole `COPY … FROM stdin;`.
    pub statement: Statement,
    /// Schema, when it is written.
    pub schema: Option<Name>,
    /// Table.
    pub table: Name,
    /// Columns as listed; empty when no list is written (a table without columns).
    pub columns: Vec<Name>,
    /// Nothing is written after `stdin`, so the rows are in PostgreSQL's text format.
    pub text_format: bool,
    /// First byte of the data, from 0, counted in the uncompressed dump.
    pub data_offset: u64,
}

impl CopyBlock {
    /// `schema.table`, for people to read; not quoted.
    #[must_use]
    pub fn display_name(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{schema}.{}", self.table),
            None => self.table.to_string(),
        }
    }
}

/// An SQL name without its quotes, as the bytes of the dump's encoding.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Box<[u8]>);

impl Name {
    /// The bytes in the dump's encoding.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Text to show: as UTF-8 when it is valid UTF-8, else every byte as Latin-1.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        decode(&self.0)
    }
}

impl From<Vec<u8>> for Name {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into_boxed_slice())
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().into())
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        *self.0 == *other.as_bytes()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text())
    }
}

/// What pg_dump says in the comment above an object:
/// `-- Name: users; Type: TABLE; Schema: public; Owner: -`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TocEntry {
    /// `Name:`, for functions with their argument types.
    pub name: String,
    /// `Type:` as written, for example `TABLE DATA`.
    pub kind: String,
    /// `Schema:`, none for `-`.
    pub schema: Option<String>,
    /// `Owner:`, none for `-` or nothing.
    pub owner: Option<String>,
}

/// A psql command that pg_dump or pg_dumpall writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meta {
    /// `\restrict KEY`: from here on only `\unrestrict KEY` is allowed.
    Restrict,
    /// `\unrestrict KEY`.
    Unrestrict,
    /// `\connect …`: what follows belongs to another database.
    Connect {
        /// The database's name.
        database: Name,
    },
    /// `\encoding X`.
    Encoding(String),
}

/// What the dump says about itself, as far as it has been read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// `-- PostgreSQL database dump` was read where a comment can stand.
    pub header: bool,
    /// `-- PostgreSQL database cluster dump` was read: made by pg_dumpall.
    pub cluster: bool,
    /// The version after `Dumped from database version`, as written.
    pub server_version: Option<String>,
    /// The version after `Dumped by pg_dump version`, as written.
    pub pg_dump_version: Option<String>,
    /// The last `SET client_encoding` or `\encoding`.
    pub client_encoding: Option<String>,
    /// Every header that was read has its trailer.
    pub trailer: bool,
    /// Zeros follow the end.
    pub padded: bool,
    /// Objects that pg_dump announces in a comment and nothing makes, of kinds that people leave out of
    /// dumps because the target refuses them.
    pub unmade: u64,
    /// The first of them, with its line.
    pub first_unmade: Option<String>,
    /// pg_dump's comment above the rows of a table was read, whether there are any or not.
    pub announces_rows: bool,
    /// COPY blocks begun.
    pub copy_blocks: u64,
    /// Statements other than those that begin a COPY block.
    pub statements: u64,
}

impl Facts {
    /// Whether pg_dump or pg_dumpall says that it is theirs.
    #[must_use]
    pub fn is_dump(&self) -> bool {
        self.header || self.cluster
    }

    /// The major version of the server that was dumped, else of the pg_dump that did it.
    #[must_use]
    pub fn server_major(&self) -> Option<u32> {
        let version = self.server_version.as_deref().or(self.pg_dump_version.as_deref())?;
        major_of(version)
    }
}

impl fmt::Display for TocEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{} {schema}.{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

/// Bytes of unknown encoding for people to read: UTF-8 when valid, else Latin-1.
pub(super) fn decode(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(bytes.iter().map(|&byte| char::from(byte)).collect()),
    }
}
