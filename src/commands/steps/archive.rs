//! An archive of pg_dump: looked at here, decoded and restored by the sandbox's own pg_restore.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use tempfile::TempDir;
use tokio::sync::mpsc;

use super::archive_sql::{self, Extent, decode};
use super::context::{Context, Place};
use super::findings::{Notes, Step};
use super::in_memory;
use super::kind::{Attempted, Examined, Expectations, Kind, Reread, SqlAgain};
use super::obstacles::{aside, changed, cut_short, no_server, obstacle, unless_stopped, unread};
use super::pg_restore::{self, COPY};
use super::reading;
use super::server::{Server, ServerError};
use super::target::Target;
use crate::archive::{self, Fault, Head, OpenBackup, Storage};
use crate::checks::presence;
use crate::commands::channel::{ChannelReader, ChannelWriter, IN_FLIGHT};
use crate::commands::inspect::Inspection;
use crate::events::{Event, Progress, Work};
use crate::model::outcome::{CheckResult, Obstacle, Status};
use crate::model::packing::Packing;
use crate::model::version::major_of;
use crate::process::Program;
use crate::store::manifest::Manifest;

/// An archive, in a file or a directory. Into a throwaway server it is restored as soon as it is known what it makes and
/// needs, and decoded meanwhile; before anything is done on a server that others use, it is decoded to its end.
#[derive(Default)]
pub(in crate::commands) struct Archived {
    /// Where it lies unsealed, for a pg_restore of this machine.
    unsealed: OnceLock<TempDir>,
}

/// What is still to be read of an archive, where only its outline was.
#[derive(Debug)]
pub(in crate::commands) struct Unread {
    /// Zeros follow its end.
    padded: bool,
}

impl Kind for Archived {
    /// pg_restore finds its own way through an archive.
    type Places = Option<Unread>;

    async fn examine(
        &self,
        cx: Context<'_>,
        server: &mut Option<Server>,
    ) -> Step<Examined<Option<Unread>>> {
        let mut notes = Notes::new(cx.events);
        notes.findings.facts.format = Some(cx.backup.format());
        let outcome = look_and_decode(cx, server, &self.unsealed, &mut notes).await;
        notes.end(outcome)
    }

    async fn restore(
        &self,
        target: Target<'_>,
        unread: &Option<Unread>,
        notes: &mut Notes<'_>,
    ) -> Attempted {
        pg_restore::surely(target, unread.is_none(), notes).await
    }

    async fn read_on(
        &self,
        Target { cx, server, .. }: Target<'_>,
        unread: &Option<Unread>,
    ) -> Option<Step<Inspection>> {
        let padded = unread.as_ref()?.padded;
        let mut notes = Notes::new(cx.events);
        let whole = whole(cx, server, padded, None, &mut notes).await;
        Some(notes.end(whole))
    }

    fn expectations<'a>(
        &'a self,
        cx: Context<'a>,
        dump: &'a Inspection,
        server: &'a Server,
    ) -> Result<Expectations<'a>, Obstacle> {
        Ok(Expectations {
            contents: &dump.contents,
            is_schema_alone: presence::is_schema_alone(&dump.contents, &dump.facts),
            is_cluster: dump.facts.cluster,
            again: Box::new(Copied { cx, server }),
        })
    }

    async fn clear_away(&self, server: &Server) {
        let argv = ["rm", "-rf", "--", COPY].map(str::to_owned).to_vec();
        let program = Program { argv, ..Program::default() };
        if let Err(error) = server.run(program, &mut |_| {}).await {
            tracing::debug!(%error, "the copy of the archive is left in the sandbox");
        }
    }
}

/// The copy of an archive in the sandbox.
struct Copied<'a> {
    cx: Context<'a>,
    server: &'a Server,
}

impl Reread for Copied<'_> {
    fn sql(&self) -> SqlAgain<'_> {
        let (stdout, written) = mpsc::channel(IN_FLIGHT);
        SqlAgain {
            stream: Box::new(ChannelReader::new(written)),
            writing: Box::pin(archive_sql::decode_again(self.cx, self.server, stdout)),
        }
    }
}

