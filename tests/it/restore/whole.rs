//! Whole backups of every form, into a database that is missing or empty.

use super::{Named, command, databases, restore, sql};
use crate::support::{Place, unchanged_database};

#[test]
fn a_backup_of_create_is_restored_into_a_missing_database_proven_and_on_record() {
    let place = Place::without_docker();
    place.create(unchanged_database()).assert().success();
    let named = Named::new("missing");
    let outcome = restore(&place, &named.0, &["--latest"]);
    outcome.restored(&named.0).says("✓ Contents match the backup (25 tables)");
    assert_eq!(databases(&named.0), [named.0.as_str()]);
    let comment = "SELECT pg_catalog.shobj_description(oid, 'pg_database') FROM pg_database \
                   WHERE datname = current_database()";
    assert_eq!(sql(&named.0, comment), "", "a mark was left");
    let history = place.ccc().arg("history").output().unwrap();
    let history = String::from_utf8(history.stdout).unwrap();
    assert!(history.contains("restore done"), "{history}");
}

#[test]
fn a_restore_that_takes_longer_than_it_may_stays_and_ends_with_a_code_of_its_own() {
    let place = Place::without_docker();
    place.create(unchanged_database()).args(["x.sql.gz"]).assert().success();
    let named = Named::new("rto");
    let late = restore(&place, &named.0, &["x.sql.gz", "--rto", "1ms"]);
    assert_eq!(late.code, 3, "{late}");
    late.says(&format!("✅ RESTORED {}", named.0));
    assert!(late.stdout.contains("⚠️ Restore took "), "{late}");
    assert!(late.stdout.contains("longer than the 1 ms allowed (--rto)"), "{late}");
    assert_eq!(sql(&named.0, "SELECT count(*) > 0 FROM users"), "t");
    sql("postgres", &format!("DROP DATABASE {}", named.0));
    let planned = restore(&place, &named.0, &["x.sql.gz", "--rto", "1ms", "--dry-run"]);
    assert_eq!(planned.code, 0, "{planned}");
    assert!(
        planned.stdout.contains("as restores before it took, longer than the 1 ms"),
        "{planned}"
    );
    let outcome = restore(&place, &named.0, &["x.sql.gz", "--rto", "1h"]);
    outcome.restored(&named.0);
    assert!(outcome.stdout.contains("of the 1 h allowed (--rto)"), "{outcome}");
    // What never came to its end has no time, and is not called bad for it.
    let refused = restore(&place, &named.0, &["x.sql.gz", "--rto", "1ms"]);
    refused.not_restored("is not empty");
    let history = place.ccc().args(["history", "--backup-dir", "."]).output().unwrap();
    let history = String::from_utf8(history.stdout).unwrap();
    for said in
        ["restore too slow", "restore done", "1 done, 1 failed (1 only too slow), 1 not done"]
    {
        assert!(history.contains(said), "{said}: {history}");
    }
}

#[test]
fn every_form_of_backup_is_restored_packed_or_not_over_one_connection_or_several() {
    let place = Place::without_docker();
    let source = unchanged_database();
    for (number, (form, jobs)) in [
        ("plain.sql", "1"),
        ("plain.sql", "3"),
        ("plain.sql.zst", "2"),
        ("archive.dump", "1"),
        ("archive.dump", "2"),
        ("archive.dir", "2"),
        ("archive.tar", "2"),
    ]
    .into_iter()
    .enumerate()
    {
        let file = format!("{number}_{form}");
        let mut create = place.create(source);
        create.arg(&file).args(if form == "plain.sql" { &["--compress", "none"][..] } else { &[] });
        let created = create.output().unwrap();
        assert!(created.status.success(), "{created:?}");
        let named = Named::new(&format!("form{number}"));
        let outcome = restore(&place, &named.0, &[&file, "--jobs", jobs]);
        outcome.restored(&named.0).says("✓ Contents match the backup (25 tables)");
        assert_eq!(databases(&named.0), [named.0.as_str()], "{form}");
    }
}

#[test]
fn an_archive_that_was_packed_again_is_unpacked_on_its_way() {
    let place = Place::without_docker();
    place.file("a.dump", &unchanged_database().dump(&["--format=custom"]));
    assert!(
        std::process::Command::new("gzip")
            .arg(place.dir().join("a.dump"))
            .status()
            .unwrap()
            .success()
    );
    let named = Named::new("packed");
    restore(&place, &named.0, &["a.dump.gz"]).restored(&named.0);
}

