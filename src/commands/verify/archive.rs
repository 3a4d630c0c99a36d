//! An archive of pg_dump: looked at here, decoded and restored by the sandbox's own pg_restore.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;

use super::context::Context;
use super::findings::{Notes, Step};
use super::kind::{Attempted, Examined, Expectations, Kind, Reread, SqlAgain};
use super::obstacles::{changed, cut_short, no_sandbox, obstacle, unless_stopped, unread};
use super::pg_restore::{self, COPY};
use super::reading;
use super::target::Target;
use crate::archive::{self, Fault, Head, OpenBackup, Storage};
use crate::checks::presence;
use crate::commands::DEFECT;
use crate::commands::channel::{ChannelReader, ChannelWriter, IN_FLIGHT};
use crate::commands::inspect::{self, Inspection};
use crate::dump::item::Facts;
use crate::events::{Event, Progress, Work};
use crate::model::damage::OLDER;
use crate::model::outcome::{CheckResult, Obstacle};
use crate::model::packing::Packing;
use crate::model::version::major_of;
use crate::restore::archive::{self as messages, Undecoded};
use crate::sandbox::{Program, Request, Sandbox, SandboxError};

/// Lines of pg_restore that are kept.
const LINES: usize = 100;
/// Warnings of pg_restore that are shown.
const SHOWN: usize = 3;

/// An archive, in a file or a directory.
pub(super) struct Archived;

impl Kind for Archived {
    /// pg_restore finds its own way through an archive.
    type Places = ();

    async fn examine(&self, cx: Context<'_>, sandbox: &mut Option<Sandbox>) -> Step<Examined<()>> {
        let mut notes = Notes::new(cx.events);
        notes.findings.facts.format = Some(cx.backup.format());
        let outcome = look_and_decode(cx, sandbox, &mut notes).await;
        notes.end(outcome)
    }

    async fn restore(&self, target: Target<'_>, (): &(), notes: &mut Notes<'_>) -> Attempted {
        pg_restore::surely(target, notes).await
    }

    fn expectations<'a>(
        &'a self,
        cx: Context<'a>,
        dump: &'a Inspection,
        sandbox: &'a Sandbox,
    ) -> Result<Expectations<'a>, Obstacle> {
        Ok(Expectations {
            contents: &dump.contents,
            is_schema_alone: presence::is_schema_alone(&dump.contents, &dump.facts),
            again: Box::new(Copied { cx, sandbox }),
        })
    }

    async fn clear_away(&self, sandbox: &Sandbox) {
        let argv = ["rm", "-rf", "--", COPY].map(str::to_owned).to_vec();
        let program = Program { argv, ..Program::default() };
        if let Err(error) = sandbox.run(program, &mut |_| {}).await {
            tracing::debug!(%error, "the copy of the archive is left in the sandbox");
        }
    }
}

/// The copy of an archive in the sandbox.
struct Copied<'a> {
    cx: Context<'a>,
    sandbox: &'a Sandbox,
}

impl Reread for Copied<'_> {
    fn sql(&self) -> SqlAgain<'_> {
        let (stdout, written) = mpsc::channel(IN_FLIGHT);
        SqlAgain {
            stream: Box::new(ChannelReader::new(written)),
            writing: Box::pin(decode_again(self.cx, self.sandbox, stdout)),
        }
    }
}

