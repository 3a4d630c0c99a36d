//! How far long work is, on stderr: bars on a terminal, or a line from time to time.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use bytesize::ByteSize;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::events::{Event, Progress, Work};
use crate::model::outcome::{grouped, spoken};

/// Work that is done sooner is not worth a bar.
const SOON: Duration = Duration::from_millis(300);
/// Time between two lines.
const PERIOD: Duration = Duration::from_secs(10);
/// How often a bar moves while nothing is heard of its work.
const TICK: Duration = Duration::from_millis(200);

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// As bars, where stderr is a terminal.
    Bars,
    /// As a line every ten seconds.
    Lines,
    /// Not at all.
    Nothing,
}

/// Shows progress.
pub struct Bars {
    show: Show,
    tasks: Tasks,
    screen: MultiProgress,
    // When it is dropped, the thread that prints lines ends.
    _lines: Option<mpsc::Sender<()>>,
}

type Tasks = Arc<Mutex<BTreeMap<Work, Task>>>;

/// A piece of work that is under way.
#[derive(Debug)]
struct Task {
    since: Instant,
    done: u64,
    total: Option<u64>,
    current: Option<String>,
    /// How long it takes as a rule.
    expected: Option<Duration>,
    /// Parts that are measured one by one: the layers of an image.
    parts: BTreeMap<String, (u64, u64)>,
    bar: Option<ProgressBar>,
}

impl Bars {
    /// Progress on this process's stderr.
    pub fn on_stderr(show: Show) -> Self {
        let target = match show {
            Show::Bars => ProgressDrawTarget::stderr(),
            Show::Lines | Show::Nothing => ProgressDrawTarget::hidden(),
        };
        Self::new(show, target, std::io::stderr(), PERIOD)
    }

    fn new(
        show: Show,
        target: ProgressDrawTarget,
        out: impl Write + Send + 'static,
        period: Duration,
    ) -> Self {
        let tasks = Tasks::default();
        let lines = (show == Show::Lines).then(|| print_lines(Arc::clone(&tasks), out, period));
        let screen = MultiProgress::with_draw_target(target);
        Self { show, tasks, screen, _lines: lines }
    }

    /// Takes in how far a piece of work is.
    pub fn update(&self, progress: &Progress) {
        if self.show == Show::Nothing {
            return;
        }
        let mut tasks = self.lock();
        let task = tasks.entry(progress.work).or_insert_with(Task::begin);
        task.take(progress);
        if self.show == Show::Bars {
            self.draw(progress.work, task);
        }
    }

    /// Takes in what ends a piece of work, and how long one takes as a rule.
    pub fn note(&self, event: &Event) {
        if let (Event::Expected(work, time), true) = (event, self.show != Show::Nothing) {
            self.lock().entry(*work).or_insert_with(Task::begin).expected = Some(*time);
        }
        let ended = match event {
            Event::Created { .. } => &[Work::Dumping, Work::Decoding][..],
            Event::SandboxStarting { .. } => &[Work::Pulling],
            Event::BackupRead { .. } => &[Work::Reading, Work::Copying, Work::Decoding],
            Event::RestoreFinished { .. } => &[Work::Restoring],
            Event::Checked(_) => &[Work::Comparing, Work::ComparingObjects],
            Event::VerifyFinished(_) => return self.clear(),
            _ => return,
        };
        for work in ended {
            if let Some(task) = self.lock().remove(work) {
                task.clear();
            }
        }
    }

    /// Ends all work.
    pub fn clear(&self) {
        for (_, task) in std::mem::take(&mut *self.lock()) {
            task.clear();
        }
    }

    /// Prints while no bar is on the screen.
    pub fn suspend(&self, print: impl FnOnce()) {
        match self.show {
            Show::Bars => self.screen.suspend(print),
            Show::Lines | Show::Nothing => print(),
        }
    }

    fn draw(&self, work: Work, task: &mut Task) {
        let (share, elapsed) = (task.share(work), task.since.elapsed());
        let words = task.words(work, elapsed);
        let bar = match &task.bar {
            Some(bar) => bar,
            None if elapsed < SOON => return,
            None => {
                let kind = if share.is_some() { "{bar:24}" } else { "{spinner}" };
                let bar = self.screen.add(ProgressBar::no_length());
                bar.set_style(style(&format!("{kind} {{wide_msg}}")));
                bar.set_message(words.clone());
                bar.enable_steady_tick(TICK);
                task.bar.insert(bar)
            }
        };
        if let Some(total) = share {
            bar.set_length(total);
        }
        bar.set_position(task.done);
        bar.set_message(words);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Work, Task>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Bars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bars").field("show", &self.show).finish_non_exhaustive()
    }
}

