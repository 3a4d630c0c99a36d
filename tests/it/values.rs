//! What is restored is compared with the dump by value, where the text of equal values can differ.

use std::process::Command;

use crate::support::source::{client, source};
use crate::support::torture::NO_APPLICATION;
use crate::support::{Database, Outcome, Place, text};

fn place() -> Place {
    let place = Place::on_a_lent_server();
    place.file("ccc-backup.toml", NO_APPLICATION);
    place
}

/// A dump by hand: these statements between pg_dump's first and last comment.
fn dump(sql: &str) -> Vec<u8> {
    format!(
        "--\n-- PostgreSQL database dump\n--\n\nSET client_encoding = 'UTF8';\n{sql}\n\
         --\n-- PostgreSQL database dump complete\n--\n"
    )
    .into_bytes()
}

/// Verifies a dump over several connections, and over one.
fn verified(place: &Place, sql: &str) -> [Outcome; 2] {
    place.file("a.sql", &dump(sql));
    ["4", "1"].map(|jobs| place.outcome(place.verify().args(["a.sql", "--jobs", jobs])))
}

/// A database of its own with these objects.
fn database(name: &str, sql: &str) -> Database {
    let args = ["--template=template0", "--locale=C", "--encoding=UTF8", "--", name];
    source().client("createdb", &args);
    let database = Database { name: name.to_owned() };
    database.sql(sql);
    database
}

/// A dump in a directory, not packed.
fn directory(place: &Place, database: &Database, args: &[&str]) {
    let mut pg_dump = Command::new(client("pg_dump"));
    pg_dump.args(["-Fd", "-Z0", "-f", "a.dir", "-d", &database.name]).args(args);
    let output = pg_dump.envs(source().libpq()).current_dir(place.dir()).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}

/// Changes the rows of the table in the directory whose rows hold these bytes.
fn edit(place: &Place, from: &str, to: &str) {
    let names = place.names("a.dir");
    let rows =
        names.iter().filter(|name| name.ends_with(".dat")).map(|name| format!("a.dir/{name}"));
    for name in rows {
        let bytes = std::fs::read(place.dir().join(&name)).unwrap();
        if let Ok(rows) = String::from_utf8(bytes)
            && rows.contains(from)
        {
            place.file(&name, rows.replace(from, to).as_bytes());
            return;
        }
    }
    panic!("no rows with {from:?}");
}

/// Tables whose values are right, and not written as PostgreSQL 15 writes them.
const OTHERWISE: &str = "\
CREATE DOMAIN public.share AS numeric(5,2) CHECK (VALUE <= 100);
CREATE TYPE public.pair AS (a double precision, b date);
CREATE TABLE public.by_hand (id integer, d date, ok boolean, n numeric(8,3), u uuid, j jsonb,
    t timestamp with time zone, i integer[], b bytea, s public.share, c character(4), r interval);
