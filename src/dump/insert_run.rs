//! INSERT statements of one table that stand one after the other: its rows, as those of a COPY block are.

use super::inserts::InsertTarget;
use super::item::Statement;
use super::subject::Relation;

/// Bytes of the first statement that are kept, to name it.
const HEAD_BYTES: usize = 1024;

/// A place between two statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Bytes from the beginning of the first statement.
    pub bytes: u64,
    /// The line of the dump on which the next statement begins, from 1.
    pub line: u64,
}

/// INSERT statements of one table and the same columns, with nothing between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InsertRun {
    /// The beginning of the first one: to say where it stands, not to be sent.
    pub head: Statement,
    /// What each of them inserts into.
    pub target: InsertTarget,
    /// Bytes from the beginning of the first to the end of the last.
    pub bytes: u64,
    /// Their rows.
    pub rows: u64,
    /// Where they can be parted, in order.
    pub cuts: Vec<Cut>,
}

impl InsertRun {
    /// A run of this statement alone.
    pub fn of(statement: &Statement, target: InsertTarget, rows: u64) -> Self {
        let kept = &statement.text[..statement.text.len().min(HEAD_BYTES)];
        let head = Statement { text: bytes::Bytes::copy_from_slice(kept), ..statement.clone() };
        let bytes = statement.text.len() as u64;
        Self { head, target, bytes, rows, cuts: Vec::new() }
    }

    /// Takes the next statement, which inserts into `target`, with a cut before it where none was made for so many bytes.
    /// `false` when it does not belong here.
    pub fn takes(
        &mut self,
        statement: &Statement,
        target: &InsertTarget,
        rows: u64,
        part_bytes: u64,
    ) -> bool {
        if *target != self.target {
            return false;
        }
        let begins = statement.offset - self.head.offset;
        if self.cuts.last().map_or(0, |cut| cut.bytes) + part_bytes <= begins {
            self.cuts.push(Cut { bytes: begins, line: statement.line });
        }
        self.bytes = begins + statement.text.len() as u64;
        self.rows += rows;
        true
    }

    /// The table.
    pub fn table(&self) -> Relation {
        Relation { schema: self.target.schema.clone(), name: self.target.table.clone() }
    }

    /// The first byte of a part in the uncompressed dump. Parts are counted from 0.
    pub fn offset_of(&self, part: usize) -> u64 {
        self.head.offset + self.cut_before(part).map_or(0, |cut| cut.bytes)
    }

    /// The line on which a part begins. Parts are counted from 0.
    pub fn line_of(&self, part: usize) -> u64 {
        self.cut_before(part).map_or(self.head.line, |cut| cut.line)
    }

    fn cut_before(&self, part: usize) -> Option<&Cut> {
        self.cuts.get(part.checked_sub(1)?)
    }
}