impl Task {
    fn begin() -> Self {
        Self {
            since: Instant::now(),
            done: 0,
            total: None,
            current: None,
            expected: None,
            parts: BTreeMap::new(),
            bar: None,
        }
    }

    fn take(&mut self, progress: &Progress) {
        if progress.work == Work::Pulling {
            return self.take_layer(progress);
        }
        self.done = progress.done;
        self.total = progress.total;
        self.current.clone_from(&progress.current);
    }

    /// Every layer is measured by itself, first while it is downloaded, then while it is unpacked.
    fn take_layer(&mut self, progress: &Progress) {
        let layer = self.parts.entry(progress.current.clone().unwrap_or_default()).or_default();
        layer.0 = layer.0.max(progress.done);
        layer.1 = layer.1.max(progress.total.unwrap_or(progress.done));
        self.done = self.parts.values().map(|(done, _)| done).sum();
        self.total = Some(self.parts.values().map(|(_, total)| total).sum());
    }

    /// The total, where it is one that `done` reaches.
    fn share(&self, work: Work) -> Option<u64> {
        self.total.filter(|total| *total > 0 && work != Work::Dumping)
    }

    /// What to say of it after `elapsed`.
    fn words(&self, work: Work, elapsed: Duration) -> String {
        let (done, share) = (self.done, self.share(work));
        let mut words = match (work, share) {
            (Work::Comparing, Some(total)) => {
                vec![format!("{} of {} tables", grouped(done), grouped(total))]
            }
            (_, Some(total)) => {
                vec![format!(
                    "{} % of {}",
                    u128::from(done) * 100 / u128::from(total),
                    ByteSize(total)
                )]
            }
            (Work::Comparing, None) => vec![format!("{} tables", grouped(done))],
            (_, None) => vec![ByteSize(done).to_string()],
        };
        if let (Work::Dumping, Some(database)) = (work, self.total) {
            words.push(format!("from a database of {}", ByteSize(database)));
        }
        let rate = rate(done, elapsed);
        if work != Work::Comparing && rate > 0 {
            words.push(format!("{}/s", ByteSize(rate)));
        }
        let by_bytes = share.filter(|total| rate > 0 && *total > done);
        let by_bytes = by_bytes.map(|total| (total - done).div_ceil(rate));
        // What comes after the bytes takes its time, too.
        let by_others = self.expected.and_then(|time| time.checked_sub(elapsed));
        let by_others = by_others.map(|time| time.as_secs()).filter(|seconds| *seconds > 0);
        if let Some(seconds) = by_bytes.max(by_others) {
            words.push(format!("{} left", left(seconds)));
        }
        words.extend(self.current.clone().filter(|_| work != Work::Pulling));
        format!("{}: {}", name(work), words.join(", "))
    }

    fn clear(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Prints a line for all work that is under way, every `period`, until the sender is dropped.
fn print_lines(
    tasks: Tasks,
    mut out: impl Write + Send + 'static,
    period: Duration,
) -> mpsc::Sender<()> {
    let (sender, stop) = mpsc::channel();
    std::thread::spawn(move || {
        while let Err(mpsc::RecvTimeoutError::Timeout) = stop.recv_timeout(period) {
            let text: String = {
                let tasks = tasks.lock().unwrap_or_else(PoisonError::into_inner);
                let line =
                    |(work, task): (&Work, &Task)| task.words(*work, task.since.elapsed()) + "\n";
                tasks.iter().map(line).collect()
            };
            // A closed stderr leaves nobody to tell.
            let _ = out.write_all(text.as_bytes());
        }
    });
    sender
}

fn name(work: Work) -> &'static str {
    match work {
        Work::Dumping => "dumping",
        Work::Pulling => "pulling image",
        Work::Reading => "reading",
        Work::Copying => "copying into the container",
        Work::Decoding => "decoding",
        Work::Restoring => "restoring",
        Work::Comparing => "comparing",
        Work::ComparingObjects => "comparing large objects",
    }
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template);
    style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("##-")
}

/// A guess at a time to come: in whole seconds.
fn left(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        _ => spoken(Duration::from_secs(seconds)),
    }
}

/// Units in a second, on the whole.
fn rate(done: u64, elapsed: Duration) -> u64 {
    let rate = u128::from(done) * 1000 / elapsed.as_millis().max(1);
    u64::try_from(rate).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "progress_tests.rs"]
mod tests;
