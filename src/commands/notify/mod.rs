//! Tells others of a run, by what it lets be heard of itself and how it ended: when all of it is done and said. Nothing
//! that goes wrong here changes what the run found.

mod heard;
mod metrics;

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Failure, GRACE};
use crate::events::{Event, Events};
use crate::model::ended_run::EndedRun;
use crate::notify::{Message, Target, Untold};
use crate::report::notification;
use crate::report::notify_metrics::Told;
use crate::settings::NotifySettings;
use heard::Heard;
use metrics::Outcome;

/// How long it may take to tell of a beginning: the work does not wait for it, and its end does.
const BEGINNING: Duration = Duration::from_secs(10);
/// Where the system says the machine's name.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

/// Whether the work is done and only word of it is being sent, which whoever runs us may cut short.
#[derive(Debug, Clone, Default)]
pub struct Sending {
    begun: CancellationToken,
    cut_short: CancellationToken,
}

impl Sending {
    /// Cuts it short, where it has begun; says whether it had.
    #[must_use]
    pub fn cut_short(&self) -> bool {
        let has_begun = self.begun.is_cancelled();
        if has_begun {
            self.cut_short.cancel();
        }
        has_begun
    }

    /// Waits for its beginning.
    pub async fn begun(&self) {
        self.begun.cancelled().await;
    }
}

/// A run that others are told of.
#[derive(Debug)]
pub struct Telling {
    settings: NotifySettings,
    run_id: String,
    started_at: DateTime<Utc>,
    clock: Instant,
    heard: Heard,
    /// How telling of the beginning went, for each of the targets.
    beginnings: Vec<JoinHandle<Result<(), Untold>>>,
}

impl Telling {
    /// Begins to tell of the beginning; the work need not wait.
    pub fn begin(settings: NotifySettings) -> Self {
        let run_id = Uuid::now_v7().to_string();
        let limit = settings.limit.min(BEGINNING);
        let begin = |target: &Target| {
            let (target, run_id) = (target.clone(), run_id.clone());
            tokio::spawn(async move { target.begin(&run_id, limit).await })
        };
        let beginnings = settings.targets.iter().map(begin).collect();
        let (started_at, clock, heard) = (Utc::now(), Instant::now(), Heard::default());
        Self { settings, run_id, started_at, clock, heard, beginnings }
    }

    /// Events that go to `events`, and of which what counts is told at the end.
    pub fn hear(&self, events: &Events) -> Events {
        self.heard.of(events)
    }

    /// Tells how the run ended.
    pub async fn end(
        mut self,
        exit_code: u8,
        failure: Option<&Failure>,
        sending: &Sending,
        events: &Events,
    ) {
        sending.begun.cancel();
        let message = message(&self.ended(exit_code, failure));
        let beginnings = std::mem::take(&mut self.beginnings);
        let targets = self.settings.targets.iter().zip(beginnings);
        let told = targets.map(|(target, beginning)| async {
            let told = tell(target, beginning, &message, self.settings.limit);
            tokio::select! {
                biased;
                () = sending.cut_short.cancelled() => Some(Err(Untold::Interrupted)),
                told = told => told,
            }
        });
        let told = join_all(told).await;
        for (target, told) in self.settings.targets.iter().zip(&told) {
            match told {
                Some(Ok(())) => events.emit(Event::Told(target.to_string())),
                Some(Err(untold)) => {
                    events.emit(Event::Warning(format!("{target} was not told: {untold}")));
                }
                None => {}
            }
        }
        self.note(&told, sending, events).await;
    }

    fn ended(&self, exit_code: u8, failure: Option<&Failure>) -> EndedRun {
        let notes = self.heard.notes().clone();
        let (causes, hint) = match exit_code {
            0 => (Vec::new(), None),
            _ => notes.causes(failure),
        };
        EndedRun {
            id: self.run_id.clone(),
            command: self.settings.command,
            exit_code,
            started_at: self.started_at,
            seconds: self.clock.elapsed().as_secs_f64(),
            host: host_name(),
            backup: notes.backup,
            causes,
            hint,
            warnings: notes.warnings,
            report: notes.report,
        }
    }

    /// Has the metrics say how telling went.
    async fn note(&self, told: &[Option<Result<(), Untold>>], sending: &Sending, events: &Events) {
        let Some(file) = self.settings.metrics_file.clone() else { return };
        let command = self.settings.command.to_string();
        let outcomes = self.settings.targets.iter().zip(told).map(|(target, told)| Outcome {
            told: Told {
                command: command.clone(),
                kind: target.kind().to_owned(),
                host: target.host(),
            },
            arrived: told.as_ref().map(Result::is_ok),
        });
        let outcomes: Vec<Outcome> = outcomes.collect();
        let writing = tokio::task::spawn_blocking(move || {
            metrics::renew(&file, &command, &outcomes, Utc::now())
        });
        let written = tokio::select! {
            biased;
            written = writing => written.unwrap_or_else(|error| Err(error.to_string())),
            () = late(sending) => Err("the metrics do not say how telling went: their disk does not answer".to_owned()),
        };
        if let Err(text) = written {
            events.emit(Event::Warning(text));
        }
    }
}

/// When whoever runs us does not want to wait any more, or a disk has had time enough.
async fn late(sending: &Sending) {
    tokio::select! {
        () = sending.cut_short.cancelled() => tokio::time::sleep(GRACE).await,
        () = tokio::time::sleep(BEGINNING) => {}
    }
}

/// Sends word to one. `None` where there is nothing to tell. Who could not be told of the beginning is told of the end all
/// the same, and nobody is told of the end before the beginning.
async fn tell(
    target: &Target,
    beginning: JoinHandle<Result<(), Untold>>,
    message: &Message,
    limit: Duration,
) -> Option<Result<(), Untold>> {
    let begun = beginning.await.unwrap_or(Ok(()));
    if !target.wants(message.verdict) {
        return None;
    }
    Some(target.tell(message, limit).await.and(begun))
}

/// Word of a run, as all ways to tell it need it.
pub(super) fn message(run: &EndedRun) -> Message {
    Message {
        run_id: run.id.clone(),
        verdict: run.verdict(),
        exit_code: run.exit_code,
        text: notification::text(run),
        document: notification::document(run).into(),
        facts: notification::facts(run),
    }
}

/// The machine's name.
pub(super) fn host_name() -> String {
    let name = std::fs::read_to_string(HOST_NAME).unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "an unnamed machine".to_owned() } else { name.to_owned() }
}
