//! What a dump holds: tables, sequences, large objects, statements. The reader of dumps finds them, the
//! manifest keeps them, the checks compare them.
//!
//! Names are text: the reader decodes them from the dump's encoding, once.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fingerprint::Fingerprint;
use super::quoting::quote_qualified;
use super::span::Span;

/// A table that has rows in the dump, or could have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Table {
    /// Schema: the one that the dump says, else the one that it means.
    pub schema: String,
    /// Name.
    pub name: String,
    /// The columns in the order of the values.
    pub columns: Columns,
    /// Rows and their fingerprint.
    #[serde(flatten)]
    pub fingerprint: TableFingerprint,
    /// Bytes of the rows in COPY's text format; 0 where an older manifest does not say it.
    #[serde(default)]
    pub bytes: u64,
    /// Where they lie in the backup, where that is known: for each block of them, in the dump's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<Span>,
}

impl Table {
    /// `schema.table`, for people to read.
    pub fn display_name(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// The name as SQL.
    pub fn quoted(&self) -> String {
        quote_qualified(&self.schema, &self.name)
    }
}

/// The columns of which a table's rows have values.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Columns {
    /// These; none for a table without columns.
    Named(Vec<String>),
    /// All of the table but the generated ones, in its order: INSERT without a list of columns.
    Stored,
}

impl Columns {
    /// Those that are named.
    pub fn named(&self) -> &[String] {
        match self {
            Self::Named(columns) => columns,
            Self::Stored => &[],
        }
    }
}

/// The number of a table's rows and their fingerprint. Those of parts of a table add up to that of the
/// table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct TableFingerprint {
    /// Number of rows.
    pub rows: u64,
    /// Sum modulo 2^128 of the xxh3-128 hash of each row in COPY's text format without its line end.
    #[serde(rename = "fingerprint")]
    pub sum: Fingerprint,
}

impl TableFingerprint {
    /// Takes in the hash of a row.
    pub fn add_row(&mut self, hash: u128) {
        *self += Self { rows: 1, sum: Fingerprint(hash) };
    }

    /// What is left without these rows; `None` where it holds fewer.
    #[must_use]
    pub fn without(self, others: Self) -> Option<Self> {
        let rows = self.rows.checked_sub(others.rows)?;
        // No rows have no hashes, whatever the others were.
        let sum = if rows == 0 { Fingerprint::default() } else { self.sum.minus(others.sum) };
        Some(Self { rows, sum })
    }
}

impl fmt::Display for TableFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sum.fmt(f)
    }
}

impl Add for TableFingerprint {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { rows: self.rows + other.rows, sum: self.sum.plus(other.sum) }
    }
}

impl AddAssign for TableFingerprint {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for TableFingerprint {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), Add::add)
    }
}

/// The state of a sequence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Sequence {
    /// Schema: the one that the dump says, else the one that it means.
    pub schema: String,
    /// Name.
    pub name: String,
    /// The last value.
    pub last_value: i64,
    /// Whether that value was given out; else it is the next.
    pub is_called: bool,
}

impl Sequence {
    /// `schema.sequence`, for people to read.
    pub fn display_name(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// Its state, for people to read.
    pub fn state(&self) -> String {
        let called = if self.is_called { "called" } else { "not called" };
        format!("{} ({called})", self.last_value)
    }
}

/// The large objects of a database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LargeObjects {
    /// How many there are.
    pub count: u64,
    /// What is in them; absent where it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contents: Option<ObjectContents>,
}

/// What is in all large objects together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectContents {
    /// Bytes in all of them.
    pub bytes: u64,
    /// The sum modulo 2^128 of the xxh3-128 hashes of number (four bytes, the highest first) and contents
    /// of each one that is not empty.
    pub fingerprint: Fingerprint,
}

/// The statements of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StatementsOfKind {
    /// pg_dump's own word for it, such as `FK CONSTRAINT`; for statements without a comment above
    /// them, such as the DROP of `--clean`, their first word.
    pub kind: String,
    /// How many.
    pub count: u64,
    /// The xxh3-128 hash of their texts in the order of the dump, a NUL after each.
    pub fingerprint: Fingerprint,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_written_flat_and_columns_that_are_not_named_as_null() {
        let mut table = Table {
            schema: "public".into(),
            name: "users".into(),
            columns: Columns::Stored,
            fingerprint: TableFingerprint { rows: 2, sum: Fingerprint(1) },
            bytes: 7,
            spans: Vec::new(),
        };
        for (columns, written) in [
            (Columns::Stored, "null"),
            (Columns::Named(Vec::new()), "[]"),
            (Columns::Named(vec!["id".into()]), r#"["id"]"#),
        ] {
            table.columns = columns;
            let json = serde_json::to_string(&table).unwrap();
            let expected = format!(
                r#"{{"schema":"public","name":"users","columns":{written},"rows":2,"fingerprint":"{}1","bytes":7}}"#,
                "0".repeat(31)
            );
            assert_eq!(json, expected);
            assert_eq!(serde_json::from_str::<Table>(&json).unwrap(), table);
        }
    }

    #[test]
    fn what_is_left_of_a_table_has_a_fingerprint_only_where_it_has_rows() {
        let print = |rows, sum| TableFingerprint { rows, sum: Fingerprint(sum) };
        assert_eq!(print(3, 9).without(print(1, 4)), Some(print(2, 5)));
        assert_eq!(print(3, 9).without(print(3, 4)), Some(print(0, 0)));
        assert_eq!(print(3, 9).without(print(4, 4)), None);
    }
}
