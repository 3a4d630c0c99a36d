//! The run report as JUnit XML, as CI systems read it. A check that could not be run is skipped
//! with its reason, never passed; what is only shown is a property of the run, and no test case.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::model::drill::{DrillReport, End};
use crate::model::outcome::{CheckResult, Defect, Obstacle, RunReport, Section, Status};

/// The sections, each a suite, in the order of the report.
const SECTIONS: [Section; 8] = [
    Section::File,
    Section::Restore,
    Section::Schema,
    Section::Data,
    Section::Earlier,
    Section::Migrations,
    Section::Contents,
    Section::Own,
];

/// The document of a run.
pub fn serialize(report: &RunReport) -> Vec<u8> {
    let mut document = Report::new("ccc-backup verify");
    document.set_timestamp(report.started_at).set_time(time(report.seconds));
    document.add_test_suites(suites(report));
    bytes(&document)
}

/// The document of several: the suites of each backup, whose names begin with its own.
pub fn serialize_all(drill: &DrillReport) -> Vec<u8> {
    let mut document = Report::new("ccc-backup verify");
    document.set_timestamp(drill.started_at).set_time(time(drill.seconds));
    for turn in &drill.turns {
        let backup = &turn.planned.backup;
        let suites = match &turn.end {
            End::Tried(report) => suites(report),
            End::NotReached { why } => vec![not_reached(backup, why)],
        };
        for mut suite in suites {
            suite.name = format!("{backup}: {}", suite.name.as_str()).into();
            document.add_test_suite(suite);
        }
    }
    bytes(&document)
}

fn not_reached(backup: &str, why: &str) -> TestSuite {
    let mut suite = TestSuite::new("run");
    suite.add_property(("backup", backup));
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_type("not-verified").set_message(format!("not reached: {why}"));
    suite.add_test_case(case("run", "run.completed", status, 0.0));
    suite
}

fn suites(report: &RunReport) -> Vec<TestSuite> {
    let sections = SECTIONS.into_iter().map(|section| section_suite(section, report));
    let others = sections.chain([not_proven(report)]);
    let others = others.filter(|suite| !suite.test_cases.is_empty());
    std::iter::once(run(report)).chain(others).collect()
}

fn bytes(document: &Report) -> Vec<u8> {
    let mut bytes = Vec::new();
    #[expect(clippy::expect_used, reason = "a Vec takes every byte, and there are no reruns")]
    document.serialize(&mut bytes).expect("a document of ours is XML");
    bytes
}

/// Whether the run came to its end; an obstacle is an error.
fn run(report: &RunReport) -> TestSuite {
    let mut suite = TestSuite::new("run");
    suite.add_property(("backup", report.backup.to_string_lossy().as_ref()));
    suite.add_property(("tool_version", report.tool_version.as_str()));
    if let Some(sandbox) = &report.sandbox {
        suite.add_property(("server_version", sandbox.server_version.as_str()));
        let image = sandbox.image.iter().map(|image| ("image", image.as_str()));
        suite.add_properties(image);
    }
    let shown = report.ended(Status::Shown).map(|check| (check.id.as_str(), check.title.as_str()));
    suite.add_properties(shown);
    let status = match &report.obstacle {
        None => TestCaseStatus::success(),
        Some(Obstacle { cause, hint }) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_type("not-verified").set_message(cause);
            status.set_description(with_hint(cause, hint.as_deref()));
            status
        }
    };
    suite.add_test_case(case("run", "run.completed", status, report.seconds));
    suite
}

fn section_suite(section: Section, report: &RunReport) -> TestSuite {
    let name = suite_name(section);
    let mut suite = TestSuite::new(name);
    if section == Section::Restore {
        suite.add_test_case(restore(report));
    }
    let of_section = report.checks.iter().filter(|check| check.section == section);
    suite.add_test_cases(of_section.filter_map(|check| checked(name, check)));
    if report.unreached().any(|unreached| unreached == section) {
        let mut status = TestCaseStatus::skipped();
        status.set_message(format!("not checked: {}", reason(report)));
        suite.add_test_case(case(name, name, status, 0.0));
    }
    suite
}

