//! Holds what was read to what the manifest says of it.

use super::Failure;
use super::failing::bad;
use crate::dump::fingerprint::RowHasher;
use crate::dump::picking::{Piece, TableName};
use crate::model::contents::{Table, TableFingerprint};
use crate::model::outcome::grouped;

/// What was read so far.
pub(super) struct Held<'a> {
    recorded: &'a [Table],
    tables: Vec<(TableName, TableFingerprint)>,
    /// Of those, the ones with rows that cannot be told one by one.
    untold: Vec<usize>,
    /// The place of the table at hand.
    at: usize,
    hasher: RowHasher,
}

impl<'a> Held<'a> {
    pub(super) fn new(recorded: &'a [Table]) -> Self {
        let (tables, untold) = (Vec::new(), Vec::new());
        Self { recorded, tables, untold, at: 0, hasher: RowHasher::new() }
    }

    pub(super) fn take(&mut self, piece: &Piece) {
        match piece {
            Piece::Begin(block) => {
                let known = self.tables.iter().position(|(table, _)| *table == block.table);
                self.at = known.unwrap_or_else(|| {
                    self.tables.push((block.table.clone(), TableFingerprint::default()));
                    self.tables.len() - 1
                });
                self.hasher = RowHasher::for_encoding(block.encoding.as_deref());
            }
            Piece::Rows(data) => self.hasher.update(data),
            Piece::Inserted { rows: Some(rows), .. } => self.hasher.update(rows),
            Piece::Inserted { rows: None, .. } => self.untold.push(self.at),
            Piece::End => {
                let found = std::mem::take(&mut self.hasher).finish();
                if let Some((_, rows)) = self.tables.get_mut(self.at) {
                    *rows += found;
                }
            }
        }
    }

    /// Whether the rows are those of the manifest.
    pub(super) fn judge(&self) -> Result<(), Failure> {
        self.recorded.iter().try_for_each(|table| self.judge_table(table))
    }

    fn judge_table(&self, table: &Table) -> Result<(), Failure> {
        let same = |of: &&Table| (&of.schema, &of.name) == (&table.schema, &table.name);
        let expected: TableFingerprint =
            self.recorded.iter().filter(same).map(|table| table.fingerprint).sum();
        let is_it = |of: &TableName| (&of.schema, &of.name) == (&table.schema, &table.name);
        let at = self.tables.iter().position(|(of, _)| is_it(of));
        if at.is_some_and(|at| self.untold.contains(&at)) {
            return Ok(());
        }
        let found = at.map(|at| self.tables[at].1).unwrap_or_default();
        if found == expected {
            return Ok(());
        }
        let name = table.display_name();
        let cause = if expected.rows == found.rows {
            format!("the rows of {name} are not those that were backed up")
        } else {
            let (found, expected) = (grouped(found.rows), grouped(expected.rows));
            format!("{name} has {found} rows in the backup, of {expected} that were backed up")
        };
        let hint = "this is not what the manifest says was written: use an older backup; \
                    `ccc-backup verify` says what else is wrong with this one";
        Err(bad(cause, hint))
    }

    pub(super) fn into_tables(self) -> Vec<(TableName, TableFingerprint)> {
        self.tables
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::dump::picking::{Block, Written};
    use crate::model::contents::Columns;

    fn recorded(rows: &[u8]) -> Vec<Table> {
        let mut hasher = RowHasher::new();
        hasher.update(rows);
        let columns = Columns::Named(vec!["a".into()]);
        vec![Table {
            schema: "s".into(),
            name: "t".into(),
            columns,
            fingerprint: hasher.finish(),
            bytes: rows.len() as u64,
            spans: Vec::new(),
        }]
    }

    fn judged(recorded: &[Table], blocks: &[Piece]) -> Result<(), String> {
        let table = TableName { database: None, schema: "s".into(), name: "t".into() };
        let block = Block {
            table,
            columns: Columns::Stored,
            names: Vec::new(),
            written: Written::Copied,
            encoding: None,
            statement: Bytes::new(),
            names_schema: true,
            standard_strings: true,
        };
        let block = Arc::new(block);
        let mut held = Held::new(recorded);
        for piece in blocks {
            held.take(&Piece::Begin(Arc::clone(&block)));
            held.take(piece);
            held.take(&Piece::End);
        }
        held.judge().map_err(|failure| failure.cause)
    }

    #[test]
    fn rows_of_all_blocks_together_are_held_to_the_manifest() {
        let recorded = recorded(b"1\n2\n");
        let rows = |text: &'static str| Piece::Rows(Bytes::from_static(text.as_bytes()));
        assert_eq!(judged(&recorded, &[rows("2\n"), rows("1\n")]), Ok(()));
        let other = "the rows of s.t are not those that were backed up";
        assert_eq!(judged(&recorded, &[rows("1\n3\n")]), Err(other.to_owned()));
        let fewer = "s.t has 1 rows in the backup, of 2 that were backed up";
        assert_eq!(judged(&recorded, &[rows("1\n")]), Err(fewer.to_owned()));
        assert!(judged(&recorded, &[]).is_err());
        assert_eq!(judged(&[], &[rows("1\n")]), Ok(()));
    }

    #[test]
    fn statements_that_are_not_understood_are_held_to_nothing() {
        let untold = Piece::Inserted { statement: Bytes::new(), rows: None };
        assert_eq!(judged(&recorded(b"1\n"), &[untold]), Ok(()));
    }
}
