//! What came of a question.

use tokio_postgres::SimpleQueryMessage;

use crate::pg::ServerError;

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The first rows, two at the most, as text; `None` is NULL.
    Rows {
        /// How many columns they have.
        columns: usize,
        /// Their values.
        rows: Vec<Vec<Option<String>>>,
    },
    /// The server refused the query.
    Refused(ServerError),
    /// It is no query that can be asked, for this reason.
    Unusable(&'static str),
    /// It could not be told.
    Not(NotAsked),
}

/// Why a question was not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotAsked {
    /// It took longer than it may.
    TooSlow,
    /// The role that was to ask could not be taken.
    Role(ServerError),
    /// The server has no more room, memory or the like for it.
    Wanting(String),
    /// The server lacks something that is not the backup's to bring; and what to do.
    Lacking(String, String),
}

impl Answer {
    pub(super) fn rows(columns: usize, messages: &[SimpleQueryMessage]) -> Self {
        let row = |message: &SimpleQueryMessage| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|index| row.get(index).map(str::to_owned)).collect())
            }
            _ => None,
        };
        Self::Rows { columns, rows: messages.iter().filter_map(row).collect() }
    }
}
