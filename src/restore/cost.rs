//! How long a job of a restore takes, guessed, so that the one that everything else waits for begins first. Pure.
//!
//! In nanoseconds of the server's processor, to be held to what `make bench-costs` measures (docs/benchmarks-costs.md).
//! Only how jobs compare matters: half as much or twice as much is well enough.

use std::collections::BTreeMap;

use crate::dump::index::{IndexShape, Key};
use crate::dump::item::Name;

/// Nanoseconds.
pub type Cost = u64;

/// A statement that does not depend on how many rows there are, with its way to the server and back.
pub const STATEMENT: Cost = 500_000;
/// A byte of rows that is copied in.
const LOADED_BYTE: Cost = 11;
/// A row of an INSERT statement, which the server parses and plans.
const INSERTED_ROW: Cost = 20_000;
/// A byte of rows that is read back.
const READ_BYTE: Cost = 6;
/// A row that is looked at, and so many bytes of it take another nanosecond.
const SCANNED: (Cost, u64) = (85, 4);
/// A row that is checked against another table, or that others are checked against.
const CHECKED_ROW: Cost = 320;
/// A function of an expression, or of a WHERE, for a row.
const COMPUTED_ROW: Cost = 600;
/// A row whose key is sorted: one of a fixed length, and any other.
const SORTED_ROW: (Cost, Cost) = (120, 900);
/// A further column of a key that is sorted.
const FURTHER_COLUMN: Cost = 40;
/// A row of a hash index.
const HASHED_ROW: Cost = 900;
/// A row that is inserted into a GiST or SP-GiST index.
const TREE_ROW: (Cost, Cost) = (9_000, 3_000);
/// A row of an inverted index, and a byte of its column.
const INVERTED: (Cost, Cost) = (400, 28);
/// A byte of a column of which each trigram is in the index.
const TRIGRAM: Cost = 130;
/// A column of a row whose length is not fixed is at least that long.
const SHORTEST: u64 = 8;

/// How much there is of a table.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Its rows, about.
    pub rows: u64,
    /// Bytes of its rows, as COPY writes them.
    pub bytes: u64,
}

impl Size {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { rows: self.rows + other.rows, bytes: self.bytes + other.bytes }
    }
}

/// How long the values of a column are, where all have one length.
pub type Length = Option<u64>;

/// The columns of a table.
pub type Columns = BTreeMap<Name, Length>;

/// Rows that are copied in.
pub fn load(size: Size) -> Cost {
    STATEMENT + size.bytes * LOADED_BYTE
}

/// Rows that are inserted, of which this is how much there is as they stand in the dump.
pub fn insert(size: Size) -> Cost {
    load(size) + size.rows * INSERTED_ROW
}

/// Rows that are read back.
pub fn read_back(size: Size) -> Cost {
    STATEMENT + size.bytes * READ_BYTE
}

/// An index on a table of these columns, as far as they are known.
pub fn index(shape: &IndexShape, size: Size, columns: Option<&Columns>) -> Cost {
    let length = |key: &Key| match key {
        Key::Column(name) => columns.and_then(|columns| *columns.get(name)?),
        Key::Expression => None,
    };
    let computed = shape.keys.iter().filter(|key| **key == Key::Expression).count() as u64
        + u64::from(shape.is_partial);
    let lengths: Vec<Length> = shape.keys.iter().map(length).collect();
    let a_row = match shape.method.as_str() {
        "gist" => TREE_ROW.0,
        "spgist" => TREE_ROW.1,
        "brin" => 0,
        "hash" => HASHED_ROW,
        "btree" => {
            let first = lengths.first().copied().flatten();
            let sorted = if first.is_some() { SORTED_ROW.0 } else { SORTED_ROW.1 };
            sorted + lengths.len().saturating_sub(1) as u64 * FURTHER_COLUMN
        }
        // GIN, and what is like it: of others it is not known.
        _ => {
            let a_byte = if shape.is_of_trigrams { TRIGRAM } else { INVERTED.1 };
            lengths.len() as u64 * (INVERTED.0 + long_column(size, columns) * a_byte)
        }
    };
    let built = if shape.is_partial { size.rows / 2 } else { size.rows };
    let scanned = size.rows * SCANNED.0 + size.bytes / SCANNED.1;
    STATEMENT + scanned + size.rows * computed * COMPUTED_ROW + built * a_row
}

/// A materialized view of tables of which it is not known which.
pub fn refresh(all: Size) -> Cost {
    STATEMENT + all.rows * SCANNED.0 + all.bytes / SCANNED.1
}

/// A foreign key from one table to another.
pub fn foreign_key(table: Size, other: Size) -> Cost {
    STATEMENT + (table.rows + other.rows) * CHECKED_ROW
}

/// Bytes in a row of a column whose values have no fixed length: what the others leave, in equal parts.
fn long_column(size: Size, columns: Option<&Columns>) -> u64 {
    let a_row = size.bytes / size.rows.max(1);
    let Some(columns) = columns else { return a_row.max(SHORTEST) };
    let fixed: u64 = columns.values().flatten().sum();
    let long = columns.values().filter(|length| length.is_none()).count() as u64;
    (a_row.saturating_sub(fixed) / long.max(1)).max(SHORTEST)
}

#[cfg(test)]
#[path = "cost_tests.rs"]
mod tests;
