//! A run that ends before its time: there is a whole database of the name, whenever it happens.

use std::time::Duration;

use super::{Named, databases, restore, sql, started};
use crate::support::{Place, length, unchanged_database};

#[test]
fn killed_at_any_instant_a_whole_database_has_the_name_and_the_next_run_goes_on() {
    let place = Place::without_docker();
    place.create(unchanged_database()).args(["x.sql.gz"]).assert().success();
    let named = Named::filled("killed");
    let database = named.0.as_str();
    let rounds = length(12, 100);
    let mut cut = 0;
    for round in 0..rounds {
        let run = started(&place, database, &["x.sql.gz", "--swap", "--yes"]);
        std::thread::sleep(Duration::from_millis(60 * (round % 24)));
        cut += usize::from(run.kill());
        let whole = "SELECT to_regclass('kept') IS NOT NULL OR \
                     (SELECT count(*) FROM pg_constraint WHERE contype = 'f') > 10";
        assert_eq!(sql(database, whole), "t", "after {round}");
        // The server notices a moment later that nobody is there, and the lock goes.
        wait_until_free();
    }
    assert!(cut > 2, "only {cut} runs were cut short");
    let outcome = restore(&place, database, &["x.sql.gz", "--swap", "--yes"]);
    if outcome.code == 2 {
        outcome.not_restored("waits for the name");
        let completed = restore(&place, database, &["--complete", "--yes"]);
        assert_eq!(completed.code, 0, "{completed}");
    }
    assert_eq!(databases(&format!("{database}_restoring_")), Vec::<String>::new());
    assert_eq!(sql(database, "SELECT count(*) > 0 FROM users"), "t");
}

fn wait_until_free() {
    let busy = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'ccc-backup' \
                AND datname LIKE 'r_killed%' OR pid IN (SELECT pid FROM pg_locks \
                WHERE locktype = 'advisory' AND objid = (hashtext('NAME')::bigint & 4294967295)::oid)";
    let busy = busy.replace("NAME", &super::name("killed"));
    for _ in 0..500 {
        if sql("postgres", &busy) == "0" {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("a killed run has sessions");
}

#[test]
fn a_session_that_an_administrator_ends_is_exit_2_and_nothing_is_left() {
    let place = Place::without_docker();
    let dump = "--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 15.1\n\n\
        CREATE TABLE public.a (id integer);\nSELECT pg_catalog.pg_sleep(60);\n\
        --\n-- PostgreSQL database dump complete\n--\n\n";
    place.file("slow.sql", dump.as_bytes());
    let named = Named::filled("ended");
    let args = ["slow.sql", "--swap", "--yes", "--force"];
    let mut run = started(&place, &named.0, &args);
    run.wait_for("Restoring backup (this may take a while)...");
    let end = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
         WHERE starts_with(datname, '{}_restoring_') AND query LIKE '%pg_sleep%'",
        named.0
    );
    while sql("postgres", &end) == "0" {
        std::thread::sleep(Duration::from_millis(20));
    }
    let (outcome, _) = run.end();
    outcome.not_restored("");
    assert_eq!(databases(&named.0), [named.0.as_str()]);
    assert_eq!(sql(&named.0, "SELECT count(*) FROM kept"), "3");
}
