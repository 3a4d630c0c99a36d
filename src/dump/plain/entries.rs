//! pg_dump writes a comment above every object. A comment that nothing follows shows that a
//! statement was lost.

use std::sync::Arc;

use super::super::flaw::Flaw;
use super::super::item::{Facts, TocEntry};

/// Kinds of objects of which pg_dump always writes a statement. Left out are those that it may
/// leave empty (the schema `public`), those that people filter out of dumps because the target
/// refuses them (databases, extensions, comments, and [`FILTERED`]), and kinds of versions to come.
/// Source: PostgreSQL 13 to 18, `pg_dump.c`, calls of `ArchiveEntry`.
const NEVER_EMPTY: [&str; 46] = [
    "ACCESS METHOD",
    "AGGREGATE",
    "BLOB",
    "BLOB METADATA",
    "BLOBS",
    "CAST",
    "CHECK CONSTRAINT",
    "COLLATION",
    "CONSTRAINT",
    "CONVERSION",
    "DEFAULT",
    "DOMAIN",
    "EVENT TRIGGER",
    "FK CONSTRAINT",
    "FOREIGN DATA WRAPPER",
    "FOREIGN TABLE",
    "FUNCTION",
    "INDEX",
    "INDEX ATTACH",
    "MATERIALIZED VIEW",
    "MATERIALIZED VIEW DATA",
    "OPERATOR",
    "OPERATOR CLASS",
    "OPERATOR FAMILY",
    "POLICY",
    "PROCEDURAL LANGUAGE",
    "PROCEDURE",
    "ROW SECURITY",
    "RULE",
    "SEQUENCE",
    "SEQUENCE OWNED BY",
    "SEQUENCE SET",
    "SERVER",
    "SHELL TYPE",
    "STATISTICS",
    "TABLE",
    "TABLE ATTACH",
    "TEXT SEARCH CONFIGURATION",
    "TEXT SEARCH DICTIONARY",
    "TEXT SEARCH PARSER",
    "TEXT SEARCH TEMPLATE",
    "TRANSFORM",
    "TRIGGER",
    "TYPE",
    "USER MAPPING",
    "VIEW",
];
/// Kinds that always have a statement, too, but of one line, which people take out with `grep -v` for
/// targets that have neither the roles nor the rights.
const FILTERED: [&str; 8] = [
    "ACL",
    "DEFAULT ACL",
    "PUBLICATION",
    "PUBLICATION TABLE",
    "PUBLICATION TABLES IN SCHEMA",
    "SECURITY LABEL",
    "SUBSCRIPTION",
    "SUBSCRIPTION TABLE",
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
    /// The dump has COPY blocks.
    pub(super) copied: bool,
    /// The dump has INSERT statements.
    pub(super) inserted: bool,
}

impl Entries {
    /// The next entry begins, or the end of the dump is reached.
    ///
    /// # Errors
    ///
    /// Nothing followed the one before, and something should have.
    pub(super) fn begin(
        &mut self,
        next: Option<(Arc<TocEntry>, u64)>,
        facts: &mut Facts,
    ) -> Result<(), Flaw> {
        let Some((entry, line)) = std::mem::replace(&mut self.open, next) else { return Ok(()) };
        let lost = Flaw::LostStatement { line, object: entry.to_string() };
        if NEVER_EMPTY.contains(&entry.kind.as_str()) {
            return Err(lost);
        }
        if FILTERED.contains(&entry.kind.as_str()) {
            facts.unmade += 1;
            facts.first_unmade.get_or_insert_with(|| format!("line {line}, {entry}"));
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

    /// At the end of a dump; another one may follow.
    ///
    /// # Errors
    ///
    /// Rows were lost, since those of other tables come in COPY blocks here.
    pub(super) fn end(&mut self) -> Result<(), Flaw> {
        let ended = std::mem::take(self);
        ended.no_rows.filter(|_| ended.copied && !ended.inserted).map_or(Ok(()), Err)
    }
}
