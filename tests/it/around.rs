//! What stands around a dump: statements, psql's commands, words of programs, other dumps, or no header at
//! all. What psql restores passes, what is cut is bad wherever the cut is, and what cannot be told is not.

use crate::support::dumps::{gzipped, piped};
use crate::support::source::Source;
use crate::support::torture::NO_APPLICATION;
use crate::support::{Place, unchanged_database};

fn place() -> Place {
    let place = Place::on_a_lent_server();
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

#[test]
fn formats_that_are_not_looked_into_are_named_and_not_verified() {
    let place = Place::without_docker();
    let key = gzipped(b"some bytes that stand for what is encrypted");
    let head = |head: &[u8]| [head, &key].concat();
    for (file, said, hint) in [
        (head(b"PK\x03\x04\x14\0\0\0"), "is a zip archive", "name the dump in it"),
        (head(b"7z\xbc\xaf\x27\x1c\0\x04"), "is a 7z archive", "name the dump in it"),
        (head(b"\x8c\x0d\x04\x09\x03\x02"), "is encrypted by gpg", "gpg --batch --decrypt"),
        (head(b"-----BEGIN PGP MESSAGE-----\n\n"), "is encrypted by gpg", "gpg --batch --decrypt"),
        (head(b"Salted__"), "is encrypted by openssl", "openssl enc -d"),
        (gzipped(&head(b"age-encryption.org/v1\n")), "is encrypted by age", "unpack it"),
    ] {
        place.verify_bytes("a", &file).not_verified(said).hints(hint);
    }
    for (file, said) in [
        (&b"<?xml version=\"1.0\"?>\n<Error><Code>NoSuchKey</Code></Error>"[..], "object store"),
        (b"age-encryption.org/v1\nno head", "the age stream is cut off"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n", "Git LFS"),
    ] {
        place.verify_bytes("a", file).failed(said);
    }
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn zeros_behind_the_end_pass_with_a_remark_and_anything_else_there_does_not() {
        let (place, one) = (place(), dump("one").into_bytes());
        let archive = unchanged_database().dump(&["--format=custom"]);
        for (file, damage) in [
            (one.clone(), "has a NUL byte"),
            (gzipped(&one), "garbage follows the gzip stream"),
            (piped(&one, "zstd", &["-q", "-c"]), "garbage follows the zstd stream"),
            (piped(&one, "xz", &["-c"]), "garbage follows the xz stream"),
            (piped(&one, "bzip2", &["-c"]), "garbage follows the bzip2 stream"),
            (piped(&one, "lz4", &["-q", "-c"]), "garbage follows the lz4 stream"),
            (archive.clone(), "garbage follows the archive"),
            (gzipped(&archive), "garbage follows the gzip stream"),
        ] {
            let padded = [&file[..], &[0; 513]].concat();
            let outcome = place.verify_bytes("a", &padded);
            outcome.passed();
            assert!(outcome.stderr.contains("zeros follow the end"), "{damage}: {outcome}");
            let more = [&padded[..], b"x"].concat();
            place.verify_bytes("a", &more).failed(damage);
        }
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
    fn a_backup_with_nothing_in_it_fails_unless_that_is_meant() {
        let place = place();
        let empty = format!("{HEAD}{SETTINGS}{END}");
        // A server of its own: in the one that is shared, other tests make tablespaces that lie in its data directory,
        // and pg_dumpall names a place for those that no server takes.
        let server = Source::start();
        let archive = server.client("pg_dump", &["-d", "template1", "--format=custom"]);
        let cluster = server.client("pg_dumpall", &["--globals-only"]);
        place.file("meant.toml", &[NO_APPLICATION, b"data = \"none\"\n"].concat());
        for file in [empty.into_bytes(), archive, cluster] {
            place.verify_bytes("a", &file).failed("nothing is in it").hints("the right database");
            place.outcome(place.verify().args(["a", "--config", "meant.toml"])).passed();
        }
        place.verify_bytes("a", dump("one").as_bytes()).passed().says("In it: 1 table, 2 rows");
    }
}
