//! Dumps that make their database by themselves (`pg_dump --create`), under the name that the restore is told.

use super::{Named, databases, restore, sql};
use crate::support::source::source;
use crate::support::{Place, unchanged_database};

/// Owner, comment, connection limit, privileges and settings of a database, as pg_dump says them.
fn properties(database: &str) -> Vec<String> {
    let dump = source().client("pg_dump", &["--create", "-d", database]);
    let dump = String::from_utf8(dump).unwrap();
    let of_database = |line: &&str| {
        (line.contains(&format!("DATABASE {database} "))
            || line.contains(&format!("DATABASE {database};")))
            && !line.starts_with("--")
    };
    dump.lines().filter(of_database).map(|line| line.replace(database, "NAME")).collect()
}

/// A database with all that is said of a database, that holds what the tests' database holds.
fn made(what: &str, role: &str) -> Named {
    let named = Named::new(what);
    let of = &unchanged_database().name;
    sql("postgres", &format!("CREATE ROLE {role}"));
    sql("postgres", &format!("CREATE DATABASE {} TEMPLATE {of}", named.0));
    let said = [
        "COMMENT ON DATABASE NAME IS 'it''s; \"ours\"'",
        "ALTER DATABASE NAME SET work_mem = '9MB'",
        "ALTER DATABASE NAME SET search_path = public, \"x y\"",
        "ALTER ROLE WHOM IN DATABASE NAME SET statement_timeout = '7min'",
        "ALTER DATABASE NAME CONNECTION LIMIT 17",
        "REVOKE TEMPORARY ON DATABASE NAME FROM PUBLIC",
        "GRANT CREATE ON DATABASE NAME TO WHOM WITH GRANT OPTION",
        "ALTER DATABASE NAME OWNER TO WHOM",
    ];
    for statement in said {
        sql("postgres", &statement.replace("NAME", &named.0).replace("WHOM", role));
    }
    named
}

fn gone(names: impl IntoIterator<Item = Named>, role: &str) {
    names.into_iter().for_each(drop);
    sql("postgres", &format!("DROP ROLE {role}"));
}

#[test]
fn a_database_that_gives_its_name_away_keeps_what_is_said_of_it_whatever_the_dump_says() {
    let place = Place::without_docker();
    let role = super::name("kept_own");
    let made = made("made_own", &role);
    place.file("x.sql", &source().client("pg_dump", &["--create", "-d", &made.0]));
    let named = Named::filled("kept_own");
    sql("postgres", &format!("ALTER DATABASE {} SET work_mem = '5MB'", named.0));
    sql("postgres", &format!("COMMENT ON DATABASE {} IS 'in use'", named.0));
    let before = properties(&named.0);
    let outcome = restore(&place, &named.0, &["x.sql", "--swap", "--yes"]);
    outcome.restored(&named.0);
    assert!(outcome.stdout.contains("stay those of"), "{outcome}");
    assert_eq!(properties(&named.0), before);
    gone([named, made], &role);
}

#[test]
fn a_dump_that_fails_half_way_leaves_nothing_and_touches_no_database_of_its_own_name() {
    let place = Place::without_docker();
    let role = super::name("half_own");
    let made = made("half_own", &role);
    let dump = source().client("pg_dump", &["--create", "--clean", "-d", &made.0]);
    let dump = String::from_utf8(dump).unwrap();
    let end = "--\n-- PostgreSQL database dump complete";
    place
        .file("x.sql", dump.replace(end, &format!("SELECT no_such_function();\n{end}")).as_bytes());
    let expected = properties(&made.0);
    let named = Named::new("from_half_own");
    restore(&place, &named.0, &["x.sql", "--accept-foreign-sql"]).not_restored("no_such_function");
    assert_eq!(databases(&named.0), Vec::<String>::new());
    assert_eq!(properties(&made.0), expected);
    assert_eq!(sql(&made.0, "SELECT count(*) > 0 FROM users"), "t");
    gone([named, made], &role);
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn a_dump_that_makes_its_database_is_restored_under_another_name_with_what_it_says_of_it() {
        let place = Place::without_docker();
        let role = super::super::name("creates");
        let made = made("created", &role);
        let dump = |args: &[&str]| {
            source().client("pg_dump", &[&["-d", made.0.as_str()][..], args].concat())
        };
        place.file("x.sql", &dump(&["--create"]));
        place.file("clean.sql", &dump(&["--create", "--clean", "--if-exists"]));
        place.file("inserts.sql", &dump(&["--create", "--inserts"]));
        let expected = properties(&made.0);
        assert!(expected.len() >= 9, "{expected:?}");
        let oid = |name: &str| {
            sql("postgres", &format!("SELECT oid FROM pg_database WHERE datname = '{name}'"))
        };
        let before = oid(&made.0);
        for (number, (file, jobs)) in [
            ("x.sql", "1"),
            ("x.sql", "3"),
            ("clean.sql", "1"),
            ("clean.sql", "3"),
            ("inserts.sql", "2"),
        ]
        .into_iter()
        .enumerate()
        {
            let named = Named::new(&format!("under_name{number}"));
            let outcome = restore(&place, &named.0, &[file, "--jobs", jobs]);
            outcome.restored(&named.0);
            assert!(outcome.stdout.contains("✓ Rows match the backup (2"), "{outcome}");
            assert!(outcome.stdout.contains("in the backup: its owner, settings"), "{outcome}");
            assert!(!outcome.stderr.contains("warning"), "{outcome}");
            assert_eq!(properties(&named.0), expected, "{file} over {jobs}");
            assert_eq!(sql(&named.0, "SELECT count(*) > 0 FROM users"), "t");
            // The one that the dump names is nobody's to touch.
            assert_eq!((oid(&made.0), properties(&made.0)), (before.clone(), expected.clone()));
        }
        let empty = Named::new("into_empty");
        sql("postgres", &format!("CREATE DATABASE {}", empty.0));
        restore(&place, &empty.0, &["x.sql"]).restored(&empty.0);
        assert_eq!(properties(&empty.0)[1..], expected[1..]);
        gone([empty, made], &role);
    }
}
