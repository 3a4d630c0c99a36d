//! The files that the result of a run is written to.
//!
//! They are proven writable before the work starts, and written as soon as the result is known,
//! whatever it is. A report that cannot be written then is an error on stderr of its own: it
//! changes neither the verdict nor the exit code.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::Utc;

use crate::commands::Failure;
use crate::commands::evidence::Sources;
use crate::events::{CreateEvent, DrillEvent, Event, Events};
use crate::model::creation::CreateReport;
use crate::model::drill::DrillReport;
use crate::model::outcome::RunReport;
use crate::report::html::{self, Evidence, Subject};
use crate::report::output::{self, Destination, OutputError};
use crate::report::{creation, drill, github, json, junit};
use crate::settings::ReportSettings;
use crate::signing::{Namespace, Signer};
use crate::store::naming::signature_path;

/// The reports on a result of this kind.
pub struct Reports<T> {
    files: Vec<Written<T>>,
    /// Not proven writable: it is the runner's, not the operator's.
    step_summary: Option<(PathBuf, Summary<T>)>,
    /// The result, when it comes by.
    result: fn(&Event) -> Option<Arc<T>>,
}

/// A report, and where it goes.
struct Written<T> {
    flag: &'static str,
    /// What it is called.
    what: &'static str,
    destination: Destination,
    serialize: Serialize<T>,
    /// Who signs it, and where the signature goes.
    signature: Option<(Arc<Signer>, Destination)>,
}

type Summary<T> = fn(&T) -> Vec<u8>;
type Serialize<T> = Box<dyn Fn(&T) -> Vec<u8> + Send + Sync>;

impl Reports<RunReport> {
    /// Makes sure that every file can be written, and removes what an earlier run left there, so
    /// that no report is taken for that of a run which did not come to write one.
    ///
    /// # Errors
    /// [`Failure`] with exit code 2 when one cannot be written; nothing is removed then.
    pub fn of_verification(
        settings: &ReportSettings,
        sources: Sources,
        signer: Option<Signer>,
    ) -> Result<Self, Failure> {
        let page = page_of(|report| Subject::Verification(report), sources);
        let mut files = signable(settings, signer, json::serialize, page)?;
        if let Some(path) = &settings.junit {
            let (what, junit) = ("the JUnit report", Box::new(junit::serialize));
            files.push(Written::open("--junit", what, path, b'<', junit)?);
        }
        let summary = settings.step_summary.clone();
        Self {
            files,
            step_summary: summary.map(|path| (path, github::summary as Summary<_>)),
            result: |event| match event {
                Event::VerifyFinished(report) => Some(Arc::clone(report)),
                _ => None,
            },
        }
        .cleared()
    }
}

impl Reports<CreateReport> {
    /// The same of what `create` makes.
    ///
    /// # Errors
    /// As [`Reports::of_verification`].
    pub fn of_creation(report: Option<&Path>) -> Result<Self, Failure> {
        let json = |path| {
            Written::open("--report", "the report", path, b'{', Box::new(creation::json::serialize))
        };
        let files = report.map(json).into_iter().collect::<Result<_, _>>()?;
        Self {
            files,
            step_summary: None,
            result: |event| match event {
                Event::Create(CreateEvent::Finished(report)) => Some(Arc::clone(report)),
                _ => None,
            },
        }
        .cleared()
    }
}

impl Reports<DrillReport> {
    /// The same of a drill.
    ///
    /// # Errors
    /// As [`Reports::of_verification`].
    pub fn of_drill(
        settings: &ReportSettings,
        sources: Sources,
        signer: Option<Signer>,
    ) -> Result<Self, Failure> {
        let page = page_of(|report| Subject::Drill(report), sources);
        let files = signable(settings, signer, drill::json::serialize, page)?;
        let summary = settings.step_summary.clone();
        Self {
            files,
            step_summary: summary.map(|path| (path, drill::summary::markdown as Summary<_>)),
            result: |event| match event {
                Event::Drill(DrillEvent::Finished(report)) => Some(Arc::clone(report)),
                _ => None,
            },
        }
        .cleared()
    }
}

impl Reports<DrillReport> {
    /// The same of the verification of several backups.
    ///
    /// # Errors
    /// As [`Reports::of_verification`].
    pub fn of_verifications(
        settings: &ReportSettings,
        sources: Sources,
        signer: Option<Signer>,
    ) -> Result<Self, Failure> {
        let mut reports = Self::of_drill(settings, sources, signer)?;
        if let Some(path) = &settings.junit {
            let (what, junit) = ("the JUnit report", Box::new(junit::serialize_all));
            reports.files.push(Written::open("--junit", what, path, b'<', junit)?);
        }
        reports.cleared()
    }
}

