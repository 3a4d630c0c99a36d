//! Small parts of the page.

use bytesize::ByteSize;
use chrono::{DateTime, SecondsFormat, Utc};
use maud::{Markup, html};

use crate::model::outcome::{Verdict, counted};

/// A day and a time of it.
pub(super) fn date(at: DateTime<Utc>) -> Markup {
    html! {
        time datetime=(at.to_rfc3339_opts(SecondsFormat::Secs, true)) {
            (at.format("%-d %b %Y, %H:%M"))
        }
    }
}

/// A day.
pub(super) fn day(at: DateTime<Utc>) -> Markup {
    html! {
        time datetime=(at.to_rfc3339_opts(SecondsFormat::Secs, true)) { (at.format("%-d %b %Y")) }
    }
}

/// A size.
pub(super) fn size(bytes: u64) -> String {
    ByteSize(bytes).to_string()
}

/// The class that gives a verdict its colour.
pub(super) fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "good",
        Verdict::Failed => "bad",
        Verdict::NotVerified => "open",
    }
}

/// A mark that tells verdicts apart without their colours.
fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "✓",
        Verdict::Failed => "✗",
        Verdict::NotVerified => "?",
    }
}

/// A verdict in a word, with its mark.
pub(super) fn badge(verdict: Verdict, word: &str) -> Markup {
    html! {
        span class={ "badge " (class(verdict)) } {
            span aria-hidden="true" { (sign(verdict)) } " " (word)
        }
    }
}

/// A list, where it holds anything.
pub(super) fn list(class: &str, items: &[String]) -> Markup {
    html! {
        @if !items.is_empty() {
            ul class=(class) {
                @for item in items { li { (item) } }
            }
        }
    }
}

/// A part of a whole as a bar; what is more than the whole fills it.
pub(super) fn bar(part: f64, whole: f64, class: &str) -> Markup {
    let percent = if whole > 0.0 { (part / whole * 100.0).clamp(1.0, 100.0) } else { 0.0 };
    html! {
        span class="bar" aria-hidden="true" {
            span class=(class) style=(format!("width:{percent:.1}%")) {}
        }
    }
}

/// A time since then, as roughly as it matters.
pub(super) fn aged(now: DateTime<Utc>, at: DateTime<Utc>) -> String {
    let minutes = (now - at).num_minutes().max(0).unsigned_abs();
    match minutes {
        0 => "less than a minute".to_owned(),
        1..120 => counted(minutes, "minute"),
        120..2_880 => counted(minutes / 60, "hour"),
        _ => counted(minutes / 1_440, "day"),
    }
}
