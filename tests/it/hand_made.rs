//! Dumps with something in them that pg_dump does not write, as a script or an editor leaves them, and
//! dumps of databases that hardly anybody has: what psql restores passes, and what we cannot restore is
//! not called bad.

use std::process::Command;

use crate::support::dumps::{position, with_sql_first, with_sql_last, without_restriction};
use crate::support::source::{client, source};
use crate::support::torture::NO_APPLICATION;
use crate::support::twin::answer_of_restored;
use crate::support::{Database, Outcome, Place, good_dump, text};

fn place() -> Place {
    let place = Place::on_a_lent_server();
    place.file("ccc-backup.toml", NO_APPLICATION);
    place
}

/// Verifies a dump over several connections, and over one.
fn verified(place: &Place, dump: &[u8]) -> [Outcome; 2] {
    place.file("a.sql", dump);
    ["4", "1"].map(|jobs| place.outcome(place.verify().args(["a.sql", "--jobs", jobs])))
}

/// Makes a database of this encoding by SQL in these bytes.
fn database(name: &str, encoding: &str, sql: &[u8]) {
    let args = ["--template=template0", "--locale=C", "--encoding", encoding, "--", name];
    source().client("createdb", &args);
    let place = Place::without_docker();
    let path = place.file("a.sql", sql);
    let mut psql = Command::new(client("psql"));
    psql.args(["-Xqv", "ON_ERROR_STOP=1", "-d", name, "-f"]).arg(path).envs(source().libpq());
    let output = psql.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}

fn dump(name: &str, args: &[&str]) -> Vec<u8> {
    source().client("pg_dump", &[&["-d", name], args].concat())
}

/// With other bytes in the place of some that are there once.
fn replaced(dump: &[u8], old: &str, new: &[u8]) -> Vec<u8> {
    let at = position(dump, old);
    [&dump[..at], new, &dump[at + old.len()..]].concat()
}

/// What is before, between and after these bytes.
fn split<'a>(dump: &'a [u8], at: &[u8]) -> Vec<&'a [u8]> {
    let (mut pieces, mut rest) = (Vec::new(), dump);
    while let Some(end) = rest.windows(at.len()).position(|bytes| bytes == at) {
        pieces.push(&rest[..end]);
        rest = &rest[end + at.len()..];
    }
    pieces.push(rest);
    pieces
}

const LATIN: &[u8] = b"SET client_encoding = 'LATIN1';
    CREATE TABLE a (t text); INSERT INTO a VALUES ('\xe4'), ('\xf6');
    CREATE TABLE b (t text); INSERT INTO b VALUES ('\xfc'), ('\xdf');
    CREATE TABLE c (t text); INSERT INTO c VALUES ('\xe9'), ('\xe8');
    CREATE TABLE \"\xe4\" (\"\xf6\" text); INSERT INTO \"\xe4\" VALUES ('\xe9'), ('\xe8')";

#[test]
fn names_without_a_schema_are_found_where_psql_has_them() {
    let place = place();
    let path = "SET search_path = \"$user\", public;\n";
    for (path, rows) in [
        ("", "COPY t (a) FROM stdin;\n1\n2\n\\.\n"),
        (path, "COPY t (a) FROM stdin;\n1\n2\n\\.\n"),
        ("", "INSERT INTO t (a) VALUES (1), (2);\n"),
    ] {
        let dump = format!(
            "--\n-- PostgreSQL database dump\n--\n\n{path}CREATE TABLE t (a int);\nCREATE SEQUENCE s;\n\
             {rows}\nSELECT setval('s', 7);\n\n--\n-- PostgreSQL database dump complete\n--\n"
        );
        for outcome in verified(&place, dump.as_bytes()) {
            outcome.passed().says("✓ Rows match the backup (1 table, 2 rows)");
        }
    }
}

#[test]
fn a_large_table_that_a_role_loads_which_may_only_insert_passes() {
    let place = place();
    let rows: String = (0..100_000)
        .map(|n| format!("{n}\tvalue number {n}, with some text to fill the row\n"))
        .collect();
    let dump = format!(
        "--\n-- PostgreSQL database dump\n--\n\nCREATE ROLE loader;\n\
         CREATE TABLE public.big (id integer, v text);\nGRANT INSERT ON public.big TO loader;\n\
         SET ROLE loader;\nCOPY public.big (id, v) FROM stdin;\n{rows}\\.\n\nRESET ROLE;\n\n\
         --\n-- PostgreSQL database dump complete\n--\n"
    );
    for outcome in verified(&place, dump.as_bytes()) {
        outcome.passed().says("✓ Rows match the backup (1 table, 100,000 rows)");
    }
}

