//! What is said of a run that has ended.

use bytes::Bytes;

use crate::model::outcome::Verdict;

/// Word of a run that has ended.
#[derive(Debug, Clone)]
pub struct Message {
    /// The id of the run: a UUID.
    pub run_id: String,
    /// How it ended.
    pub verdict: Verdict,
    /// What the process exits with.
    pub exit_code: u8,
    /// For people: one line, or a few.
    pub text: String,
    /// For programs: JSON.
    pub document: Bytes,
    /// For the environment of a command: names and values.
    pub facts: Vec<(&'static str, String)>,
}
