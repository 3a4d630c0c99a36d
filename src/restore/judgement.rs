//! What a refusal of the server says: nothing, that the server lacks something, or that the backup is
//! bad. The one entry for plain dumps and archives.

use super::known::Known;
use super::lacking::{self, Lack};
use super::tolerate::{self, Rule};
use crate::dump::item::Statement;
use crate::pg::ServerError;

/// What a refusal says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// Nothing against the backup.
    Harmless(Rule),
    /// The server lacks something: it could not be told.
    Lacking(Lack),
    /// The backup is bad.
    Proof,
}

/// What the refusal of a statement says.
#[must_use]
pub fn judge(statement: &Statement, error: &ServerError, known: &Known) -> Judgement {
    if let Some(rule) = tolerate::rule(statement, error, known) {
        Judgement::Harmless(rule)
    } else if let Some(lack) = lacking::lack(statement, error, known) {
        Judgement::Lacking(lack)
    } else {
        Judgement::Proof
    }
}
