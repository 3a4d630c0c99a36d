//! `drill`: verifies a sample of the backups in every place, each as `verify` does it, and tells what was proven.
//!
//! It keeps no state: which backups are tried, and in which order, follows from the histories, in which each of its
//! verifications is on record.

mod newest;
mod planning;
mod scrubbing;
mod working;

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::copy_metrics::Renewal;
use super::evidence::Sources;
use super::{Failure, Stop};
use crate::events::{DrillEvent, Event, Events};
use crate::model::drill::{DatabaseOutlook, DrillReport, PlaceFound, Turn};
use crate::settings::DrillSettings;

pub use newest::NewestOfEach;

/// Plans, verifies what was planned, and returns the exit code: that of the worst verdict; of a plan alone, 0.
///
/// # Errors
/// [`Failure`] with exit code 2 when it was interrupted before there was a plan.
pub async fn run(settings: &DrillSettings, events: &Events, stop: &Stop) -> Result<u8, Failure> {
    let (clock, started_at) = (Instant::now(), Utc::now());
    for warning in &settings.warnings {
        events.emit(Event::Warning(warning.clone()));
    }
    let planning = planning::plan(settings, events, stop).await?;
    events.emit(Event::Drill(DrillEvent::Planned(Arc::new(planning.shown(settings, started_at)))));
    if settings.dry_run {
        return Ok(0);
    }
    let places = planning.places.clone();
    let turns = working::work_off(settings, planning, clock, events, stop).await;
    if let Some(file) = &settings.metrics_file {
        let (file, home) = (file.clone(), settings.home().clone());
        let copies = settings.places[1..].to_vec();
        Renewal { file, home, places: copies, brought: None }.run(events, stop).await;
    }
    let outlooks = outlooks(settings, stop).await;
    let report = report(settings, (started_at, clock), places, turns, outlooks);
    events.emit(Event::Drill(DrillEvent::Finished(Arc::clone(&report))));
    Ok(report.verdict().exit_code())
}

/// All that was found.
fn report(
    settings: &DrillSettings,
    (started_at, clock): (DateTime<Utc>, Instant),
    places: Vec<PlaceFound>,
    turns: Vec<Turn>,
    outlooks: Vec<DatabaseOutlook>,
) -> Arc<DrillReport> {
    let seconds = |time: Duration| time.as_secs_f64();
    Arc::new(DrillReport {
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at,
        seconds: clock.elapsed().as_secs_f64(),
        file_only: settings.file_only,
        newest_only: settings.newest_only,
        rto_seconds: settings.proof.rto.map(seconds),
        within_seconds: settings.within.map(seconds),
        places,
        turns,
        outlooks,
        warnings: settings.warnings.clone(),
    })
}

/// How long restores are going to take; none of a drill that restores nothing, nor where the histories do not answer.
async fn outlooks(settings: &DrillSettings, stop: &Stop) -> Vec<DatabaseOutlook> {
    if settings.file_only {
        return Vec::new();
    }
    let sources = Sources::of_drill(settings);
    let reading = tokio::task::spawn_blocking(move || sources.read());
    let Some(Ok(on_record)) = stop.wait_for(reading).await else { return Vec::new() };
    let databases = on_record.databases.into_iter();
    let told = databases.filter_map(|it| Some((it.database, it.outlook?)));
    told.map(|(database, outlook)| DatabaseOutlook { database, outlook }).collect()
}
