//! Prints events: the transcript on stdout, hints, warnings and progress on stderr. Only this
//! module prints; what it prints goes to the log as well.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::github;
use super::progress::{Bars, Show};
use super::transcript::{coloured, quiet, transcript};
use crate::events::{DrillEvent, Event, RestoreEvent};
use crate::model::outcome::{Section, Status, Verdict};

/// The target of what is printed, in the log.
pub const LOG_TARGET: &str = "transcript";
/// What to do about a check that failed.
const LOOK_INSIDE: &str = "take another copy of the backup, or an older one; --no-cleanup keeps the \
                           restored database to look into";

/// What to do about a restore that took too long.
const TOO_SLOW: &str = "the backup is sound: give the restore a faster machine or more connections \
                        (--jobs), or --rto the time that it takes";
/// What to do about a check of one's own that keeps a backup from being restored.
const ALL_THE_SAME: &str = "look into it: verify --no-cleanup; or restore it all the same: --force, which makes \
                            warnings of your own checks";
/// What to do about a check of something else than the backup.
const LOOK_AROUND: &str = "the backup is not to blame: look at what makes backups, or at what the \
                           configuration demands (docs/configuration.md)";
/// What to do where not everything was proven that was to be.
const UNPROVEN: &str = "a backup by `ccc-backup create`, with its manifest beside it, can be proven; what \
                        is left open is no reason to fail without --require-proof (require_proof in \
                        ccc-backup.toml)";
/// What to do about a check that could not be made.
const LOOK_FOR_YOURSELF: &str = "--no-cleanup keeps the restored database, to compare by hand what could not \
                                 be compared here";

/// How events are printed.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Nothing but the verdict, or what went wrong.
    pub quiet: bool,
    /// The findings also as GitHub's workflow commands.
    pub annotate: bool,
    /// How far long work is.
    pub progress: Show,
    /// The transcript goes to stderr, because stdout has what was asked for.
    pub on_stderr: bool,
}

/// Where data go that are the answer itself, and may be large.
pub struct Data {
    /// Their sink.
    pub sink: Box<dyn Write + Send>,
    /// Whether it is the terminal, where nothing should come between them.
    pub is_terminal: bool,
}

/// Prints events as they come.
#[derive(Debug)]
pub struct Console {
    style: Style,
    colour: bool,
    broken: AtomicBool,
    bars: Bars,
    // One event is printed whole before the next.
    turn: Mutex<()>,
}

impl Console {
    /// A console on this process's stdout and stderr; colour only on a terminal, and not where
    /// `NO_COLOR` is set.
    pub fn new(style: Style) -> Self {
        let is_terminal = match style.on_stderr {
            true => std::io::stderr().is_terminal(),
            false => std::io::stdout().is_terminal(),
        };
        let colour = is_terminal && std::env::var_os("NO_COLOR").is_none();
        let (broken, turn) = (AtomicBool::new(false), Mutex::new(()));
        Self { style, colour, broken, bars: Bars::on_stderr(style.progress), turn }
    }

    /// Shows one event.
    pub fn show(&self, event: &Event) {
        if let Event::Progress(progress) = event {
            return self.bars.update(progress);
        }
        if let Event::Restore(RestoreEvent::Asked(question)) = event {
            // The answer stands behind it.
            return self.bars.suspend(|| {
                let _ = write!(std::io::stderr().lock(), "{question}");
            });
        }
        if let Event::Drill(DrillEvent::Within { backup, in_full, event }) = event {
            return match *in_full && !self.style.quiet {
                true => self.show(event),
                false => self.show_within(backup, event),
            };
        }
        self.bars.note(event);
        let _turn = self.turn.lock();
        let whole = transcript(event);
        log(event, &whole);
        let mut text = if self.style.quiet { quiet(event) } else { whole };
        if self.colour {
            text = coloured(&text);
        }
        if self.style.annotate
            && !self.style.quiet
            && let Event::VerifyFinished(report) = event
        {
            text.push_str(&github::annotations(report));
        }
        let asides = asides(event, self.style.quiet);
        if text.is_empty() && asides.is_empty() {
            return;
        }
        self.bars.suspend(|| {
            if !text.is_empty() {
                self.write(&text);
            }
            for line in asides {
                aside(&line);
            }
        });
    }

    /// Shows an event of one of several verifications: what is odd, of which it is. All of it is in the log.
    fn show_within(&self, backup: &str, event: &Event) {
        self.bars.note(event);
        let _turn = self.turn.lock();
        log(event, &transcript(event));
        let is_odd =
            matches!(event, Event::Warning(_) | Event::Waiting { .. } | Event::Error { .. });
        let asides = if is_odd { asides(event, self.style.quiet) } else { Vec::new() };
        let annotations = match event {
            Event::VerifyFinished(report) if self.style.annotate && !self.style.quiet => {
                github::annotations(report)
            }
            _ => String::new(),
        };
        self.bars.suspend(|| {
            if !annotations.is_empty() {
                self.write(&annotations);
            }
            asides.iter().for_each(|line| aside(&within(line, backup)));
        });
    }

