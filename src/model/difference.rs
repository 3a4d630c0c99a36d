//! In what two backups differ.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

/// What is known of two things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// They are the same.
    Same,
    /// They differ.
    Different,
    /// It could not be told.
    NotComparable,
}

impl Told {
    /// What the process exits with.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Same => 0,
            Self::Different => 1,
            Self::NotComparable => 2,
        }
    }
}

/// In what two backups differ. What is the same in both is only counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Difference {
    /// The first backup.
    pub a: Side,
    /// The second one.
    pub b: Side,
    /// Why something could not be compared, one sentence each.
    pub not_comparable: Vec<String>,
    /// What is to be known of the comparison, one sentence each.
    pub notes: Vec<String>,
    /// Tables with the same rows in both.
    pub same_tables: u64,
    /// The other tables, in the order of their names.
    pub tables: Vec<TableDifference>,
    /// Sequences in other states, or of one backup alone.
    pub sequences: Vec<SequenceDifference>,
    /// The large objects.
    pub large_objects: LargeObjectsDifference,
    /// Statements that define something, by kinds that are not the same in both.
    pub statements: Vec<StatementsDifference>,
    /// The revisions in `alembic_version`.
    pub revision: Both<String>,
    /// The rows of the one table that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<RowsDifference>,
}

/// A value of each backup; absent where the backup has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Both<T> {
    /// In the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub a: Option<T>,
    /// In the second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b: Option<T>,
}

/// One of the backups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Side {
    /// As it was named.
    pub backup: String,
    /// When it was made, where its manifest says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<DateTime<Utc>>,
    /// The database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// Its tables.
    pub tables: u64,
    /// Their rows.
    pub rows: u64,
}

/// A table that is not the same in both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TableDifference {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its rows.
    pub rows: Both<u64>,
    /// Whether the rows hold the same.
    pub contents: Told,
    /// Columns that only the first has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns_only_in_a: Vec<String>,
    /// Columns that only the second has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns_only_in_b: Vec<String>,
}

impl TableDifference {
    /// What is known of the table.
    pub fn told(&self) -> Told {
        let columns = self.columns_only_in_a.len() + self.columns_only_in_b.len();
        if self.rows.a != self.rows.b || columns > 0 { Told::Different } else { self.contents }
    }
}

/// A sequence that is not in the same state in both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SequenceDifference {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: Both<SequenceState>,
}

/// The state of a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SequenceState {
    /// The last value.
    pub last_value: i64,
    /// Whether that value was given out; else it is the next.
    pub is_called: bool,
}

/// The large objects of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LargeObjectsDifference {
    /// How many there are.
    pub count: Both<u64>,
    /// Whether they hold the same.
    pub told: Told,
}

/// The statements of a kind that are not the same in both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StatementsDifference {
    /// pg_dump's own word for it, such as `FK CONSTRAINT`.
    pub kind: String,
    /// How many there are.
    pub count: Both<u64>,
    /// Whether they differ.
    pub told: Told,
}

/// The rows of a table that only one of the backups has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RowsDifference {
    /// The schema of the table.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// The columns that were compared.
    pub columns: Vec<String>,
    /// Rows that both have.
    pub same: u64,
    /// Rows that only the first has.
    pub removed: u64,
    /// Rows that only the second has.
    pub added: u64,
}

impl Difference {
    /// What is known of the backups. Of one table that was asked for, what its rows say.
    pub fn told(&self) -> Told {
        if let Some(rows) = &self.rows {
            return if rows.removed + rows.added > 0 { Told::Different } else { Told::Same };
        }
        let tables = self.tables.iter().map(TableDifference::told);
        let statements = self.statements.iter().map(|statements| statements.told);
        let told: Vec<Told> = tables.chain(statements).chain([self.large_objects.told]).collect();
        let differs = told.contains(&Told::Different)
            || !self.sequences.is_empty()
            || self.revision.a != self.revision.b;
        match differs {
            true => Told::Different,
            false if told.contains(&Told::NotComparable) || !self.not_comparable.is_empty() => {
                Told::NotComparable
            }
            false => Told::Same,
        }
    }
}
