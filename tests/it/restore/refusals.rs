//! What is not restored: exit 2 (or 1 for a bad backup), one sentence, a way on, and nothing left.

use super::{Named, command, databases, restore, sql, started};
use crate::support::source::Source;
use crate::support::{Place, unchanged_database};

/// A dump whose second table is refused by every server.
const HALF: &[u8] = b"--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 15.1\n\n\
    CREATE TABLE public.a (id integer);\nCREATE FUNCTION public.f() RETURNS integer LANGUAGE sql AS 'SELECT 1';\n\
    CREATE TYPE public.mood AS ENUM ('x');\nCREATE SCHEMA more;\nCREATE TABLE public.b (id no_such_type);\n\
    COPY public.a (id) FROM stdin;\n1\n\\.\n\n--\n-- PostgreSQL database dump complete\n--\n\n";

fn objects(database: &str) -> String {
    sql(database, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")
}

#[test]
fn a_database_that_is_not_empty_is_left_alone_and_the_ways_on_are_named() {
    let place = Place::without_docker();
    place.file("x.sql", &unchanged_database().dump(&[]));
    let named = Named::filled("filled");
    let outcome = restore(&place, &named.0, &["x.sql"]);
    outcome.not_restored("is not empty").hints("--swap");
    assert_eq!((objects(&named.0).as_str(), databases(&named.0).len()), ("1", 1));
}

#[test]
fn the_servers_own_databases_and_templates_are_never_restored_into() {
    let place = Place::without_docker();
    place.file("x.sql", &unchanged_database().dump(&[]));
    for own in ["postgres", "template1", "template0"] {
        for args in [&["x.sql"][..], &["x.sql", "--swap", "--yes"]] {
            restore(&place, own, args).not_restored("a database of the server itself");
        }
    }
    let named = Named::filled("template");
    sql("postgres", &format!("ALTER DATABASE {} IS_TEMPLATE true", named.0));
    restore(&place, &named.0, &["x.sql", "--swap", "--yes"]).not_restored("is a template");
    sql("postgres", &format!("ALTER DATABASE {} IS_TEMPLATE false", named.0));
}

#[test]
fn what_the_server_refuses_half_way_leaves_nothing_beside_nor_in_an_empty_database() {
    let place = Place::without_docker();
    place.file("half.sql", HALF);
    let named = Named::new("half");
    restore(&place, &named.0, &["half.sql"])
        .not_restored("no_such_type")
        .hints("ccc-backup verify");
    assert_eq!(databases(&named.0), Vec::<String>::new());
    sql("postgres", &format!("CREATE DATABASE {}", named.0));
    restore(&place, &named.0, &["half.sql"]).not_restored("no_such_type");
    assert_eq!(objects(&named.0), "0");
    let left = "SELECT count(*) FROM pg_proc WHERE proname = 'f' UNION ALL \
                SELECT count(*) FROM pg_type WHERE typname = 'mood' UNION ALL \
                SELECT count(*) FROM pg_namespace WHERE nspname = 'more'";
    assert_eq!(sql(&named.0, left), "0\n0\n0");
    // Empty again, it takes a sound backup.
    place.file("x.sql", &unchanged_database().dump(&["--no-owner"]));
    restore(&place, &named.0, &["x.sql"]).restored(&named.0);
}

#[test]
fn a_backup_that_is_damaged_is_exit_1_and_production_is_untouched() {
    let place = Place::without_docker();
    let dump = unchanged_database().dump(&[]);
    place.file("cut.sql", &dump[..dump.len() / 2]);
    let named = Named::filled("cut");
    let outcome = restore(&place, &named.0, &["cut.sql", "--swap", "--yes"]);
    assert_eq!(outcome.code, 1, "{outcome}");
    outcome.says("❌ NOT RESTORED: the backup is bad").hints("");
    assert_eq!(databases(&named.0), [named.0.as_str()]);
    assert_eq!(sql(&named.0, "SELECT count(*) FROM kept"), "3");
}

#[test]
fn a_backup_that_a_run_has_proven_bad_is_refused_by_that_run_unless_it_is_forced() {
    let place = Place::without_docker();
    place.create(unchanged_database()).args(["x.sql.gz"]).assert().success();
    let history = place.dir().join("history.jsonl");
    let lines = std::fs::read_to_string(&history).unwrap();
    let mut bad: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    bad["work"] = "verify".into();
    bad["verdict"] = "failed".into();
    std::fs::write(&history, format!("{lines}{bad}\n")).unwrap();
    let named = Named::new("bad");
    let outcome = restore(&place, &named.0, &["x.sql.gz"]);
    outcome.not_restored("was proven bad by the verification of").hints("--force");
    assert_eq!(databases(&named.0), Vec::<String>::new());
    restore(&place, &named.0, &["x.sql.gz", "--force"]).restored(&named.0);
}

#[test]
fn a_dump_of_several_databases_is_not_restored_under_another_name() {
    let place = Place::without_docker();
    let dump = String::from_utf8(unchanged_database().dump(&["--create"])).unwrap();
    let more = dump.replace("CREATE DATABASE", "DROP DATABASE IF EXISTS others;\nCREATE DATABASE");
    place.file("more.sql", more.as_bytes());
    let mixed =
        dump.replace("CREATE DATABASE", "CREATE TABLE public.t (id integer);\nCREATE DATABASE");
    place.file("mixed.sql", mixed.as_bytes());
    let cluster = dump.replace("PostgreSQL database dump", "PostgreSQL database cluster dump");
    place.file("cluster.sql", cluster.as_bytes());
    let named = Named::new("several");
    for (file, why) in [
        ("more.sql", "the dump is of several databases: others, "),
        ("mixed.sql", "makes things in the database that it begins in"),
        ("cluster.sql", "the dump is of a whole server (pg_dumpall)"),
    ] {
        restore(&place, &named.0, &[file, "--accept-foreign-sql"]).not_restored(why).hints("");
        assert_eq!(databases(&named.0), Vec::<String>::new());
    }
}

#[test]
fn another_restore_into_the_same_name_is_told_to_wait() {
    let place = Place::without_docker();
    place.file("x.sql", &unchanged_database().dump(&["--no-owner"]));
    let named = Named::new("twice");
    let slow = String::from_utf8(HALF.to_vec())
        .unwrap()
        .replace("CREATE TABLE public.b (id no_such_type);", "SELECT pg_catalog.pg_sleep(20);");
    place.file("slow.sql", slow.as_bytes());
    let mut first = started(&place, &named.0, &["slow.sql"]);
    first.wait_for("Restoring backup (this may take a while)...");
    restore(&place, &named.0, &["x.sql"])
        .not_restored("another run restores into")
        .hints("when that one is done");
    first.signal(rustix::process::Signal::INT);
    let (outcome, _) = first.end();
    outcome.not_restored("interrupted by SIGINT");
    assert_eq!(databases(&named.0), Vec::<String>::new());
    restore(&place, &named.0, &["x.sql"]).restored(&named.0);
}

#[test]
fn a_server_that_takes_no_writes_or_does_not_answer_is_named() {
    let place = Place::without_docker();
    place.file("x.sql", &unchanged_database().dump(&[]));
    let role = super::name("reader");
    sql(
        "postgres",
        &format!(
            "CREATE ROLE {role} LOGIN SUPERUSER PASSWORD 'pw'; ALTER ROLE {role} SET default_transaction_read_only = on"
        ),
    );
    let named = Named::new("reader");
    let mut run = command(&place, &named.0, &["x.sql"]);
    place.outcome(run.env("DB_USER", &role).env("DB_PASSWORD", "pw")).not_restored("read-only");
    let mut run = command(&place, &named.0, &["x.sql"]);
    let wrong = place.outcome(run.env("DB_PASSWORD", "hunter2"));
    wrong.not_restored("password authentication failed").hints("DB_PASSWORD");
    assert!(!format!("{wrong}").contains("hunter2"), "{wrong}");
    let mut run = command(&place, &named.0, &["x.sql"]);
    let port = crate::support::source::free_port();
    place.outcome(run.env("DB_PORT", port.to_string())).not_restored("cannot be reached");
    sql("postgres", &format!("DROP ROLE {role}"));
}

#[test]
fn what_holds_a_database_is_named_before_anything_is_restored() {
    let place = Place::without_docker();
    place.file("x.sql", &unchanged_database().dump(&[]));
    let named = Named::filled("held");
    let subscription = "CREATE SUBSCRIPTION held CONNECTION 'host=nowhere' PUBLICATION p \
                        WITH (connect = false, slot_name = NONE)";
    sql(&named.0, subscription);
    let outcome = restore(&place, &named.0, &["x.sql", "--swap", "--yes"]);
    outcome.not_restored("the subscription held is of the database").hints("DROP SUBSCRIPTION");
    sql(&named.0, "DROP SUBSCRIPTION held");
    assert_eq!(databases(&named.0), [named.0.as_str()]);
}

#[test]
fn a_standby_is_named_and_so_is_a_disk_that_is_full_half_way() {
    let place = Place::without_docker();
    place.file("x.sql", &unchanged_database().dump(&[]));
    let standby = Source::standby();
    let mut run = place.ccc();
    run.args(["restore", "x.sql", "--as", "new"]).envs(standby.connection("postgres"));
    place.outcome(&mut run).not_restored("is a standby").hints("primary");
    // What a server says whose disk is full.
    let full = "DO $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' \
                USING ERRCODE = '53100'; END $$;";
    let half = String::from_utf8(HALF.to_vec()).unwrap();
    place.file(
        "full.sql",
        half.replace("CREATE TABLE public.b (id no_such_type);", full).as_bytes(),
    );
    let named = Named::filled("full");
    let outcome = restore(&place, &named.0, &["full.sql", "--swap", "--yes"]);
    outcome.not_restored("No space left on device").hints("server's disk");
    assert_eq!(databases(&named.0), [named.0.as_str()]);
}
