//! The rows of a COPY block in parts.

use std::ops::Range;

use crate::dump::insert_run::InsertRun;
use crate::dump::item::CopyBlock;
use crate::dump::script::Entry;
use crate::pg::ServerError;

/// Rows of a table that stand in one place, and where they can be parted.
#[derive(Debug, Clone, Copy)]
pub enum Table<'a> {
    /// In a COPY block.
    Copied {
        /// Its head.
        block: &'a CopyBlock,
        /// Bytes of its rows.
        bytes: u64,
        /// Bytes before each place where they can be parted.
        cuts: &'a [u64],
    },
    /// In INSERT statements.
    Inserted(&'a InsertRun),
}

impl<'a> Table<'a> {
    /// The rows of an entry, if it has some.
    pub fn of(entry: &'a Entry) -> Option<Self> {
        match entry {
            Entry::Copy { block, bytes, cuts, .. } => {
                Some(Self::Copied { block, bytes: *bytes, cuts })
            }
            Entry::Inserts(run) => Some(Self::Inserted(run)),
            Entry::Statement(_) | Entry::Meta => None,
        }
    }

    /// `schema.table`, for people to read; not quoted.
    pub fn display_name(&self) -> String {
        match self {
            Self::Copied { block, .. } => block.display_name(),
            Self::Inserted(run) => format!("{}.{}", run.target.schema, run.target.table),
        }
    }

    /// First byte of the rows, from 0, counted in the uncompressed dump.
    pub fn offset(&self) -> u64 {
        match self {
            Self::Copied { block, .. } => block.data_offset,
            Self::Inserted(run) => run.head.offset,
        }
    }

    /// Bytes of the rows, as they stand in the dump.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Copied { bytes, .. } => *bytes,
            Self::Inserted(run) => run.bytes,
        }
    }

    /// How many parts it has; at least one.
    pub fn parts(&self) -> usize {
        match self {
            Self::Copied { cuts, .. } => cuts.len() + 1,
            Self::Inserted(run) => run.cuts.len() + 1,
        }
    }

    /// Some of its parts as bytes of the rows.
    pub fn range(&self, parts: Range<usize>) -> Range<u64> {
        let end = |part: usize| match part.checked_sub(1) {
            None => 0,
            Some(before) => self.cut(before).unwrap_or(self.bytes()),
        };
        end(parts.start)..end(parts.end)
    }

    fn cut(&self, number: usize) -> Option<u64> {
        match self {
            Self::Copied { cuts, .. } => cuts.get(number).copied(),
            Self::Inserted(run) => run.cuts.get(number).map(|cut| cut.bytes),
        }
    }
}

/// The error of a part of the rows with its line counted from the first row of the table:
/// `COPY users, line 5, column id: "x"`. Source: PostgreSQL 15, `CopyFromErrorCallback`.
pub fn counted_from(error: ServerError, rows_before: u64) -> ServerError {
    let context = error.context.map(|context| {
        let Some((before, rest)) = context.split_once(", line ") else { return context };
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        match rest[..digits].parse::<u64>() {
            Ok(line) => format!("{before}, line {}{}", line + rows_before, &rest[digits..]),
            Err(_) => context,
        }
    });
    ServerError { context, ..error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::item::Statement;

    #[test]
    fn the_parts_are_the_whole() {
        let statement =
            Statement { text: "COPY t FROM stdin;".into(), toc: None, line: 1, offset: 0 };
        let block = CopyBlock {
            statement,
            schema: None,
            table: "t".into(),
            columns: Vec::new(),
            text_format: true,
            data_offset: 0,
        };
        let entry = Entry::Copy { block, bytes: 30, rows: 3, cuts: vec![10, 25] };
        let Entry::Copy { block, .. } = &entry else { panic!("{entry:?}") };
        assert!(Table::of(&Entry::Statement(block.statement.clone())).is_none());
        let table = Table::of(&entry).unwrap();
        assert_eq!(table.parts(), 3);
        assert_eq!(table.range(0..1), 0..10);
        assert_eq!(table.range(1..2), 10..25);
        assert_eq!(table.range(1..3), 10..30);
        assert_eq!(table.range(0..3), 0..30);
    }

    #[test]
    fn lines_of_a_part_are_counted_from_the_first_row() {
        let error = |context: &str| ServerError {
            code: "22P02".into(),
            message: "invalid input syntax".into(),
            detail: None,
            hint: None,
            context: Some(context.into()),
            position: None,
        };
        let counted = |context| counted_from(error(context), 100).context.unwrap();
        assert_eq!(
            counted("COPY t, line 5, column id: \"x\""),
            "COPY t, line 105, column id: \"x\""
        );
        assert_eq!(counted("COPY t, line 5"), "COPY t, line 105");
        assert_eq!(counted("COPY t, line x"), "COPY t, line x");
        assert_eq!(counted("SQL function \"f\""), "SQL function \"f\"");
    }
}
