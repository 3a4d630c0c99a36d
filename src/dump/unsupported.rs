//! Rows that this version can neither restore nor compare, though PostgreSQL can. pg_dump writes them of
//! odd databases only, and editors and scripts of any. It says nothing of the backup.

use thiserror::Error;

use super::encoding;
use super::item::CopyBlock;

/// Why.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unsupported {
    /// In `SQL_ASCII` a name can be any bytes; and some encodings are PostgreSQL's alone.
    #[error("line {line}: the names of table {table} and its columns cannot be told in UTF-8")]
    Name {
        /// The line of its COPY statement.
        line: u64,
        /// The table.
        table: String,
    },
    /// `COPY … FROM stdin WITH (…)`.
    #[error("line {line}: the rows of {table} are in another format than pg_dump's")]
    Format {
        /// The line of its COPY statement.
        line: u64,
        /// The table.
        table: String,
    },
    /// The client encoding changes between the tables of a database.
    #[error("line {line}: the rows of {table} are in another encoding than those before them")]
    Encoding {
        /// The line of its COPY statement.
        line: u64,
        /// The table.
        table: String,
    },
}

impl Unsupported {
    /// What is beyond us in a COPY block under a client encoding; `before` is that of the database's
    /// other blocks, where there are any.
    pub(super) fn of(
        block: &CopyBlock,
        encoding: Option<&str>,
        before: Option<Option<&str>>,
    ) -> Option<Self> {
        let (line, table) = (block.statement.line, block.display_name());
        let mut names = block.schema.iter().chain([&block.table]).chain(&block.columns);
        if !names.all(|name| encoding::is_translated(name.as_bytes(), encoding)) {
            return Some(Self::Name { line, table });
        }
        if !block.text_format {
            return Some(Self::Format { line, table });
        }
        let another = before.is_some_and(|before| !encoding::is_same(before, encoding));
        another.then_some(Self::Encoding { line, table })
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Name { .. } => "restore it with PostgreSQL's own tools, and look at it there",
            Self::Format { .. } | Self::Encoding { .. } => {
                "make the backup with `ccc-backup create`, and leave it as it is"
            }
        }
    }
}
