//! `history`: the runs on record, and what they say together.

use std::path::Path;

use chrono::Utc;

use crate::commands::copy_metrics::Renewal;
use crate::commands::evidence::Sources;
use crate::commands::{Failure, ledger};
use crate::events::{Event, Events};
use crate::report::html::{self, Evidence, Subject};
use crate::report::listing::{runs_json, runs_text};
use crate::report::output::{Destination, OutputError};
use crate::settings::HistorySettings;
use crate::store::ledger::Ledger;
use crate::store::place::{ObjectUrl, Place};
use crate::store::totals::Totals;
use crate::store::{StoreError, history, nearby, runs, statistics};

/// Answers with the runs; writes the metrics anew where asked.
///
/// # Errors
/// When the directory or its history cannot be read, or the metrics cannot be written.
pub fn run(settings: &HistorySettings, events: &Events) -> anyhow::Result<String> {
    let (dir, now) = (&settings.backup_dir, Utc::now());
    let rto = settings.rto.map(|rto| rto.as_secs_f64());
    let unreadable = |error| Failure::from(&error);
    if let Place::Objects(url) = Place::of(dir).map_err(|error| unreadable(error.into()))? {
        return in_place(&url, settings, events);
    }
    if !dir.is_dir() {
        let missing = if dir.exists() {
            StoreError::NotADirectory(dir.clone())
        } else {
            StoreError::DirectoryMissing(dir.clone())
        };
        return Err(unreadable(missing).into());
    }
    if let Some(file) = &settings.metrics_file {
        ledger::check_metrics_file(Some(file))?;
        let ledger = Ledger::open(dir).map_err(unreadable)?;
        let totals = Totals::of(&ledger.history().records);
        ledger::write_metrics(file, None, &totals).map_err(anyhow::Error::msg)?;
        drop(ledger);
        tell_of_copies(file, settings, events)?;
    }
    let history = history::read(dir).map_err(unreadable)?;
    write_page(settings)?;
    history.set_aside().into_iter().for_each(|text| events.emit(Event::Warning(text)));
    let statistics = statistics::by_database(&history.records, rto);
    Ok(if settings.json {
        runs_json(dir, now, &history, settings.limit, &statistics)?
    } else {
        let below = nearby::with_history_below(dir);
        runs_text(dir, now, &history.records, settings.limit, &statistics, &below)
    })
}

/// Writes the page, where one is asked for.
///
/// # Errors
/// When it cannot be written.
fn write_page(settings: &HistorySettings) -> Result<(), Failure> {
    let Some(file) = &settings.html else { return Ok(()) };
    let failed = |error: OutputError| Failure {
        exit: 2,
        cause: format!("--html: {error}"),
        hint: Some(error.hint().to_owned()),
        notes: Vec::new(),
    };
    let destination = Destination::open(file, b'<').map_err(failed)?;
    let on_record = Sources::of_history(settings).read();
    let evidence = Evidence { now: Utc::now(), subject: Subject::History, on_record: &on_record };
    destination.write(&html::page(&evidence)).map_err(failed)
}

/// Has the metrics tell of the copies that are named.
fn tell_of_copies(file: &Path, settings: &HistorySettings, events: &Events) -> anyhow::Result<()> {
    let (home, places) = (settings.backup_dir.clone(), settings.copies.clone());
    let renewal = Renewal { file: file.to_owned(), home, places, brought: None };
    renewal.renew(events).map_err(anyhow::Error::msg)
}

/// Runs of a place of which all is read that is on record; of older ones, what their names say.
const READ_WHOLE: usize = 200;

/// The same of a place in object storage.
fn in_place(
    url: &ObjectUrl,
    settings: &HistorySettings,
    events: &Events,
) -> anyhow::Result<String> {
    let (dir, now) = (&settings.backup_dir, Utc::now());
    let rto = settings.rto.map(|rto| rto.as_secs_f64());
    let history = runs::read_whole(url, settings.limit.max(READ_WHOLE));
    let history = history.map_err(|error| Failure::from(&error))?;
    if let Some(file) = &settings.metrics_file {
        ledger::check_metrics_file(Some(file))?;
        let totals = Totals::of(&history.records);
        ledger::write_metrics(file, Some(url), &totals).map_err(anyhow::Error::msg)?;
        tell_of_copies(file, settings, events)?;
    }
    write_page(settings)?;
    history.set_aside().into_iter().for_each(|text| events.emit(Event::Warning(text)));
    let statistics = statistics::by_database(&history.records, rto);
    Ok(if settings.json {
        runs_json(dir, now, &history, settings.limit, &statistics)?
    } else {
        runs_text(dir, now, &history.records, settings.limit, &statistics, &[])
    })
}
