//! A restore into a database that was there and empty, and that did not come to its end: what the restore made goes,
//! and what was there before stays.

use super::{Named, restore, sql, started};
use crate::support::source::source;
use crate::support::{Place, unchanged_database};

/// A dump that makes one of nearly everything, changes what an empty database has, and ends with `last`.
fn dump(role: &str, last: &str) -> Vec<u8> {
    format!(
        "--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 15.1\n\n\
        DROP EXTENSION IF EXISTS pgcrypto;\n\
        CREATE EXTENSION IF NOT EXISTS pgcrypto WITH SCHEMA public;\n\
        COMMENT ON EXTENSION pgcrypto IS 'of the backup';\n\
        CREATE EXTENSION IF NOT EXISTS hstore WITH SCHEMA public;\n\
        COMMENT ON SCHEMA public IS 'of the backup';\n\
        ALTER SCHEMA public OWNER TO {role};\n\
        REVOKE ALL ON SCHEMA public FROM PUBLIC;\n\
        GRANT ALL ON SCHEMA public TO {role};\n\
        REVOKE ALL ON FUNCTION public.crypt(text, text) FROM PUBLIC;\n\
        ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA public GRANT ALL ON TABLES TO {role};\n\
        ALTER DEFAULT PRIVILEGES FOR ROLE postgres REVOKE ALL ON FUNCTIONS FROM PUBLIC;\n\
        CREATE SCHEMA more;\n\
        CREATE TYPE public.mood AS ENUM ('x');\n\
        CREATE TYPE public.pair AS (a integer, b integer);\n\
        CREATE DOMAIN public.positive AS integer CHECK (VALUE > 0);\n\
        CREATE FUNCTION public.same(integer, integer) RETURNS boolean LANGUAGE sql AS 'SELECT $1 = $2';\n\
        CREATE FUNCTION public.of_mood(public.mood) RETURNS integer LANGUAGE sql AS 'SELECT 1';\n\
        CREATE PROCEDURE more.p(integer) LANGUAGE sql AS 'SELECT 1';\n\
        CREATE AGGREGATE public.total(integer) (SFUNC = int4pl, STYPE = integer, INITCOND = '0');\n\
        CREATE OPERATOR public.=== (FUNCTION = public.same, LEFTARG = integer, RIGHTARG = integer);\n\
        CREATE CAST (public.mood AS integer) WITH FUNCTION public.of_mood(public.mood);\n\
        CREATE COLLATION public.c (locale = 'C');\n\
        CREATE TEXT SEARCH CONFIGURATION public.search (PARSER = pg_catalog.\"default\");\n\
        CREATE TABLE public.a (id integer GENERATED ALWAYS AS IDENTITY, n serial, v public.mood);\n\
        CREATE TABLE more.b (id integer PRIMARY KEY, x integer);\n\
        CREATE STATISTICS public.s (dependencies) ON id, x FROM more.b;\n\
        CREATE VIEW public.seen AS SELECT id FROM more.b;\n\
        CREATE MATERIALIZED VIEW public.kept_of_b AS SELECT id FROM more.b;\n\
        CREATE FOREIGN DATA WRAPPER w;\n\
        CREATE SERVER far FOREIGN DATA WRAPPER w;\n\
        CREATE FOREIGN TABLE more.f (id integer) SERVER far;\n\
        SELECT pg_catalog.lo_create('4711');\n\
        CREATE FUNCTION more.fired() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';\n\
        CREATE EVENT TRIGGER fires ON ddl_command_end EXECUTE FUNCTION more.fired();\n\
        CREATE PUBLICATION p FOR ALL TABLES;\n\
        CREATE SUBSCRIPTION sub CONNECTION 'host=nowhere' PUBLICATION p \
        WITH (connect = false, slot_name = 'sub');\n\
        {last}\n\
        --\n-- PostgreSQL database dump complete\n--\n\n"
    )
    .into_bytes()
}

/// A database that is empty, and not as new: with all that may be in one that counts as empty.
fn prepared(what: &str, role: &str) -> Named {
    let named = Named::new(what);
    sql("postgres", &format!("CREATE ROLE {role}"));
    sql("postgres", &format!("CREATE DATABASE {}", named.0));
    sql(
        &named.0,
        &format!(
            "COMMENT ON DATABASE {0} IS 'the owner''s';
             ALTER DATABASE {0} SET work_mem = '9MB';
             CREATE EXTENSION pgcrypto;
             COMMENT ON EXTENSION pgcrypto IS 'the owner''s';
             CREATE EXTENSION citext;
             GRANT EXECUTE ON FUNCTION digest(text, text) TO {role};
             COMMENT ON SCHEMA public IS NULL;
             GRANT CREATE ON SCHEMA public TO {role} WITH GRANT OPTION;
             ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {role};
             ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO {role};
             CREATE PUBLICATION the_owners;",
            named.0
        ),
    );
    named
}