    /// Takes the progress off the terminal.
    pub fn finish(&self) {
        self.bars.clear();
    }

    /// Whether stdout was closed while we printed.
    pub fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// Prints text that is the answer itself, such as a man page.
    pub fn answer(&self, text: &str) {
        self.write(text);
    }

    /// The way for data to stdout.
    pub fn data(&self) -> Data {
        let out = std::io::stdout();
        Data { is_terminal: out.is_terminal(), sink: Box::new(out) }
    }

    fn write(&self, text: &str) {
        if self.style.on_stderr {
            // A closed stderr leaves nobody to tell.
            let _ = std::io::stderr().lock().write_all(text.as_bytes());
            return;
        }
        let mut out = std::io::stdout().lock();
        if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
            self.broken.store(true, Ordering::Relaxed);
        }
    }
}

/// Prints an error on stderr, what a tool said about it, and what to do next.
pub fn error(message: &str, notes: &[String], hint: Option<&str>) {
    // One line of a tool is in the message already.
    let notes = notes.iter().filter(|_| notes.len() > 1).map(|note| format!("  {note}"));
    let hint = hint.map(|hint| format!("hint: {hint}"));
    for line in std::iter::once(format!("error: {message}")).chain(notes).chain(hint) {
        tracing::error!(target: LOG_TARGET, "{line}");
        aside(&line);
    }
}

/// A line of the kind `warning: …` that says of which backup it is.
fn within(line: &str, backup: &str) -> String {
    match line.split_once(": ") {
        Some((kind @ ("warning" | "error" | "waiting"), text)) => {
            format!("{kind}: {backup}: {text}")
        }
        _ => line.to_owned(),
    }
}

fn aside(line: &str) {
    // A closed stderr leaves nobody to tell.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// What goes to stderr beside the transcript.
fn asides(event: &Event, quiet: bool) -> Vec<String> {
    match event {
        Event::Error { cause, hint } => {
            let hint = hint.iter().map(|hint| format!("hint: {hint}"));
            std::iter::once(format!("error: {cause}")).chain(hint).collect()
        }
        Event::Warning(text) if !quiet => vec![format!("warning: {text}")],
        Event::Waiting { why } if !quiet => vec![format!("waiting: {why}")],
        Event::Restore(RestoreEvent::Finished { report, restored: None }) => {
            let hints = report.obstacle.iter().filter_map(|it| it.hint.as_ref());
            let hints = hints.chain(report.defects.iter().filter_map(|it| it.hint.as_ref()));
            let unanswered = [Status::Failed, Status::NotRun]
                .iter()
                .any(|status| report.ended(*status).any(|check| check.section == Section::Own));
            let own = unanswered.then(|| format!("hint: {ALL_THE_SAME}"));
            hints.map(|hint| format!("hint: {hint}")).chain(own).collect()
        }
        Event::VerifyFinished(report) if !quiet => {
            let hints = report.defects.iter().filter_map(|defect| defect.hint.as_ref());
            let hints = hints.chain(report.obstacle.iter().filter_map(|it| it.hint.as_ref()));
            let mut lines: Vec<String> = hints.map(|hint| format!("hint: {hint}")).collect();
            if lines.is_empty() {
                let hint = match report.verdict() {
                    Verdict::Failed if report.is_only_late() => Some(TOO_SLOW),
                    Verdict::Failed if report.disproven().is_empty() => Some(LOOK_AROUND),
                    Verdict::Failed => Some(LOOK_INSIDE),
                    Verdict::NotVerified if report.lacks_only_proof() => Some(UNPROVEN),
                    Verdict::NotVerified if report.count(Status::NotRun) > 0 => {
                        Some(LOOK_FOR_YOURSELF)
                    }
                    Verdict::NotVerified | Verdict::Passed => None,
                };
                lines.extend(hint.map(|hint| format!("hint: {hint}")));
            }
            lines
        }
        _ => Vec::new(),
    }
}

/// The same for the log, where every line is, also with `--quiet`.
fn log(event: &Event, transcript: &str) {
    let bad = match event {
        Event::Checked(check) => check.status == Status::Failed,
        Event::RestoreFinished { errors, .. } => !errors.is_empty(),
        Event::VerifyFinished(report) => report.verdict() != Verdict::Passed,
        _ => false,
    };
    // The line that connects to a kept sandbox holds its password; logs are kept, and passed around.
    let secret = |line: &str| matches!(event, Event::SandboxKept { connect, .. } if line.contains(connect.as_str()));
    for line in transcript.lines().filter(|line| !line.is_empty() && !secret(line)) {
        if bad {
            tracing::error!(target: LOG_TARGET, "{line}");
        } else {
            tracing::info!(target: LOG_TARGET, "{line}");
        }
    }
    for line in asides(event, false) {
        if line.starts_with("error: ") {
            tracing::error!(target: LOG_TARGET, "{line}");
        } else {
            tracing::warn!(target: LOG_TARGET, "{line}");
        }
    }
}
