//! What a run lets be heard of itself while it is at work, for those who are told of its end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::commands::Failure;
use crate::events::{CreateEvent, DrillEvent, Event, Events, RestoreEvent};
use crate::model::outcome::RunReport;

/// Warnings and errors at the most.
const MOST: usize = 100;

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard(Arc<Mutex<Notes>>);

/// What was heard.
#[derive(Debug, Clone, Default)]
pub(super) struct Notes {
    /// The backup, as it was shown.
    pub backup: Option<String>,
    /// What a verification, or a restore, found.
    pub report: Option<Arc<RunReport>>,
    /// What was not done, and what to do next.
    errors: Vec<(String, Option<String>)>,
    /// Harmless things.
    pub warnings: Vec<String>,
}

impl Heard {
    /// Events that go to `events`, and are heard.
    pub(super) fn of(&self, events: &Events) -> Events {
        let (heard, events) = (self.clone(), events.clone());
        Events::new(move |event| {
            heard.notes().note(&event);
            events.emit(event);
        })
    }

    /// All that was heard.
    pub(super) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notes {
    fn note(&mut self, event: &Event) {
        let backup = match event {
            Event::CreateStarted { output: backup, .. }
            | Event::Created { file: backup, .. }
            | Event::VerifyStarted { backup }
            | Event::Restore(RestoreEvent::Started { backup, .. }) => backup,
            Event::VerifyFinished(report)
            | Event::Restore(RestoreEvent::Finished { report, .. }) => {
                self.report = Some(Arc::clone(report));
                &report.backup
            }
            Event::Drill(DrillEvent::Finished(report)) => {
                let causes = report.causes().into_iter().take(MOST);
                return self.errors.extend(causes.map(|cause| (cause, None)));
            }
            // It was not about one backup. What went wrong with each was told as an error, but not what was not come to.
            Event::Create(CreateEvent::Finished(report)) if report.several => {
                self.backup = None;
                for cause in report.causes().into_iter().take(MOST) {
                    if !self.errors.iter().any(|(told, _)| *told == cause) {
                        self.errors.push((cause, None));
                    }
                }
                return;
            }
            Event::Error { cause, hint } if self.errors.len() < MOST => {
                return self.errors.push((cause.clone(), hint.clone()));
            }
            Event::Warning(text) if self.warnings.len() < MOST => {
                return self.warnings.push(text.clone());
            }
            _ => return,
        };
        self.backup = Some(backup.display().to_string());
    }

    /// Why the run did not end well, most telling first, and what to do next.
    pub(super) fn causes(&self, failure: Option<&Failure>) -> (Vec<String>, Option<String>) {
        let mut found: Vec<(String, Option<String>)> = Vec::new();
        if let Some(report) = &self.report {
            let hints = report.defects.iter().map(|defect| &defect.hint);
            let mut hints = hints.chain(report.obstacle.iter().map(|obstacle| &obstacle.hint));
            let hint = hints.find_map(Clone::clone);
            found.extend(report.causes().into_iter().map(|cause| (cause, hint.clone())));
        }
        found.extend(failure.map(|failure| (failure.cause.clone(), failure.hint.clone())));
        found.extend(self.errors.iter().cloned());
        let hint = found.iter().find_map(|(_, hint)| hint.clone());
        (found.into_iter().map(|(cause, _)| cause).collect(), hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::outcome::Defect;

    #[test]
    fn what_speaks_against_a_backup_comes_before_what_went_wrong_otherwise() {
        let heard = Heard::default();
        let events = heard.of(&Events::silent());
        events.emit(Event::Warning("w".to_owned()));
        events.emit(Event::Error { cause: "no report".to_owned(), hint: Some("later".to_owned()) });
        let started_at = chrono::DateTime::UNIX_EPOCH;
        let mut report = RunReport::begin("x.sql".into(), started_at);
        report.defects.push(Defect::new("it is cut off", "take another one"));
        events.emit(Event::VerifyFinished(Arc::new(report)));
        let notes = heard.notes();
        assert_eq!((notes.backup.as_deref(), notes.warnings.len()), (Some("x.sql"), 1));
        let (causes, hint) = notes.causes(None);
        assert_eq!(causes, ["it is cut off", "no report"]);
        assert_eq!(hint.as_deref(), Some("take another one"));
    }

    #[test]
    fn of_a_run_without_a_report_the_failure_is_the_cause() {
        let failure = Failure {
            exit: 1,
            cause: "no backup was made".to_owned(),
            hint: None,
            notes: Vec::new(),
        };
        let (causes, hint) = Notes::default().causes(Some(&failure));
        assert_eq!((causes, hint), (vec!["no backup was made".to_owned()], None));
    }
}