/// The report as JSON and the page, where they are asked for; both are signed by whoever signs.
fn signable<T: 'static>(
    settings: &ReportSettings,
    signer: Option<Signer>,
    json: fn(&T) -> Vec<u8>,
    page: Serialize<T>,
) -> Result<Vec<Written<T>>, Failure> {
    let (signer, mut files) = (signer.map(Arc::new), Vec::new());
    let wanted = [
        ("--report", "the report", &settings.json, b'{', Box::new(json) as Serialize<T>),
        ("--html", "the page", &settings.html, b'<', page),
    ];
    for (flag, what, path, first, serialize) in wanted {
        if let Some(path) = path {
            let mut file = Written::open(flag, what, path, first, serialize)?;
            file.sign(path, signer.clone())?;
            files.push(file);
        }
    }
    Ok(files)
}

/// What makes the page about a result, with what is on record by then.
fn page_of<T: 'static>(subject: fn(&T) -> Subject<'_>, sources: Sources) -> Serialize<T> {
    Box::new(move |result| {
        let on_record = sources.read();
        html::page(&Evidence { now: Utc::now(), subject: subject(result), on_record: &on_record })
    })
}

impl<T: Send + Sync + 'static> Reports<T> {
    /// Removes what an earlier run left, once all are known to be writable.
    fn cleared(self) -> Result<Self, Failure> {
        for (at, one) in self.files.iter().enumerate() {
            for other in &self.files[..at] {
                if one.destination.is(&other.destination) {
                    return Err(Failure {
                        exit: 2,
                        cause: format!("{} and {} name the same file", other.flag, one.flag),
                        hint: Some("name two files".to_owned()),
                        notes: Vec::new(),
                    });
                }
            }
        }
        for file in &self.files {
            file.destination.clear().map_err(|error| unwritable(file.flag, &error))?;
            if let Some((_, signature)) = &file.signature {
                signature.clear().map_err(|error| unwritable("--sign-report", &error))?;
            }
        }
        Ok(self)
    }

    /// Events that go to `events`, and write the reports when the result comes by: before the
    /// sandbox is removed, so that nothing that happens there loses them.
    pub fn after(self, events: &Events) -> Events {
        let events = events.clone();
        Events::new(move |event| {
            let result = (self.result)(&event);
            events.emit(event);
            if let Some(result) = result {
                self.write(&result, &events);
            }
        })
    }

    fn write(&self, result: &T, events: &Events) {
        self.files.iter().for_each(|file| file.write(result, events));
        if let Some((path, markdown)) = &self.step_summary {
            tell(events, "the step summary", output::append(path, &markdown(result)));
        }
    }
}

impl<T> Written<T> {
    /// A report there begins with `first`.
    fn open(
        flag: &'static str,
        what: &'static str,
        path: &Path,
        first: u8,
        serialize: Serialize<T>,
    ) -> Result<Self, Failure> {
        let destination =
            Destination::open(path, first).map_err(|error| unwritable(flag, &error))?;
        Ok(Self { flag, what, destination, serialize, signature: None })
    }

    /// Has it signed.
    fn sign(&mut self, path: &Path, signer: Option<Arc<Signer>>) -> Result<(), Failure> {
        let Some(signer) = signer else { return Ok(()) };
        let destination = Destination::open(&signature_path(path), b'-');
        let destination = destination.map_err(|error| unwritable("--sign-report", &error))?;
        self.signature = Some((signer, destination));
        Ok(())
    }

    fn write(&self, result: &T, events: &Events) {
        let bytes = (self.serialize)(result);
        let written = self.destination.write(&bytes);
        // A signature without its report would be found beside an older one.
        if let (Ok(()), Some((signer, destination))) = (&written, &self.signature) {
            match signer.sign(Namespace::Report, &bytes) {
                Ok(text) => {
                    let what = format!("{}'s signature", self.what);
                    tell(events, &what, destination.write(text.as_bytes()));
                }
                Err(error) => events.emit(Event::Error {
                    cause: format!("{} was not signed: {error}", self.what),
                    hint: Some(error.hint().to_owned()),
                }),
            }
        }
        tell(events, self.what, written);
    }
}

fn tell(events: &Events, what: &str, result: Result<(), OutputError>) {
    if let Err(error) = result {
        events.emit(Event::Error {
            cause: format!("{what} was not written: {error}"),
            hint: Some(error.hint().to_owned()),
        });
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