/// Reads the archive while the sandbox starts, then has it decoded there. `None` when it is bad.
async fn look_and_decode(
    cx: Context<'_>,
    sandbox: &mut Option<Sandbox>,
    notes: &mut Notes<'_>,
) -> Result<Option<Examined<()>>, Obstacle> {
    let head = cx.backup.head();
    cx.events.emit(Event::BackupIsArchive { what: described(cx.backup, head.as_ref()) });
    let request = request(cx, head.as_ref(), notes);
    let examining = {
        let (archive, cancel) = (cx.backup.clone(), cx.stop.token().clone());
        let progress = Arc::new(reading::progress_of(cx));
        tokio::task::spawn_blocking(move || archive.examine(&cancel, progress))
    };
    let is_sound = |examined: &archive::Examined| examined.head.is_ok();
    let (examined, started) =
        reading::start_while(cx, &request, examining, is_sound, sandbox, notes).await?;
    let examined = examined.map_err(|error| unread(&error, cx.stop))?;
    let checksum = reading::note_checksum(cx, &examined.sha256, &examined.files, notes);
    if !judge_head(cx, &examined.head, started, checksum.as_ref(), notes)? {
        return Ok(None);
    }
    let Some(sandbox) = sandbox else { return Ok(None) };
    copy_into(cx, sandbox, notes).await?;
    let Some(dump) = decode(cx, sandbox, notes).await? else { return Ok(None) };
    let dump = Inspection { facts: Facts { padded: examined.padded, ..dump.facts }, ..dump };
    if let Some(unsound) = &dump.unsound {
        if let Some(hint) = unsound.our_limit() {
            return Err(obstacle(unsound, hint));
        }
        let cause = format!("as pg_restore writes the archive out, {unsound}");
        reading::note_bad(cx, cause, unsound.hint(), checksum, notes)?;
        return Ok(None);
    }
    if reading::note_emptiness(cx, &dump, notes)? {
        return Ok(None);
    }
    reading::note_whole(cx, &dump, checksum, notes);
    compare_statements(cx, &dump, &sandbox.facts().server_version, notes);
    Ok(Some(Examined { dump, places: () }))
}

/// What follows from the archive itself, before pg_restore sees it. `false` when it is bad.
fn judge_head(
    cx: Context<'_>,
    head: &Result<Head, Fault>,
    started: Result<(), SandboxError>,
    checksum: Option<&CheckResult>,
    notes: &mut Notes<'_>,
) -> Result<bool, Obstacle> {
    if let Err(Fault::Flaw(flaw)) = head {
        reading::note_bad(cx, flaw.to_string(), flaw.hint(), checksum.cloned(), notes)?;
        return Ok(false);
    }
    if reading::note_other_file(cx, checksum, notes)? {
        return Ok(false);
    }
    if let Err(Fault::Version(version)) = head {
        let hint = "a newer ccc-backup may know it; pg_restore --list shows what made it";
        return Err(obstacle(version, hint));
    }
    started.map(|()| true).map_err(|error| no_sandbox(&error, cx.stop))
}

/// The sandbox for an archive with this head.
fn request(cx: Context<'_>, head: Option<&Head>, notes: &mut Notes<'_>) -> Request {
    let version = restoring_version(cx, head, notes);
    let packed = head.is_some_and(|head| head.compressed);
    let packing = if packed { Packing::Gzip } else { cx.backup.packing() };
    let bytes = cx.backup.bytes();
    // The archive itself lies beside the data.
    let bytes = bytes.saturating_add(reading::dump_bytes(bytes, packing));
    Request { programs: true, ..reading::sandbox_request(cx, version, bytes) }
}

/// The major version to restore with. An archive of a newer pg_dump than its server needs the
/// newer pg_restore.
fn restoring_version(cx: Context<'_>, head: Option<&Head>, notes: &mut Notes<'_>) -> u32 {
    let version = reading::choose_version(cx, head.and_then(Head::restoring_major));
    let of_server = head.and_then(Head::server_major);
    if let (None, Some(of_server)) = (cx.settings.version, of_server)
        && of_server < version
    {
        notes.warn(format!(
            "the archive of a server {of_server} is of a version that only pg_restore \
             {version} and newer ones read; taking PostgreSQL {version}"
        ));
    }
    version
}

/// Copies the archive to where the sandbox's pg_restore finds it.
async fn copy_into(
    cx: Context<'_>,
    sandbox: &Sandbox,
    notes: &mut Notes<'_>,
) -> Result<(), Obstacle> {
    let clock = Instant::now();
    let (sender, stdin) = mpsc::channel(IN_FLIGHT);
    let sending = {
        let (archive, events) = (cx.backup.clone(), cx.events.clone());
        let total = Some(archive.bytes()).filter(|_| archive.packing() == Packing::None);
        tokio::task::spawn_blocking(move || {
            archive.send(&mut ChannelWriter::new(sender), &|done| {
                let (work, current) = (Work::Copying, None);
                events.emit(Event::Progress(Progress { work, done, total, current }));
            })
        })
    };
    let script = match cx.backup.storage() {
        Storage::File(_) => format!("umask 077; cat >{COPY}"),
        Storage::Directory(_) => format!("umask 077; mkdir {COPY} && tar -xf - -C {COPY}"),
    };
    let program = Program {
        argv: ["sh", "-c", &script].map(str::to_owned).to_vec(),
        stdin: Some(stdin),
        ..Program::default()
    };
    let mut lines = Vec::new();
    let mut said = |line: &str| keep(&mut lines, line);
    let copied = unless_stopped(cx.stop, sandbox.run(program, &mut said)).await?;
    let sent = sending.await;
    notes.phase("copy", clock.elapsed());
    match (copied, sent) {
        // What the sandbox holds is of no file that there is.
        _ if cx.backup.has_changed() => Err(changed()),
        (Ok(0), Ok(Ok(_))) => Ok(()),
        (Ok(0), Ok(Err(error))) => Err(obstacle(&error, "check the disk that holds the backup")),
        (Ok(code), _) => {
            let last = lines.last().map_or("no reason was given", String::as_str);
            let error =
                format!("the archive could not be copied into the sandbox ({code}): {last}");
            Err(cut_short(sandbox, &error).await)
        }
        (Err(error), _) => Err(cut_short(sandbox, &error).await),
    }
}

