//! The files that a verification's result is written to.
//!
//! They are proven writable before the work starts, and written as soon as the result is known,
//! whatever it is. A report that cannot be written then is an error on stderr of its own: it
//! changes neither the verdict nor the exit code.

use std::path::PathBuf;

use crate::commands::Failure;
use crate::events::{Event, Events};
use crate::model::outcome::RunReport;
use crate::report::output::{self, Destination, OutputError};
use crate::report::{github, json, junit};
use crate::settings::ReportSettings;
use crate::signing::{Namespace, Signer};
use crate::store::naming::signature_path;

/// The destinations of the reports.
#[derive(Debug)]
pub struct Reports {
    json: Option<Destination>,
    junit: Option<Destination>,
    /// Who signs the report as JSON, and where its signature goes.
    signature: Option<(Signer, Destination)>,
    /// Not proven writable: it is the runner's, not the operator's.
    step_summary: Option<PathBuf>,
}

impl Reports {
    /// Makes sure that every file can be written, and removes what an earlier run left there, so
    /// that no report is taken for that of a run which did not come to write one.
    ///
    /// # Errors
    /// [`Failure`] with exit code 2 when one cannot be written; nothing is removed then.
    pub fn open(settings: &ReportSettings, signer: Option<Signer>) -> Result<Self, Failure> {
        let open = |flag: &str, path: &Option<PathBuf>, first| {
            let destination = path.as_deref().map(|path| Destination::open(path, first));
            destination.transpose().map_err(|error| unwritable(flag, &error))
        };
        let json = open("--report", &settings.json, b'{')?;
        let junit = open("--junit", &settings.junit, b'<')?;
        let signature = match (signer, &settings.json) {
            (Some(signer), Some(report)) => {
                let destination = open("--sign-report", &Some(signature_path(report)), b'-')?;
                destination.map(|destination| (signer, destination))
            }
            _ => None,
        };
        if let (Some(json), Some(junit)) = (&json, &junit)
            && json.is(junit)
        {
            return Err(Failure {
                exit: 2,
                cause: "--report and --junit name the same file".to_owned(),
                hint: Some("name two files".to_owned()),
                notes: Vec::new(),
            });
        }
        let signed = signature.as_ref().map(|(_, destination)| destination);
        let all =
            [("--report", json.as_ref()), ("--junit", junit.as_ref()), ("--sign-report", signed)];
        for (flag, destination) in all {
            if let Some(destination) = destination {
                destination.clear().map_err(|error| unwritable(flag, &error))?;
            }
        }
        Ok(Self { json, junit, signature, step_summary: settings.step_summary.clone() })
    }

    /// Events that go to `events`, and write the reports when the result comes by: before the
    /// sandbox is removed, so that nothing that happens there loses them.
    pub fn after(self, events: &Events) -> Events {
        let events = events.clone();
        Events::new(move |event| {
            let report = match &event {
                Event::VerifyFinished(report) => Some(report.clone()),
                _ => None,
            };
            events.emit(event);
            if let Some(report) = report {
                self.write(&report, &events);
            }
        })
    }

    fn write(&self, report: &RunReport, events: &Events) {
        let tell = |what: &str, result: Result<(), OutputError>| {
            if let Err(error) = result {
                events.emit(Event::Error {
                    cause: format!("{what} was not written: {error}"),
                    hint: Some(error.hint().to_owned()),
                });
            }
        };
        if let Some(destination) = &self.json {
            let bytes = json::serialize(report);
            let written = destination.write(&bytes);
            // A signature without its report would be found beside an older one.
            if let (Ok(()), Some((signer, destination))) = (&written, &self.signature) {
                match signer.sign(Namespace::Report, &bytes) {
                    Ok(text) => {
                        tell("the report's signature", destination.write(text.as_bytes()));
                    }
                    Err(error) => events.emit(Event::Error {
                        cause: format!("the report was not signed: {error}"),
                        hint: Some(error.hint().to_owned()),
                    }),
                }
            }
            tell("the report", written);
        }
        if let Some(destination) = &self.junit {
            tell("the JUnit report", destination.write(&junit::serialize(report)));
        }
        if let Some(path) = &self.step_summary {
            tell("the step summary", output::append(path, &github::summary(report)));
        }
    }
}

fn unwritable(flag: &str, error: &OutputError) -> Failure {
    Failure {
        exit: 2,
        cause: format!("{flag}: {error}"),
        hint: Some(error.hint().to_owned()),
        notes: Vec::new(),
    }
}
