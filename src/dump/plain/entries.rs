//! pg_dump writes a comment above every object. A comment that nothing follows shows that a
//! statement was lost.

use std::sync::Arc;

use super::super::flaw::Flaw;
use super::super::item::TocEntry;

/// Kinds of objects of which pg_dump always writes a statement. Left out are those that it may
/// leave empty (the schema `public`), those that people filter out of dumps because the target
/// refuses them (extensions, comments, privileges, event triggers, publications, policies), and
/// kinds of versions to come.
/// Source: PostgreSQL 15, `pg_dump.c`, calls of `ArchiveEntry`.
const NEVER_EMPTY: [&str; 22] = [
    "AGGREGATE",
    "CAST",
    "CHECK CONSTRAINT",
    "COLLATION",
    "CONSTRAINT",
    "DEFAULT",
    "DOMAIN",
    "FK CONSTRAINT",
    "FUNCTION",
    "INDEX",
    "INDEX ATTACH",
    "MATERIALIZED VIEW",
    "MATERIALIZED VIEW DATA",
    "PROCEDURE",
    "RULE",
    "SEQUENCE",
    "SEQUENCE SET",
    "TABLE",
    "TABLE ATTACH",
    "TRIGGER",
    "TYPE",
    "VIEW",
];
/// The kind of a table's rows: empty where they are INSERT statements and there are none.
const ROWS: &str = "TABLE DATA";

/// The comments above objects, and whether anything followed them.
#[derive(Debug, Default)]
pub(super) struct Entries {
    /// The last one and its line, as long as nothing has followed it.
    open: Option<(Arc<TocEntry>, u64)>,
    /// The first one of rows that nothing followed.
    no_rows: Option<Flaw>,
    /// The dump has INSERT statements.
    pub(super) rows_are_inserted: bool,
}

impl Entries {
    /// The next entry begins, or the end of the dump is reached.
    ///
    /// # Errors
    ///
    /// Nothing followed the one before, and something should have.
    pub(super) fn begin(&mut self, next: Option<(Arc<TocEntry>, u64)>) -> Result<(), Flaw> {
        let Some((entry, line)) = std::mem::replace(&mut self.open, next) else { return Ok(()) };
        let lost = Flaw::LostStatement { line, object: entry.to_string() };
        if NEVER_EMPTY.contains(&entry.kind.as_str()) {
            return Err(lost);
        }
        if entry.kind == ROWS {
            self.no_rows.get_or_insert(lost);
        }
        Ok(())
    }

    /// Something follows the entry.
    pub(super) fn filled(&mut self) {
        self.open = None;
    }

    /// At the end of the dump: the rows that were lost, when rows come in COPY blocks here.
    pub(super) fn rows_lost(&self, copy_blocks: u64) -> Option<Flaw> {
        let copied = copy_blocks > 0 && !self.rows_are_inserted;
        self.no_rows.clone().filter(|_| copied)
    }
}
