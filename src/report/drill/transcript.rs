//! The words of the transcript of a drill.

use bytesize::ByteSize;
use chrono::{DateTime, Utc};

use super::{outcome, restores, seconds};
use crate::events::DrillEvent;
use crate::model::drill::{DrillPlan, DrillReport, End, PlaceFound, Planned, Standing, Turn};
use crate::model::outcome::{RunReport, Verdict, counted};
use crate::report::listing::{Align, ago, printable, table};
use crate::report::{RULE, forecast};

/// What people read of it.
pub(in crate::report) fn drill(event: &DrillEvent) -> Vec<String> {
    match event {
        DrillEvent::Planned(plan) => planned(plan),
        DrillEvent::Begun { planned, number, of, file_only } => {
            let verb = if *file_only { "Reading" } else { "Verifying" };
            vec![format!("{verb} {} ({number} of {of})...", named(planned))]
        }
        // What happens in a turn is in the log.
        DrillEvent::Within { .. } => Vec::new(),
        DrillEvent::Ended { turn, file_only } => ended(turn, *file_only),
        DrillEvent::Finished(report) => summary(report),
    }
}

/// The verdict of a drill on one line.
pub(in crate::report) fn headline(report: &DrillReport) -> &'static str {
    if report.newest_only {
        return match report.verdict() {
            Verdict::Passed => "✅ VERIFICATION PASSED",
            Verdict::Failed => "❌ VERIFICATION FAILED",
            Verdict::NotVerified => "⚠️ NOT VERIFIED",
        };
    }
    match (report.verdict(), report.file_only) {
        (Verdict::Passed, false) => "✅ DRILL PASSED",
        (Verdict::Passed, true) => "✅ ALL BYTES ARE INTACT",
        (Verdict::Failed, false) => "❌ DRILL FAILED",
        (Verdict::Failed, true) => "❌ DAMAGE WAS FOUND",
        (Verdict::NotVerified, _) => "⚠️ NOT VERIFIED",
    }
}

fn named(planned: &Planned) -> String {
    format!("{} in {}", printable(&planned.backup), printable(&planned.place))
}

fn planned(plan: &DrillPlan) -> Vec<String> {
    let title = match (plan.file_only, plan.newest_only) {
        (true, _) => "BACKUP FILES",
        (false, true) => "THE NEWEST BACKUP OF EACH DATABASE",
        (false, false) => "BACKUP RESTORE DRILL",
    };
    let mut lines = vec![RULE.to_owned(), title.to_owned(), RULE.to_owned()];
    lines.extend(plan.places.iter().map(place));
    let tried = plan.turns.iter().filter(|(_, fits)| *fits).count();
    let there = plan.places.iter().map(|place| place.backups).sum::<usize>();
    let what = format!("Plan: {tried} of {}{}", counted(there as u64, "backup"), time(plan));
    lines.extend([String::new(), what]);
    if !plan.turns.is_empty() {
        lines.extend(turns(plan).lines().map(|line| format!("  {line}")));
    }
    if plan.is_all {
        lines.extend([String::new(), "Nothing was verified (--dry-run)".to_owned()]);
    }
    lines.push(String::new());
    lines
}

fn place(place: &PlaceFound) -> String {
    let name = printable(&place.place);
    match &place.obstacle {
        Some(obstacle) => format!("✗ {name}: {}", obstacle.cause),
        None => {
            let bad = if place.bad > 0 { format!(", {} bad", place.bad) } else { String::new() };
            let there = counted(place.backups as u64, "backup");
            format!("✓ {name}: {there}, {} proven{bad}", place.proven)
        }
    }
}

/// How long it takes, as far as that is known, and may take.
fn time(plan: &DrillPlan) -> String {
    let at_once = match plan.at_once {
        1 => String::new(),
        several => format!(", {several} at once"),
    };
    let least = if plan.all_expected { "about" } else { "at least" };
    let known = plan.turns.iter().any(|(planned, _)| planned.expected_seconds.is_some());
    let takes = match known {
        true => format!(", {least} {}", seconds(plan.expected_seconds)),
        false => String::new(),
    };
    let within = plan.within_seconds.map(|within| format!(" of {}", seconds(within)));
    format!("{at_once}{takes}{}", within.unwrap_or_default())
}

fn turns(plan: &DrillPlan) -> String {
    let (last, takes) = if plan.file_only { ("LAST READ", "TAKES") } else { ("PROVEN", "TAKES") };
    let mut rows = vec![["BACKUP", "PLACE", "SIZE", last, takes].map(str::to_owned)];
    rows.extend(plan.turns.iter().map(|(planned, fits)| {
        let takes = planned.expected_seconds.map_or_else(|| "not known".to_owned(), seconds);
        [
            printable(&planned.backup),
            printable(&planned.place),
            ByteSize(planned.bytes).to_string(),
            standing(planned.standing, plan.at),
            if *fits { takes } else { format!("{takes}: too long") },
        ]
    }));
    table(&rows, [Align::Left, Align::Left, Align::Right, Align::Left, Align::Left])
}

