use chrono::{TimeZone, Utc};

use super::*;
use crate::model::drill::{DrillReport, End};
use crate::report::{drill::samples as drills, samples};

const MARKUP: &str = "<script src=//evil.example>\"'&";

fn text(subject: Subject<'_>) -> String {
    let now = Utc.with_ymd_and_hms(2026, 1, 15, 13, 0, 0).unwrap();
    let page = page(&Evidence { now, subject, on_record: &OnRecord::default() });
    String::from_utf8(page).unwrap()
}

/// The first heading of a page.
fn headline(subject: Subject<'_>) -> String {
    let text = text(subject);
    let (_, rest) = text.split_once("<h1>").unwrap();
    rest.split_once("</h1>").unwrap().0.to_owned()
}

/// The drill of the samples with these of its turns.
fn drill(turns: &[usize]) -> DrillReport {
    let mut drill = drills::drill();
    drill.places.truncate(2);
    drill.turns = turns.iter().map(|at| drill.turns[*at].clone()).collect();
    drill
}

#[test]
fn the_headline_says_what_was_shown_and_no_more() {
    let one = |report| headline(Subject::Verification(&report));
    assert_eq!(one(samples::passed()), "The backup restores.");
    assert_eq!(one(samples::failed()), "The backup is bad.");
    assert_eq!(one(samples::not_verified()), "It could not be told whether the backup is good.");
    let of = |turns: &[usize]| headline(Subject::Drill(&drill(turns)));
    assert_eq!(of(&[0]), "The backup restores.");
    assert_eq!(of(&[0, 0]), "Both backups restore.");
    assert_eq!(of(&[0, 0, 0]), "All 3 backups restore.");
    assert_eq!(of(&[0, 1, 3]), "1 of 3 backups restored; the rest is not proven.");
    assert_eq!(of(&[0, 1, 2, 3]), "1 of 4 backups is bad.");
    assert_eq!(of(&[2, 2]), "2 of 2 backups are bad.");
    assert_eq!(of(&[]), "Nothing was proven.");
    let scrub = |turns: &[usize]| {
        headline(Subject::Drill(&DrillReport { file_only: true, ..drill(turns) }))
    };
    assert_eq!(scrub(&[0, 0]), "Every byte of both backups is intact.");
    assert_eq!(scrub(&[0, 2]), "1 of 2 backups is damaged.");
    assert_eq!(scrub(&[0, 3]), "1 of 2 backups is intact; of the rest it is not known.");
    assert_eq!(headline(Subject::History), "No backup on record was proven to restore.");
}

#[test]
fn text_of_others_is_text_wherever_it_stands() {
    let mut drill = drills::drill();
    for turn in &mut drill.turns {
        MARKUP.clone_into(&mut turn.planned.place);
        MARKUP.clone_into(&mut turn.planned.backup);
        turn.planned.database = Some(MARKUP.to_owned());
        match &mut turn.end {
            End::NotReached { why } => MARKUP.clone_into(why),
            End::Tried(report) => {
                report.warnings.push(MARKUP.to_owned());
                report.checks.iter_mut().for_each(|check| MARKUP.clone_into(&mut check.title));
                report.phases.iter_mut().for_each(|phase| MARKUP.clone_into(&mut phase.name));
                report.defects.iter_mut().for_each(|it| it.hint = Some(MARKUP.to_owned()));
            }
        }
    }
    let text = text(Subject::Drill(&drill));
    assert!(text.contains("&lt;script src=//evil.example&gt;&quot;"), "{text}");
    assert!(!text.contains("<script"), "{text}");
}

#[test]
fn a_page_holds_all_that_it_needs() {
    let text = text(Subject::Drill(&drills::drill()));
    assert!(text.starts_with("<!DOCTYPE html><html lang=\"en\">"), "{text}");
    assert!(text.contains("default-src 'none'"), "{text}");
    for outside in ["src=", "url(", "@import", "<script", "javascript:", "href=\"http"] {
        assert!(!text.contains(outside), "{outside}");
    }
}

#[test]
fn what_is_not_proven_is_said() {
    let text = text(Subject::Drill(&drills::drill()));
    for said in [
        "Anything in s3://far/ccc: s3://far/ccc is refused: no such bucket.",
        "Anything of the 64 backups that were not in the sample of 4.",
        "which was not reached: it takes about 2 h 30 min",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
}
