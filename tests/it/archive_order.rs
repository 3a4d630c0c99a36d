//! Archives of databases in which the order of the tables matters: `verify` says what a pg_restore over one
//! connection, as anybody would call it, makes of them.

use crate::archives::archive;
use crate::support::torture::NO_APPLICATION;
use crate::support::{Database, Outcome, Place, database, unchanged_database};

fn place() -> Place {
    let place = Place::on_a_lent_server();
    place.file("ccc-backup.toml", NO_APPLICATION);
    place
}

/// What refers to the codes of another table, by a kind, a column and what it needs.
const KINDS: [(&str, &str, &str); 3] = [
    ("by_check", "code int CHECK (S.is_code(code))", ""),
    ("by_domain", "code S.code", "CREATE DOMAIN S.code AS int CHECK (S.is_code(VALUE));"),
    ("by_column", "code int, named text GENERATED ALWAYS AS (S.name_of(code)) STORED", ""),
];

/// A schema in which the rows of `small` need those of `large`, which several connections load first,
/// and one connection by its name.
fn make(database: &Database, schema: &str, [large, small]: [&str; 2], column: &str, more: &str) {
    let sql = "CREATE SCHEMA S; CREATE TABLE S.LARGE (code int, t text);
        INSERT INTO S.LARGE SELECT i, md5(i::text) FROM generate_series(1, 9000) i;
        CREATE FUNCTION S.is_code(int) RETURNS bool LANGUAGE sql
            AS 'SELECT EXISTS (SELECT FROM S.LARGE WHERE code = $1)';
        CREATE FUNCTION S.name_of(int) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'DECLARE n text; BEGIN
            SELECT t INTO STRICT n FROM S.LARGE WHERE code = $1; RETURN n; END';
        MORE CREATE TABLE S.SMALL (COLUMN); INSERT INTO S.SMALL (code) VALUES (7);";
    let sql = sql.replace("COLUMN", column).replace("MORE", more);
    let sql =
        sql.replace("LARGE", large).replace("SMALL", small).replace("S.", &format!("{schema}."));
    database.sql(&sql.replace("SCHEMA S;", &format!("SCHEMA {schema};")));
}

fn verified(place: &Place, name: &str, args: &[&str]) -> Outcome {
    place.outcome(place.verify_with(args).args([name, "--jobs", "4"]))
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn an_archive_whose_rows_need_those_of_a_table_that_comes_later_fails_as_with_pg_restore() {
        let (place, database) = (place(), database());
        for (schema, column, more) in KINDS {
            make(&database, schema, ["z_codes", "a_rows"], column, more);
            let schema = format!("--schema={schema}");
            place.file("a.dump", &archive(&database, &["--format=custom", &schema]));
            verified(&place, "a.dump", &[]).failed("TABLE DATA a_rows: ");
        }
        // The same without a function of the dump's own.
        database.sql(
            "CREATE SCHEMA own; CREATE TABLE own.z_codes (code int, t text);
         INSERT INTO own.z_codes SELECT i, md5(i::text) FROM generate_series(1, 9000) i;
         CREATE TABLE own.a_rows (code int CHECK (query_to_xml(
             'SELECT FROM own.z_codes WHERE code = ' || code, true, true, '')::text LIKE '%<row%'));
         INSERT INTO own.a_rows VALUES (7)",
        );
        place.file("a.dump", &archive(&database, &["--format=custom", "--schema=own"]));
        verified(&place, "a.dump", &[]).failed("violates check constraint");
        verified(&place, "a.dump", &["--engine", "local"]).failed("violates check constraint");
    }

    #[test]
    fn an_archive_whose_rows_need_those_of_a_table_that_comes_before_passes_without_a_word() {
        let (place, database) = (place(), database());
        for (schema, column, more) in KINDS {
            make(&database, schema, ["a_codes", "b_rows"], column, more);
            let schema = format!("--schema={schema}");
            place.file("a.dump", &archive(&database, &["--format=custom", &schema]));
            let outcome = verified(&place, "a.dump", &[]);
            outcome.passed().says("✓ Contents match the backup (2 tables)");
            assert_eq!(outcome.stderr, "", "{outcome}");
        }
        // An index is built when all tables have their rows.
        database.sql(
        "CREATE SCHEMA indexed; CREATE TABLE indexed.z_codes (code int PRIMARY KEY);
         INSERT INTO indexed.z_codes VALUES (7);
         CREATE FUNCTION indexed.must(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'DECLARE n int;
             BEGIN SELECT code INTO STRICT n FROM indexed.z_codes WHERE code = $1; RETURN n; END';
         CREATE TABLE indexed.a_rows (code int, t text); CREATE INDEX ON indexed.a_rows (indexed.must(code));
         INSERT INTO indexed.a_rows SELECT 7, md5(i::text) FROM generate_series(1, 9000) i",
    );
        place.file("a.dump", &archive(&database, &["--format=custom", "--schema=indexed"]));
        let outcome = verified(&place, "a.dump", &[]);
        assert_eq!(outcome.passed().stderr, "", "{outcome}");
    }

    #[test]
    fn what_create_makes_of_a_database_that_no_restore_brings_back_fails_in_every_format() {
        let (place, database) = (place(), database());
        let [(schema, column, more), ..] = KINDS;
        make(&database, schema, ["z_codes", "a_rows"], column, more);
        for name in ["a.dump", "a.dir", "a.tar"] {
            let made = place.outcome(place.create(&database).arg(name));
            assert_eq!(made.code, 0, "{made}");
            verified(&place, name, &[]).failed("violates check constraint");
        }
    }

    #[test]
    fn functions_that_read_no_table_leave_an_archive_to_several_connections() {
        let (place, database) = (place(), unchanged_database());
        let made = place.outcome(place.create(database).args(["a.dump"]));
        assert_eq!(made.code, 0, "{made}");
        let outcome = verified(&place, "a.dump", &["--log-file", "log"]);
        outcome.passed();
        let log = std::fs::read_to_string(place.dir().join("log")).unwrap();
        assert!(!log.contains("over one connection, in its order"), "{log}");
    }
}
