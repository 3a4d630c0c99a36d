use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::model::outcome::{Phase, RESTORE_TIME};
use crate::store::listing::ManifestState;
use crate::store::statistics::by_database;

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + Duration::from_secs(1_768_401_022)
}

fn hours_ago(hours: u64) -> DateTime<Utc> {
    now() - Duration::from_secs(3600 * hours)
}

fn listed(name: &str, hours: u64, verdict: Option<Verdict>) -> Listed {
    let at = hours_ago(hours);
    let judged = verdict.map(|verdict| Judged { verdict, at, rto_missed: false });
    let told = judged.filter(|judged| judged.verdict != Verdict::NotVerified);
    Listed {
        name: PathBuf::from(name),
        time: hours_ago(hours),
        time_from_name: true,
        bytes: 15_234_567,
        recipients: Vec::new(),
        database: Some("content_creation_crew".into()),
        rows: Some(1_265_000),
        manifest: ManifestState::Present,
        signature: None,
        proven: told.map(|judged| judged.verdict == Verdict::Passed),
        verdict: told,
        last_attempt: judged,
        scrubbed: None,
        copies: Vec::new(),
    }
}

fn backups() -> Vec<Listed> {
    let mut foreign = listed("old/shop\u{1b}[2J.dump", 900, None);
    (foreign.rows, foreign.bytes, foreign.database) = (None, 700, None);
    foreign.manifest = ManifestState::Absent;
    let mut slow = listed("backup_20260111_020000.sql.gz", 84, Some(Verdict::Passed));
    slow.rows = Some(42);
    slow.verdict.iter_mut().for_each(|judged| judged.rto_missed = true);
    vec![
        listed("backup_20260114_143022.sql.gz", 0, None),
        listed("backup_20260114_020000.sql.gz", 12, Some(Verdict::Passed)),
        listed("backup_20260113_020000.sql.gz", 36, Some(Verdict::NotVerified)),
        listed("backup_20260112_020000.sql.gz", 60, Some(Verdict::Failed)),
        slow,
        foreign,
    ]
}

fn night(day: u64) -> [Record; 2] {
    let at = hours_ago(24 * (20 - day));
    let name = format!("backup_202601{day:02}_020000.sql.gz");
    let database = Some("content_creation_crew".to_owned());
    let mut made = Record::new(Work::Create, &name, at, Verdict::Passed);
    (made.seconds, made.database) = (2.04, database.clone());
    let verdict = if day == 9 { Verdict::Failed } else { Verdict::Passed };
    let mut verified = Record::new(Work::Verify, &name, at, verdict);
    (verified.seconds, verified.database) = (4000.0 + day as f64, database);
    verified.phases = [("restore", 61.0 + day as f64), ("checks", 1.0)]
        .map(|(name, seconds)| Phase { name: name.into(), seconds })
        .to_vec();
    (made.tool_version, verified.tool_version) = ("0.1.0".into(), "0.1.0".into());
    [made, verified]
}

fn runs() -> Vec<Record> {
    let mut runs: Vec<_> = (1..=18).flat_map(night).collect();
    runs.push(Record::new(Work::Verify, "shop.dump", hours_ago(1), Verdict::NotVerified));
    runs.push(Record::new(Work::Create, "x.sql.gz", hours_ago(1), Verdict::NotVerified));
    runs
}

fn fits_eighty_columns(text: &str) -> bool {
    text.lines().all(|line| line.chars().count() <= 80)
}

#[test]
fn backups_are_listed_in_columns() {
    let text = backups_text(Path::new("./backups"), now(), &backups());
    let usual: Vec<&str> = text.lines().filter(|line| !line.contains("RTO missed")).collect();
    assert!(fits_eighty_columns(&usual.join("\n")), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn runs_are_listed_newest_first_with_what_they_say_together() {
    let runs = runs();
    let text = |runs: &[Record]| {
        runs_text(Path::new("./backups"), now(), runs, 7, &by_database(runs, None), &[])
    };
    // A run that could not tell takes a wider column.
    let usual: Vec<_> =
        runs.iter().filter(|run| run.verdict != Verdict::NotVerified).cloned().collect();
    assert!(fits_eighty_columns(&text(&usual)), "{}", text(&usual));
    insta::assert_snapshot!(text(&runs));
}

#[test]
fn what_came_of_a_run_is_told_apart_by_its_work() {
    let works = [Work::Create, Work::Verify];
    let verdicts = [Verdict::Passed, Verdict::Failed, Verdict::NotVerified];
    let told = works
        .map(|work| verdicts.map(|verdict| result(&Record::new(work, "x.sql.gz", now(), verdict))));
    let mut slow = Record::new(Work::Verify, "x.sql.gz", now(), Verdict::Failed);
    slow.soundness = Some(Verdict::Passed);
    assert_eq!(result(&slow), "verify sound, FAILED");
    slow.failed_checks = vec![RESTORE_TIME.to_owned()];
    assert_eq!(result(&slow), "verify too slow");
    assert_eq!(told[0], ["create made", "create FAILED", "create not made"]);
    assert_eq!(told[1], ["verify passed", "verify FAILED", "verify inconclusive"]);
}

#[test]
fn an_empty_directory_is_said_to_be_empty() {
    let dir = Path::new("./backups");
    assert_eq!(backups_text(dir, now(), &[]), "No backups in ./backups\n");
    assert_eq!(runs_text(dir, now(), &[], 20, &[], &[]), "No runs on record in ./backups\n");
    let below = ["./backups/database".into()];
    assert_eq!(
        runs_text(dir, now(), &[], 20, &[], &below),
        "No runs on record in ./backups\n\
         More runs are on record in ./backups/database: --backup-dir\n"
    );
}

#[test]
fn the_json_forms_have_a_version_and_say_what_was_set_aside() {
    let history = History { records: runs()[..2].to_vec(), damaged: 2, ..History::default() };
    let dir = Path::new("./backups");
    insta::assert_snapshot!(backups_json(dir, now(), &backups()[1..2], &history).unwrap());
    let statistics = by_database(&history.records, None);
    insta::assert_snapshot!(runs_json(dir, now(), &history, 1, &statistics).unwrap());
}

#[test]
fn ages_and_durations_are_short() {
    let ages = [0, 59, 60, 3_599, 3_600, 172_799, 172_800]
        .map(|seconds| age(now(), now() - Duration::from_secs(seconds)));
    assert_eq!(ages, ["0s", "59s", "1m", "59m", "1h", "47h", "2d"]);
    assert_eq!(age(now(), now() + Duration::from_secs(9)), "0s");
    let durations = [0.04, 59.94, 59.96, 125.0, 3_725.0].map(duration);
    assert_eq!(durations, ["0.0s", "59.9s", "1m00s", "2m05s", "1h02m"]);
}