fn standing(standing: Standing, now: DateTime<Utc>) -> String {
    match standing {
        Standing::Untried => "never".to_owned(),
        Standing::Inconclusive(at) => format!("inconclusive {}", ago(now, at)),
        Standing::Proven(at) => ago(now, at),
        Standing::Bad(at) => format!("BAD {}", ago(now, at)),
    }
}

fn ended(turn: &Turn, file_only: bool) -> Vec<String> {
    let name = named(&turn.planned);
    let report = match &turn.end {
        End::Tried(report) => report,
        End::NotReached { why } => return vec![format!("? {name}: not reached: {why}")],
    };
    let mark = match report.verdict() {
        Verdict::Passed => "✓",
        Verdict::Failed => "✗",
        Verdict::NotVerified => "?",
    };
    let mut lines = vec![format!("{mark} {name}: {}", outcome(report, file_only))];
    lines.extend(said(report));
    lines
}

/// What is worth a line of one that was tried.
fn said(report: &RunReport) -> Vec<String> {
    let hints = report.defects.iter().filter_map(|defect| defect.hint.as_ref());
    let hints = hints.chain(report.obstacle.iter().filter_map(|obstacle| obstacle.hint.as_ref()));
    let hints = hints.take(1).map(|hint| format!("    hint: {hint}"));
    report.causes().into_iter().map(|cause| format!("    {cause}")).chain(hints).collect()
}

/// How the newest backup of each database ended.
fn by_database(report: &DrillReport) -> String {
    let row = |turn: &Turn| {
        let result = match &turn.end {
            End::Tried(report) => outcome(report, false),
            End::NotReached { .. } => "not reached".to_owned(),
        };
        let database = turn.planned.database.as_deref().unwrap_or("(not known)");
        [printable(database), result, printable(&turn.planned.backup)]
    };
    let heads = ["DATABASE", "RESULT", "BACKUP"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(heads).chain(report.turns.iter().map(row)).collect();
    table(&rows, [Align::Left, Align::Left, Align::Left])
}

fn summary(report: &DrillReport) -> Vec<String> {
    let title = if report.newest_only { "SUMMARY OF ALL DATABASES" } else { "DRILL SUMMARY" };
    let mut lines = vec![String::new(), RULE.to_owned(), title.to_owned(), RULE.to_owned()];
    lines.push(format!("Backups: {}", report.turns.len()));
    if report.newest_only {
        lines.extend(by_database(report).lines().map(|line| format!("  {line}")));
    }
    let passed = if report.file_only { "Intact" } else { "Passed" };
    lines.push(format!("{passed}: {}", report.count(Verdict::Passed)));
    lines.push(format!("Failed: {}", report.count(Verdict::Failed)));
    for (count, label) in [
        (report.count(Verdict::NotVerified), "Not verified"),
        (report.not_reached(), "Not reached"),
    ] {
        if count > 0 {
            lines.push(format!("{label}: {count}"));
        }
    }
    let times = restores(&report.restore_seconds(), report.rto_seconds);
    lines.extend(times.map(|times| format!("Restore time: {times}")));
    lines.push(format!("Time: {}", seconds(report.seconds)));
    lines.extend(report.outlooks.iter().map(|of| {
        let of_it = match (&of.database, report.outlooks.len()) {
            (Some(name), 2..) => format!(" of {}", printable(name)),
            _ => String::new(),
        };
        format!("Forecast{of_it}: {}", forecast::said(report.started_at, &of.outlook))
    }));
    lines.extend([String::new(), headline(report).to_owned()]);
    lines.extend(report.causes());
    lines.push(RULE.to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::report::drill::samples;

    fn text(event: &DrillEvent) -> String {
        drill(event).into_iter().map(|line| line + "\n").collect()
    }

    #[test]
    fn the_plan_says_where_it_looked_what_is_tried_and_how_long_that_takes() {
        insta::assert_snapshot!(text(&DrillEvent::Planned(Arc::new(samples::plan()))));
    }

    #[test]
    fn each_turn_says_how_it_ended_and_the_summary_what_came_of_all() {
        let report = samples::drill();
        let ended = |turn: &Turn| {
            text(&DrillEvent::Ended { turn: Arc::new(turn.clone()), file_only: false })
        };
        let turns: String = report.turns.iter().map(ended).collect();
        let finished = text(&DrillEvent::Finished(Arc::new(report)));
        insta::assert_snapshot!(turns + &finished);
    }
}
