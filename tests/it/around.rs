//! What stands around a dump: statements, psql's commands, words of programs, other dumps, or no header at
//! all. What psql restores passes, what is cut is bad wherever the cut is, and what cannot be told is not.

use crate::support::Place;
use crate::support::torture::NO_APPLICATION;

fn place() -> Place {
    let place = Place::new();
    place.file("ccc-backup.toml", NO_APPLICATION);
    place
}

const SETTINGS: &str = "SET statement_timeout = 0;\nSET client_encoding = 'UTF8';\n\
    SET standard_conforming_strings = on;\n\
    SELECT pg_catalog.set_config('search_path', '', false);\n\n";
const HEAD: &str = "--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 15.18\n\
    -- Dumped by pg_dump version 15.18\n\n";
const END: &str = "--\n-- PostgreSQL database dump complete\n--\n\n";

/// A table and its rows, without header and trailer.
fn table(name: &str) -> String {
    format!(
        "{SETTINGS}--\n-- Name: {name}; Type: TABLE; Schema: public; Owner: -\n--\n\n\
         CREATE TABLE public.{name} (\n    id integer NOT NULL\n);\n\n\n--\n\
         -- Data for Name: {name}; Type: TABLE DATA; Schema: public; Owner: -\n--\n\n\
         COPY public.{name} (id) FROM stdin;\n1\n2\n\\.\n\n\n"
    )
}

/// A dump as pg_dump writes it.
fn dump(name: &str) -> String {
    format!("{HEAD}{}{END}", table(name))
}

#[test]
fn statements_and_commands_around_a_dump_are_restored_as_psql_restores_them() {
    let (place, one) = (place(), dump("one"));
    let globals = "--\n-- PostgreSQL database cluster dump\n--\n\nCREATE ROLE shop;\n\n--\n\
                   -- PostgreSQL database cluster dump complete\n--\n\n";
    let migrations = "CREATE TABLE public.m (v text);\nSET search_path TO public;\n\n\
                      INSERT INTO m (v) VALUES\n('1'),\n('2');\n";
    for (text, tables) in [
        (format!("{one}{migrations}"), "2 tables"),
        (format!("BEGIN;\n{one}COMMIT;\nANALYZE"), "1 table"),
        (format!("{globals}{one}"), "1 table"),
        (
            format!("\\timing on\n\\set ON_ERROR_STOP on\n{one}\\echo done\n{}", dump("two")),
            "2 tables",
        ),
        (one.replace("FROM stdin;", "FROM stdin; -- rows"), "1 table"),
    ] {
        let outcome = place.verify_bytes("a.sql", text.as_bytes());
        outcome.passed().says(&format!("✓ Contents match the backup ({tables})"));
    }
}

#[test]
fn a_dump_without_its_end_is_bad_wherever_it_stands() {
    let place = Place::without_docker();
    let (cut, whole) = (format!("{HEAD}{}", table("one")), dump("two"));
    let cluster = format!("--\n-- PostgreSQL database cluster dump\n--\n\nSELECT 1;\n{whole}");
    let inside =
        cluster.replace(END, "") + "--\n-- PostgreSQL database cluster dump complete\n--\n";
    for (text, said) in [
        (format!("{cut}{whole}"), "the dump that begins on line 2 has no"),
        (format!("{whole}{cut}"), "without \"PostgreSQL database dump complete\""),
        (
            format!("{cut}INSERT INTO public.one VALUES (3);\n"),
            "without \"PostgreSQL database dump",
        ),
        (cluster, "without \"PostgreSQL database cluster dump complete\""),
        (inside, "has no \"PostgreSQL database dump complete\" before line"),
        (format!("{whole}{}{END}", table("one")), "whose beginning is not in the file"),
    ] {
        place.verify_bytes("a.sql", text.as_bytes()).failed(said).hints("older backup");
    }
}

#[test]
fn what_is_no_sql_beside_a_dump_is_named() {
    let place = Place::without_docker();
    let one = dump("one");
    for (text, said, hint) in [
        (format!("pg_dump: warning: circular\n{one}"), "line 1 has words of pg_dump", "2>&1"),
        (
            format!("Defaulted container \"db\"\n{one}"),
            "line 1 has words of kubectl",
            "kubectl exec",
        ),
        (format!("\u{feff}{one}\u{feff}{one}"), "byte order mark", "each by itself"),
        ("bash: pg_dump: command not found\n".to_owned(), "it holds words of a shell", "older"),
        ("{\"message\": \"denied\"}\n".to_owned(), "it is JSON", "older"),
    ] {
        place.verify_bytes("a.sql", text.as_bytes()).failed(said).hints(hint);
    }
}

#[test]
fn sql_that_pg_dump_did_not_frame_is_not_verified_unless_it_is_accepted() {
    let place = place();
    let stripped = format!("{}{END}", table("one"));
    let other = "/* Navicat */\nCREATE TABLE \"public\".\"t\" (\"id\" int4);\n\
                 INSERT INTO \"public\".\"t\" VALUES (1);\n";
    for text in [stripped.as_str(), other] {
        let outcome = place.verify_bytes("a.sql", text.as_bytes());
        outcome.not_verified("SQL that pg_dump did not write").hints("--accept-foreign-sql");
        let accepted = place.outcome(place.verify().args(["a.sql", "--accept-foreign-sql"]));
        accepted
            .passed()
            .says("Not proven: that the file is whole: it has no header and trailer of pg_dump");
    }
    let accepting = [NO_APPLICATION, b"[verify]\naccept_foreign_sql = true\n"].concat();
    place.file("a.toml", &accepting);
    place.outcome(place.verify().args(["a.sql", "--config", "a.toml"])).passed();
    place.verify_bytes("a.sql", b"CREATE TABLE t (a int);\nINSERT INTO u VALUES (1);\n");
    let refused = place.outcome(place.verify().args(["a.sql", "--accept-foreign-sql"]));
    refused.failed("relation \"u\" does not exist");
}

#[test]
fn a_dump_that_has_lost_its_beginning_is_bad() {
    let place = Place::without_docker();
    let (restricted, one) = (format!("{}{END}\\unrestrict k\n", table("one")), table("one"));
    let rows = &one[one.find("COPY").unwrap()..];
    let half = &one[one.find("teger").unwrap()..];
    for text in [restricted.as_str(), &format!("{rows}{END}"), &format!("{half}{END}")] {
        place.verify_bytes("a.sql", text.as_bytes()).failed("no plain dump").hints("older backup");
    }
}

#[test]
fn commands_and_rows_that_are_not_the_files_own_are_not_verified() {
    let place = place();
    let with = |line: &str| format!("{HEAD}{line}\n{}{END}", table("one"));
    for (text, said) in [
        (with("\\set AUTOCOMMIT off"), "\\set AUTOCOMMIT off"),
        (with("\\set who me\nALTER TABLE a OWNER TO :who;"), "a variable of psql"),
        (with("COPY public.a (id) FROM '$$PATH$$/3300.dat';"), "the rows are in another file"),
    ] {
        place.verify_bytes("a.sql", text.as_bytes()).not_verified(said);
    }
    place.verify_bytes("a.sql", with("\\i other.sql").as_bytes()).failed("psql command");
}
