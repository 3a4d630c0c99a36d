//! Why the source could not be dumped: what the client tools say, in words that name the way out.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;

use thiserror::Error;

use crate::process::{Ended, ProcessError};

/// Why the source could not be dumped.
#[derive(Debug, Error)]
pub enum SourceError {
    /// There is no pg_dump, or not where it was said to be.
    #[error("pg_dump not found{}", at(.0.as_ref()))]
    PgDumpNotFound(Option<PathBuf>),
    /// There is no psql, which asks what no other tool does.
    #[error("psql not found, which asks the server for its databases")]
    PsqlNotFound,
    /// What is called pg_dump, or another client tool, does not say its version as that does.
    #[error("{} is no {name}: it says {says:?} for its version", path.display())]
    NotPgDump {
        /// The program.
        path: PathBuf,
        /// What it should be.
        name: String,
        /// Its first line.
        says: String,
    },
    /// A client tool could not be run.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The pipe to it failed.
    #[error("could not set up the pipe from pg_dump: {0}")]
    Pipe(std::io::Error),
    /// An argument for pg_dump that would break the backup.
    #[error("{argument} cannot be passed on to pg_dump: {why}")]
    Argument {
        /// The argument, without its value.
        argument: String,
        /// Why not.
        why: &'static str,
    },
    /// A client tool did not end well.
    #[error("{}", said(.failure, .message))]
    Tool {
        /// What went wrong.
        failure: ToolFailure,
        /// The tool's message.
        message: String,
        /// All that the tool said.
        stderr: Vec<String>,
    },
}

/// What went wrong in a client tool.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ToolFailure {
    /// No server answers.
    #[error("the database server cannot be reached")]
    Unreachable,
    /// A server answers, and takes no connection now.
    #[error("the database server takes no connection")]
    Refused,
    /// The password is wrong, or the server does not let this user in.
    #[error("the database server does not accept the user or the password")]
    Authentication,
    /// The server asks for a password and none is known.
    #[error("the database server asks for a password, and none was given")]
    NoPassword,
    /// TLS could not be agreed upon.
    #[error("no secure connection to the database server")]
    Tls,
    /// There is no such database.
    #[error("the database does not exist")]
    NoDatabase,
    /// There is no such role.
    #[error("the role does not exist")]
    NoRole,
    /// The role may not read everything.
    #[error("the role may not dump everything")]
    Permission,
    /// pg_dump is older than the server.
    #[error("pg_dump {pg_dump} is older than the server, which is PostgreSQL {server}")]
    TooOld {
        /// Version of pg_dump.
        pg_dump: String,
        /// Version of the server.
        server: String,
    },
    /// The connection broke.
    #[error("the connection to the database server was lost")]
    Lost,
    /// Somebody has, or waits to have, a table to themselves.
    #[error("a table is locked")]
    Locked,
    /// A time limit ended what it did, of its own or of the server.
    #[error("the dump was ended by a time limit")]
    Limit,
    /// The tool was ended by a signal.
    #[error("{tool} was ended by signal {signal}")]
    Killed {
        /// The tool.
        tool: &'static str,
        /// The signal's number.
        signal: i32,
    },
    /// Anything else.
    #[error("{tool} failed ({status})")]
    Failed {
        /// The tool.
        tool: &'static str,
        /// Its exit status in words.
        status: String,
    },
}

/// What went wrong, with the tool's own message where that says more.
fn said(failure: &ToolFailure, message: &str) -> String {
    match failure {
        ToolFailure::NoPassword | ToolFailure::TooOld { .. } | ToolFailure::Killed { .. } => {
            failure.to_string()
        }
        _ => format!("{failure}: {message}"),
    }
}

fn at(path: Option<&PathBuf>) -> String {
    path.map_or_else(String::new, |path| format!(": {}", path.display()))
}

impl SourceError {
    /// The error of a client tool that did not exit with 0. The messages are libpq's and pg_dump's
    /// of PostgreSQL 13 to 18 in the locale C; the server's own come in the server's language, and
    /// where that is another one the error is [`ToolFailure::Failed`] with all that was said.
    pub fn from_tool(tool: &'static str, ended: Ended) -> Self {
        let message = message(&ended.stderr, tool);
        let failure = ToolFailure::of(tool, &ended);
        Self::Tool { failure, message, stderr: ended.stderr }
    }

    /// All that the client tool said; empty where none ran.
    pub fn stderr(&self) -> &[String] {
        match self {
            Self::Tool { stderr, .. } => stderr,
            _ => &[],
        }
    }

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::PgDumpNotFound(_) => {
                "install PostgreSQL's client tools (apt install postgresql-client), or name one \
                 with --pg-dump FILE"
            }
            Self::PsqlNotFound => {
                "install PostgreSQL's client tools (apt install postgresql-client)"
            }
            Self::NotPgDump { .. } => "name PostgreSQL's own with --pg-dump FILE",
            Self::Argument { .. } => {
                "leave it out: options of ccc-backup's own say where to connect and what is \
                 written (ccc-backup create --help)"
            }
            Self::Tool { failure, .. } => return failure.hint(),
            Self::Process(_) | Self::Pipe(_) => return None,
        };
        Some(hint.to_owned())
    }
}

