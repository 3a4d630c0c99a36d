//! `restore`: brings a backup back into a server that others use.
//!
//! It takes the steps of a verification, with that server in the sandbox's place: the backup is read to its
//! end, restored, and held to what it says. Only then does the database get its name. Whatever happens
//! before that, what was there is as it was, and what was made is dropped.

mod asking;
mod definitions;
mod failing;
mod foretold;
mod making;
mod own_database;
mod plan;
mod switching;
mod tables;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use chrono::Utc;

use super::steps::context::{Context, Place, Surroundings};
use super::steps::destined::Destined;
use super::steps::kind::{Examined, Kind};
use super::steps::kinds::{self, Taker};
use super::steps::obstacles::{changed, no_server, obstacle};
use super::steps::report::{Collected, Collector};
use super::steps::server::{Server, ServerError};
use super::steps::{checking, opening, restoring, spool, transit};
use crate::checks::restore_time;
use crate::commands::{Failure, Stop, ledger, record};
use crate::events::{Event, Events, RestoreEvent, Restored};
use crate::model::outcome::{Obstacle, Verdict};
use crate::settings::{Deed, RestoreSettings};

/// The exit code where the database is restored, proven and under its name, and was so too late.
const TOO_SLOW: u8 = 3;

/// Does what was asked for, and gives the exit code.
///
/// # Errors
/// [`Failure`] where there was nothing to report.
pub async fn run(settings: &RestoreSettings, events: &Events, stop: &Stop) -> Result<u8, Failure> {
    settings.warnings.iter().for_each(|text| events.emit(Event::Warning(text.clone())));
    if let Some(limit) = settings.timeout {
        stop.after(limit);
    }
    match settings.deed {
        Deed::Tables => tables::run(settings, events, stop).await.map(|()| 0),
        Deed::Restore | Deed::Plan => Ok(restore(settings, events, stop).await),
        Deed::Undo => switching::undo(settings, events, stop).await.map(|()| 0),
        Deed::Complete => switching::complete(settings, events, stop).await.map(|()| 0),
    }
}

/// Restores, or says what that would do, and tells how it ended.
async fn restore(settings: &RestoreSettings, events: &Events, stop: &Stop) -> u8 {
    let clock = Instant::now();
    let mut collector = Collector::begin(&settings.choice, &settings.proof, Utc::now());
    let around = Surroundings {
        choice: &settings.choice,
        proof: &settings.proof,
        place: Place::Destination(&settings.destination),
        events,
        stop,
    };
    let mut server = None;
    let mut run = Run { settings, done: Done::Nothing, roles: BTreeSet::new() };
    let ended = run.open(around, &mut collector, &mut server).await;
    if let (Done::Begun, Some(Server::Destination(destined))) = (&run.done, &server) {
        clear_away(destined, &run.roles, events).await;
    }
    let planned = matches!(run.done, Done::Planned);
    let Collected { mut report, is_there, is_sealed, source_database, .. } =
        collector.finish(ended, clock.elapsed());
    if let Some(allowed) = settings.rto.filter(|_| !planned) {
        let check = match run.done {
            Done::Restored(_) => restore_time::judge(clock.elapsed(), allowed, true),
            // Of what is not there, there is no time.
            _ => restore_time::not_measured(),
        };
        events.emit(Event::Checked(check.clone()));
        report.checks.push(check);
    }
    let report = Arc::new(report);
    if planned && report.obstacle.is_none() && report.defects.is_empty() {
        return 0;
    }
    spool::doubt(settings.choice.incoming.as_ref(), &report, events);
    if settings.choice.incoming.is_some() {
        spool::unrecorded(settings.metrics_file.as_deref(), events);
    } else if is_there && !planned {
        let line = record::restore(&report, source_database);
        let line = if is_sealed { line.of_sealed() } else { line };
        let metrics_file = settings.metrics_file.as_deref();
        let (dir, backup) = (&settings.history_dir, &report.backup);
        let unwritten = ledger::put_on_record(dir, backup, line, metrics_file, stop).await;
        unwritten.warnings().for_each(|text| events.emit(Event::Warning(text)));
    }
    let restored = match run.done {
        Done::Restored(restored) => Some(restored),
        _ => None,
    };
    let exit = match report.verdict() {
        Verdict::Failed if restored.is_some() => TOO_SLOW,
        verdict => verdict.exit_code(),
    };
    events.emit(Event::Restore(RestoreEvent::Finished { report, restored }));
    exit
}

