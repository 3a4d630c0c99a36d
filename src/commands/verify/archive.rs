//! An archive of pg_dump: looked at here, then decoded and restored by the sandbox's own pg_restore.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::reading::{GROWTH, statements};
use super::{DATABASE, Run, changed, obstacle};
use crate::dump::archive::{self, Archive, Examined, Fault, Head};
use crate::dump::channel::{ChannelReader, ChannelWriter};
use crate::dump::format::Format;
use crate::dump::inspect::{self, Decoded, Inspection};
use crate::dump::open::Compression;
use crate::dump::script::Script;
use crate::events::{Event, Progress, Work};
use crate::outcome::{Obstacle, RESTORE};
use crate::pg::Session;
use crate::restore::Restored;
use crate::restore::archive::{self as pg_restore, Judged, Restoring, Undecoded};
use crate::sandbox::{Program, Sandbox, SandboxError};

/// What the archive is called in the sandbox.
const COPY: &str = "backup";
/// Pieces in flight between a thread and the sandbox; with pieces of 256 KiB this bounds the memory.
const IN_FLIGHT: usize = 16;
/// Lines of pg_restore that are kept.
const LINES: usize = 100;
/// Warnings of pg_restore that are shown.
const SHOWN: usize = 3;
/// How often the server is asked how far a restore is.
const PERIOD: Duration = Duration::from_secs(2);
/// Connections that are left to others than pg_restore.
const SPARE: i32 = 8;

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
        self.check(&inspection).await?;
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
        let growth = if head.is_some_and(|head| head.compressed)
            || archive.compression() != Compression::None
        {
            GROWTH
        } else {
            // The archive itself lies beside the data.
            2
        };
        let request = self.sandbox_request(version, archive.bytes().saturating_mul(growth));
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
            self.is_bad(flaw.to_string(), checksum, archive.has_changed())?;
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
        if let Some(unsound) = &unsound {
            let cause = format!("as pg_restore writes the archive out, {unsound}");
            self.is_bad(cause, checksum, archive.has_changed())?;
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
            self.report.warnings.push(text.clone());
            self.events.emit(Event::Warning(text));
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
            let total =
                Some(archive.bytes()).filter(|_| archive.compression() == Compression::None);
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
            env: pg_restore::environment(),
            stdin: None,
            stdout: Some(sender),
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
                self.is_bad(cause, None, archive.has_changed())?;
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
            self.report.warnings.push(line.clone());
            self.events.emit(Event::Warning(line.clone()));
        }
        let decoded = decoded
            .map_err(|error| obstacle(&error, "this is a defect of ccc-backup: please report it"))?
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

    /// Restores the archive by pg_restore.
    async fn restore_archive(
        &mut self,
        archive: &Archive,
        inspection: &Inspection,
    ) -> Result<bool, Obstacle> {
        if !self.make_database(inspection).await? {
            return Ok(false);
        }
        let clock = Instant::now();
        let restored = tokio::select! {
            biased;
            () = self.stop.token().cancelled() => None,
            restored = self.restore_surely(archive, inspection) => Some(restored),
        };
        self.report.phase(RESTORE, clock.elapsed());
        let outcome = match restored {
            None => Err(self.interrupted()),
            Some(Err(trouble)) => Err(self.cut_short(&trouble).await),
            Some(Ok((restored, warning))) => {
                if let Some(warning) = warning {
                    self.report.warnings.push(warning.clone());
                    self.events.emit(Event::Warning(warning));
                }
                self.restored(&restored, &|| archive.has_changed())
            }
        };
        self.judge_restore_time();
        if self.settings.keep {
            self.remove_copy().await;
        }
        outcome.map(|()| true)
    }

    /// Restores it, once more over one connection where several left a doubt: workers' messages
    /// run into each other, and workers can get in each other's way. What one connection finds
    /// counts. Gives a warning where the two differ.
    async fn restore_surely(
        &self,
        archive: &Archive,
        inspection: &Inspection,
    ) -> Result<(Restored, Option<String>), String> {
        let Some(sandbox) = &self.sandbox else { return Ok((Restored::default(), None)) };
        // pg_restore reads the tar format from its beginning to its end.
        let jobs = if archive.format() == Format::Tar { 1 } else { self.jobs(sandbox).await? };
        let first = self.pg_restore(sandbox, jobs).await?;
        let doubt = match first {
            Judged::Trouble(trouble) => return Err(trouble),
            Judged::Clear(restored) if restored.errors.is_empty() || jobs == 1 => {
                return Ok((restored, None));
            }
            Judged::Unclear(why) if jobs == 1 => return Ok((pg_restore::failed(why), None)),
            Judged::Clear(restored) => {
                restored.errors.first().map(ToString::to_string).unwrap_or_default()
            }
            Judged::Unclear(why) => why,
        };
        tracing::info!(doubt, "restoring once more, over one connection");
        let again = async {
            sandbox.drop_database(DATABASE).await?;
            sandbox.create_database(DATABASE, &self.locale(inspection)).await
        };
        again.await.map_err(|error: SandboxError| error.to_string())?;
        match self.pg_restore(sandbox, 1).await? {
            Judged::Trouble(trouble) => Err(trouble),
            Judged::Unclear(why) => Ok((pg_restore::failed(why), None)),
            Judged::Clear(restored) => {
                let first = doubt.lines().next().unwrap_or_default();
                let warning = restored.errors.is_empty().then(|| {
                    format!("pg_restore --jobs={jobs} failed where one connection did not: {first}")
                });
                Ok((restored, warning))
            }
        }
    }

    /// Runs pg_restore into the database.
    async fn pg_restore(&self, sandbox: &Sandbox, jobs: usize) -> Result<Judged, String> {
        let program = Program {
            argv: pg_restore::restoring(DATABASE, jobs, self.is_without_owners(), COPY),
            env: pg_restore::environment(),
            ..Program::default()
        };
        let mut restoring = Restoring::by(jobs);
        let mut said = |line: &str| {
            tracing::debug!("{line}");
            restoring.line(line);
        };
        let ended = tokio::select! {
            ended = sandbox.run(program, &mut said) => ended,
            never = self.watch(sandbox) => match never {},
        };
        ended.map(|code| restoring.judge(code)).map_err(|error| error.to_string())
    }

    /// Asks the server from time to time how far the restore is. Never ends.
    async fn watch(&self, sandbox: &Sandbox) -> std::convert::Infallible {
        tokio::time::sleep(PERIOD).await;
        // The restore itself finds out, and says, why a server does not answer.
        if let Ok(session) = sandbox.connect_info().connect().await {
            while let Ok(progress) = how_far(&session).await {
                self.events.emit(Event::Progress(progress));
                tokio::time::sleep(PERIOD).await;
            }
        }
        std::future::pending().await
    }

    /// As many connections as were asked for and the server has.
    async fn jobs(&self, sandbox: &Sandbox) -> Result<usize, String> {
        let sql = "SELECT pg_catalog.current_setting('max_connections')::int";
        let asking = async {
            let session = sandbox.connect_info().connect().await?;
            session.query_one(sql, &[]).await?.try_get::<_, i32>(0)
        };
        let most = asking.await.map_err(|error| crate::pg::describe(&error))?;
        let most = usize::try_from(most - SPARE).unwrap_or(1).max(1);
        Ok(self.settings.jobs.min(most))
    }

    /// Whether `create` was told to leave owners out. An archive holds them all the same, and
    /// pg_restore is told.
    fn is_without_owners(&self) -> bool {
        let args = self.manifest.iter().flat_map(|manifest| &manifest.pg_dump.args);
        args.into_iter().any(|arg| arg == "--no-owner")
    }

    /// Makes room in a sandbox that is kept.
    async fn remove_copy(&self) {
        let Some(sandbox) = &self.sandbox else { return };
        let argv = ["rm", "-rf", "--", COPY].map(str::to_owned).to_vec();
        let program = Program { argv, ..Program::default() };
        if let Err(error) = sandbox.run(program, &mut |_| {}).await {
            tracing::debug!(%error, "the copy of the archive is left in the sandbox");
        }
    }
}

/// Bytes of the database, and what is being done.
async fn how_far(session: &Session) -> Result<Progress, tokio_postgres::Error> {
    let sql = "SELECT pg_catalog.pg_database_size($1::text::name), \
               (SELECT pg_catalog.left(query, 60) FROM pg_catalog.pg_stat_activity \
                WHERE datname = $1 AND state = 'active' AND application_name = 'ccc-backup' \
                  AND pid <> pg_catalog.pg_backend_pid() \
                ORDER BY query_start LIMIT 1)";
    let row = session.query_one(sql, &[&DATABASE]).await?;
    let (bytes, current): (i64, Option<String>) = (row.try_get(0)?, row.try_get(1)?);
    let current = current.and_then(|query| query.lines().next().map(str::to_owned));
    Ok(Progress { work: Work::Restoring, done: bytes.unsigned_abs(), total: None, current })
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
        Compression::None => "",
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
