//! A plain dump: read here, restored by our own loader over several connections.

use std::sync::Arc;

use super::again::{self, First};
use super::context::Context;
use super::findings::{Notes, Step};
use super::kind::{Attempted, Examined, Expectations, Kind, Reread, SqlAgain};
use super::obstacles::{aside, changed, interrupted, no_server, obstacle, unread};
use super::reading;
use super::server::{Server, ServerError};
use super::target::Target;
use super::timescaledb;
use super::watching::lost;
use crate::checks::presence;
use crate::commands::inspect::{self, FileInspection, Inspection, Places};
use crate::dump::items::Unsound;
use crate::dump::script::Part;
use crate::events::{Event, Progress, Work};
use crate::model::format::Format;
use crate::model::outcome::{CheckResult, Obstacle};
use crate::model::packing::Packing;
use crate::packing::file::BackupFile;
use crate::packing::ranges::Ranges;
use crate::packing::read_error::ReadError;
use crate::restore::parallel::ReadBack;
use crate::restore::plan::table_of;
use crate::restore::{self, Ledger, LoadError, MOST_ERRORS, load, parallel};

/// A plain dump, in a file.
#[derive(Clone)]
pub(in crate::commands) struct Plain {
    file: BackupFile,
    packing: Packing,
}

impl Plain {
    /// The dump in this file.
    pub fn new(file: &BackupFile, packing: Packing) -> Self {
        Self { file: file.clone(), packing }
    }

    /// Reads the dump to its end while the sandbox starts.
    ///
    /// What can be known without a server is found whether or not there is one: a backup that is
    /// cut off is bad, also where no Docker answers.
    async fn read_and_start(
        &self,
        cx: Context<'_>,
        server: &mut Option<Server>,
        notes: &mut Notes<'_>,
    ) -> Result<Option<Examined<Places>>, Obstacle> {
        let (file, packing) = (self.file.clone(), self.packing);
        let facts = aside(cx.stop, move || inspect::preamble(&file, packing)).await?;
        let bytes = reading::dump_bytes(self.file.bytes(), self.packing);
        let wanted = reading::wanted(cx, facts.server_major(), bytes, false);
        let inspecting = {
            let (file, packing) = (self.file.clone(), self.packing);
            let (cancel, progress) = (cx.stop.token().clone(), reading::progress_of(cx));
            tokio::task::spawn_blocking(move || {
                inspect::inspect(&file, packing, &cancel, &progress)
            })
        };
        let is_sound = |found: &FileInspection| {
            found.dump.unsound.as_ref().is_none_or(|unsound| is_accepted(cx, unsound))
        };
        let (found, started) =
            reading::start_while(cx, &wanted, inspecting, is_sound, server, notes).await?;
        match found {
            Ok(found) => judge(cx, found, started, notes),
            Err(error) => {
                if let ReadError::Refused { sha256, .. } = &error {
                    let checksum = reading::note_checksum(cx, sha256, &[], notes);
                    if reading::note_other_file(cx, checksum.as_ref(), notes)? {
                        return Ok(None);
                    }
                }
                Err(unread(&error, cx.stop))
            }
        }
    }

    /// One attempt: over several connections where there is a list of what it has, else over one as the
    /// dump is read.
    async fn attempt(
        &self,
        target: Target<'_>,
        places: &Places,
        parts: Option<Vec<Part>>,
    ) -> Attempted {
        let stop = target.cx.stop;
        let server = target.connect_info();
        let ledger = Ledger::of(target.known());
        let loaded = tokio::select! {
            biased;
            () = stop.token().cancelled() => None,
            loaded = self.load(target, places, parts, &ledger) => Some(loaded),
            why = lost(&server) => Some(Err(LoadError::Server(why))),
        };
        let ended = match loaded {
            None => Err(interrupted(stop)),
            Some(Ok(())) => Ok(()),
            Some(Err(error @ LoadError::GivenUp)) => {
                Err(obstacle(&error, "the first error often explains the others"))
            }
            Some(Err(error)) => Err(target.cut_short(&error).await),
        };
        (ledger.close(), ended)
    }

    async fn load(
        &self,
        target: Target<'_>,
        places: &Places,
        parts: Option<Vec<Part>>,
        ledger: &Ledger,
    ) -> Result<(), LoadError> {
        let bytes = target.dump.dump_bytes;
        let (events, total) = (target.cx.events.clone(), Some(bytes));
        let progress = move |done: u64, table: &str| {
            let current = Some(table.to_owned()).filter(|table| !table.is_empty());
            let work = Work::Restoring;
            events.emit(Event::Progress(Progress { work, done, total, current }));
        };
        let database = target.connect_info();
        match parts {
            Some(parts) => {
                let members = places.members.clone();
                let source = Ranges::of(&self.file, self.packing, members, bytes);
                let (jobs, progress) = (target.cx.proof.jobs, Arc::new(progress));
                let early = read_back(target);
                parallel::load(source, parts, &database, jobs, ledger, progress, early).await
            }
            None => {
                let stream = self.file.stream(self.packing);
                let databases = match target.server.database() {
                    Some(_) => {
                        let connects = target.dump.own_database.connects();
                        load::Databases::This { connects }
                    }
                    None => load::Databases::Its,
                };
                load::load_into(stream, &database, databases, ledger, &progress).await
            }
        }
    }
}

