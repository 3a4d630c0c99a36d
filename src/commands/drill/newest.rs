//! `verify --latest` where there are backups of several databases: the newest of each, by the means of a drill.

use std::sync::Arc;
use std::time::Instant;

use chrono::Utc;

use super::planning;
use super::{outlooks, report, working};
use crate::commands::copy_metrics::Renewal;
use crate::commands::{Failure, Stop, newest};
use crate::events::{DrillEvent, Event, Events};
use crate::settings::{DrillSettings, OfDatabase, VerifySettings};
use crate::store::listing::Listed;

/// The newest backups of several databases.
#[derive(Debug)]
pub struct NewestOfEach(Vec<(Option<String>, Listed)>);

impl NewestOfEach {
    /// The newest of each database, where a verification is of the newest backup and there are several; `None` where it
    /// is of one, which the settings say then, and where nobody can tell.
    pub async fn find(settings: &mut VerifySettings, stop: &Stop) -> Option<Self> {
        let choice = &mut settings.choice;
        if choice.file.is_some() || choice.incoming.is_some() || choice.database != OfDatabase::Only
        {
            return None;
        }
        let dir = choice.backup_dir.clone();
        let looking = tokio::task::spawn_blocking(move || newest::of_each(&dir));
        // The time that a verification may take is its own. Where it is up already, one is begun all the same, to report that.
        let looking_may_take = stop.of_part();
        if let Some(limit) = settings.timeout {
            looking_may_take.after(limit);
        }
        let each = looking_may_take.wait_for(looking).await?.ok()?.ok()?;
        if each.len() < 2 {
            choice.database = OfDatabase::Any;
            return None;
        }
        Some(Self(each))
    }

    /// Verifies them, one after the other, and returns the exit code: that of the worst verdict.
    ///
    /// # Errors
    /// [`Failure`] with exit code 2 where what is asked for makes no sense for several.
    pub async fn verify(
        self,
        settings: &VerifySettings,
        events: &Events,
        stop: &Stop,
    ) -> Result<u8, Failure> {
        let (clock, started_at) = (Instant::now(), Utc::now());
        if settings.sandbox.keep {
            return Err(kept(&self.0));
        }
        let drill = DrillSettings::of_verification(settings);
        for warning in &settings.warnings {
            events.emit(Event::Warning(warning.clone()));
        }
        let dir = drill.home();
        for (_, backup) in &self.0 {
            newest::warn_of_time(&dir.join(&backup.name), backup.time, events);
        }
        let planning = planning::of_newest(dir, self.0);
        let places = planning.places.clone();
        events
            .emit(Event::Drill(DrillEvent::Planned(Arc::new(planning.shown(&drill, started_at)))));
        let turns = working::work_off(&drill, planning, clock, events, stop).await;
        if let Some(file) = &settings.metrics_file {
            let (file, home, places) = (file.clone(), dir.clone(), settings.copies.clone());
            Renewal { file, home, places, brought: None }.run(events, stop).await;
        }
        let outlooks = outlooks(&drill, stop).await;
        let report = report(&drill, (started_at, clock), places, turns, outlooks);
        events.emit(Event::Drill(DrillEvent::Finished(Arc::clone(&report))));
        Ok(report.verdict().exit_code())
    }
}

fn kept(each: &[(Option<String>, Listed)]) -> Failure {
    Failure {
        exit: 2,
        cause: format!(
            "--no-cleanup keeps one restored database, and there are backups of several: {}",
            newest::names(each)
        ),
        hint: Some("name one: --database NAME".to_owned()),
        notes: Vec::new(),
    }
}
