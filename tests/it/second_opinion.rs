//! What several connections are refused is our own doing until one connection, in the dump's order, is
//! refused it, too.

use crate::support::torture::NO_APPLICATION;
use crate::support::{Outcome, Place};

/// A dump of two tables that a script made, with this SQL before and after their rows.
fn dump(before: &str, after: &str) -> String {
    format!(
        "--\n-- PostgreSQL database dump\n--\n\nCREATE ROLE keeper;\n\
         CREATE TABLE public.a (id integer);\nALTER TABLE public.a OWNER TO keeper;\n\
         CREATE TABLE public.b (id integer);\n\
         CREATE SUBSCRIPTION far CONNECTION 'host=nowhere' PUBLICATION p \
         WITH (connect = false, slot_name = NONE);\n{before}\n\
         COPY public.a (id) FROM stdin;\n1\n2\n\\.\n\nCOPY public.b (id) FROM stdin;\n3\n\\.\n\n{after}\n\
         --\n-- PostgreSQL database dump complete\n--\n"
    )
}

/// SQL that does this where other connections of the restore are there.
fn where_others_are(then: &str, otherwise: &str) -> String {
    format!(
        "DO $$ BEGIN IF (SELECT count(*) > 1 FROM pg_stat_activity WHERE datname = current_database() \
         AND backend_type = 'client backend') THEN {then}; ELSE {otherwise}; END IF; END $$;\n"
    )
}

fn verified(dump: &str, more: &[&str]) -> (Outcome, serde_json::Value) {
    let place = Place::on_a_lent_server();
    place.file("ccc-backup.toml", NO_APPLICATION);
    place.file("a.sql", dump.as_bytes());
    let args = [&["a.sql", "--jobs", "4", "--report", "report.json"], more].concat();
    let outcome = place.outcome(place.verify().args(args));
    let report = std::fs::read(place.dir().join("report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    (outcome, report["report"]["attempts"].clone())
}

#[test]
fn what_only_several_connections_are_refused_is_a_warning_and_the_backup_passes() {
    for code in ["40P01", "XX000", "22023"] {
        let odd = where_others_are(&format!("RAISE 'odd' USING errcode = '{code}'"), "NULL");
        let (outcome, attempts) = verified(&dump("", &odd), &[]);
        outcome.passed().says("✓ Rows match the backup (2 tables, 3 rows)");
        let all = format!("{}{}", outcome.stdout, outcome.stderr);
        let warning = "the restore over 4 connections failed where one connection did not: line ";
        assert!(all.contains(warning), "{outcome}");
        assert_eq!(attempts[0]["connections"], 4, "{attempts}");
        assert_eq!(attempts[0]["errors"], 1, "{attempts}");
        assert_eq!(attempts[1]["connections"], 1, "{attempts}");
        assert_eq!(attempts[1]["errors"], 0, "{attempts}");
    }
}

#[test]
fn what_one_connection_is_refused_as_well_is_proof_and_both_attempts_are_in_the_report() {
    let (outcome, attempts) = verified(&dump("", "SELECT nothing.at_all;"), &[]);
    outcome.failed("missing FROM-clause entry for table \"nothing\"");
    assert_eq!(attempts[0]["first_error"], attempts[1]["first_error"], "{attempts}");
    assert!(attempts[1]["errors"] == 1 && attempts[1]["whole"] == true, "{attempts}");
    assert!(!outcome.stdout.contains("over 4 connections"), "{outcome}");
}

#[test]
fn where_the_second_attempt_fails_otherwise_its_words_count() {
    let other = where_others_are("RAISE 'with others'", "RAISE 'alone'");
    let (outcome, _) = verified(&dump("", &other), &[]);
    outcome.failed("alone");
    let all = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(
        all.contains("failed otherwise than over one connection, which counts: line "),
        "{outcome}"
    );
}

#[test]
fn what_is_refused_before_anything_left_the_dumps_order_needs_no_second_attempt() {
    let (outcome, attempts) = verified(&dump("SELECT nothing.at_all;", ""), &[]);
    outcome.failed("missing FROM-clause entry for table \"nothing\"");
    assert_eq!(attempts.as_array().map(Vec::len), Some(0), "{attempts}");
}

#[test]
fn a_second_attempt_that_is_cut_short_leaves_a_doubt_and_no_proof_but_its_own() {
    let waits = where_others_are("RAISE 'odd'", "PERFORM pg_sleep(3600)");
    let sql = "SELECT nothing.at_all;";
    std::thread::scope(|scope| {
        for dump in [dump(sql, &waits), dump("", &format!("{sql}\n{waits}"))] {
            scope.spawn(move || {
                let (outcome, _) = verified(&dump, &["--timeout", "25s"]);
                outcome.failed("missing FROM-clause entry for table \"nothing\"");
            });
        }
        let (outcome, _) = verified(&dump("", &waits), &["--timeout", "25s"]);
        outcome.not_verified("which one connection was to confirm: line ");
    });
}
