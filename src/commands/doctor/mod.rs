//! `doctor`: says what of the set-up works, and what mends the rest. It asks by what the other commands do their work with,
//! and leaves everything as it was.

mod clock;
mod configuration;
mod container;
mod keys;
mod notifications;
mod places;
mod records;
mod server;
mod source;
mod tools;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesOrdered, StreamExt};

use super::{Failure, Stop};
use crate::events::{DoctorEvent, Event, Events};
use crate::model::checkup::{Area, Checkup, Finding, State};
use crate::settings::{DoctorSettings, Unset};

/// How long what may hang is waited for: a disk, a place, an agent.
const PATIENCE: Duration = Duration::from_secs(45);

/// Looks at everything, all parts at the same time, and tells of them in their order.
///
/// # Errors
/// With exit code 2 where the run was asked to stop.
pub async fn run(
    settings: &DoctorSettings,
    events: &Events,
    stop: &Stop,
) -> Result<Arc<Checkup>, Failure> {
    events.emit(Event::Doctor(DoctorEvent::Started));
    let parts: [BoxFuture<'_, Vec<Finding>>; 6] = [
        async { vec![configuration::examine(settings)] }.boxed(),
        database_and_server(settings, stop).boxed(),
        places::examine(settings).boxed(),
        keys::examine(settings, events, stop).boxed(),
        notifications::examine(settings).boxed(),
        records::examine(settings).boxed(),
    ];
    let mut looking: FuturesOrdered<_> = parts.into_iter().collect();
    let mut checkup = Checkup::default();
    loop {
        let found = tokio::select! {
            biased;
            () = stop.token().cancelled() => {
                // What was begun on the way, a server above all, is removed with its guards.
                return Err(Failure {
                    exit: 2,
                    cause: stop.reason(),
                    hint: Some(stop.hint().to_owned()),
                    notes: Vec::new(),
                });
            }
            found = looking.next() => found,
        };
        let Some(found) = found else { break };
        events.emit(Event::Doctor(DoctorEvent::Examined(found.clone())));
        checkup.findings.extend(found);
    }
    let checkup = Arc::new(checkup);
    events.emit(Event::Doctor(DoctorEvent::Finished(Arc::clone(&checkup))));
    Ok(checkup)
}

/// The tools, the source that is asked with them, and the server that fits it.
async fn database_and_server(settings: &DoctorSettings, stop: &Stop) -> Vec<Finding> {
    let (reached, container) = container::examine(settings).await;
    let (source, asked) = match reached {
        Some((completed, client)) => {
            let (pg_dump, tools) = tools::examine(settings, &client).await;
            let (source, asked) = source::examine(settings, completed, pg_dump.as_ref()).await;
            (source, [tools, asked].concat())
        }
        None => (source::Known::default(), Vec::new()),
    };
    let server = server::examine(settings, &source, stop).await;
    [container, asked, server].concat()
}

/// What was found where a setting is not known.
fn senseless(area: Area, id: &str, what: &str, unset: &Unset) -> Finding {
    let found = |state, said: String| Finding::new(area, id, what, state, said);
    match unset {
        Unset::Senseless(error) => {
            found(State::Broken, error.to_string()).mended(error.hint.clone())
        }
        Unset::Unread => {
            let said = "the configuration that may have it cannot be read".to_owned();
            found(State::Unknown, said).mended("mend the configuration first")
        }
    }
}

/// Has something looked at by a thread of its own, and no longer than one has patience; `id` is what is not known then.
async fn aside(
    (area, id, what): (Area, &str, String),
    look: impl FnOnce() -> Vec<Finding> + Send + 'static,
) -> Vec<Finding> {
    let looking = tokio::task::spawn_blocking(look);
    let why = match tokio::time::timeout(PATIENCE, looking).await {
        Ok(Ok(found)) => return found,
        Ok(Err(died)) => died.to_string(),
        Err(_) => format!("it did not answer within {} s", PATIENCE.as_secs()),
    };
    vec![Finding::new(area, id, what, State::Unknown, why).mended("run it again")]
}
