//! What a drill found for GitHub Actions: the step summary, in Markdown.

use std::fmt::Write;

use super::transcript::headline;
use super::{outcome, restores};
use crate::model::drill::{DrillReport, End, Turn};
use crate::report::github::escaped;

/// The step summary.
pub fn markdown(report: &DrillReport) -> Vec<u8> {
    let title =
        if report.newest_only { "Backup Verification Summary" } else { "Backup Drill Summary" };
    let mut text = format!(
        "## {title}\n\n- **Date**: {}\n- **Backups**: {}\n",
        report.started_at.format("%Y-%m-%d %H:%M:%S UTC"),
        report.turns.len(),
    );
    if let Some(times) = restores(&report.restore_seconds(), report.rto_seconds) {
        let _ = writeln!(text, "- **Restore time**: {times}");
    }
    let _ = writeln!(text, "\n{}\n", headline(report));
    if !report.turns.is_empty() {
        text.push_str("| backup | place | result |\n|---|---|---|\n");
        report.turns.iter().for_each(|turn| text.push_str(&row(turn, report.file_only)));
        text.push('\n');
    }
    for cause in report.causes() {
        let _ = writeln!(text, "- {}", escaped(&cause));
    }
    text.push('\n');
    text.into_bytes()
}

fn row(turn: &Turn, file_only: bool) -> String {
    let result = match &turn.end {
        End::Tried(report) => outcome(report, file_only),
        End::NotReached { .. } => "not reached".to_owned(),
    };
    let (backup, place) = (escaped(&turn.planned.backup), escaped(&turn.planned.place));
    format!("| {backup} | {place} | {result} |\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::drill::samples;

    #[test]
    fn the_summary_has_a_row_for_each_backup_and_says_what_is_wrong() {
        insta::assert_snapshot!(String::from_utf8(markdown(&samples::drill())).unwrap());
    }
}
