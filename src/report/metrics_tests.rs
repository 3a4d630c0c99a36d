use std::time::Duration;

use super::*;
use crate::model::outcome::{Phase, Verdict};
use crate::store::history::{Record, Work};

fn record(work: Work, verdict: Verdict, database: &str) -> Record {
    let at = DateTime::UNIX_EPOCH + Duration::from_secs(1_768_356_000);
    let mut record = Record::new(work, "backup_20260114_020000.sql.gz", at, verdict);
    record.database = Some(database.to_owned());
    record
}

fn text(records: &[Record]) -> String {
    render(&Totals::of(records), None)
}

#[test]
fn a_night_gives_these_metrics() {
    let mut made = record(Work::Create, Verdict::Passed, "content_creation_crew");
    (made.file_bytes, made.rows) = (Some(2_345_678), Some(7_210));
    let mut verified = record(Work::Verify, Verdict::Passed, "content_creation_crew");
    verified.phases = [("read and start", 0.5), ("restore", 4.25), ("checks", 1.0)]
        .map(|(name, seconds)| Phase { name: name.into(), seconds })
        .to_vec();
    insta::assert_snapshot!(text(&[made, verified]));
}

#[test]
fn without_runs_there_are_no_metrics() {
    assert_eq!(text(&[]), "");
}

#[test]
fn who_only_makes_backups_has_no_metrics_of_verifications_and_the_other_way_round() {
    let made = text(&[record(Work::Create, Verdict::Failed, "a")]);
    assert!(made.contains("backup_last_success_timestamp{database=\"a\"} 0\n"), "{made}");
    assert!(!made.contains("verification") && !made.contains("size"), "{made}");
    let verified = text(&[record(Work::Verify, Verdict::NotVerified, "a")]);
    let unverified = "backup_verification_success_total{database=\"a\",status=\"unverified\"} 1\n";
    assert!(verified.contains(unverified), "{verified}");
    assert!(!verified.contains("backup_attempts_total"), "{verified}");
}

#[test]
fn a_name_with_quotes_and_lines_is_escaped() {
    let text = text(&[record(Work::Create, Verdict::Passed, "a\"b\\c\nd")]);
    assert!(text.contains(r#"{database="a\"b\\c\nd"} 1"#), "{text}");
}

#[test]
fn the_metrics_of_a_place_differ_from_those_of_a_directory_by_its_name_alone() {
    let mut verified = record(Work::Verify, Verdict::Passed, "ccc");
    verified.phases =
        ["restore", "checks"].map(|name| Phase { name: name.into(), seconds: 4.25 }).to_vec();
    let mut checked = record(Work::CheckKeys, Verdict::Passed, "ccc");
    checked.database = None;
    let totals = Totals::of(&[record(Work::Create, Verdict::Passed, "ccc"), verified, checked]);
    let (directory, place) = (render(&totals, None), render(&totals, Some("s3://b/\"p")));
    let label = r#"place="s3://b/\"p""#;
    for line in place.lines().filter(|line| !line.starts_with('#')) {
        assert!(line.contains(label), "{line}");
    }
    let without = place.replace(&format!("{{{label}}}"), "").replace(&format!(",{label}"), "");
    assert_eq!(without, directory);
}
