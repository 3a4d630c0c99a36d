//! An archive of pg_dump: looked at here, then decoded by the sandbox's own pg_restore.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;

use super::by_value::Source;
use super::reading::{dump_bytes, statements};
use super::{Run, changed, obstacle};
use crate::archive::{self, Archive, Examined, Fault, Head};
use crate::commands::DEFECT;
use crate::commands::channel::{ChannelReader, ChannelWriter};
use crate::commands::inspect::{self, Decoded, Inspection};
use crate::dump::item::Facts;
use crate::dump::script::Script;
use crate::events::{Event, Progress, Work};
use crate::model::damage::OLDER;
use crate::model::outcome::Obstacle;
use crate::model::packing::Packing;
use crate::restore::archive::{self as pg_restore, Undecoded};
use crate::sandbox::{Program, Request};

/// What the archive is called in the sandbox.
pub(super) const COPY: &str = "backup";
/// Pieces in flight between a thread and the sandbox; with pieces of 256 KiB this bounds the memory.
pub(super) const IN_FLIGHT: usize = 16;
/// Lines of pg_restore that are kept.
const LINES: usize = 100;
/// Warnings of pg_restore that are shown.
const SHOWN: usize = 3;

impl Run<'_> {
    /// Verifies an archive.
    pub(super) async fn archive(&mut self, archive: Archive) -> Result<(), Obstacle> {
        self.report.format = Some(archive.format().name().to_owned());
        let head = archive.head();
        self.events.emit(Event::BackupIsArchive { what: described(&archive, head.as_ref()) });
        let Some(inspection) = self.decode_in_sandbox(&archive, head.as_ref()).await? else {
            return Ok(());
        };
        if !self.restore_archive(&archive, &inspection).await? {
            return Ok(());
        }
        self.check(&inspection, Source::Archive).await?;
        if self.settings.keep {
            self.remove_copy().await;
        }
        if archive.has_changed() {
            return Err(changed());
        }
        Ok(())
    }

    /// Reads the archive while the sandbox starts, then has it decoded there. `None` when it is
    /// bad.
    async fn decode_in_sandbox(
        &mut self,
        archive: &Archive,
        head: Option<&Head>,
    ) -> Result<Option<Inspection>, Obstacle> {
        let version = self.restoring_version(head);
        let packed = head.is_some_and(|head| head.compressed);
        let compression = if packed { Packing::Gzip } else { archive.compression() };
        // The archive itself lies beside the data.
        let bytes = archive.bytes().saturating_add(dump_bytes(archive.bytes(), compression));
        let request = Request { programs: true, ..self.sandbox_request(version, bytes) };
        let reading = {
            let (archive, cancel) = (archive.clone(), self.stop.token().clone());
            let (events, total) = (self.events.clone(), Some(archive.bytes()));
            let progress = move |done| {
                let (work, current) = (Work::Reading, None);
                events.emit(Event::Progress(Progress { work, done, total, current }));
            };
            tokio::task::spawn_blocking(move || archive.examine(&cancel, Arc::new(progress)))
        };
        let sound = |examined: &Examined| examined.head.is_ok();
        let (examined, started) = self.start_while(&request, reading, sound).await?;
        let examined = examined.map_err(|error| self.unread(&error))?;
        let checksum = self.checksum(&examined.sha256);
        if let Err(Fault::Flaw(flaw)) = &examined.head {
            self.is_bad(flaw.to_string(), flaw.hint(), checksum, archive.has_changed())?;
            return Ok(None);
        }
        if !self.is_the_file(checksum.as_ref(), archive.has_changed())? {
            return Ok(None);
        }
        if let Err(Fault::Version(version)) = &examined.head {
            let hint = "a newer ccc-backup may know it; pg_restore --list shows what made it";
            return Err(obstacle(version, hint));
        }
        started.map_err(|error| self.no_sandbox(&error))?;
        self.copy_into_sandbox(archive).await?;
        let Some(decoded) = self.decode(archive).await? else { return Ok(None) };
        let Decoded { unsound, facts, contents, needs, bytes } = decoded;
        let facts = Facts { padded: examined.padded, ..facts };
        if let Some(unsound) = &unsound {
            if let Some(hint) = unsound.our_limit() {
                return Err(obstacle(unsound, hint));
            }
            let cause = format!("as pg_restore writes the archive out, {unsound}");
            self.is_bad(cause, unsound.hint(), checksum, archive.has_changed())?;
            return Ok(None);
        }
        let inspection = Inspection {
            unsound,
            facts,
            contents,
            sha256: examined.sha256,
            dump_bytes: bytes,
            script: Script::default(),
            needs,
            marks: Vec::new(),
        };
        if self.is_empty(&inspection, archive.has_changed())? {
            return Ok(None);
        }
        self.is_read(&inspection, checksum);
        self.compare_statements(&inspection);
        Ok(Some(inspection))
    }

    /// The major version to restore with. An archive of a newer pg_dump than its server needs the
    /// newer pg_restore.
    fn restoring_version(&mut self, head: Option<&Head>) -> u32 {
        let version = self.version(head.and_then(Head::restoring_major));
        let of_server = head.and_then(Head::server_major);
        if let (None, Some(of_server)) = (self.settings.version, of_server)
            && of_server < version
        {
            let text = format!(
                "the archive of a server {of_server} is of a version that only pg_restore \
                 {version} and newer ones read; taking PostgreSQL {version}"
            );
            self.warn(text);
        }
        version
    }

    /// Copies the archive to where the sandbox's pg_restore finds it.
    async fn copy_into_sandbox(&mut self, archive: &Archive) -> Result<(), Obstacle> {
        let Some(sandbox) = &self.sandbox else { return Ok(()) };
        let clock = Instant::now();
        let (sender, stdin) = mpsc::channel(IN_FLIGHT);
        let sending = {
            let (archive, events) = (archive.clone(), self.events.clone());
            let total = Some(archive.bytes()).filter(|_| archive.compression() == Packing::None);
            tokio::task::spawn_blocking(move || {
                archive.send(&mut ChannelWriter::new(sender), &|done| {
                    let (work, current) = (Work::Copying, None);
                    events.emit(Event::Progress(Progress { work, done, total, current }));
                })
            })
        };
        let script = match archive {
            Archive::File { .. } => format!("umask 077; cat >{COPY}"),
            Archive::Directory(_) => format!("umask 077; mkdir {COPY} && tar -xf - -C {COPY}"),
        };
        let program = Program {
            argv: ["sh", "-c", &script].map(str::to_owned).to_vec(),
            stdin: Some(stdin),
            ..Program::default()
        };
        let mut lines = Vec::new();
        let mut said = |line: &str| keep(&mut lines, line);
        let copied = tokio::select! {
            biased;
            () = self.stop.token().cancelled() => return Err(self.interrupted()),
            copied = sandbox.run(program, &mut said) => copied,
        };
        let sent = sending.await;
        self.report.phase("copy", clock.elapsed());
        match (copied, sent) {
            // What the sandbox holds is of no file that there is.
            _ if archive.has_changed() => Err(changed()),
            (Ok(0), Ok(Ok(_))) => Ok(()),
            (Ok(0), Ok(Err(error))) => {
                Err(obstacle(&error, "check the disk that holds the backup"))
            }
            (Ok(code), _) => {
                let last = lines.last().map_or("no reason was given", String::as_str);
                let error =
                    format!("the archive could not be copied into the sandbox ({code}): {last}");
                Err(self.cut_short(&error).await)
            }
            (Err(error), _) => Err(self.cut_short(&error).await),
        }
    }

    /// Has the sandbox's pg_restore write the archive as SQL, and reads that to its end. `None`
    /// when pg_restore cannot.
    async fn decode(&mut self, archive: &Archive) -> Result<Option<Decoded>, Obstacle> {
        let Some(sandbox) = &self.sandbox else { return Ok(None) };
        let clock = Instant::now();
        let (sender, receiver) = mpsc::channel(IN_FLIGHT);
        let reading = {
            let (cancel, events) = (self.stop.token().clone(), self.events.clone());
            tokio::task::spawn_blocking(move || {
                inspect::decode(ChannelReader::new(receiver), &cancel, &|done| {
                    let (work, total, current) = (Work::Decoding, None, None);
                    events.emit(Event::Progress(Progress { work, done, total, current }));
                })
            })
        };
        let program = Program {
            argv: pg_restore::decoding(self.is_without_owners(), COPY),
            env: pg_restore::environment(sandbox.restores_as_superuser()),
            stdout: Some(sender),
            ..Program::default()
        };
        let mut lines = Vec::new();
        let mut said = |line: &str| keep(&mut lines, line);
        let ended = tokio::select! {
            biased;
            () = self.stop.token().cancelled() => return Err(self.interrupted()),
            ended = sandbox.run(program, &mut said) => ended,
        };
        let decoded = reading.await;
        self.report.phase("decode", clock.elapsed());
        let ended = match ended {
            Ok(code) => pg_restore::judge_decoding(code, &lines),
            Err(error) => return Err(self.cut_short(&error).await),
        };
        match ended {
            Ok(()) => {}
            Err(Undecoded::Bad(cause)) => {
                self.is_bad(cause, OLDER, None, archive.has_changed())?;
                return Ok(None);
            }
            Err(Undecoded::OtherReader(said)) => {
                let cause = format!("this pg_restore does not read the archive: {said}");
                let hint = "take the image of a newer version (--postgres-version), or one whose \
                            pg_restore has the archive's compression (--image)";
                return Err(obstacle(&cause, hint));
            }
            Err(Undecoded::Trouble(error)) => return Err(self.cut_short(&error).await),
        }
        for line in lines.iter().take(SHOWN) {
            self.warn(line.clone());
        }
        let decoded = decoded
            .map_err(|error| obstacle(&error, DEFECT))?
            .map_err(|error| self.unread(&error))?;
        Ok(Some(decoded))
    }

    /// Compares the statements with the manifest's. Those that pg_restore adds by itself differ
    /// between its major versions; the checksum holds for the archive itself.
    fn compare_statements(&mut self, inspection: &Inspection) {
        let Some(manifest) = self.manifest.as_ref().filter(|manifest| manifest.has_contents())
        else {
            return;
        };
        let here = self.report.sandbox.as_ref().map(|facts| facts.server_version.as_str());
        let there = manifest.pg_dump.version.as_str();
        if here.and_then(archive::major_of) == archive::major_of(there) {
            self.note(statements(manifest, inspection));
        } else {
            self.report.not_proven.push(format!(
                "statements against the manifest: it was written by pg_restore {there}, and another \
                 version writes some of them differently"
            ));
        }
    }

    /// Whether `create` was told to leave owners out. An archive holds them all the same, and
    /// pg_restore is told.
    pub(super) fn is_without_owners(&self) -> bool {
        let args = self.manifest.iter().flat_map(|manifest| &manifest.pg_dump.args);
        args.into_iter().any(|arg| arg == "--no-owner")
    }
}

fn keep(lines: &mut Vec<String>, line: &str) {
    tracing::debug!("{line}");
    if lines.len() < LINES && !line.is_empty() {
        lines.push(line.to_owned());
    }
}

/// What an archive is, in words.
fn described(archive: &Archive, head: Option<&Head>) -> String {
    let packed = match archive.compression() {
        Packing::None => "",
        _ => ", compressed again",
    };
    let mut text = format!("{} archive of pg_dump{packed}", archive.format());
    if let Some(head) = head {
        let short = |version: &Option<String>| {
            let version = version.as_deref().unwrap_or("unknown");
            version.split(' ').next().unwrap_or(version).to_owned()
        };
        text = format!(
            "{} archive by pg_dump {} of a server {}{packed}",
            archive.format(),
            short(&head.pg_dump_version),
            short(&head.server_version)
        );
    }
    text
}
