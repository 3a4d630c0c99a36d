//! One page of evidence: what a verification, a drill or a history has shown, for people who decide and for auditors. It holds
//! all that it needs, runs nothing and asks nobody, so that it can be sent by mail and kept.
//!
//! Whatever comes from a backup, a server or a file system is text of others. [`maud`] escapes it; nothing of it
//! goes into the style or a drawing.

mod axis;
mod copies;
mod figures;
mod headline;
mod limits;
mod one_by_one;
mod parts;
mod plot;
mod runs;
mod table;
mod trends;
mod tried;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::model::drill::DrillReport;
use crate::model::outcome::RunReport;
use crate::store::history::{Record, Work};
use crate::store::on_record::OnRecord;
use crate::store::statistics::Statistics;
use parts::date;
use tried::Tried;

/// The style of the page.
const STYLE: &str = include_str!("style.css");
/// Nothing is loaded and nothing runs, whoever has got something into the page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/// What a page is about.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// A backup that was verified.
    Verification(&'a RunReport),
    /// A drill.
    Drill(&'a DrillReport),
    /// What is on record.
    History,
}

/// What a page shows.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// When it is made.
    pub now: DateTime<Utc>,
    /// What it is about.
    pub subject: Subject<'a>,
    /// What is on record beside it.
    pub on_record: &'a OnRecord,
}

impl Evidence<'_> {
    /// Whether bytes were compared, and nothing was restored.
    fn file_only(&self) -> bool {
        matches!(self.subject, Subject::Drill(drill) if drill.file_only)
    }

    /// What is on record of the databases that the page is about; of all, where that is not known.
    fn databases(&self) -> Vec<&Statistics> {
        let all = &self.on_record.databases;
        let names: BTreeSet<Option<&str>> = match self.subject {
            Subject::Verification(report) => {
                let is_it =
                    |run: &&Record| run.work == Work::Verify && run.started_at == report.started_at;
                let run = self.on_record.runs.iter().find(is_it);
                run.into_iter().map(|run| run.database.as_deref()).collect()
            }
            Subject::Drill(drill) => {
                drill.turns.iter().map(|turn| turn.planned.database.as_deref()).collect()
            }
            Subject::History => BTreeSet::new(),
        };
        let about: Vec<&Statistics> =
            all.iter().filter(|it| names.contains(&it.database.as_deref())).collect();
        if about.is_empty() { all.iter().collect() } else { about }
    }

    /// How long a restore may take, in seconds, where that was said.
    fn rto_seconds(&self) -> Option<f64> {
        match self.subject {
            Subject::Verification(report) => report.rto_seconds,
            Subject::Drill(drill) => drill.rto_seconds,
            // Of several databases, none has the word for all.
            Subject::History => match &self.databases()[..] {
                [one] => one.outlook.as_ref()?.forecast()?.rto_seconds,
                _ => None,
            },
        }
    }
}

/// The page, as a file.
pub fn page(evidence: &Evidence<'_>) -> Vec<u8> {
    let tried = Tried::all(evidence);
    let title = headline::title(evidence);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content=(generator());
                link rel="icon" href="data:,";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header { (headline::header(evidence, &tried)) }
                main {
                    (figures::section(evidence, &tried))
                    (table::section(evidence, &tried))
                    (trends::sections(evidence))
                    (copies::section(evidence))
                    (limits::section(evidence, &tried))
                    (one_by_one::section(evidence, &tried))
                    (runs::section(evidence))
                }
                footer { (footer(evidence)) }
            }
        }
    };
    page.into_string().into_bytes()
}

fn generator() -> String {
    format!("ccc-backup {}", env!("CARGO_PKG_VERSION"))
}

fn footer(evidence: &Evidence<'_>) -> Markup {
    html! {
        p {
            "Made by " (generator()) " on " (date(evidence.now)) ". This page loads nothing and runs nothing. \
             All times are UTC."
        }
    }
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
