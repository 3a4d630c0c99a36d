//! What stands in the way of telling whether a backup is good, in words, with what to do about it.

use std::fmt::Display;

use super::server::{Server, ServerError};
use crate::commands::{DEFECT, Stop};
use crate::model::outcome::Obstacle;
use crate::packing::read_error::ReadError;
use crate::sandbox::{OUT_OF_MEMORY, SandboxError};
use crate::store::objects::ObjectError;

/// What an error of the server ends with whose disk is full, and what is said where there is no SQLSTATE.
const DISK_FULL: [&str; 3] = ["(SQLSTATE 53100)", "No space left on device", ": wrote only "];
/// What a server says whose answer has a name that cannot be told in UTF-8.
const NOT_UTF8: &str = "invalid byte sequence for encoding \"UTF8\"";

/// This, and what to do about it.
pub(in crate::commands) fn obstacle(error: &dyn Display, hint: &str) -> Obstacle {
    Obstacle { cause: error.to_string(), hint: Some(hint.to_owned()) }
}

/// The backup is not the one that was opened.
pub(in crate::commands) fn changed() -> Obstacle {
    Obstacle {
        cause: "the backup was changed, replaced or removed while it was read".into(),
        hint: Some("verify it again when whatever writes it is done".into()),
    }
}

/// The run was asked to stop.
pub(in crate::commands) fn interrupted(stop: &Stop) -> Obstacle {
    Obstacle { cause: stop.reason(), hint: Some(stop.hint().into()) }
}

/// What comes of `work`, unless the run is asked to stop before: a server that is frozen never answers.
pub(in crate::commands) async fn unless_stopped<T>(
    stop: &Stop,
    work: impl Future<Output = T>,
) -> Result<T, Obstacle> {
    tokio::select! {
        biased;
        () = stop.token().cancelled() => Err(interrupted(stop)),
        done = work => Ok(done),
    }
}

/// What comes of work that reads the backup, on a thread that is given up when the run is asked to stop: whatever is
/// read from may not answer.
pub(in crate::commands) async fn aside<T: Send + 'static>(
    stop: &Stop,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Obstacle> {
    let done = stop.wait_for(tokio::task::spawn_blocking(work)).await;
    let done = done.ok_or_else(|| interrupted(stop))?;
    done.map_err(|error| obstacle(&error, DEFECT))
}

/// The backup could not be read.
pub(in crate::commands) fn unread(error: &ReadError, stop: &Stop) -> Obstacle {
    match error {
        ReadError::Interrupted => interrupted(stop),
        // A command that decrypts hears the terminal's signal, too.
        ReadError::Refused { .. } if stop.token().is_cancelled() => interrupted(stop),
        ReadError::Disk(cause) => {
            let hint = ObjectError::within(cause).map(|error| error.hint);
            obstacle(error, hint.unwrap_or("check the disk that holds the backup"))
        }
        ReadError::Refused { refusal, .. } => obstacle(error, refusal.hint()),
    }
}

/// There is no sandbox, or it does not do what it has to.
pub(in crate::commands) fn no_server(error: &ServerError, stop: &Stop) -> Obstacle {
    match error {
        ServerError::Sandbox(SandboxError::Interrupted) => interrupted(stop),
        _ => Obstacle { cause: error.to_string(), hint: error.hint() },
    }
}

/// The server went away: says what became of its container, where that is known.
pub(in crate::commands) async fn cut_short(server: &Server, error: &dyn Display) -> Obstacle {
    let cause = match server.diagnose().await {
        Some(diagnosis) => format!("{error}; {diagnosis}"),
        None => error.to_string(),
    };
    let hint = match server {
        Server::Sandbox(_) => hint_for(&cause),
        Server::Destination(_) => hint_for_others(&cause),
    };
    Obstacle { cause, hint: Some(hint.to_owned()) }
}

/// What to do about a server that ended so.
fn hint_for(cause: &str) -> &'static str {
    if cause.contains(OUT_OF_MEMORY) {
        "give it more: --memory SIZE, or memory in ccc-backup.toml; where there is no limit, free \
         memory on the machine"
    } else if DISK_FULL.iter().any(|full| cause.contains(full)) {
        "the data do not fit: make room where Docker keeps its data (docker system df), or give \
         the container more memory where it has a limit (--memory)"
    } else if cause.contains(NOT_UTF8) {
        "a name in it is in no encoding: restore it with PostgreSQL's own tools, and look at it there"
    } else if is_answer(cause) {
        "--log-file FILE keeps the details, and --no-cleanup the server to look into"
    } else {
        "run it again; --log-file FILE keeps the details"
    }
}

/// The same of a server that others use.
fn hint_for_others(cause: &str) -> &'static str {
    if DISK_FULL.iter().any(|full| cause.contains(full)) {
        "make room on the server's disk, and run it again"
    } else if is_answer(cause) {
        "`ccc-backup verify` tells whether the backup is to blame; --log-file FILE keeps the details"
    } else {
        "run it again when the server can be reached; --log-file FILE keeps the details"
    }
}

/// Whether a server that is well gave this answer, which it would give again: its SQLSTATE is of no class
/// that tells of its own trouble, or of others beside it.
fn is_answer(cause: &str) -> bool {
    const TROUBLE: [&str; 5] = ["08", "40", "53", "57", "58"];
    let code = cause.split_once("(SQLSTATE ").map(|(_, code)| code);
    code.is_some_and(|code| !TROUBLE.iter().any(|class| code.starts_with(class)))
}

#[cfg(test)]
mod tests {
    use super::is_answer;

    #[test]
    fn a_run_is_repeated_where_the_server_was_in_trouble_and_not_where_it_answered() {
        assert!(is_answer("permission denied for table t (SQLSTATE 42501)"));
        for trouble in [
            "connection closed",
            "terminating connection due to administrator command (SQLSTATE 57P01)",
            "deadlock detected (SQLSTATE 40P01)",
        ] {
            assert!(!is_answer(trouble), "{trouble}");
        }
    }
}