/// All that pg_dump says of a database.
fn of(database: &str) -> String {
    let dump = source().client("pg_dump", &["--create", "-d", database]);
    let dump = String::from_utf8(dump).unwrap();
    let lines = dump
        .lines()
        .filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Holds a database to what pg_dump said of it before.
#[track_caller]
fn is_as_before(database: &str, before: &str) {
    let now = of(database);
    let differ = |one: &str, other: &str| {
        let there: Vec<&str> = other.lines().collect();
        one.lines().filter(|line| !there.contains(line)).collect::<Vec<_>>().join("\n")
    };
    let (new, missing) = (differ(&now, before), differ(before, &now));
    assert!(now == before, "new:\n{new}\nmissing:\n{missing}");
}

fn gone(named: Named, role: &str) {
    drop(named);
    sql("postgres", &format!("DROP ROLE {role}"));
}

#[test]
fn what_an_empty_database_had_stays_when_a_restore_into_it_fails_and_the_restore_goes() {
    let place = Place::without_docker();
    let role = super::name("emptied");
    let named = prepared("emptied", &role);
    let refused = "CREATE TABLE public.z (id no_such_type);";
    place.file("half.sql", &dump(&role, refused));
    let before = of(&named.0);
    for jobs in ["1", "3"] {
        let outcome = restore(&place, &named.0, &["half.sql", "--jobs", jobs, "--force"]);
        outcome.not_restored("no_such_type");
        assert!(!outcome.stderr.contains("warning"), "{outcome}");
        is_as_before(&named.0, &before);
    }
    // The same without the statement that is refused: all of it stays.
    place.file("whole.sql", &dump(&role, ""));
    let outcome = restore(&place, &named.0, &["whole.sql", "--force"]);
    outcome.restored(&named.0);
    let there = "SELECT (SELECT count(*) FROM pg_extension), to_regclass('more.b') IS NOT NULL, \
                 (SELECT count(*) FROM pg_largeobject_metadata), \
                 (SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database())";
    assert_eq!(sql(&named.0, there), "4|t|1|the owner's");
    sql(&named.0, "ALTER SUBSCRIPTION sub SET (slot_name = NONE); DROP SUBSCRIPTION sub");
    gone(named, &role);
}

#[test]
fn what_a_killed_restore_left_in_a_database_that_was_empty_is_named_and_removed_by_undo() {
    let place = Place::without_docker();
    let role = super::name("half");
    let named = prepared("half_filled", &role);
    place.file("slow.sql", &dump(&role, "SELECT pg_catalog.pg_sleep(60);"));
    place.file("x.sql", &unchanged_database().dump(&["--no-owner"]));
    let before = of(&named.0);
    let run = started(&place, &named.0, &["slow.sql", "--jobs", "1", "--force"]);
    let sleeps = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND query LIKE '%pg_sleep(60)%' \
         AND pid <> pg_backend_pid()",
        named.0
    );
    while sql("postgres", &sleeps) == "0" {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(run.kill());
    let end = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{}' \
         AND pid <> pg_backend_pid()",
        named.0
    );
    while sql("postgres", &end) != "0" {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // It is not removed by itself: somebody may use it since.
    restore(&place, &named.0, &["x.sql"])
        .not_restored("holds what a restore of slow.sql left that was cut short")
        .hints("restore --undo");
    let undone = restore(&place, &named.0, &["--undo"]);
    assert_eq!(undone.code, 0, "{undone}");
    undone.says(&format!("✓ {} is empty again: what a restore left in it was removed", named.0));
    is_as_before(&named.0, &before);
    restore(&place, &named.0, &["x.sql"]).restored(&named.0);
    let undone = restore(&place, &named.0, &["--undo"]);
    assert_eq!(undone.code, 2, "nothing is taken back of a restore that came to its end: {undone}");
    assert_eq!(sql(&named.0, "SELECT count(*) > 0 FROM users"), "t");
    gone(named, &role);
}

#[test]
fn a_subscription_of_a_failed_restore_does_not_hold_the_database_beside() {
    let place = Place::without_docker();
    let role = super::name("subscribed");
    sql("postgres", &format!("CREATE ROLE {role}"));
    place.file("half.sql", &dump(&role, "CREATE TABLE public.z (id no_such_type);"));
    let named = Named::new("subscribed");
    let outcome = restore(&place, &named.0, &["half.sql", "--force"]);
    outcome.not_restored("no_such_type");
    assert_eq!(super::databases(&named.0), Vec::<String>::new());
    gone(named, &role);
}

#[test]
fn roles_that_were_made_from_the_globals_go_with_a_restore_that_failed() {
    let place = Place::without_docker();
    let (gone, there) = (super::name("made"), super::name("was_there"));
    sql("postgres", &format!("CREATE ROLE {there}"));
    let owned = format!(
        "ALTER TABLE more.b OWNER TO {gone};\nGRANT SELECT ON more.b TO {there};\n\
         CREATE TABLE public.z (id no_such_type);"
    );
    place.file("half.sql", &dump("postgres", &owned));
    let globals = format!("CREATE ROLE {gone};\nALTER ROLE {gone} WITH NOLOGIN;\n");
    place.file("half.globals.sql", globals.as_bytes());
    let named = Named::new("made");
    let outcome = restore(&place, &named.0, &["half.sql", "--globals", "--force"]);
    outcome.not_restored("no_such_type");
    assert!(outcome.stdout.contains("made from"), "{outcome}");
    let roles = format!(
        "SELECT string_agg(rolname, ',') FROM pg_roles WHERE rolname IN ('{gone}', '{there}')"
    );
    assert_eq!(sql("postgres", &roles), there);
    sql("postgres", &format!("DROP ROLE {there}"));
}
