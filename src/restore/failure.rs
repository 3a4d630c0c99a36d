//! A statement that the server refused.

use crate::dump::item::Statement;
use crate::pg::ServerError;

/// Where a statement stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// On this line of the dump, from 1.
    Line(u64),
    /// In this entry of an archive's table of contents.
    Entry(u64),
    /// Somewhere.
    Unknown,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Entry(number) => write!(f, "entry {number}"),
            Self::Unknown => f.write_str("pg_restore"),
        }
    }
}

/// A statement of the dump that the server refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Where in the dump.
    pub place: Place,
    /// What the statement is about, from the dump's own comments, such as `TABLE public.users`.
    pub object: Option<String>,
    /// The statement's first line.
    pub statement: String,
    /// What the server said.
    pub error: ServerError,
}

impl Failure {
    pub(super) fn of(statement: &Statement, error: ServerError) -> Self {
        Self {
            place: Place::Line(statement.line),
            object: statement.toc.as_ref().map(|toc| toc.to_string()),
            statement: first_line(&String::from_utf8_lossy(&statement.text)),
            error,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.place)?;
        if let Some(object) = &self.object {
            write!(f, ", {object}")?;
        }
        write!(f, ": {}", self.error.message)?;
        if !self.error.code.is_empty() {
            write!(f, " (SQLSTATE {})", self.error.code)?;
        }
        if !self.statement.is_empty() {
            write!(f, "\n  {}", self.statement)?;
        }
        for more in [&self.error.detail, &self.error.context].into_iter().flatten() {
            write!(f, "\n  {}", more.lines().next().unwrap_or_default())?;
        }
        Ok(())
    }
}

/// The first line of a statement, shortened to what fits a terminal.
pub(super) fn first_line(text: &str) -> String {
    const LONGEST: usize = 120;
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} …", &line[..end]),
        None => line.to_owned(),
    }
}
