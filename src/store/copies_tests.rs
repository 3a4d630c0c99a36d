use std::time::Duration;

use chrono::{DateTime, Utc};

use super::super::listing::ManifestState;
use super::super::proof::Judged;
use super::*;

const PLACE: &str = "s3://near/ccc";

fn at(minute: u64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + Duration::from_secs(60 * minute)
}

fn made(minute: u64, database: Option<&str>) -> Record {
    let mut run = Record::new(Work::Create, format!("{minute}.sql"), at(minute), Verdict::Passed);
    (run.file_bytes, run.database) = (Some(5), database.map(str::to_owned));
    run
}

/// The copy of the backup of that minute, which was put there an hour later.
fn copy(minute: u64, proven: Option<(bool, u64)>) -> Listed {
    let verdict = |(sound, at_minute)| Judged {
        verdict: if sound { Verdict::Passed } else { Verdict::Failed },
        at: at(at_minute),
        rto_missed: false,
    };
    Listed {
        name: format!("{minute}.sql").into(),
        time: at(minute + 60),
        time_from_name: false,
        bytes: 5,
        recipients: Vec::new(),
        database: None,
        rows: None,
        manifest: ManifestState::Present,
        signature: None,
        proven: proven.map(|(sound, _)| sound),
        verdict: proven.map(verdict),
        last_attempt: None,
        scrubbed: None,
        copies: Vec::new(),
    }
}

fn databases(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn listed(names: &[&str], copies: &[Listed], runs: &[Record]) -> Copies {
    let mut known = Copies::default();
    known.list(PLACE.as_ref(), &databases(names), copies, &Originals::of(runs.iter()));
    known
}

fn totals(copies: &Copies, database: &str) -> CopyTotals {
    let (.., totals) = copies.iter().find(|(name, ..)| *name == database).unwrap();
    totals
}

fn counted(backups: usize, proven: usize) -> Option<Counted> {
    Some(Counted { backups, proven })
}

#[test]
fn a_copy_counts_for_the_database_of_its_original_from_when_that_was_begun() {
    let runs = [made(1, Some("ccc")), made(2, Some("ccc")), made(3, Some("other"))];
    let copies = [copy(1, Some((true, 9))), copy(2, Some((false, 10))), copy(3, None)];
    let known = listed(&["ccc", "other"], &copies, &runs);
    let (last_success, last_proven) = (120, Some(540));
    let ccc = CopyTotals { counted: counted(2, 1), last_success, last_proven };
    assert_eq!(totals(&known, "ccc"), ccc);
    let (last_success, last_proven) = (180, Some(0));
    let other = CopyTotals { counted: counted(1, 0), last_success, last_proven };
    assert_eq!(totals(&known, "other"), other);
}

#[test]
fn a_database_without_a_copy_in_a_place_that_answers_has_none_there_and_never_had() {
    let none = CopyTotals { counted: counted(0, 0), last_success: 0, last_proven: Some(0) };
    assert_eq!(totals(&listed(&["ccc"], &[], &[made(1, Some("ccc"))]), "ccc"), none);
}

#[test]
fn a_sealed_backup_is_of_a_database_that_is_not_known() {
    let known = listed(&[UNKNOWN_DATABASE], &[copy(1, None)], &[made(1, None)]);
    assert_eq!(totals(&known, UNKNOWN_DATABASE).last_success, 60);
}

#[test]
fn what_others_brought_there_is_counted_and_is_not_the_newest_of_ours() {
    let mut of_others = copy(9, None);
    of_others.database = Some("ccc".to_owned());
    let mut of_its_name = copy(1, None);
    of_its_name.bytes = 6;
    let known = listed(&["ccc"], &[of_others, of_its_name], &[made(1, Some("ccc"))]);
    assert_eq!(
        (totals(&known, "ccc").counted, totals(&known, "ccc").last_success),
        (counted(1, 0), 0)
    );
}

#[test]
fn what_a_run_has_brought_is_known_where_the_place_may_not_be_listed() {
    let names = databases(&["ccc", "other"]);
    let before = listed(&["ccc", "other"], &[copy(1, Some((true, 2)))], &[made(1, Some("ccc"))]);
    let keep = |brought: Option<&Brought>| {
        let mut known = Copies::default();
        let is_known = known.keep(PLACE.as_ref(), &names, &before, brought);
        (totals(&known, "ccc"), is_known)
    };
    let kept = CopyTotals { counted: None, last_success: 60, last_proven: Some(120) };
    assert_eq!(keep(None), (kept, false), "nothing is known of the other");
    let mut brought = Brought { run: made(5, Some("ccc")), places: vec![PLACE.into()] };
    assert_eq!(keep(Some(&brought)), (CopyTotals { last_success: 300, ..kept }, false));
    brought.places = vec!["s3://far".into()];
    assert_eq!(keep(Some(&brought)), (CopyTotals { last_success: 0, ..kept }, false));
    // What a run of another database does says nothing of this one.
    brought.run.database = Some("other".to_owned());
    assert_eq!(keep(Some(&brought)), (kept, false));
    brought.places = vec![PLACE.into()];
    assert_eq!(keep(Some(&brought)), (kept, true));
}

#[test]
fn of_a_place_that_never_answered_nothing_is_known() {
    let mut known = Copies::default();
    assert!(!known.keep(PLACE.as_ref(), &databases(&["ccc"]), &Copies::default(), None));
    assert_eq!(totals(&known, "ccc"), CopyTotals::default());
}
