//! Bytes on their way from a pipe into a file, as long as there is room.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Stdio;

use bytesize::ByteSize;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::model::outcome::Obstacle;
use crate::model::secret::Secret;
use crate::packing::room::{self, NoRoom};
use crate::process::shell::{EndedBadly, Shell};

/// Bytes that are read at a time.
const PIECE: usize = 1 << 20;
/// How often, in bytes, the room is looked at.
const LOOK_EVERY: u64 = 64 << 20;

/// What came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Copied {
    pub(super) bytes: u64,
}

/// Why it did not come, or has no place.
#[derive(Debug, Error)]
pub(super) enum CopyError {
    #[error("interrupted")]
    Interrupted,
    #[error("standard input is a terminal")]
    Terminal,
    #[error("{0}")]
    Read(io::Error),
    #[error("{0}")]
    Write(io::Error),
    #[error("{} are needed and {} are free", ByteSize(.0.needed), ByteSize(.0.free))]
    NoRoom(NoRoom),
    #[error("{0}")]
    Start(io::Error),
    #[error("{0}")]
    Command(EndedBadly),
}

impl From<NoRoom> for CopyError {
    fn from(none: NoRoom) -> Self {
        Self::NoRoom(none)
    }
}

impl CopyError {
    /// In words.
    pub(super) fn obstacle(&self, name: &str, suffix: &str, spool: &Path) -> Obstacle {
        let of_room = || "make room there, or name another directory: --spool DIR".to_owned();
        let (cause, hint) = match self {
            Self::Interrupted => ("interrupted".to_owned(), "run it again".to_owned()),
            Self::Terminal => (
                "standard input is a terminal, and no backup".to_owned(),
                "ccc-backup verify - < FILE, or after a pipe".to_owned(),
            ),
            Self::Read(error) => (
                format!("what comes through the pipe could not be read: {error}"),
                "run it again".to_owned(),
            ),
            Self::Write(error) => (
                format!(
                    "what came through the pipe could not be kept in {}: {error}",
                    spool.display()
                ),
                of_room(),
            ),
            Self::NoRoom(_) => (
                format!(
                    "there is no room for what comes through the pipe in {}: {self}",
                    spool.display()
                ),
                of_room(),
            ),
            Self::Start(error) => (
                format!("the command of --from-command could not be run: {error}"),
                "run it again".to_owned(),
            ),
            Self::Command(ended) => (
                format!("the command of --from-command, run for {name}, ended with {ended}"),
                by_hand(name, suffix),
            ),
        };
        Obstacle { cause, hint: Some(hint) }
    }
}

/// What to do about a command that does not bring a file.
pub(super) fn by_hand(name: &str, suffix: &str) -> String {
    match suffix {
        "" => "try it by hand: its output has to be the backup".to_owned(),
        _ => format!("try it by hand; where there is no {name}, say so: --manifest none"),
    }
}

/// Copies all of standard input.
pub(super) fn of_stdin(
    to: &Path,
    expected: Option<u64>,
    cancel: &CancellationToken,
    told: &dyn Fn(u64),
) -> Result<Copied, CopyError> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Err(CopyError::Terminal);
    }
    copy(stdin.lock(), to, expected, cancel, told)
}

/// Copies all that a command writes, which has to end well.
pub(super) fn of_command(
    words: &Secret,
    to: &Path,
    expected: Option<u64>,
    cancel: &CancellationToken,
    told: &dyn Fn(u64),
) -> Result<Copied, CopyError> {
    if cancel.is_cancelled() {
        return Err(CopyError::Interrupted);
    }
    let mut shell = Shell::start(words, Stdio::null(), Stdio::piped()).map_err(CopyError::Start)?;
    let stdout = shell.take_stdout();
    let copied = match stdout {
        Some(stdout) => copy(stdout, to, expected, cancel, told)?,
        None => Copied { bytes: 0 },
    };
    shell.wait().map_err(CopyError::Read)?.map_err(CopyError::Command)?;
    Ok(copied)
}

/// Copies all of it into a new file that only we may read.
pub(super) fn copy(
    mut from: impl Read,
    to: &Path,
    expected: Option<u64>,
    cancel: &CancellationToken,
    told: &dyn Fn(u64),
) -> Result<Copied, CopyError> {
    let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
    let mut file = created.map_err(CopyError::Write)?;
    room::check(&file, expected.unwrap_or_default())?;
    let (mut piece, mut bytes, mut look_at) = (vec![0; PIECE], 0, LOOK_EVERY);
    loop {
        if cancel.is_cancelled() {
            return Err(CopyError::Interrupted);
        }
        let read = match from.read(&mut piece) {
            Ok(0) => return Ok(Copied { bytes }),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(CopyError::Read(error)),
        };
        file.write_all(&piece[..read]).map_err(CopyError::Write)?;
        bytes += read as u64;
        told(bytes);
        if bytes >= look_at {
            room::check(&file, 0)?;
            look_at = bytes + LOOK_EVERY;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copied(command: &str, expected: Option<u64>) -> (Result<Copied, CopyError>, Vec<u8>) {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("x");
        let never = CancellationToken::new();
        let copied = of_command(&Secret::new(command), &to, expected, &never, &|_| {});
        (copied, std::fs::read(&to).unwrap_or_default())
    }

    #[test]
    fn what_a_command_writes_is_kept_whole() {
        let (copied, bytes) = copied("head -c 3000000 /dev/zero", Some(3_000_000));
        assert_eq!(copied.unwrap(), Copied { bytes: 3_000_000 });
        assert_eq!(bytes, vec![0; 3_000_000]);
    }

    #[test]
    fn one_that_does_not_end_well_is_told_with_its_words_whatever_it_wrote() {
        let (copied, _) = copied("echo abc; echo no such bucket >&2; exit 3", None);
        let CopyError::Command(ended) = copied.unwrap_err() else { panic!("another error") };
        assert_eq!(ended.to_string(), "exit status: 3: no such bucket");
    }

    #[test]
    fn what_has_no_room_is_not_begun() {
        let (copied, bytes) = copied("echo abc", Some(u64::MAX / 2));
        assert!(matches!(copied.unwrap_err(), CopyError::NoRoom(_)));
        assert_eq!(bytes, b"");
    }
}