/// Removes what a restore made that did not come to its end.
async fn clear_away(destined: &Destined, roles: &BTreeSet<String>, events: &Events) {
    if let Err(error) = destined.clear_away().await {
        events.emit(Event::Warning(format!("what was restored is left on the server: {error}")));
    }
    for refused in destined.destination.drop_roles(roles.iter()).await {
        events.emit(Event::Warning(format!("a role that was made is left: {refused}")));
    }
}

/// How far a run came.
enum Done {
    /// It changed nothing.
    Nothing,
    /// It may have put something on the server.
    Begun,
    /// It said what it would do.
    Planned,
    /// The database is there, and bears its name.
    Restored(Restored),
    /// The database is proven, and waits for its name.
    Proven,
}

struct Run<'a> {
    settings: &'a RestoreSettings,
    done: Done,
    /// Roles that it made.
    roles: BTreeSet<String>,
}

/// The steps of a run whose backup is open.
struct Taking<'a, 'r> {
    run: &'a mut Run<'r>,
    cx: Context<'a>,
    collector: &'a mut Collector,
    server: &'a mut Option<Server>,
}

impl Taker for Taking<'_, '_> {
    async fn take<K: Kind>(self, kind: &K) -> Result<(), Obstacle> {
        self.run.steps(kind, self.cx, self.collector, self.server).await
    }
}

impl Run<'_> {
    /// Opens the backup and has the steps of its kind taken.
    async fn open(
        &mut self,
        around: Surroundings<'_>,
        collector: &mut Collector,
        server: &mut Option<Server>,
    ) -> Result<(), Obstacle> {
        let Some(opened) = collector.take(opening::open(around).await)? else { return Ok(()) };
        let cx = opened.context(around);
        plan::check_history(cx, self.settings)?;
        let taking = Taking { run: self, cx, collector: &mut *collector, server };
        kinds::take(cx, taking).await?;
        transit::confirm_proof(cx, collector).await
    }

    /// The steps of a verification, and then the switch.
    async fn steps<K: Kind>(
        &mut self,
        kind: &K,
        cx: Context<'_>,
        collector: &mut Collector,
        place: &mut Option<Server>,
    ) -> Result<(), Obstacle> {
        let examined = collector.take(kind.examine(cx, place).await)?;
        let (Some(mut examined), Some(server)) = (examined, place) else { return Ok(()) };
        check_is_one_database(&examined)?;
        if let Server::Destination(destined) = &*server {
            let plan = plan::make(cx, destined, &examined.dump, self.settings).await?;
            cx.events.emit(Event::Restore(RestoreEvent::Planned(plan)));
        }
        if self.settings.deed == Deed::Plan {
            self.done = Done::Planned;
            return Ok(());
        }
        self.done = Done::Begun;
        if let (Server::Destination(destined), true) = (&*server, self.settings.globals) {
            self.roles = plan::make_roles(cx, destined, &examined.dump).await?;
        }
        let restored = restoring::restore(cx, kind, &mut examined, server, collector).await?;
        let Some(restored) = restored else { return Ok(()) };
        let expected = kind.expectations(cx, &examined.dump, server)?;
        collector.take(checking::check(cx, &expected, server, &restored).await)?;
        // What was found is of no file that there is.
        if cx.backup.has_changed() {
            return Err(changed());
        }
        if collector.report().verdict() != Verdict::Passed {
            return Ok(());
        }
        let Server::Destination(destined) = &*server else { return Ok(()) };
        let untold = |error| no_server(&ServerError::Destination(error), cx.stop);
        let own = &examined.dump.own_database;
        own_database::give(destined, own, cx.events).await;
        destined.note_proven().await.map_err(untold)?;
        self.done = Done::Proven;
        let switched = switching::switch(cx, destined, self.settings).await?;
        own_database::comment(destined, own, cx.events).await;
        self.done = Done::Restored(switched);
        Ok(())
    }
}

/// A dump of a whole server, or of several databases, makes them under names of its own.
fn check_is_one_database<P>(examined: &Examined<P>) -> Result<(), Obstacle> {
    let dump = &examined.dump;
    if dump.facts.cluster {
        let hint = "restore it into a server of its own with psql -d postgres, or make backups of one \
                    database: ccc-backup create";
        return Err(obstacle(&"the dump is of a whole server (pg_dumpall)", hint));
    }
    let hint = "restore it into a server of its own with psql, or make backups of one database: ccc-backup create";
    dump.own_database.alone().map(drop).map_err(|why| obstacle(&why, hint))
}