/// The restore itself: what speaks against the backup outside the checks is its failure.
fn restore(report: &RunReport) -> TestCase {
    let status = match report.defects.as_slice() {
        [first, ..] => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let words = |Defect { cause, hint }: &Defect| with_hint(cause, hint.as_deref());
            let all: Vec<String> = report.defects.iter().map(words).collect();
            status.set_type("defect").set_message(&first.cause);
            status.set_description(all.join("\n"));
            status
        }
        [] if report.restored => TestCaseStatus::success(),
        [] => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(format!("not restored: {}", reason(report)));
            status
        }
    };
    let seconds = report.restore_time().unwrap_or_default().as_secs_f64();
    case("restore", "restore", status, seconds)
}

/// The test case of a check; none where there was nothing to judge.
fn checked(suite: &str, check: &CheckResult) -> Option<TestCase> {
    let lines: Vec<&str> =
        std::iter::once(&check.title).chain(&check.details).map(String::as_str).collect();
    let text = lines.join("\n");
    Some(match check.status {
        Status::Shown => return None,
        Status::Passed => printing(suite, check, &text),
        Status::Warned => printing(suite, check, &format!("warning: {text}")),
        Status::Failed => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_type("check").set_message(&check.title).set_description(text);
            case(suite, &check.id, status, 0.0)
        }
        Status::NotRun => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(&check.title).set_description(text);
            case(suite, &check.id, status, 0.0)
        }
    })
}

fn printing(suite: &str, check: &CheckResult, text: &str) -> TestCase {
    let mut case = case(suite, &check.id, TestCaseStatus::success(), 0.0);
    case.set_system_out(text);
    case
}

/// What a passed verdict does not cover: a skipped test case each, and an error where it has to be
/// proven.
fn not_proven(report: &RunReport) -> TestSuite {
    let mut suite = TestSuite::new("not-proven");
    for (index, what) in report.not_proven.iter().enumerate() {
        let mut status = if report.require_proof {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_type("not-proven");
            status
        } else {
            TestCaseStatus::skipped()
        };
        status.set_message(what);
        suite.add_test_case(case("not-proven", &format!("not-proven.{}", index + 1), status, 0.0));
    }
    suite
}

/// Why something was not come to.
fn reason(report: &RunReport) -> String {
    report.causes().into_iter().next().unwrap_or_else(|| "nothing was checked".to_owned())
}

fn with_hint(cause: &str, hint: Option<&str>) -> String {
    match hint {
        Some(hint) => format!("{cause}\nhint: {hint}"),
        None => cause.to_owned(),
    }
}

fn case(suite: &str, name: &str, status: TestCaseStatus, seconds: f64) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(format!("ccc-backup.{suite}")).set_time(time(seconds));
    case
}

fn suite_name(section: Section) -> &'static str {
    match section {
        Section::Restore => "restore",
        Section::Schema => "schema",
        Section::Data => "data",
        Section::Earlier => "earlier",
        Section::Migrations => "migrations",
        Section::Contents => "contents",
        Section::Own => "own",
        Section::File => "file",
    }
}

fn time(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn defects_fail_obstacles_are_errors_and_what_was_not_run_is_skipped() {
        for (name, report) in samples::all() {
            insta::assert_snapshot!(name, String::from_utf8(serialize(&report)).unwrap());
        }
    }

    #[test]
    fn a_defect_without_a_way_out_is_told_all_the_same() {
        let mut report = samples::failed();
        report.defects = vec![Defect { cause: "the archive is cut".into(), hint: None }];
        let text = String::from_utf8(serialize(&report)).unwrap();
        assert!(text.contains("message=\"the archive is cut\""), "{text}");
        assert!(!text.contains("hint:"), "{text}");
    }

    #[test]
    fn a_run_that_is_not_passed_never_looks_passed() {
        for (name, report) in samples::all() {
            let text = String::from_utf8(serialize(&report)).unwrap();
            let bad = text.contains("<failure") || text.contains("<error");
            assert_eq!(bad, name != "passed", "{text}");
        }
    }
}