/// Reads tables back while the restore goes on, where their contents are proven.
fn read_back(target: Target<'_>) -> Option<ReadBack> {
    let reader = target.early_reader()?;
    Some(Arc::new(move |block, reading| {
        if let Some(table) = table_of(block) {
            reader.read(&table.schema.text(), &table.name.text(), reading);
        }
    }))
}

/// Whether the operator takes this for a whole dump.
fn is_accepted(cx: Context<'_>, unsound: &Unsound) -> bool {
    cx.proof.accept_foreign_sql && *unsound == Unsound::Foreign
}

/// What follows from a file that was read to its end. `None` when it is bad.
fn judge(
    cx: Context<'_>,
    found: FileInspection,
    started: Result<(), ServerError>,
    notes: &mut Notes<'_>,
) -> Result<Option<Examined<Places>>, Obstacle> {
    let FileInspection { mut dump, sha256, places } = found;
    let checksum = reading::note_checksum(cx, &sha256, &[], notes);
    if dump.unsound.as_ref().is_some_and(|unsound| is_accepted(cx, unsound)) {
        notes.not_proven("that the file is whole: it has no header and trailer of pg_dump");
        dump.unsound = None;
    }
    if let Some(unsound) = &dump.unsound {
        return judge_unsound(cx, unsound, checksum, notes).map(|()| None);
    }
    if reading::note_other_file(cx, checksum.as_ref(), notes)?
        || reading::note_emptiness(cx, &dump, notes)?
    {
        return Ok(None);
    }
    started.map_err(|error| no_server(&error, cx.stop))?;
    reading::note_whole(cx, &dump, checksum, notes);
    if let Some(manifest) = cx.manifest {
        notes.check(reading::statements(manifest, &dump));
    }
    Ok(Some(Examined { dump, places }))
}

/// What follows from a dump that is not whole, or that we cannot read.
fn judge_unsound(
    cx: Context<'_>,
    unsound: &Unsound,
    checksum: Option<CheckResult>,
    notes: &mut Notes<'_>,
) -> Result<(), Obstacle> {
    match unsound.our_limit() {
        Some(hint) if !reading::note_other_file(cx, checksum.as_ref(), notes)? => {
            Err(obstacle(unsound, hint))
        }
        Some(_) => Ok(()),
        None => {
            let (cause, hint) = (unsound.to_string(), unsound.hint());
            reading::note_bad(cx, cause, hint, checksum, notes)
        }
    }
}

impl Kind for Plain {
    type Places = Places;

    async fn examine(
        &self,
        cx: Context<'_>,
        server: &mut Option<Server>,
    ) -> Step<Examined<Places>> {
        let mut notes = Notes::new(cx.events);
        notes.findings.facts.format = Some(Format::Plain);
        let outcome = self.read_and_start(cx, server, &mut notes).await;
        notes.end(outcome)
    }

    /// Restores over several connections where that is possible, and once more over one where they left
    /// a doubt.
    async fn restore(
        &self,
        target: Target<'_>,
        places: &Places,
        notes: &mut Notes<'_>,
    ) -> Attempted {
        let jobs = target.cx.proof.jobs;
        let parts = match target.server.database() {
            Some(_) => places.script.part_of_one().map(|part| vec![part]),
            None => places.script.parts(),
        };
        // TimescaleDB restores its catalog in its order alone.
        let is_parallel = jobs > 1 && !timescaledb::is_needed(target);
        let Some(parts) = parts.filter(|_| is_parallel) else {
            return self.attempt(target, places, None).await;
        };
        let before = match again::cluster(target).await {
            Ok(before) => before,
            Err(obstacle) => return (restore::Restored::default(), Err(obstacle)),
        };
        let (restored, ended) = self.attempt(target, places, Some(parts)).await;
        let Some(doubt) = restored.doubt().map(ToString::to_string) else {
            return (restored, ended);
        };
        let several = format!("the restore over {jobs} connections");
        let whole = ended.is_ok();
        // Given up, it was not cut short.
        let cut = ended.err().filter(|_| restored.refusals() < MOST_ERRORS);
        let first = First { restored, jobs, several, whole, doubt, adds_up: true };
        let alone = self.attempt(target, places, None);
        match cut {
            Some(cut) => first.unconfirmed(cut),
            None => again::second_opinion(target, before.as_ref(), first, alone, notes).await,
        }
    }

    fn expectations<'a>(
        &'a self,
        cx: Context<'a>,
        dump: &'a Inspection,
        _: &'a Server,
    ) -> Result<Expectations<'a>, Obstacle> {
        // What was restored of another file would be compared with this one.
        if cx.backup.has_changed() {
            return Err(changed());
        }
        Ok(Expectations {
            contents: &dump.contents,
            is_schema_alone: presence::is_schema_alone(&dump.contents, &dump.facts),
            is_cluster: dump.facts.cluster,
            again: Box::new(self.clone()),
        })
    }
}

impl Reread for Plain {
    fn sql(&self) -> SqlAgain<'_> {
        SqlAgain {
            stream: self.file.stream(self.packing),
            writing: Box::pin(std::future::ready(Ok(()))),
        }
    }
}