/// Has the sandbox's pg_restore write the archive as SQL, and reads that to its end. `None`
/// when pg_restore cannot.
async fn decode(
    cx: Context<'_>,
    sandbox: &Sandbox,
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
    let running = sandbox.run(decoding(cx, sandbox, sender), &mut said);
    let ended = unless_stopped(cx.stop, running).await?;
    let decoded = inspecting.await;
    notes.phase("decode", clock.elapsed());
    let ended = match ended {
        Ok(code) => messages::judge_decoding(code, &lines),
        Err(error) => return Err(cut_short(sandbox, &error).await),
    };
    match ended {
        Ok(()) => {}
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
        Err(Undecoded::Trouble(error)) => return Err(cut_short(sandbox, &error).await),
    }
    lines.into_iter().take(SHOWN).for_each(|line| notes.warn(line));
    let decoded = decoded.map_err(|error| obstacle(&error, DEFECT))?;
    decoded.map(Some).map_err(|error| unread(&error, cx.stop))
}

/// Has the archive written as SQL once more.
async fn decode_again(
    cx: Context<'_>,
    sandbox: &Sandbox,
    stdout: mpsc::Sender<bytes::Bytes>,
) -> Result<(), String> {
    let program = decoding(cx, sandbox, stdout);
    let ended = sandbox.run(program, &mut |line| tracing::debug!("{line}")).await;
    ended.map(drop).map_err(|error| error.to_string())
}

/// The pg_restore that writes the archive as SQL.
fn decoding(cx: Context<'_>, sandbox: &Sandbox, stdout: mpsc::Sender<bytes::Bytes>) -> Program {
    Program {
        argv: messages::decoding(cx.is_without_owners(), COPY),
        env: messages::environment(sandbox.restores_as_superuser()),
        stdout: Some(stdout),
        ..Program::default()
    }
}

/// Compares the statements with the manifest's. Those that pg_restore adds by itself differ
/// between its major versions; the checksum holds for the archive itself.
fn compare_statements(cx: Context<'_>, dump: &Inspection, here: &str, notes: &mut Notes<'_>) {
    let Some(manifest) = cx.recorded() else { return };
    let there = manifest.tools.pg_dump.as_str();
    if major_of(here) == major_of(there) {
        notes.check(reading::statements(manifest, dump));
    } else {
        notes.not_proven(format!(
            "statements against the manifest: it was written by pg_restore {there}, and another \
             version writes some of them differently"
        ));
    }
}

fn keep(lines: &mut Vec<String>, line: &str) {
    tracing::debug!("{line}");
    if lines.len() < LINES && !line.is_empty() {
        lines.push(line.to_owned());
    }
}

/// What an archive is, in words.
fn described(archive: &OpenBackup, head: Option<&Head>) -> String {
    let packed = match archive.packing() {
        Packing::None => "",
        _ => ", compressed again",
    };
    let Some(head) = head else {
        return format!("{} archive of pg_dump{packed}", archive.format());
    };
    let short = |version: &Option<String>| {
        let version = version.as_deref().unwrap_or("unknown");
        version.split(' ').next().unwrap_or(version).to_owned()
    };
    format!(
        "{} archive by pg_dump {} of a server {}{packed}",
        archive.format(),
        short(&head.pg_dump_version),
        short(&head.server_version)
    )
}
