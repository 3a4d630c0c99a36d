//! What was proven: a row for each backup that was tried.

use maud::{Markup, html};

use super::Evidence;
use super::parts::{badge, bar, day, size};
use super::tried::Tried;
use crate::model::outcome::grouped;
use crate::report::drill::seconds;

/// The section; nothing for a page that is about none.
pub(super) fn section(evidence: &Evidence<'_>, tried: &[Tried<'_>]) -> Markup {
    if tried.is_empty() {
        return html! {};
    }
    let file_only = evidence.file_only();
    let longest = tried.iter().filter_map(Tried::restore_seconds).fold(0.0, f64::max);
    let several = tried.iter().any(|one| one.database != tried[0].database);
    let whole = evidence.rto_seconds().unwrap_or(longest).max(longest);
    html! {
        section {
            h2 { @if file_only { "What was compared" } @else { "What was proven" } }
            table class="cards" {
                thead {
                    tr {
                        th scope="col" { "Backup" }
                        th scope="col" { "Where" }
                        th scope="col" { "Verdict" }
                        th scope="col" { @if file_only { "Read in" } @else { "Restored in" } }
                        th scope="col" class="number" { "Size" }
                        th scope="col" class="number" { "Rows" }
                        th scope="col" { "Signature" }
                    }
                }
                tbody {
                    @for one in tried { (row(one, file_only, several, whole)) }
                }
            }
        }
    }
}

/// Of which database it is, is said where there are several.
fn row(one: &Tried<'_>, file_only: bool, several: bool, whole: f64) -> Markup {
    let time =
        if file_only { one.report().map(|report| report.seconds) } else { one.restore_seconds() };
    let rows = one.report().and_then(|report| report.rows);
    html! {
        tr {
            th scope="row" {
                span class="name" { (one.name) }
                span class="note" {
                    @if let Some(at) = one.made_at { "made " (day(at)) }
                    @if let (true, Some(database)) = (several, one.database) { " of " (database) }
                }
            }
            td data-label="Where" { (one.place) }
            td data-label="Verdict" { (badge(one.verdict(), one.word(file_only))) }
            td data-label=(if file_only { "Read in" } else { "Restored in" }) {
                @match time {
                    Some(time) => {
                        (seconds(time))
                        @if !file_only {
                            (bar(time, whole, if one.is_slow() { "bad" } else { "good" }))
                        }
                    }
                    None => { (nothing()) }
                }
            }
            td data-label="Size" class="number" { (size(one.bytes)) }
            td data-label="Rows" class="number" {
                @match rows { Some(rows) => { (grouped(rows)) } None => { (nothing()) } }
            }
            td data-label="Signature" {
                @match one.signature() { Some(said) => { (said) } None => { "none" } }
            }
        }
    }
}

/// There is nothing to say.
fn nothing() -> Markup {
    html! { span class="none" { "–" } }
}
