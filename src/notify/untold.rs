//! Why somebody was not told.

use std::fmt;
use std::io;
use std::time::Duration;

use reqwest::StatusCode;

use crate::http::Trouble;
use crate::model::outcome::spoken;
use crate::process::shell::EndedBadly;

/// See the module. Shown, it is the end of a sentence, and holds no address and no secret.
#[derive(Debug)]
pub enum Untold {
    /// The answer was no.
    Refused(StatusCode),
    /// The answer was to come again later than there is time.
    Busy(StatusCode, Duration),
    /// The answer was to ask somebody else, who is this, where it was said.
    Elsewhere(Option<String>),
    /// There was no answer.
    Unanswered(Trouble),
    /// A command did not begin.
    NotStarted(io::Error),
    /// A command ended badly.
    Ended(EndedBadly),
    /// A command did not end in this time.
    Endless(Duration),
    /// Whoever runs us did not want to wait.
    Interrupted,
}

impl fmt::Display for Untold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(status) if status.is_server_error() => write!(f, "it answers {status}"),
            Self::Refused(status) => {
                write!(f, "it answers {status}: check its URL, and the headers that it wants")
            }
            Self::Busy(status, wait) => {
                write!(f, "it answers {status}, and wants {} to pass first", spoken(*wait))
            }
            Self::Elsewhere(host) => {
                let host = host.as_deref().unwrap_or("another address");
                write!(
                    f,
                    "it redirects to {host}, where nothing is sent that may hold secrets: give the URL that it \
                     leads to"
                )
            }
            Self::Unanswered(trouble @ Trouble::Certificate(_)) => {
                write!(f, "{trouble}; ca_file names who may have signed it")
            }
            Self::Unanswered(trouble) => trouble.fmt(f),
            Self::NotStarted(error) => write!(f, "it could not be run: {error}"),
            Self::Ended(ended) => write!(f, "it ended with {ended}"),
            Self::Endless(limit) => write!(f, "it did not end within {}", spoken(*limit)),
            Self::Interrupted => f.write_str("interrupted"),
        }
    }
}

impl From<Trouble> for Untold {
    fn from(trouble: Trouble) -> Self {
        Self::Unanswered(trouble)
    }
}
