//! The few numbers that matter most.

use maud::{Markup, html};

use super::parts::{aged, bar};
use super::tried::Tried;
use super::{Evidence, Subject};
use crate::model::forecast::Outlook;
use crate::model::outcome::{Status, Verdict};
use crate::report::drill::seconds;
use crate::report::forecast;

/// The section.
pub(super) fn section(evidence: &Evidence<'_>, tried: &[Tried<'_>]) -> Markup {
    html! {
        section class="figures" aria-label="In short" {
            (proven(evidence, tried))
            (restore_time(evidence, tried))
            (outlook(evidence))
            (newest(evidence))
        }
    }
}

fn tile(label: &str, value: &Markup, note: &Markup) -> Markup {
    html! {
        div class="figure" {
            p class="label" { (label) }
            p class="value" { (value) }
            p class="note" { (note) }
        }
    }
}

fn proven(evidence: &Evidence<'_>, tried: &[Tried<'_>]) -> Markup {
    if let Subject::History = evidence.subject {
        let count = |of: &dyn Fn(&crate::store::statistics::Statistics) -> usize| {
            evidence.on_record.databases.iter().map(of).sum::<usize>()
        };
        let (passed, failed) = (count(&|it| it.verify.passed), count(&|it| it.verify.failed));
        let note =
            html! { (failed) " failed, " (count(&|it| it.verify.not_verified)) " could not tell" };
        return tile("Verifications passed", &html! { (passed) }, &note);
    }
    if let Subject::Verification(report) = evidence.subject {
        let count = |status| report.count(status);
        let note = html! { (count(Status::Failed)) " failed, " (count(Status::NotRun)) " not run" };
        return tile("Checks passed", &html! { (count(Status::Passed)) }, &note);
    }
    let passed = tried.iter().filter(|one| one.verdict() == Verdict::Passed).count();
    let class = if passed == tried.len() { "good" } else { "bad" };
    #[expect(clippy::cast_precision_loss, reason = "a bar")]
    let share = bar(passed as f64, tried.len() as f64, class);
    let label = if evidence.file_only() { "Intact" } else { "Proven" };
    tile(label, &html! { (passed) " of " (tried.len()) }, &share)
}

/// The longest restore of those that were tried, else of those on record.
fn restore_time(evidence: &Evidence<'_>, tried: &[Tried<'_>]) -> Markup {
    let longest = tried
        .iter()
        .filter_map(Tried::restore_seconds)
        .fold(None, |longest, time| Some(longest.map_or(time, |longest: f64| longest.max(time))));
    let databases = evidence.databases().into_iter();
    let on_record =
        || databases.filter_map(|it| it.restore.as_ref()).map(|it| it.median).reduce(f64::max);
    let (label, time) = match longest {
        Some(time) if tried.len() > 1 => ("Longest restore", time),
        Some(time) => ("Restored in", time),
        None => match on_record() {
            Some(time) => ("Restore, median", time),
            None => return html! {},
        },
    };
    let note = match evidence.rto_seconds() {
        Some(rto) => {
            let class = if time > rto { "bad" } else { "good" };
            html! { "of " (seconds(rto)) " allowed" (bar(time, rto, class)) }
        }
        None if longest.is_none() => html! { "half of them took no longer" },
        None => html! { "no time is set that it may take" },
    };
    tile(label, &html! { (seconds(time)) }, &note)
}

/// The forecast that comes true first.
fn outlook(evidence: &Evidence<'_>) -> Markup {
    let outlooks = evidence.databases().into_iter().filter_map(|it| it.outlook.as_ref());
    let soonest = outlooks.min_by_key(|outlook| match outlook {
        Outlook::Told(forecast) => (0, forecast.passed_at.unwrap_or(forecast.until)),
        Outlook::TooLittle { .. } => (1, evidence.now),
    });
    let Some(outlook) = soonest else { return html! {} };
    let value = match outlook.forecast().map(|forecast| (forecast.rto_seconds, forecast.passed_at))
    {
        Some((Some(_), Some(at))) if at <= evidence.now => html! { "passed" },
        Some((Some(_), Some(at))) => html! { (at.format("%b %Y")) },
        Some((Some(_), None)) => html! { "not in sight" },
        Some((None, _)) => html! { "no goal" },
        None => html! { "not yet" },
    };
    let note = forecast::said(evidence.now, outlook);
    let note = note.strip_prefix("not yet: ").unwrap_or(&note);
    tile("Restore time, forecast", &value, &html! { (note) })
}

/// How old the newest backup is that was proven sound, wherever it lies.
fn newest(evidence: &Evidence<'_>) -> Markup {
    let backups = || evidence.on_record.places.iter().flat_map(|place| &place.backups);
    let proven =
        backups().filter(|backup| backup.proven == Some(true)).map(|backup| backup.time).max();
    let Some(made) = backups().map(|backup| backup.time).max() else { return html! {} };
    let value = match proven {
        Some(at) => html! { (aged(evidence.now, at)) " old" },
        None => html! { "none" },
    };
    let note = match proven {
        Some(at) if at == made => html! { "it is the newest there is" },
        _ => html! { "the newest there is: " (aged(evidence.now, made)) " old" },
    };
    tile("Newest proven backup", &value, &note)
}
