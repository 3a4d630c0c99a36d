//! `verify`: reads the backup, restores it into a throwaway PostgreSQL, checks what came back.
//!
//! The steps hand values on: `opening::Opened`, `kind::Examined`, `restoring::Restored`, and then the
//! checks. Each gives its findings with its end, and `report::Collector` makes the report of them.
//! Nothing that a step is given changes, but for the sandbox, which the run owns.

mod again;
mod archive;
mod by_value;
mod checking;
mod collation;
mod context;
mod database;
mod extensions;
mod findings;
mod holding;
mod kind;
mod lacking;
mod large_objects;
mod obstacles;
mod opening;
mod pg_restore;
mod plain;
mod reading;
mod report;
mod restoring;
mod rights;
mod sequences;
mod tables;
mod target;
mod watching;

use std::sync::Arc;
use std::time::Instant;

use chrono::Utc;

use crate::archive::Storage;
use crate::commands::{Stop, ledger, record};
use crate::events::{Event, Events};
use crate::model::format::Format;
use crate::model::outcome::{Obstacle, RunReport};
use crate::sandbox::Sandbox;
use crate::settings::VerifySettings;
use archive::Archived;
use context::{Context, Surroundings};
use kind::Kind;
use obstacles::changed;
use plain::Plain;
use report::{Collected, Collector};
use target::DATABASE;

/// Verifies one backup and tells what was found; cleans up whatever happens.
pub async fn run(settings: &VerifySettings, events: &Events, stop: &Stop) -> Arc<RunReport> {
    let clock = Instant::now();
    let mut collector = Collector::begin(settings, Utc::now());
    if let Some(limit) = settings.timeout {
        stop.after(limit);
    }
    let around = Surroundings { settings, events, stop };
    let mut sandbox = None;
    let ended = verify(around, &mut collector, &mut sandbox).await;
    let Collected { report, is_there, source_database, database } =
        collector.finish(ended, clock.elapsed());
    let report = Arc::new(report);
    if is_there {
        let line = record::verification(&report, source_database);
        let metrics_file = settings.metrics_file.as_deref();
        let (dir, backup) = (&settings.history_dir, &report.backup);
        let unwritten = ledger::put_on_record(dir, backup, line, metrics_file, stop).await;
        unwritten.warnings().for_each(|text| events.emit(Event::Warning(text)));
    }
    events.emit(Event::VerifyFinished(Arc::clone(&report)));
    if let Some(sandbox) = sandbox {
        leave(settings, events, sandbox, database.as_deref().unwrap_or(DATABASE)).await;
    }
    report
}

/// Opens the backup and has the steps of its kind taken.
async fn verify(
    around: Surroundings<'_>,
    collector: &mut Collector,
    sandbox: &mut Option<Sandbox>,
) -> Result<(), Obstacle> {
    let Some(opened) = collector.take(opening::open(around).await)? else { return Ok(()) };
    let cx = opened.context(around);
    match (cx.backup.format(), cx.backup.storage()) {
        (Format::Plain, Storage::File(file)) => {
            let plain = Plain::new(file, cx.backup.packing());
            steps(&plain, cx, collector, sandbox).await
        }
        _ => steps(&Archived, cx, collector, sandbox).await,
    }
}

/// The steps, in order. An `Err` is what stood in the way; what speaks against the backup is in the
/// findings.
async fn steps<K: Kind>(
    kind: &K,
    cx: Context<'_>,
    collector: &mut Collector,
    sandbox: &mut Option<Sandbox>,
) -> Result<(), Obstacle> {
    let examined = collector.take(kind.examine(cx, sandbox).await)?;
    let (Some(examined), Some(sandbox)) = (examined, sandbox) else { return Ok(()) };
    let restored = restoring::restore(cx, kind, &examined, sandbox).await;
    let Some(restored) = collector.take(restored)? else { return Ok(()) };
    let expected = kind.expectations(cx, &examined.dump, sandbox)?;
    collector.take(checking::check(cx, &expected, sandbox, &restored).await)?;
    if cx.settings.keep {
        kind.clear_away(sandbox).await;
    }
    // What was found is of no file that there is.
    if cx.backup.has_changed() { Err(changed()) } else { Ok(()) }
}

/// Removes the sandbox, or keeps it for the operator.
async fn leave(settings: &VerifySettings, events: &Events, sandbox: Sandbox, database: &str) {
    if settings.keep {
        sandbox.keep(database, events).await;
    } else if let Err(error) = sandbox.close(events).await {
        events.emit(Event::Warning(format!("the sandbox was not cleaned up: {error}")));
    }
}
