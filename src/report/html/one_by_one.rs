//! Each backup that was tried, with all that was found.

use maud::{Markup, html};

use super::parts::{badge, date, list};
use super::tried::Tried;
use super::{Evidence, Subject};
use crate::model::outcome::{RunReport, Status, Verdict};
use crate::report::drill::seconds;

/// The section; nothing for a page that is about none.
pub(super) fn section(evidence: &Evidence<'_>, tried: &[Tried<'_>]) -> Markup {
    if tried.is_empty() {
        return html! {};
    }
    let alone = matches!(evidence.subject, Subject::Verification(_));
    html! {
        section {
            h2 { @if alone { "In detail" } @else { "One by one" } }
            @for one in tried { (of_one(one, evidence.file_only(), alone)) }
        }
    }
}

/// Open where there is something to be done.
fn of_one(one: &Tried<'_>, file_only: bool, alone: bool) -> Markup {
    html! {
        details class="backup" open[alone || one.verdict() != Verdict::Passed] {
            summary {
                h3 { (one.name) }
                span class="note" { (one.place) }
                (badge(one.verdict(), one.word(file_only)))
            }
            @match one.end {
                Ok(report) => { (found(one, report)) }
                Err(why) => { p { "Not reached: " (why) "." } }
            }
        }
    }
}

fn found(one: &Tried<'_>, report: &RunReport) -> Markup {
    let causes = report.causes();
    let hints = report.defects.iter().filter_map(|it| it.hint.clone());
    let hints = hints.chain(report.obstacle.iter().filter_map(|it| it.hint.clone()));
    let hints: Vec<String> = hints.collect();
    let shown: Vec<String> = report.ended(Status::Shown).map(|check| check.title.clone()).collect();
    html! {
        @if !causes.is_empty() {
            h4 { @if one.verdict() == Verdict::Failed { "Why it failed" } @else { "Why it is not verified" } }
            (list("bad", &causes))
            @if !hints.is_empty() { p class="hint" { "What to do: " (hints.join("; ")) "." } }
        }
        @if !report.proven().is_empty() { h4 { "Proven" } (list("good", &report.proven())) }
        @if !report.unproven().is_empty() { h4 { "Not proven" } (list("open", &report.unproven())) }
        @if !shown.is_empty() { h4 { "Counted" } (list("plain", &shown)) }
        @if !report.warnings.is_empty() { h4 { "Warnings" } (list("plain", &report.warnings)) }
        (facts(report))
    }
}

/// When, in what, how long, and which bytes.
fn facts(report: &RunReport) -> Markup {
    html! {
        h4 { "Facts" }
        dl {
            dt { "Begun" } dd { (date(report.started_at)) }
            dt { "Took" } dd { (seconds(report.seconds)) }
            @for phase in &report.phases {
                dt { (capitalized(&phase.name)) } dd { (seconds(phase.seconds)) }
            }
            @if let Some(sandbox) = &report.sandbox {
                dt { "Server" } dd { "PostgreSQL " (sandbox.server_version) }
                dt { "In" }
                dd {
                    (sandbox.engine)
                    @if let Some(image) = &sandbox.image { ", " (image) }
                }
                @if let Some(digest) = &sandbox.image_digest { dt { "Image" } dd { code { (digest) } } }
            }
            @if let Some(format) = &report.format { dt { "Format" } dd { (format) } }
            @if let Some(sha256) = &report.sha256 { dt { "SHA-256" } dd { code { (sha256) } } }
            dt { "By" } dd { "ccc-backup " (report.tool_version) }
        }
    }
}

fn capitalized(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
