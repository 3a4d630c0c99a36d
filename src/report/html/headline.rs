//! What stands at the top: what was shown, in a sentence.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::parts::{aged, badge, class, date};
use super::tried::Tried;
use super::{Evidence, Subject};
use crate::model::outcome::{Verdict, counted, worst};
use crate::report::drill::seconds;
use crate::store::statistics::Statistics;

/// The title of the page.
pub(super) fn title(evidence: &Evidence<'_>) -> String {
    let day = evidence.now.format("%-d %b %Y");
    match evidence.subject {
        Subject::Verification(_) => format!("Backup verification, {day}"),
        Subject::Drill(drill) if drill.file_only => format!("Backup files, {day}"),
        Subject::Drill(drill) if drill.newest_only => format!("Backup verification, {day}"),
        Subject::Drill(_) => format!("Restore drill, {day}"),
        Subject::History => format!("Backup history, {day}"),
    }
}

/// The head of the page.
pub(super) fn header(evidence: &Evidence<'_>, tried: &[Tried<'_>]) -> Markup {
    let (kind, verdict) = match evidence.subject {
        Subject::Verification(report) => ("Backup verification", report.verdict()),
        Subject::Drill(drill) if drill.file_only => ("Backup files", drill.verdict()),
        Subject::Drill(drill) if drill.newest_only => ("Backup verification", drill.verdict()),
        Subject::Drill(drill) => ("Restore drill", drill.verdict()),
        Subject::History => ("Backup history", of_history(&evidence.on_record.databases)),
    };
    let word = match verdict {
        Verdict::Passed => "PASSED",
        Verdict::Failed => "FAILED",
        Verdict::NotVerified => "NOT VERIFIED",
    };
    html! {
        div class={ "verdict " (class(verdict)) } {
            p class="kind" { (kind) }
            h1 { (sentence(evidence, tried)) }
            p { (badge(verdict, word)) " " (counts(evidence, tried)) }
            p class="about" { (about(evidence)) }
        }
    }
}

/// What was shown.
fn sentence(evidence: &Evidence<'_>, tried: &[Tried<'_>]) -> String {
    match evidence.subject {
        Subject::Verification(_) => of_one(tried),
        Subject::Drill(drill) if drill.file_only => of_bytes(drill.verdict(), tried),
        Subject::Drill(drill) => of_several(drill.verdict(), tried),
        Subject::History => last_of(evidence.now, &evidence.on_record.databases),
    }
}