#[test]
fn an_empty_database_is_restored_into_and_stays_the_same_database() {
    let place = Place::without_docker();
    place.file("x.sql", &unchanged_database().dump(&["--no-owner", "--no-acl"]));
    let named = Named::new("empty");
    sql("postgres", &format!("CREATE DATABASE {}", named.0));
    let oid = "SELECT oid FROM pg_database WHERE datname = current_database()";
    let before = sql(&named.0, oid);
    restore(&place, &named.0, &["x.sql"]).restored(&named.0);
    assert_eq!(sql(&named.0, oid), before);
    assert_eq!(sql(&named.0, "SELECT count(*) > 0 FROM users"), "t");
}

#[test]
fn an_owner_without_a_superusers_rights_restores_what_it_may() {
    let place = Place::without_docker();
    place.create(unchanged_database()).args(["x.sql.gz"]).assert().success();
    let named = Named::new("owner");
    let role = super::name("role");
    sql("postgres", &format!("CREATE ROLE {role} LOGIN PASSWORD 'pw'"));
    sql("postgres", &format!("CREATE DATABASE {} OWNER {role}", named.0));
    let run = || {
        let mut restore = command(&place, &named.0, &["x.sql.gz"]);
        place.outcome(restore.env("DB_USER", &role).env("DB_PASSWORD", "pw"))
    };
    run().restored(&named.0);
    assert_eq!(sql(&named.0, "SELECT tableowner FROM pg_tables WHERE tablename = 'users'"), role);
    sql("postgres", &format!("DROP DATABASE {}", named.0));
    // A database that is missing is not its to make, until it may.
    run().not_restored("may not create one").hints("CREATEDB");
    sql("postgres", &format!("ALTER ROLE {role} CREATEDB"));
    run().restored(&named.0);
    sql("postgres", &format!("DROP DATABASE {}; ", named.0));
    sql("postgres", &format!("DROP ROLE {role}"));
}

#[test]
fn a_dry_run_says_what_would_happen_and_changes_nothing() {
    let place = Place::without_docker();
    let dump = b"--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 15.1\n\n\
        CREATE TABLE public.t (id integer);\nALTER TABLE public.t OWNER TO nobody_of_that_name;\n\
        COPY public.t (id) FROM stdin;\n1\n\\.\n\n--\n-- PostgreSQL database dump complete\n--\n\n";
    place.file("x.sql", dump);
    let named = Named::filled("dry");
    let outcome = restore(&place, &named.0, &["x.sql", "--swap", "--dry-run"]);
    assert_eq!(outcome.code, 0, "{outcome}");
    outcome.says("Nothing was changed (--dry-run)");
    assert!(outcome.stdout.contains("Roles missing: nobody_of_that_name"), "{outcome}");
    assert!(outcome.stdout.contains("Set aside: the "), "{outcome}");
    assert_eq!(databases(&named.0), [named.0.as_str()]);
    assert_eq!(sql(&named.0, "SELECT count(*) FROM kept"), "3");
    // The same with nothing missing.
    let whole =
        String::from_utf8(dump.to_vec()).unwrap().replace("nobody_of_that_name", "postgres");
    place.file("y.sql", whole.as_bytes());
    let outcome = restore(&place, &named.0, &["y.sql", "--swap", "--dry-run"]);
    assert!(!outcome.stdout.contains("missing"), "{outcome}");
}

#[test]
fn roles_that_are_missing_are_made_from_the_globals_and_others_stay_as_they_are() {
    let place = Place::without_docker();
    let source = crate::support::database();
    let (gone, there) = (super::name("gone"), super::name("there"));
    sql(
        "postgres",
        &format!(
            "CREATE ROLE {gone} NOLOGIN CREATEROLE; CREATE ROLE {there}; GRANT {there} TO {gone}"
        ),
    );
    source.sql(&format!("ALTER TABLE comments OWNER TO {gone}; GRANT SELECT ON users TO {there}"));
    place.create(&source).args(["x.sql.gz", "--globals", "--keep-owner"]).assert().success();
    source
        .sql(&format!("ALTER TABLE comments OWNER TO postgres; REVOKE ALL ON users FROM {there}"));
    sql("postgres", &format!("DROP ROLE {gone}; ALTER ROLE {there} CREATEDB"));
    let named = Named::new("globals");
    let planned = restore(&place, &named.0, &["x.sql.gz", "--globals", "--dry-run"]);
    assert!(planned.stdout.contains("would be made from"), "{planned}");
    let role = |name: &str| {
        sql(
            "postgres",
            &format!("SELECT rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = '{name}'"),
        )
    };
    assert_eq!(role(&gone), "");
    restore(&place, &named.0, &["x.sql.gz", "--globals"]).restored(&named.0);
    assert_eq!((role(&gone), role(&there)), ("t|f".to_owned(), "f|t".to_owned()));
    assert_eq!(
        sql(&named.0, "SELECT tableowner FROM pg_tables WHERE tablename = 'comments'"),
        gone
    );
    sql("postgres", &format!("DROP DATABASE {}", named.0));
    sql("postgres", &format!("DROP ROLE {gone}, {there}"));
}
