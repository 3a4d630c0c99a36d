//! Restoring a dump into the sandbox, and telling which of its errors are harmless.

pub mod advice;
pub mod archive;
pub mod catalog;
pub mod cluster;
pub mod collation;
mod connection;
pub mod extensions;
pub mod judgement;
pub mod lacking;
mod ledger;
pub mod load;
pub mod parallel;
pub mod plan;
mod reading;
mod schedule;
mod settings;
mod table;
pub mod tolerate;

use std::collections::BTreeMap;

use thiserror::Error;

use crate::dump::item::Statement;
use crate::dump::items::Unsound;
use crate::pg::{self, ServerError};
use judgement::Judgement;
use lacking::Lacking;
pub use ledger::Ledger;
use tolerate::Rule;

/// Statements that the server refuses before the restore is given up: by then the backup is bad, and
/// each refused COPY costs another connection.
pub const MOST_ERRORS: usize = 100;

/// What a restore did.
#[derive(Debug, Default)]
pub struct Restored {
    /// Errors that prove the backup bad, in dump order.
    pub errors: Vec<Failure>,
    /// How many of them, from the first, were met in the dump's order, where others came after that
    /// order was left.
    in_order: Option<usize>,
    /// Refusals of which the reason is that the server lacks something, in dump order: neither for nor
    /// against the backup.
    pub lacking: Vec<Lacking>,
    /// Refusals that come of those: what they lost is not there.
    pub follow_ups: usize,
    /// Harmless errors passed over, by rule.
    pub tolerated: BTreeMap<Rule, usize>,
    /// Why the dump ended early, where it did.
    pub unsound: Option<Unsound>,
    /// Statements sent, COPY blocks among them.
    pub statements: u64,
    /// Rows that the server took.
    pub rows: u64,
}

impl Restored {
    /// Errors that a restore in the dump's order, over one connection, meets, too.
    pub fn proof(&self) -> &[Failure] {
        &self.errors[..self.in_order.unwrap_or(self.errors.len()).min(self.errors.len())]
    }

    /// The first error that several connections met and that nothing but our own order of things may
    /// have caused.
    pub fn doubt(&self) -> Option<&Failure> {
        self.errors.get(self.proof().len())
    }

    /// Forgets the errors that prove nothing.
    pub fn keep_proof(&mut self) {
        self.errors.truncate(self.proof().len());
    }

    /// Adds proof that another attempt met and this one did not come to.
    pub fn add_proof(&mut self, of: &Self) {
        for failure in of.proof() {
            if self.errors.iter().all(|known| known.place != failure.place) {
                self.errors.push(failure.clone());
            }
        }
        self.errors.sort_by_key(|failure| failure.place);
    }

    /// Whether something was refused that proves the backup bad, or that leaves it untold.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        !self.errors.is_empty() || !self.lacking.is_empty()
    }

    /// How many statements were refused for a reason that matters.
    pub fn refusals(&self) -> usize {
        self.errors.len() + self.lacking.len() + self.follow_ups
    }

    /// Notes a refusal as it was judged.
    fn note(&mut self, judgement: Judgement, statement: &Statement, failure: Failure) {
        match judgement {
            Judgement::Harmless(rule) => {
                let (place, error) = (failure.place, failure.error.message);
                tracing::info!(%place, %rule, error, "passed over");
                *self.tolerated.entry(rule).or_default() += 1;
            }
            Judgement::Lacking(lack) => {
                tracing::warn!(%lack, "{failure}");
                self.lacking.push(Lacking::new(lack, statement, failure));
            }
            // What an archive's restore meets comes in its order.
            Judgement::Proof
                if !matches!(failure.place, Place::Line(_))
                    && self.lacking.iter().any(|lacking| lacking.explains(&failure.error)) =>
            {
                tracing::warn!("{failure}");
                self.follow_ups += 1;
            }
            Judgement::Proof => {
                tracing::error!("{failure}");
                self.errors.push(failure);
            }
        }
    }

    /// Puts everything in dump order, and takes the errors that come of what was lacking before them out
    /// of those that prove something.
    fn settle(&mut self) {
        // Those of an archive are in order.
        let line = |failure: &Failure| match failure.place {
            Place::Line(line) => line,
            Place::Entry(_) | Place::Unknown => 0,
        };
        self.lacking.sort_by_key(|lacking| line(&lacking.failure));
        self.errors.sort_by_key(line);
        let follows = |failure: &Failure| {
            let earlier = |lacking: &&Lacking| line(&lacking.failure) < line(failure);
            let mut earlier = self.lacking.iter().take_while(earlier);
            earlier.any(|lacking| lacking.explains(&failure.error))
        };
        let before = self.errors.len();
        let in_order = self.in_order.map(|count| {
            let in_order = &self.errors[..count.min(before)];
            in_order.iter().filter(|failure| !follows(failure)).count()
        });
        let errors = std::mem::take(&mut self.errors);
        self.errors = errors.into_iter().filter(|failure| !follows(failure)).collect();
        self.in_order = in_order;
        self.follow_ups += before - self.errors.len();
    }
}

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
    fn of(statement: &Statement, error: ServerError) -> Self {
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
fn first_line(text: &str) -> String {
    const LONGEST: usize = 120;
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} …", &line[..end]),
        None => line.to_owned(),
    }
}

/// Why a restore could not be finished. It means "could not tell".
#[derive(Debug, Error)]
pub enum LoadError {
    /// The connection or the server went away, or the server ran out of something.
    #[error("the restore was cut short: {0}")]
    Server(String),
    /// The backup's disk failed.
    #[error("the backup could not be read: {0}")]
    Disk(std::io::Error),
    /// The backup says something else than when it was read before.
    #[error("the backup is not what it was when it was read before")]
    Changed,
    /// Enough was refused.
    #[error("the restore was given up after {MOST_ERRORS} errors")]
    GivenUp,
    /// A thread or task of the restore died.
    #[error("the restore stopped without a result")]
    Died,
}

impl LoadError {
    /// The connection or the server failed with this error.
    pub fn server(error: &tokio_postgres::Error) -> Self {
        Self::Server(pg::describe(error))
    }
}
