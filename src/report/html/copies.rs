//! Where the backups lie, and what was proven there.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::Evidence;
use super::parts::day;
use crate::report::listing::ago;
use crate::store::listing::Listed;
use crate::store::on_record::PlaceOnRecord;

/// So many of the newest backups are shown one by one.
const SHOWN: usize = 12;

/// The section; nothing where no place is known.
pub(super) fn section(evidence: &Evidence<'_>) -> Markup {
    let places = &evidence.on_record.places;
    if places.is_empty() {
        return html! {};
    }
    html! {
        section {
            h2 { "Copies" }
            table class="cards" {
                thead {
                    tr {
                        th scope="col" { "Place" }
                        th scope="col" class="number" { "Backups" }
                        th scope="col" class="number" { "Proven there" }
                        th scope="col" class="number" { "Signed" }
                        th scope="col" { "Newest" }
                        th scope="col" { "Last proven" }
                    }
                }
                tbody { @for place in places { (row(evidence.now, place)) } }
            }
            @if places.len() > 1 { (matrix(evidence)) }
        }
    }
}

fn row(now: DateTime<Utc>, place: &PlaceOnRecord) -> Markup {
    let backups = &place.backups;
    let count = |counts: &dyn Fn(&Listed) -> bool| backups.iter().filter(|it| counts(it)).count();
    let proven = backups.iter().filter(|it| it.proven == Some(true)).filter_map(|it| it.verdict);
    let last = proven.map(|judged| judged.at).max();
    let told = |at: Option<DateTime<Utc>>| at.map_or_else(|| "never".to_owned(), |at| ago(now, at));
    html! {
        tr {
            th scope="row" { span class="name" { (place.place.display()) } }
            @match &place.unread {
                Some(why) => { td data-label="Not known" colspan="5" { (why) } }
                None => {
                    td data-label="Backups" class="number" { (backups.len()) }
                    td data-label="Proven there" class="number" { (count(&|it| it.proven == Some(true))) }
                    td data-label="Signed" class="number" { (count(&|it| it.signature.is_some())) }
                    td data-label="Newest" {
                        @match backups.iter().map(|it| it.time).max() {
                            Some(at) => { (ago(now, at)) }
                            None => { "none" }
                        }
                    }
                    td data-label="Last proven" { (told(last)) }
                }
            }
        }
    }
}

/// The newest backups, in which places they are, and where they were proven.
fn matrix(evidence: &Evidence<'_>) -> Markup {
    let known = || evidence.on_record.places.iter().filter(|place| place.unread.is_none());
    let mut backups: Vec<&Listed> = known().flat_map(|place| &place.backups).collect();
    backups.sort_by(|one, other| (other.time, &other.name).cmp(&(one.time, &one.name)));
    backups.dedup_by(|one, other| one.name == other.name);
    html! {
        h3 { "The newest, and where they are" }
        div class="wide-table" tabindex="0" role="region" aria-label="The newest backups, and where they are" {
            table class="matrix" style=(format!("--columns:{}", known().count() + 1)) {
                thead {
                    tr {
                        th scope="col" { "Made" }
                        @for place in known() { th scope="col" { (place.place.display()) } }
                    }
                }
                tbody {
                    @for backup in backups.into_iter().take(SHOWN) {
                        tr {
                            th scope="row" { (day(backup.time)) }
                            @for (_, there) in evidence.on_record.copies(&backup.name) { (cell(there)) }
                        }
                    }
                }
            }
        }
    }
}

fn cell(there: Option<&Listed>) -> Markup {
    let (class, sign, word) = match there.map(|backup| backup.proven) {
        Some(Some(true)) => ("good", "✓", "proven"),
        Some(Some(false)) => ("bad", "✗", "bad"),
        Some(None) => ("open", "○", "there"),
        None => ("none", "–", "missing"),
    };
    html! { td class=(class) { span aria-hidden="true" { (sign) } " " (word) } }
}