COPY public.by_hand (id, d, ok, n, u, j, t, i, b, s, c, r) FROM stdin;
+1\t2024-1-2\ttrue\t1e3\tA0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11\t{\"b\":2,\"a\":1}\t2024-01-02T03:04:05Z\t{1, 2}\t\\\\xAB\t7.5\tab\t1 hour 90 minutes
\\N\t\\N\t0\t0.5\t\\N\t\\N\t2024-06-01 00:00+02\t{}\tabc\t\\N\tabcd\tP1D
\\.
CREATE TABLE public.floats (x double precision, y real, p point, b box, xs double precision[], z public.pair);
COPY public.floats (x, y, p, b, xs, z) FROM stdin;
0.10000000000000001\t0.100000001\t(0.10000000000000001,2.2999999999999998)\t(2,2),(0.10000000000000001,0)\t{0.10000000000000001,1}\t(0.29999999999999999,2024-01-02)
1e+300\t3.40282347e+38\t(1,1)\t(1,1),(0,0)\t{}\t\\N
\\.
SET DateStyle = 'SQL, DMY';
SET IntervalStyle = sql_standard;
CREATE TABLE public.dates (d date, r interval);
COPY public.dates (d, r) FROM stdin;
31/12/2024\t1-2
02/01/2024\t3 4:05:06
\\.
CREATE TABLE public.inserted (d date, ok boolean, n numeric, v character varying(10));
INSERT INTO public.inserted VALUES ('02/01/2024', TRUE, 1e3, 'x');
INSERT INTO public.inserted (d, ok, n, v) VALUES ('03/01/2024', 'yes', '0.50', 'it''s');
";

#[test]
fn values_that_are_written_otherwise_than_this_server_does_are_equal() {
    let place = place();
    for outcome in verified(&place, &OTHERWISE.replace("TRUE", "true")) {
        outcome.passed().says("✓ Contents match the backup (5 tables)");
    }
}

#[test]
fn what_cannot_be_read_once_more_is_not_verified() {
    let place = place();
    // A type whose reader takes a value once.
    let sql = "\
        CREATE SEQUENCE public.s;\n\
        CREATE FUNCTION public.once(v text) RETURNS boolean LANGUAGE sql \
        AS 'SELECT pg_catalog.nextval(''public.s'') < 2';\n\
        CREATE DOMAIN public.one AS date CHECK (public.once(VALUE::text));\n\
        CREATE TYPE public.row AS (d public.one);\n\
        CREATE TABLE public.t (r public.row);\n\
        COPY public.t (r) FROM stdin;\n(2024-1-2)\n\\.\n";
    for outcome in verified(&place, sql) {
        outcome
            .not_verified("public.t: its rows differ as text, and could not be compared by value");
    }
}

#[test]
fn an_archive_is_compared_by_value_too() {
    let sql = "CREATE TABLE t (r regclass, k regtype, f regprocedure, d date, n numeric(9,1));
               INSERT INTO t VALUES ('t', 't', 'lower(text)', '2024-01-02', 1.5), (NULL, NULL, NULL, NULL, 2)";
    let database = database("quoted_values", sql);
    let place = place();
    directory(&place, &database, &["--quote-all-identifiers"]);
    edit(&place, "2024-01-02", "2024-1-2");
    let outcome = place.outcome(place.verify().arg("a.dir"));
    outcome.passed().says("✓ Contents match the backup (1 table)");
    edit(&place, "1.5", "1.55");
    let outcome = place.outcome(place.verify().arg("a.dir"));
    outcome.failed("public.t: restored values differ from the dump");
    // The same in plain text, of several databases, with INSERT statements.
    place.file("a.sql", &database.dump(&["--quote-all-identifiers"]));
    place.outcome(place.verify().arg("a.sql")).passed();
    let args = ["--quote-all-identifiers", "--create", "--inserts"];
    let made = database.dump(&args);
    place.file("a.sql", &made);
    place.outcome(place.verify().arg("a.sql")).passed();
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn a_value_that_its_column_cuts_off_or_a_trigger_changes_is_a_difference() {
        let place = place();
        let columns = [
            ("numeric(10,1)", "1.25"),
            ("numeric(4,1)[]", "{1.25}"),
            ("date", "2024-01-02 03:04:05"),
            ("timestamp without time zone", "2024-01-02 03:04:05+02"),
            ("timestamp(0) with time zone", "2024-01-02 03:04:05.5+00"),
            ("time without time zone", "2024-01-02 03:04:05"),
            ("character varying(3)", "abc  "),
            ("real", "0.12345678901234567"),
            ("double precision", "12345678901234567890.5"),
            ("name", "a234567890123456789012345678901234567890123456789012345678901234567890"),
        ];
        let table = |(number, (kind, value)): (usize, &(&str, &str))| {
            format!(
                "CREATE TABLE public.t{number} (v {kind});\nCOPY public.t{number} (v) FROM stdin;\n{value}\n\\.\n"
            )
        };
        let tables: String = columns.iter().enumerate().map(table).collect();
        let rest = "\
        CREATE TABLE public.whole (v integer);\nINSERT INTO public.whole VALUES (1.5);\n\
        CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS \
        'BEGIN NEW.v := NEW.v + 1; RETURN NEW; END';\n\
        CREATE TABLE public.changed (v double precision);\n\
        CREATE TRIGGER t BEFORE INSERT ON public.changed FOR EACH ROW EXECUTE FUNCTION public.f();\n\
        COPY public.changed (v) FROM stdin;\n0.10000000000000001\n\\.\n";
        for outcome in verified(&place, &format!("{tables}{rest}")) {
            outcome.failed("Contents do not match the backup in 12 tables, the first: public.t0");
        }
    }
}
