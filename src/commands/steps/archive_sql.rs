//! An archive as the SQL that the sandbox's pg_restore writes of it.

use std::time::Instant;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::context::Context;
use super::findings::Notes;
use super::obstacles::{cut_short, obstacle, unless_stopped, unread};
use super::pg_restore::COPY;
use super::reading;
use super::server::Server;
use crate::commands::DEFECT;
use crate::commands::channel::{ChannelReader, IN_FLIGHT};
use crate::commands::inspect::{self, Inspection};
use crate::events::{Event, Progress, Work};
use crate::model::damage::OLDER;
use crate::model::outcome::Obstacle;
use crate::process::Program;
use crate::restore::archive::{self as messages, Undecoded};

/// Lines of pg_restore that are kept.
const LINES: usize = 100;
/// Warnings of pg_restore that are shown.
const SHOWN: usize = 3;

/// Bytes that a program is given at a time.
const GIVEN_BYTES: usize = 256 * 1024;

/// What of an archive is read.
#[derive(Debug, Clone)]
pub(super) enum Extent {
    /// What it makes and needs, without rows.
    Outline,
    /// All statements, of this archive, which is the same but for its rows.
    Statements(Bytes),
    /// All of it.
    Whole,
}

impl Extent {
    /// What the time that it takes is called in reports.
    fn phase(&self) -> &'static str {
        match self {
            Self::Outline => "outline",
            Self::Statements(_) => "statements",
            Self::Whole => "decode",
        }
    }
}

/// Has the sandbox's pg_restore write the archive as SQL, and reads that to its end. `None`
/// when pg_restore cannot, which is noted of the archive itself.
pub(super) async fn decode(
    cx: Context<'_>,
    server: &Server,
    extent: Extent,
    notes: &mut Notes<'_>,
) -> Result<Option<Inspection>, Obstacle> {
    let clock = Instant::now();
    let (sender, receiver) = mpsc::channel(IN_FLIGHT);
    let inspecting = {
        let (cancel, events) = (cx.stop.token().clone(), cx.events.clone());
        tokio::task::spawn_blocking(move || {
            inspect::decode(ChannelReader::new(receiver), &cancel, &|done| {
                let (work, total, current) = (Work::Decoding, None, None);
                events.emit(Event::Progress(Progress { work, done, total, current }));
            })
        })
    };
    let mut lines = Vec::new();
    let mut said = |line: &str| keep(&mut lines, line);
    let running = server.run(decoding(cx, server, &extent, sender), &mut said);
    let ended = unless_stopped(cx.stop, running).await?;
    let decoded = inspecting.await;
    notes.phase(extent.phase(), clock.elapsed());
    let ended = match ended {
        Ok(code) => messages::judge_decoding(code, &lines),
        Err(error) => return Err(cut_short(server, &error).await),
    };
    match ended {
        Ok(()) => {}
        // It says nothing of the archive that this one was made of.
        Err(_) if matches!(extent, Extent::Statements(_)) => {
            tracing::debug!(?lines, "the archive without rows was not decoded");
            return Ok(None);
        }
        Err(Undecoded::Bad(cause)) => {
            reading::note_bad(cx, cause, OLDER, None, notes)?;
            return Ok(None);
        }
        Err(Undecoded::OtherReader(said)) => {
            let cause = format!("this pg_restore does not read the archive: {said}");
            let hint = "take the image of a newer version (--postgres-version), or one whose \
                        pg_restore has the archive's compression (--image)";
            return Err(obstacle(&cause, hint));
        }
        Err(Undecoded::Trouble(error)) => return Err(cut_short(server, &error).await),
    }
    if matches!(extent, Extent::Whole) {
        lines.into_iter().take(SHOWN).for_each(|line| notes.warn(line));
    }
    let decoded = decoded.map_err(|error| obstacle(&error, DEFECT))?;
    decoded.map(Some).map_err(|error| unread(&error, cx.stop))
}

/// Has the archive written as SQL once more.
pub(super) async fn decode_again(
    cx: Context<'_>,
    server: &Server,
    stdout: mpsc::Sender<Bytes>,
) -> Result<(), String> {
    let program = decoding(cx, server, &Extent::Whole, stdout);
    let ended = server.run(program, &mut |line| tracing::debug!("{line}")).await;
    ended.map(drop).map_err(|error| error.to_string())
}

/// The pg_restore that writes the archive as SQL.
fn decoding(
    cx: Context<'_>,
    server: &Server,
    extent: &Extent,
    stdout: mpsc::Sender<Bytes>,
) -> Program {
    let without_rows = matches!(extent, Extent::Outline);
    let (archive, stdin) = match extent {
        Extent::Outline | Extent::Whole => (Some(COPY), None),
        Extent::Statements(archive) => (None, Some(given(archive.clone()))),
    };
    Program {
        argv: messages::decoding(cx.is_without_owners(), without_rows, archive),
        env: messages::environment(server.restores_as_superuser()),
        stdin,
        stdout: Some(stdout),
        ..Program::default()
    }
}

/// The standard input of a program that is given these bytes.
fn given(bytes: Bytes) -> mpsc::Receiver<Bytes> {
    let pieces = bytes.len().div_ceil(GIVEN_BYTES);
    let (sender, receiver) = mpsc::channel(pieces.max(1));
    for at in 0..pieces {
        let piece = bytes.slice(at * GIVEN_BYTES..bytes.len().min((at + 1) * GIVEN_BYTES));
        // There is room for all of them.
        let _ = sender.try_send(piece);
    }
    receiver
}

/// Keeps what pg_restore says.
pub(super) fn keep(lines: &mut Vec<String>, line: &str) {
    tracing::debug!("{line}");
    if lines.len() < LINES && !line.is_empty() {
        lines.push(line.to_owned());
    }
}