fn of_one(tried: &[Tried<'_>]) -> String {
    let Some(one) = tried.first() else { return "Nothing was verified.".to_owned() };
    let said = match one.verdict() {
        Verdict::Passed => "The backup restores.",
        Verdict::Failed if one.is_slow() => "The backup is sound, and took too long to restore.",
        Verdict::Failed => "The backup is bad.",
        Verdict::NotVerified => "It could not be told whether the backup is good.",
    };
    said.to_owned()
}

fn of_several(verdict: Verdict, tried: &[Tried<'_>]) -> String {
    let count = |counts: &dyn Fn(&Tried) -> bool| tried.iter().filter(|one| counts(one)).count();
    let (all, passed) = (tried.len(), count(&|one| one.verdict() == Verdict::Passed));
    let slow = count(&|one| one.is_slow());
    let bad = count(&|one| one.verdict() == Verdict::Failed) - slow;
    match verdict {
        Verdict::Passed if all == 1 => "The backup restores.".to_owned(),
        Verdict::Passed if all == 2 => "Both backups restore.".to_owned(),
        Verdict::Passed => format!("All {all} backups restore."),
        Verdict::Failed if bad > 0 => format!("{} bad.", of_all(bad, all)),
        Verdict::Failed => format!("{slow} of {} took too long to restore.", backups(all)),
        Verdict::NotVerified if all == 0 => "Nothing was proven.".to_owned(),
        Verdict::NotVerified => {
            format!("{passed} of {} restored; the rest is not proven.", backups(all))
        }
    }
}

fn of_bytes(verdict: Verdict, tried: &[Tried<'_>]) -> String {
    let (all, count) =
        (tried.len(), |verdict| tried.iter().filter(|one| one.verdict() == verdict).count());
    match verdict {
        Verdict::Passed if all == 1 => "Every byte of the backup is intact.".to_owned(),
        Verdict::Passed if all == 2 => "Every byte of both backups is intact.".to_owned(),
        Verdict::Passed => format!("Every byte of all {all} backups is intact."),
        Verdict::Failed => format!("{} damaged.", of_all(count(Verdict::Failed), all)),
        Verdict::NotVerified if all == 0 => "Nothing was read.".to_owned(),
        Verdict::NotVerified => {
            let intact = count(Verdict::Passed);
            format!("{} intact; of the rest it is not known.", of_all(intact, all))
        }
    }
}

fn backups(count: usize) -> String {
    counted(count as u64, "backup")
}

/// `1 of 12 backups is`, `2 of 12 backups are`.
fn of_all(some: usize, all: usize) -> String {
    let is = if some == 1 { "is" } else { "are" };
    format!("{some} of {} {is}", backups(all))
}

/// What the last verification of each database says, together.
fn of_history(databases: &[Statistics]) -> Verdict {
    let last = |it: &Statistics| match (it.verify.last_success, it.verify.last_failure) {
        (Some(good), Some(bad)) if bad > good => Some(Verdict::Failed),
        (Some(_), _) => Some(Verdict::Passed),
        (None, Some(_)) => Some(Verdict::Failed),
        (None, None) if it.create.passed > 0 || it.verify.not_verified > 0 => {
            Some(Verdict::NotVerified)
        }
        (None, None) => None,
    };
    worst(databases.iter().filter_map(last))
}

fn last_of(now: DateTime<Utc>, databases: &[Statistics]) -> String {
    let since = |at: Option<DateTime<Utc>>| {
        at.map_or_else(|| "at some time".to_owned(), |at| format!("{} ago", aged(now, at)))
    };
    let last =
        |at: &dyn Fn(&Statistics) -> Option<DateTime<Utc>>| databases.iter().filter_map(at).max();
    match of_history(databases) {
        Verdict::Passed => {
            let at = last(&|it| it.verify.last_success);
            format!("The last backup that was verified restores, {}.", since(at))
        }
        Verdict::Failed => {
            let at = last(&|it| it.verify.last_failure);
            format!("A backup was proven bad {}, and none has passed since.", since(at))
        }
        Verdict::NotVerified => "No backup on record was proven to restore.".to_owned(),
    }
}

/// How many of several ended how, where not all ended alike.
fn counts(evidence: &Evidence<'_>, tried: &[Tried<'_>]) -> String {
    let file_only = evidence.file_only();
    let words =
        ["passed", "intact", "failed", "damaged", "too slow", "not verified", "not reached"];
    let count = |word: &str| tried.iter().filter(|one| one.word(file_only) == word).count();
    let counts = words.into_iter().map(|word| (count(word), word)).filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts.map(|(count, word)| format!("{count} {word}")).collect();
    if counts.len() > 1 { counts.join(", ") } else { String::new() }
}

/// When, where, how long.
fn about(evidence: &Evidence<'_>) -> Markup {
    let places = evidence.on_record.places.len();
    html! {
        @match evidence.subject {
            Subject::Verification(report) => {
                span { (date(report.started_at)) } " · " span { "took " (seconds(report.seconds)) }
            }
            Subject::Drill(drill) => {
                @let places = counted(drill.places.len() as u64, "place");
                span { (date(drill.started_at)) } " · " span { (places) }
                " · " span { "took " (seconds(drill.seconds)) }
            }
            Subject::History => {
                span { (date(evidence.now)) } " · " span { (counted(places as u64, "place")) }
                " · " span { (counted(evidence.on_record.runs.len() as u64, "run")) " on record" }
            }
        }
        @if let [database] = &evidence.databases()[..] {
            @if let Some(name) = &database.database { " · " span class="free" { "database " (name) } }
        }
    }
}