impl ToolFailure {
    fn of(tool: &'static str, ended: &Ended) -> Self {
        if let Some(signal) = ended.status.signal() {
            return Self::Killed { tool, signal };
        }
        let all = ended.stderr.join("\n");
        let has = |texts: &[&str]| texts.iter().any(|text| all.contains(text));
        if let Some((server, pg_dump)) = versions(&all) {
            Self::TooOld { pg_dump, server }
        } else if has(&["no password supplied"]) {
            Self::NoPassword
        } else if has(&["SSL", "certificate", "GSSAPI"])
            && !has(&["pg_hba.conf"])
            && has(CONNECTING)
        {
            Self::Tls
        } else if has(AUTHENTICATION) {
            Self::Authentication
        } else if has(&["FATAL:  database \""]) && has(&["does not exist"]) {
            Self::NoDatabase
        } else if has(&["FATAL:  role \""]) && has(&["does not exist"]) {
            Self::NoRole
        } else if has(PERMISSION) {
            Self::Permission
        } else if has(REFUSED) {
            Self::Refused
        } else if has(&["could not obtain lock on relation"]) {
            Self::Locked
        } else if has(LIMIT) {
            Self::Limit
        } else if has(LOST) {
            Self::Lost
        } else if has(CONNECTING) && !has(&["FATAL:"]) {
            Self::Unreachable
        } else {
            Self::Failed { tool, status: ended.status.to_string() }
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Unreachable => {
                "is the server running there? --host and --port, or DB_HOST and DB_PORT, say where"
            }
            Self::Refused => "wait until the server is ready, then run it again",
            Self::Authentication => {
                "check --username or DB_USER, and DB_PASSWORD, PGPASSWORD or ~/.pgpass"
            }
            Self::NoPassword => "set DB_PASSWORD or PGPASSWORD, or write it into ~/.pgpass",
            Self::Tls => "check PGSSLMODE and the certificates (PGSSLROOTCERT)",
            Self::NoDatabase => "check --dbname or DB_NAME; psql -l lists the databases",
            Self::NoRole => "check --username or DB_USER",
            Self::Permission => {
                "dump as the owner of the database, or grant the role pg_read_all_data \
                 (PostgreSQL 14 and later)"
            }
            Self::TooOld { server, .. } => {
                let major = server.split(['.', ' ']).next().unwrap_or(server);
                return Some(format!(
                    "install postgresql-client-{major} (from apt.postgresql.org where the \
                     distribution has none), or name a newer one with --pg-dump FILE"
                ));
            }
            Self::Lost => "look into the server's log, then run it again",
            Self::Locked => {
                "something in the database wants a table to itself (pg_stat_activity shows who): run it again, or \
                 without --jobs"
            }
            Self::Limit => {
                "something in the database holds a lock (pg_stat_activity shows who), or the limit \
                 is too short"
            }
            Self::Killed { signal: 9, .. } => {
                "out of memory? the system's log says (dmesg, journalctl -k)"
            }
            Self::Failed { .. } => {
                "the message is PostgreSQL's own: check the connection's settings, and what stands \
                 behind `--`"
            }
            Self::Killed { .. } => return None,
        };
        Some(hint.to_owned())
    }
}

/// How libpq begins to say that a connection failed (14 and later; 13).
const CONNECTING: &[&str] = &[
    "connection to server ",
    "could not connect to server",
    "could not translate host name",
    "connection to database ",
];

const AUTHENTICATION: &[&str] = &[
    "authentication failed",
    "no pg_hba.conf entry",
    "pg_hba.conf rejects connection",
    "is not permitted to log in",
    "permission denied for database",
    "authentication method",
];

const PERMISSION: &[&str] = &[
    "permission denied for ",
    "must be superuser",
    "must be owner",
    "would be affected by row-level security",
];

const REFUSED: &[&str] = &[
    "the database system is starting up",
    "the database system is shutting down",
    "the database system is in recovery mode",
    "the database system is not yet accepting connections",
    "too many clients already",
    "too many connections for",
    "remaining connection slots are reserved",
    "is not currently accepting connections",
];

const LOST: &[&str] = &[
    "server closed the connection unexpectedly",
    "terminating connection",
    "could not receive data from server",
    "SSL connection has been closed unexpectedly",
    "canceling statement due to",
];

const LIMIT: &[&str] =
    &["canceling statement due to statement timeout", "canceling statement due to lock timeout"];

/// The line that says what went wrong, without the tool's name before it.
fn message(stderr: &[String], tool: &str) -> String {
    let prefix = format!("{tool}: ");
    let strip = |line: &str| {
        let line = line.trim();
        // getopt names the program by its path.
        let named = line.split_once(&prefix);
        let named = named.filter(|(path, _)| path.is_empty() || path.ends_with('/'));
        let line = named.map_or(line, |(_, rest)| rest);
        let line = line.strip_prefix("error: ").unwrap_or(line);
        line.to_owned()
    };
    let names_error =
        |line: &&String| ["error: ", "ERROR:  ", "FATAL:  "].iter().any(|it| line.contains(it));
    // An option that it does not know comes without "error: ", and before a hint.
    let says = |line: &&String| !line.trim().is_empty() && !line.contains("hint: ");
    stderr
        .iter()
        .find(names_error)
        .or_else(|| stderr.iter().rfind(says))
        .map_or_else(|| "it did not say why".to_owned(), |line| strip(line))
}

/// The versions of server and tool in "server version: 16.1; pg_dump version: 15.18".
fn versions(all: &str) -> Option<(String, String)> {
    let (_, rest) = all.split_once("server version: ")?;
    let (server, rest) = ["; pg_dump version: ", "; pg_dumpall version: "]
        .iter()
        .find_map(|between| rest.split_once(between))?;
    let word = |text: &str| text.split_whitespace().next().map(str::to_owned);
    all.contains("server version mismatch").then_some(()).and(word(server).zip(word(rest)))
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