/// Reads the archive while the sandbox starts, then has it decoded there as far as is needed. `None` when it is bad.
async fn look_and_decode(
    cx: Context<'_>,
    server: &mut Option<Server>,
    unsealed: &OnceLock<TempDir>,
    notes: &mut Notes<'_>,
) -> Result<Option<Examined<Option<Unread>>>, Obstacle> {
    let backup = cx.backup.clone();
    let head = aside(cx.stop, move || backup.head()).await?;
    cx.events.emit(Event::BackupIsArchive { what: described(cx.backup, head.as_ref()) });
    let wanted = wanted(cx, head.as_ref(), notes);
    let examining = {
        let (archive, cancel) = (cx.backup.clone(), cx.stop.token().clone());
        let progress = Arc::new(reading::progress_of(cx));
        tokio::task::spawn_blocking(move || archive.examine(&cancel, progress))
    };
    let is_sound = |examined: &archive::Examined| examined.head.is_ok();
    let (examined, started) =
        reading::start_while(cx, &wanted, examining, is_sound, server, notes).await?;
    let examined = examined.map_err(|error| unread(&error, cx.stop))?;
    let checksum = reading::note_checksum(cx, &examined.sha256, &examined.files, notes);
    if !judge_head(cx, &examined.head, started, checksum.as_ref(), notes)? {
        return Ok(None);
    }
    let Some(server) = server else { return Ok(None) };
    if let Some(work) = server.work().filter(|_| cx.backup.is_unsealed()) {
        lead_to_memory(cx, work, unsealed)?;
    }
    let padded = examined.padded;
    let mut beside = Notes::new(cx.events);
    let (copied, recorded) = tokio::join!(
        copy_into(cx, server, notes),
        as_recorded(cx, server, checksum.as_ref(), &mut beside)
    );
    copied?;
    notes.findings.phases.append(&mut beside.findings.phases);
    if let Some(dump) = recorded? {
        let dump = note_whole(cx, server, padded, dump, checksum, notes)?;
        return Ok(dump.map(|dump| Examined { dump, places: None }));
    }
    let outline = decode(cx, server, Extent::Outline, notes).await?;
    let Some(outline) = outline else { return Ok(None) };
    // Where it is flawed, the whole says at which line. Before anything is done on a server that others use, all of it is read.
    if outline.unsound.is_none() && matches!(cx.place, Place::Sandbox(_)) {
        checksum.into_iter().for_each(|check| notes.check(check));
        return Ok(Some(Examined { dump: outline, places: Some(Unread { padded }) }));
    }
    let dump = whole(cx, server, padded, checksum, notes).await?;
    Ok(dump.map(|dump| Examined { dump, places: None }))
}

/// What the archive holds, where its manifest says it of these very bytes: its statements are decoded, and its rows are what
/// `create` found in them. That saves decoding them once more, beside the restore, and loses no proof: what is restored is
/// compared with what was recorded. `None` where it has to be decoded.
async fn as_recorded(
    cx: Context<'_>,
    server: &Server,
    checksum: Option<&CheckResult>,
    notes: &mut Notes<'_>,
) -> Result<Option<Inspection>, Obstacle> {
    let is_it = checksum.is_some_and(|check| check.status == Status::Passed);
    let says_all = |manifest: &&Manifest| is_it && manifest.contents.not_recorded.is_empty();
    let Some(manifest) = cx.recorded().filter(says_all) else { return Ok(None) };
    let backup = cx.backup.clone();
    let empty = aside(cx.stop, move || backup.without_rows()).await?;
    let Some(empty) = empty else { return Ok(None) };
    let decoded = decode(cx, server, Extent::Statements(empty.into()), notes).await?;
    let Some(mut dump) = decoded.filter(|dump| dump.unsound.is_none()) else { return Ok(None) };
    let recorded = &manifest.contents;
    let is_whole = dump.contents.take_rows(&recorded.tables, recorded.revision.as_deref());
    dump.dump_bytes = manifest.dump_bytes;
    Ok(is_whole.then_some(dump))
}

/// Has the archive decoded to its end, and notes what it holds. `None` when it is bad.
async fn whole(
    cx: Context<'_>,
    server: &Server,
    padded: bool,
    checksum: Option<CheckResult>,
    notes: &mut Notes<'_>,
) -> Result<Option<Inspection>, Obstacle> {
    let dump = decode(cx, server, Extent::Whole, notes).await?;
    let Some(dump) = dump else { return Ok(None) };
    if let Some(unsound) = &dump.unsound {
        if let Some(hint) = unsound.our_limit() {
            return Err(obstacle(unsound, hint));
        }
        let cause = format!("as pg_restore writes the archive out, {unsound}");
        reading::note_bad(cx, cause, unsound.hint(), checksum, notes)?;
        return Ok(None);
    }
    note_whole(cx, server, padded, dump, checksum, notes)
}

