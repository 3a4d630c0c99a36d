//! What a drill found, as a transcript, as JSON and as Markdown.

pub mod json;
pub mod summary;
pub(super) mod transcript;

use std::time::Duration;

use crate::model::outcome::{RunReport, Verdict, spoken};

#[cfg(test)]
pub(super) mod samples;

/// How a turn ended, in a few words.
fn outcome(report: &RunReport, file_only: bool) -> String {
    let restored = report.restore_time().filter(|_| report.restored);
    let restored = restored.map(|time| format!(", restored in {}", spoken(time)));
    let restored = restored.unwrap_or_default();
    match (report.verdict(), file_only) {
        (Verdict::Passed, true) => "intact".to_owned(),
        (Verdict::Passed, false) => format!("passed{restored}"),
        (Verdict::Failed, true) => "DAMAGED".to_owned(),
        (Verdict::Failed, false) if report.soundness() == Verdict::Passed => {
            format!("TOO SLOW{restored}")
        }
        (Verdict::Failed, false) => "FAILED".to_owned(),
        (Verdict::NotVerified, _) => "NOT VERIFIED".to_owned(),
    }
}

/// Seconds for people.
pub(super) fn seconds(seconds: f64) -> String {
    spoken(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// The restores of a drill: how long they took, and may take. `None` where there was none.
fn restores(times: &[f64], rto_seconds: Option<f64>) -> Option<String> {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (longest, middle) = (*sorted.last()?, sorted[(sorted.len() - 1) / 2]);
    let allowed = rto_seconds.map(|rto| format!(" ({} allowed)", seconds(rto)));
    let allowed = allowed.unwrap_or_default();
    Some(match sorted.len() {
        1 => format!("{}{allowed}", seconds(longest)),
        _ => format!("median {}, longest {}{allowed}", seconds(middle), seconds(longest)),
    })
}
