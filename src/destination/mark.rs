//! What a restore writes on the databases that it makes or sets aside, as their comment: so that the next run
//! knows them, whatever became of this one.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::emptying::Had;

/// What a comment begins with that is a mark.
const BEGIN: &str = "ccc-backup: ";

/// What a database is to a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is being restored into, or was when its run ended before its time.
    Restoring,
    /// It was there and empty, and is being restored into, or was when its run ended before its time.
    Filling,
    /// It was restored and proven, and waits for its name.
    Proven,
    /// It had the name before a restored one took it.
    Before,
}

/// The mark of a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// What it is.
    pub state: State,
    /// The name that it is to have, or had.
    pub name: String,
    /// When the restore began.
    pub since: DateTime<Utc>,
    /// The backup that it is made of, or that took its place.
    pub backup: String,
    /// The comment that it had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// What it had before it was restored into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub had: Option<Box<Had>>,
}

impl Mark {
    /// The mark in a comment, if it is one.
    pub fn read(comment: &str) -> Option<Self> {
        serde_json::from_str(comment.strip_prefix(BEGIN)?).ok()
    }

    /// The comment.
    pub fn text(&self) -> String {
        format!("{BEGIN}{}", serde_json::to_string(self).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written_and_other_comments_are_none() {
        let mark = Mark {
            state: State::Before,
            name: "shop \"1\"".to_owned(),
            since: DateTime::UNIX_EPOCH,
            backup: "backup_20260114_020000.sql.gz".to_owned(),
            comment: Some("the shop's".to_owned()),
            had: Some(Box::default()),
        };
        assert_eq!(Mark::read(&mark.text()), Some(mark));
        for other in ["", "the shop's", "ccc-backup: not JSON", "{}"] {
            assert_eq!(Mark::read(other), None, "{other}");
        }
    }
}
