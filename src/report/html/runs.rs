//! The last runs on record.

use maud::{Markup, html};

use super::parts::date;
use super::{Evidence, Subject};
use crate::report::drill::seconds;
use crate::report::listing::result;
use crate::store::history::Record;

/// So many are shown.
const SHOWN: usize = 30;

/// The section, of a page that is about them.
pub(super) fn section(evidence: &Evidence<'_>) -> Markup {
    let (Subject::History, runs) = (evidence.subject, &evidence.on_record.runs) else {
        return html! {};
    };
    html! {
        section {
            h2 { "The last runs" }
            @if runs.is_empty() { p { "No run is on record." } }
            @else {
                table class="cards" {
                    thead {
                        tr {
                            th scope="col" { "Backup" }
                            th scope="col" { "Run" }
                            th scope="col" { "Begun" }
                            th scope="col" class="number" { "Took" }
                            th scope="col" class="number" { "Restored in" }
                        }
                    }
                    tbody { @for run in runs.iter().rev().take(SHOWN) { (row(run)) } }
                }
                @if runs.len() > SHOWN { p class="note" { "… and " (runs.len() - SHOWN) " earlier." } }
            }
        }
    }
}

fn row(run: &Record) -> Markup {
    html! {
        tr {
            th scope="row" { span class="name" { (run.backup) } }
            td data-label="Run" { (result(run)) }
            td data-label="Begun" { (date(run.started_at)) }
            td data-label="Took" class="number" { (seconds(run.seconds)) }
            td data-label="Restored in" class="number" {
                @match run.restore_seconds() {
                    Some(time) => { (seconds(time)) }
                    None => { span class="none" { "–" } }
                }
            }
        }
    }
}
