//! `verify`: reads the backup, restores it into a throwaway PostgreSQL, checks what came back.

use std::sync::Arc;
use std::time::Instant;

use chrono::Utc;

use super::steps::context::{Context, Place, Surroundings};
use super::steps::kind::Kind;
use super::steps::kinds::{self, Taker};
use super::steps::obstacles::changed;
use super::steps::report::{Collected, Collector};
use super::steps::server::Server;
use super::steps::target::DATABASE;
use super::steps::{checking, opening, restoring, spool, transit};
use crate::commands::copy_metrics::Renewal;
use crate::commands::{Stop, ledger, record};
use crate::events::{Event, Events};
use crate::model::outcome::{Obstacle, RunReport};
use crate::settings::VerifySettings;

/// Verifies one backup and tells what was found; cleans up whatever happens.
pub async fn run(settings: &VerifySettings, events: &Events, stop: &Stop) -> Arc<RunReport> {
    let clock = Instant::now();
    let mut collector = Collector::begin(&settings.choice, &settings.proof, Utc::now());
    if let Some(limit) = settings.timeout {
        stop.after(limit);
    }
    let around = Surroundings {
        choice: &settings.choice,
        proof: &settings.proof,
        place: Place::Sandbox(&settings.sandbox),
        events,
        stop,
    };
    for warning in &settings.warnings {
        events.emit(Event::Warning(warning.clone()));
    }
    let mut server = None;
    let ended = verify(around, settings, &mut collector, &mut server).await;
    let Collected { report, is_there, is_sealed, source_database, database } =
        collector.finish(ended, clock.elapsed());
    let report = Arc::new(report);
    spool::doubt(settings.choice.incoming.as_ref(), &report, events);
    if settings.choice.incoming.is_some() {
        spool::unrecorded(settings.metrics_file.as_deref(), events);
    } else if is_there {
        let line = record::verification(&report, source_database);
        let line = if is_sealed { line.of_sealed() } else { line };
        let metrics_file = settings.metrics_file.as_deref();
        let (dir, backup) = (&settings.history_dir, &report.backup);
        let unwritten = ledger::put_on_record(dir, backup, line, metrics_file, stop).await;
        unwritten.warnings().for_each(|text| events.emit(Event::Warning(text)));
        if let Some(file) = &settings.metrics_file {
            let home = ledger::home(dir, backup).to_owned();
            let (file, places) = (file.clone(), settings.copies.clone());
            Renewal { file, home, places, brought: None }.run(events, stop).await;
        }
    }
    events.emit(Event::VerifyFinished(Arc::clone(&report)));
    if let Some(Server::Sandbox(sandbox)) = server {
        let database = database.as_deref().unwrap_or(DATABASE);
        if settings.sandbox.keep {
            sandbox.keep(database, events).await;
        } else if let Err(error) = sandbox.close(events).await {
            events.emit(Event::Warning(format!("the sandbox was not cleaned up: {error}")));
        }
    }
    report
}

/// Opens the backup and has the steps of its kind taken.
async fn verify(
    around: Surroundings<'_>,
    settings: &VerifySettings,
    collector: &mut Collector,
    server: &mut Option<Server>,
) -> Result<(), Obstacle> {
    let Some(opened) = collector.take(opening::open(around).await)? else { return Ok(()) };
    let cx = opened.context(around);
    let verifying =
        Verifying { cx, keep: settings.sandbox.keep, collector: &mut *collector, server };
    kinds::take(cx, verifying).await?;
    transit::confirm_proof(cx, collector).await
}

/// A verification of a backup that is open.
struct Verifying<'a> {
    cx: Context<'a>,
    keep: bool,
    collector: &'a mut Collector,
    server: &'a mut Option<Server>,
}

impl Taker for Verifying<'_> {
    /// The steps, in order. An `Err` is what stood in the way; what speaks against the backup is in the
    /// findings.
    async fn take<K: Kind>(self, kind: &K) -> Result<(), Obstacle> {
        let Self { cx, keep, collector, server } = self;
        let examined = collector.take(kind.examine(cx, server).await)?;
        let (Some(mut examined), Some(server)) = (examined, server) else { return Ok(()) };
        let restored = restoring::restore(cx, kind, &mut examined, server, collector).await?;
        let Some(restored) = restored else { return Ok(()) };
        let expected = kind.expectations(cx, &examined.dump, server)?;
        collector.take(checking::check(cx, &expected, server, &restored).await)?;
        if keep {
            kind.clear_away(server).await;
        }
        // What was found is of no file that there is.
        if cx.backup.has_changed() { Err(changed()) } else { Ok(()) }
    }
}