/// Notes what a sound archive holds. `None` where that is nothing, and should not be.
fn note_whole(
    cx: Context<'_>,
    server: &Server,
    padded: bool,
    mut dump: Inspection,
    checksum: Option<CheckResult>,
    notes: &mut Notes<'_>,
) -> Result<Option<Inspection>, Obstacle> {
    dump.facts.padded = padded;
    if reading::note_emptiness(cx, &dump, notes)? {
        return Ok(None);
    }
    reading::note_whole(cx, &dump, checksum, notes);
    compare_statements(cx, &dump, &server.facts().server_version, notes);
    reading::check_supported(&dump.contents)?;
    Ok(Some(dump))
}

/// What follows from the archive itself, before pg_restore sees it. `false` when it is bad.
fn judge_head(
    cx: Context<'_>,
    head: &Result<Head, Fault>,
    started: Result<(), ServerError>,
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
    started.map(|()| true).map_err(|error| no_server(&error, cx.stop))
}

/// The server for an archive with this head.
fn wanted<'a>(cx: Context<'a>, head: Option<&Head>, notes: &mut Notes<'_>) -> reading::Wanted<'a> {
    let packed = head.is_some_and(|head| head.compressed);
    let packing = if packed { Packing::Gzip } else { cx.backup.packing() };
    let bytes = cx.backup.bytes();
    // The archive itself lies beside the data.
    let bytes = bytes.saturating_add(reading::dump_bytes(bytes, packing));
    let version = head.and_then(Head::restoring_major);
    note_newer(cx, head, version, notes);
    reading::wanted(cx, version, bytes, true)
}

/// An archive of a newer pg_dump than its server needs the newer pg_restore, and so that version's server.
fn note_newer(cx: Context<'_>, head: Option<&Head>, version: Option<u32>, notes: &mut Notes<'_>) {
    let chosen = matches!(cx.place, Place::Sandbox(settings) if settings.version.is_none());
    if let (Some(of_server), Some(version)) = (head.and_then(Head::server_major), version)
        && chosen
        && of_server < version
    {
        notes.warn(format!(
            "the archive of a server {of_server} is of a version that only pg_restore \
             {version} and newer ones read; taking PostgreSQL {version}"
        ));
    }
}

/// Has the archive written into memory, where it would come to lie on a disk of this machine.
fn lead_to_memory(
    cx: Context<'_>,
    work: &Path,
    unsealed: &OnceLock<TempDir>,
) -> Result<(), Obstacle> {
    let made = in_memory::directory(cx.backup.bytes()).map_err(|why| {
        let cause = format!("the archive would lie unsealed on a disk of this machine: {why}");
        let hint = "make room in /dev/shm, or set TMPDIR to a directory in memory; a plain backup \
                    (--format plain) needs none";
        obstacle(&cause, hint)
    })?;
    let target = made.path().join(COPY);
    let failed =
        |error: std::io::Error| obstacle(&error, "check the directory for temporary files");
    if matches!(cx.backup.storage(), Storage::Directory(_)) {
        std::fs::create_dir(&target).map_err(failed)?;
    }
    std::os::unix::fs::symlink(&target, work.join(COPY)).map_err(failed)?;
    let _ = unsealed.set(made);
    Ok(())
}

/// Whether pg_restore can read the archive as it lies there.
fn is_open_file(cx: Context<'_>) -> bool {
    let is_plain = cx.backup.packing() == Packing::None && !cx.backup.is_unsealed();
    is_plain && cx.backup.storage().is_local()
}

/// Copies the archive to where the sandbox's pg_restore finds it.
async fn copy_into(
    cx: Context<'_>,
    server: &Server,
    notes: &mut Notes<'_>,
) -> Result<(), Obstacle> {
    if let Some(work) = server.work().filter(|_| is_open_file(cx)) {
        // Here already: it is named where the programs look for it.
        let linked = std::fs::canonicalize(cx.backup.path())
            .and_then(|archive| std::os::unix::fs::symlink(archive, work.join(COPY)));
        return linked.map_err(|error| obstacle(&error, "check the disk that holds the backup"));
    }
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
        Storage::Directory(_) => format!("umask 077; mkdir -p {COPY} && tar -xf - -C {COPY}"),
    };
    let program = Program {
        argv: ["sh", "-c", &script].map(str::to_owned).to_vec(),
        stdin: Some(stdin),
        ..Program::default()
    };
    let mut lines = Vec::new();
    let mut said = |line: &str| archive_sql::keep(&mut lines, line);
    let copied = unless_stopped(cx.stop, server.run(program, &mut said)).await?;
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
            Err(cut_short(server, &error).await)
        }
        (Err(error), _) => Err(cut_short(server, &error).await),
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
