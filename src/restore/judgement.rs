//! What a refusal of the server says: nothing, that the server lacks something, or that the backup is
//! bad. The one entry for plain dumps and archives.

use super::lacking::{self, Lack};
use super::tolerate::{self, Rule};
use crate::dump::cleaning::Cleaning;
use crate::dump::item::Statement;
use crate::pg::ServerError;

/// What is known of a dump and of its restore, by which its errors are judged.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Where the dump has the drops of `--clean`.
    pub cleaning: Cleaning,
    /// It is restored by a superuser.
    pub superuser: bool,
    /// It brings the roles of its cluster, as one of pg_dumpall does, and their rights.
    pub cluster: bool,
    /// Its database has the encoding that the dump says and that may not be the source's: SQL_ASCII,
    /// which counts bytes for letters.
    pub bytes_for_letters: bool,
}

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
