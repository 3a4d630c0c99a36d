//! Settings of a connection that make no sense, or ask for what our own connections cannot do.

use std::path::PathBuf;

use thiserror::Error;

/// What is wrong with a setting. Never shows a value, which may hold a password.
#[derive(Debug, Error)]
pub enum ParameterError {
    /// The value is none of those that there are.
    #[error("the setting {name} is not one of {allowed}")]
    Choice {
        /// The setting.
        name: &'static str,
        /// Its values, for people.
        allowed: String,
    },
    /// The value is no number.
    #[error("the setting {0} is not a whole number")]
    Number(&'static str),
    /// A port is no number, or none that a port can have.
    #[error("a port is not a number from 1 to 65535")]
    Port,
    /// A value of `hostaddr` is no address.
    #[error("the setting hostaddr has something in it that is not an IP address")]
    Address,
    /// Several hosts, and something else is not as many.
    #[error("there are {hosts} hosts, and {others} values of {name}")]
    Count {
        /// How many hosts there are.
        hosts: usize,
        /// How many there are of the other.
        others: usize,
        /// The other setting.
        name: &'static str,
    },
    /// A value that our own connections cannot do, where to pass over it would connect less securely than was
    /// asked for, or not at all.
    #[error("{setting} is not supported")]
    Unsupported {
        /// The setting, with its value where that matters.
        setting: &'static str,
        /// The way on.
        hint: &'static str,
    },
    /// Two settings that contradict each other.
    #[error("{0}")]
    Contradiction(String, &'static str),
    /// No service of this name is in the service files.
    #[error("the service {0} is in no connection service file")]
    NoService(String),
    /// A line of a service file makes no sense.
    #[error("line {line} of the service file {} {what}", path.display())]
    Service {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A service file cannot be read.
    #[error("the service file {} cannot be read: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// Nobody says as whom to connect, and this process's user has no name.
    #[error("there is no name of a user to connect as")]
    NoUser,
}

impl ParameterError {
    /// What to do next.
    pub fn hint(&self) -> String {
        let hint = match self {
            Self::Choice { .. } | Self::Number(_) => {
                "check the connection URL, the environment (PG…) and the service file"
            }
            Self::Port => "check the connection URL and PGPORT; PostgreSQL's own is 5432",
            Self::Address => "give names by host, and addresses such as 10.0.0.5 by hostaddr",
            Self::Count { .. } => {
                "give one for each host, separated by commas, or one port for all"
            }
            Self::Unsupported { hint, .. } | Self::Contradiction(_, hint) => hint,
            Self::NoService(_) => {
                "check PGSERVICE, and ~/.pg_service.conf or the file that PGSERVICEFILE names"
            }
            Self::Service { .. } => "it is to have [service] and below it lines such as host=db",
            Self::Unreadable { .. } => "check PGSERVICEFILE and the file's permissions",
            Self::NoUser => "name one: in the URL, or by PGUSER",
        };
        hint.to_owned()
    }
}
