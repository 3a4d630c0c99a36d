//! Works a plan off: one verification after the other, or a few at once, each on a thread of its own.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::FuturesUnordered;
use tokio::runtime::Handle;

use super::planning::{Paces, Planning, planned};
use super::scrubbing;
use crate::commands::{Stop, record, verify};
use crate::events::{DrillEvent, Event, Events};
use crate::model::drill::{End, Planned, Turn};
use crate::model::outcome::{RunReport, spoken};
use crate::settings::{DrillSettings, VerifySettings};
use crate::store::sampling::Candidate;

/// What a verification may put on its stack, as that of the command itself may.
const STACK_BYTES: usize = 16 << 20;
/// What is said of a turn whose thread died, which has told its own story.
const DIED: &str = "it died of a defect of ccc-backup: please report it";

/// A verification that is under way, with the name that its sandbox has.
type Underway = BoxFuture<'static, (usize, usize, Result<Arc<RunReport>, String>)>;

/// A drill at work.
struct Drill<'a> {
    settings: &'a DrillSettings,
    events: &'a Events,
    stop: &'a Stop,
    clock: Instant,
    candidates: Vec<Candidate>,
    paces: Paces,
    /// By the place of each in the plan.
    turns: Vec<Option<Turn>>,
}

/// Tries the backups of a plan in their order, and tells how the turn of each ended. `clock` began when the drill did.
pub(super) async fn work_off(
    settings: &DrillSettings,
    planning: Planning,
    clock: Instant,
    events: &Events,
    stop: &Stop,
) -> Vec<Turn> {
    let Planning { candidates, paces, .. } = planning;
    let turns = candidates.iter().map(|_| None).collect();
    let mut drill = Drill { settings, events, stop, clock, candidates, paces, turns };
    let mut waiting: VecDeque<usize> = (0..drill.candidates.len()).collect();
    let mut free: Vec<usize> = (1..=settings.at_once).rev().collect();
    let mut underway: FuturesUnordered<Underway> = FuturesUnordered::new();
    loop {
        while let (Some(index), Some(slot)) = (waiting.front().copied(), free.last().copied()) {
            waiting.pop_front();
            match drill.begin(index, slot) {
                Ok(begun) => {
                    free.pop();
                    underway.push(begun);
                }
                Err(why) => drill.end(index, End::NotReached { why }),
            }
        }
        let Some((index, slot, ended)) = underway.next().await else { break };
        free.push(slot);
        drill.end(index, ended.map_or_else(|why| End::NotReached { why }, tried));
    }
    drill.turns.into_iter().flatten().collect()
}

fn tried(report: Arc<RunReport>) -> End {
    End::Tried(Box::new(Arc::unwrap_or_clone(report)))
}

impl Drill<'_> {
    fn planned(&self, index: usize) -> Planned {
        let of = &self.candidates[index];
        planned(of, self.paces.expected(of))
    }

    /// Begins the turn of a backup, unless it would not end in time.
    fn begin(&self, index: usize, slot: usize) -> Result<Underway, String> {
        let planned = self.planned(index);
        if self.stop.token().is_cancelled() {
            return Err(self.stop.reason());
        }
        let expected = planned.expected_seconds.and_then(|it| Duration::try_from_secs_f64(it).ok());
        self.fits(expected)?;
        let (number, of, file_only) = (index + 1, self.turns.len(), self.settings.file_only);
        let events = self.within(&planned);
        self.tell(DrillEvent::Begun { planned, number, of, file_only });
        let candidate = &self.candidates[index];
        let name = match (&self.settings.sandbox.container_name, self.settings.at_once) {
            (name, 1) => name.clone(),
            (name, _) => format!("{name}-{slot}"),
        };
        let (place, newest) = (candidate.place.clone(), candidate.newest);
        let settings = self.settings.verify(place, candidate.path(), newest, name);
        let done = on_a_thread(settings, file_only, events, self.stop.of_part())?;
        Ok(done.map(move |done| (index, slot, done)).boxed())
    }

    /// Whether what takes so long ends in time.
    fn fits(&self, expected: Option<Duration>) -> Result<(), String> {
        let Some(within) = self.settings.within else { return Ok(()) };
        let left = within.saturating_sub(self.clock.elapsed());
        if left.is_zero() {
            return Err(format!("the {} are over (--within)", spoken(within)));
        }
        match expected.filter(|expected| *expected > left) {
            None => Ok(()),
            Some(expected) => Err(format!(
                "it takes about {}, and {} of {} are left (--within)",
                spoken(expected),
                spoken(left),
                spoken(within)
            )),
        }
    }

    fn end(&mut self, index: usize, end: End) {
        // What was expected was so before this one was known.
        let planned = self.planned(index);
        if let End::Tried(report) = &end {
            let Candidate { place, backup, .. } = &self.candidates[index];
            let line = match self.settings.file_only {
                true => record::scrub(report),
                false => record::verification(report, backup.database.clone()),
            };
            self.paces.note(place, line);
        }
        let turn = Turn { planned, end };
        let (told, file_only) = (Arc::new(turn.clone()), self.settings.file_only);
        self.tell(DrillEvent::Ended { turn: told, file_only });
        self.turns[index] = Some(turn);
    }

    fn tell(&self, event: DrillEvent) {
        self.events.emit(Event::Drill(event));
    }

    /// Events of a turn, marked as such. Of several at once, nobody can follow how far each is.
    fn within(&self, planned: &Planned) -> Events {
        let (events, alone) = (self.events.clone(), self.settings.at_once == 1);
        let in_full = self.settings.newest_only;
        let backup = format!("{} in {}", planned.backup, planned.place);
        Events::new(move |event| match event {
            Event::Progress(_) if !alone => {}
            progress @ Event::Progress(_) => events.emit(progress),
            event => {
                let (backup, event) = (backup.clone(), Box::new(event));
                events.emit(Event::Drill(DrillEvent::Within { backup, in_full, event }));
            }
        })
    }
}

/// Verifies a backup, or compares its bytes, on a thread of its own, whose stack is large enough.
fn on_a_thread(
    settings: VerifySettings,
    file_only: bool,
    events: Events,
    stop: Stop,
) -> Result<impl Future<Output = Result<Arc<RunReport>, String>>, String> {
    let (handle, (sender, receiver)) = (Handle::current(), tokio::sync::oneshot::channel());
    let work = move || {
        let report = handle.block_on(async {
            match file_only {
                true => scrubbing::run(&settings, &events, &stop).await,
                false => verify::run(&settings, &events, &stop).await,
            }
        });
        // Nobody waits any more for what was told already.
        let _ = sender.send(report);
    };
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(work);
    thread.map_err(|error| format!("no thread could be started: {error}"))?;
    Ok(async { receiver.await.map_err(|_| DIED.to_owned()) })
}