#[test]
fn a_sequence_that_is_set_by_a_query_is_set_after_the_rows_before_it() {
    // So that a query that does not wait comes too early, whatever the machine.
    let rows: String = (1..=400_000).map(|n| format!("{n}\tvalue number {n} of many\n")).collect();
    // Kept, and asked.
    let place = Place::new();
    place.file("ccc-backup.toml", NO_APPLICATION);
    for (query, expected) in [
        ("SELECT setval('public.s', (SELECT max(id) FROM public.big));", "400000"),
        ("SELECT pg_catalog.setval('public.s', max(id) + 1) FROM public.big;", "400001"),
    ] {
        let dump = format!(
            "--\n-- PostgreSQL database dump\n--\n\nCREATE SEQUENCE public.s;\n\
             CREATE TABLE public.big (id integer, v text);\nCOPY public.big (id, v) FROM stdin;\n{rows}\\.\n\n\
             {query}\n\n--\n-- PostgreSQL database dump complete\n--\n"
        );
        place.file("a.sql", dump.as_bytes());
        let asked = answer_of_restored(
            &place,
            &["a.sql", "--jobs", "4"],
            "SELECT last_value FROM public.s",
        );
        assert_eq!(asked, expected, "{query}");
    }
}

#[test]
fn a_dump_that_creates_a_read_only_database_fails_as_with_psql_and_the_way_out_is_named() {
    let place = place();
    let sql = b"CREATE TABLE t (a int); INSERT INTO t VALUES (1);
                ALTER DATABASE read_only SET default_transaction_read_only = on";
    database("read_only", "UTF8", sql);
    for outcome in verified(&place, &dump("read_only", &["--create"])) {
        outcome.failed("cannot execute CREATE TABLE in a read-only transaction").hints("PGOPTIONS");
    }
    // One that leaves the database to whoever restores it is as good as any.
    for outcome in verified(&place, &dump("read_only", &[])) {
        outcome.passed();
    }
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn an_encoding_that_psql_is_told_holds_for_every_table() {
        let place = place();
        database("told", "LATIN1", LATIN);
        let dump = without_restriction(&dump("told", &[]));
        for said in [
            "\\encoding LATIN1",
            "SET NAMES 'latin1';",
            "SELECT set_config('client_encoding', 'LATIN1', false);",
        ] {
            let dump = replaced(&dump, "SET client_encoding = 'LATIN1';", said.as_bytes());
            for outcome in verified(&place, &dump) {
                outcome.passed().says("✓ Contents match the backup (4 tables)");
            }
        }
    }

    #[test]
    fn rows_in_several_encodings_are_not_verified() {
        let place = place();
        database("changing", "LATIN1", LATIN);
        let dump = without_restriction(&dump("changing", &[]));
        for [to, back] in [
            ["SET client_encoding = 'UTF8';\n", "SET client_encoding TO latin1;\n"],
            ["SET NAMES 'UTF8';\n", "SET NAMES 'LATIN1';\n"],
            ["\\encoding UTF8\n", "\\encoding LATIN1\n"],
        ] {
            let begin = position(&dump, "COPY public.b ");
            let end = begin + position(&dump[begin..], "\\.\n") + 3;
            let rows = b"COPY public.b (t) FROM stdin;\n\xc3\xbc\n\xc3\x9f\n\\.\n";
            let changed =
                [&dump[..begin], to.as_bytes(), rows, back.as_bytes(), &dump[end..]].concat();
            for outcome in verified(&place, &changed) {
                outcome
                    .not_verified("the rows of public.b are in another encoding")
                    .hints("create");
            }
        }
        // Where it is of statements alone, it is as good as any.
        let sql = "SET client_encoding = 'UTF8';\nCOMMENT ON TABLE public.a IS 'ü';\nSET client_encoding = 'LATIN1';\n";
        let at = position(&dump, "--\n-- Data for Name: c");
        for outcome in verified(&place, &[&dump[..at], sql.as_bytes(), &dump[at..]].concat()) {
            outcome.passed().says("✓ Contents match the backup (4 tables)");
        }
    }

    #[test]
    fn names_that_no_encoding_explains_are_not_verified() {
        let place = place();
        for (name, sql) in [
        (
            "names",
            &b"CREATE TABLE \"gr\xf6\xdfe\" (a text); INSERT INTO \"gr\xf6\xdfe\" VALUES ('\xe4')"
                [..],
        ),
        (
            "columns_of_bytes",
            b"CREATE TABLE t (\"gr\xf6\xdfe\" text); INSERT INTO t VALUES ('\xe4')",
        ),
    ] {
        database(name, "SQL_ASCII", &[b"SET client_encoding = 'SQL_ASCII';", sql].concat());
        for outcome in verified(&place, &dump(name, &[])) {
            outcome.not_verified("cannot be told in UTF-8").hints("PostgreSQL's own tools");
        }
        place.file("a.dump", &dump(name, &["--format=custom"]));
        let outcome = place.outcome(place.verify().arg("a.dump"));
        outcome.not_verified("cannot be told in UTF-8").hints("PostgreSQL's own tools");
        for outcome in verified(&place, &dump(name, &["--inserts"])) {
            outcome.passed();
            // That names no columns.
            let unread = outcome.stdout.contains("Not proven: rows and contents");
            assert_eq!(unread, name == "names", "{outcome}");
        }
    }
        // An encoding that is PostgreSQL's alone.
        let sql = "SET client_encoding = 'EUC_TW'; CREATE TABLE \"\u{0}\" (a text)";
        let sql: Vec<u8> =
            sql.bytes().flat_map(|b| if b == 0 { vec![0xc6, 0xa1] } else { vec![b] }).collect();
        database("taiwan", "EUC_TW", &sql);
        for outcome in verified(&place, &dump("taiwan", &[])) {
            outcome.not_verified("cannot be told in UTF-8");
        }
        // The same in UTF-8. Written so, and not by pg_dump --encoding: that reads the names of all roles, and
        // those of other tests are not in EUC_TW.
        let postgres = Database { name: "postgres".to_owned() };
        let letter = postgres.sql(r"SELECT convert_from('\xc6a1', 'EUC_TW')");
        let dump = replaced(&dump("taiwan", &[]), "'EUC_TW'", b"'UTF8'");
        let pieces: Vec<&[u8]> = split(&dump, &[0xc6, 0xa1]);
        for outcome in verified(&place, &pieces.join(letter.trim().as_bytes())) {
            outcome.passed();
        }
    }

    #[test]
    fn names_that_the_server_itself_cannot_tell_say_nothing_of_the_backup() {
        let place = place();
        for (name, sql) in [
        ("seq_of_bytes", &b"CREATE SEQUENCE \"gr\xf6\xdfe\"; CREATE TABLE t (a int);"[..]),
        (
            "check_of_bytes",
            b"CREATE TABLE t (a int); ALTER TABLE t ADD CONSTRAINT \"gr\xf6\xdfe\" CHECK (a > 0) NOT VALID;",
        ),
    ] {
        database(name, "SQL_ASCII", &[b"SET client_encoding = 'SQL_ASCII';", sql].concat());
        for outcome in verified(&place, &dump(name, &[])) {
            outcome.not_verified("invalid byte sequence for encoding \"UTF8\"");
            outcome.hints("PostgreSQL's own tools");
        }
    }
    }

    #[test]
    fn rows_in_another_format_are_not_verified() {
        let place = place();
        database("options", "LATIN1", LATIN);
        for encoding in ["LATIN1", "UTF8"] {
            let dump = dump("options", &["--encoding", encoding]);
            for new in ["WITH (FORMAT csv);", "WITH (DELIMITER ';');", "CSV;"] {
                let new = format!("COPY public.a (t) FROM stdin {new}");
                let dump = replaced(&dump, "COPY public.a (t) FROM stdin;", new.as_bytes());
                for outcome in verified(&place, &dump) {
                    outcome
                        .not_verified("the rows of public.a are in another format")
                        .hints("create");
                }
            }
        }
    }

    #[test]
    fn what_a_script_adds_for_order_in_the_database_passes() {
        let place = Place::on_a_lent_server();
        let sql = "VACUUM ANALYZE; REINDEX TABLE public.users; CLUSTER public.users USING users_pkey;
               CREATE INDEX CONCURRENTLY more ON public.users (id);
               REINDEX INDEX CONCURRENTLY public.more; DROP INDEX CONCURRENTLY public.more;
               SELECT pg_catalog.setval('public.users_id_seq', (SELECT max(id) FROM public.users));
               SELECT setval('public.users_id_seq'::regclass, max(id)) FROM public.users;
               SELECT setval(pg_get_serial_sequence('public.users', 'id'), max(id), true) FROM public.users;
               SELECT pg_catalog.set_config(name, setting, false) FROM pg_settings WHERE name = 'work_mem';";
        for outcome in verified(&place, &with_sql_last(sql)) {
            outcome.passed().says("✓ Contents match the backup (25 tables)");
            assert!(!outcome.stdout.contains("harmless"), "{outcome}");
        }
    }

    #[test]
    fn a_dump_whose_settings_forbid_to_restore_it_fails() {
        let place = Place::on_a_lent_server();
        for setting in [
            "SET default_transaction_read_only = on;\n",
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY;\n",
        ] {
            for outcome in verified(&place, &with_sql_first(setting)) {
                // From the first statement on, as psql has it.
                outcome.failed("cannot execute ALTER TABLE in a read-only transaction");
            }
            // Once the tables are made.
            let at = position(good_dump(), "--\n-- Data for Name: ");
            let dump = [&good_dump()[..at], setting.as_bytes(), &good_dump()[at..]].concat();
            for outcome in verified(&place, &dump) {
                outcome.failed("in a read-only transaction");
            }
        }
    }
}
