//! `diff`: in what two backups differ, from their manifests alone where they have them; and, of one table, by
//! its rows.

mod comparing;
mod partitions;
mod reading;
mod rows;

use std::io::{self, Write};

use super::{DEFECT, Failure, Stop};
use crate::events::{Event, Events};
use crate::model::difference::Difference;
use crate::report::console::Data;
use crate::report::difference::{json, text};
use crate::settings::DiffSettings;
use crate::store::difference::compare;

/// Answers in what they differ; gives the exit code.
///
/// # Errors
/// With exit code 2 where it could not be told.
pub async fn run(
    settings: &DiffSettings,
    data: Data,
    events: &Events,
    stop: &Stop,
) -> Result<u8, Failure> {
    for warning in &settings.warnings {
        events.emit(Event::Warning(warning.clone()));
    }
    let compared = match &settings.table {
        Some(pattern) => rows::run(settings, pattern, data, events, stop).await,
        None => whole(settings, data, events, stop).await,
    };
    compared.map_err(|failure| match stop.token().is_cancelled() {
        true => failure_of(stop.reason(), stop.hint()),
        // What is bad in one of them says nothing of how they differ.
        false => Failure { exit: 2, ..failure },
    })
}

async fn whole(
    settings: &DiffSettings,
    mut data: Data,
    events: &Events,
    stop: &Stop,
) -> Result<u8, Failure> {
    let quiet = Events::silent();
    let events = if data.is_terminal { &quiet } else { events };
    let a = reading::known(&settings.a, settings, events, stop).await?;
    let b = reading::known(&settings.b, settings, events, stop).await?;
    let difference = compare(&a, &b);
    let answer = answer(&difference, settings.json, false);
    let written = data.sink.write_all(&answer).and_then(|()| data.sink.flush());
    unless_closed(written)?;
    Ok(difference.told().exit_code())
}

/// The answer, without the rows that may follow it.
fn answer(difference: &Difference, is_json: bool, with_rows: bool) -> Vec<u8> {
    if is_json { json(difference, with_rows) } else { text(difference).into_bytes() }
}

/// Whoever closes the pipe has seen enough.
fn unless_closed(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let cause = format!("the answer could not be written to stdout: {error}");
            Err(failure_of(cause, "make room where it leads to"))
        }
        _ => Ok(()),
    }
}

fn failure_of(cause: impl Into<String>, hint: &str) -> Failure {
    Failure { exit: 2, cause: cause.into(), hint: Some(hint.to_owned()), notes: Vec::new() }
}

/// A thread of ours that died.
fn died(error: &tokio::task::JoinError) -> Failure {
    failure_of(error.to_string(), DEFECT)
}
