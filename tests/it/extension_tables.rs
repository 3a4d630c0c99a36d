//! Tables that extensions bring: what is theirs is not the backup's.

use crate::support::docker::image_with_an_extension;
use crate::support::source::source;
use crate::support::torture::NO_APPLICATION;
use crate::support::{Database, Outcome, Place};

fn place() -> Place {
    let place = Place::on_a_lent_server();
    place.file("ccc-backup.toml", NO_APPLICATION);
    place
}

/// A dump as pg_dump makes it of a database with our extension, in a schema of its own.
fn dump(reference: &str, jobs: &str, moments: &str) -> String {
    format!(
        "--\n-- PostgreSQL database dump\n--\n\nSELECT pg_catalog.set_config('search_path', '', false);\n\
         CREATE SCHEMA own;\nCREATE EXTENSION IF NOT EXISTS ccc_own WITH SCHEMA own;\n\
         CREATE TABLE public.items (id integer);\n\
         COPY own.reference (k, v) FROM stdin;\n{reference}\\.\n\n\
         COPY own.jobs (id, command) FROM stdin;\n{jobs}\\.\n\n\
         COPY own.moments (at, note) FROM stdin;\n{moments}\\.\n\n\
         COPY public.items (id) FROM stdin;\n1\n\\.\n\n\
         SELECT pg_catalog.setval('own.jobs_id_seq', 7, true);\n\n\
         --\n-- PostgreSQL database dump complete\n--\n"
    )
}

fn verified(place: &Place, dump: &str, more: &[&str]) -> Outcome {
    place.file("a.sql", dump.as_bytes());
    let args = ["a.sql", "--image", image_with_an_extension()];
    place.outcome(place.verify().args(args).args(more))
}

#[test]
fn rows_that_an_extension_brings_are_not_held_against_the_backup() {
    let place = place();
    let whole = dump("1001\tours\n1002\tours too\n", "7\tdo it\n", "");
    for more in [&["--jobs", "4"][..], &["--jobs", "1"], &["--no-content"]] {
        let outcome = verified(&place, &whole, more);
        let said = outcome.passed().stdout.contains("✓ Rows match the backup (4 tables, 4 rows)");
        assert!(said || more.contains(&"--no-content"), "{outcome}");
    }
    verified(&place, &dump("", "", ""), &[]).passed();
    // The user's values may be written otherwise there, too.
    verified(&place, &dump("+1001\tours\n", "", ""), &[]).passed();
}

#[test]
fn a_row_of_the_backup_that_is_missing_beside_the_extensions_own_fails() {
    let place = place();
    let whole = dump("1001\tours\n1002\tours too\n", "7\tdo it\n", "");
    let last = "--\n-- PostgreSQL database dump complete";
    let after = |sql: &str| {
        let data =
            "--\n-- Data for Name: reference; Type: TABLE DATA; Schema: own; Owner: -\n--\n\n";
        let index = "--\n-- Name: i; Type: INDEX; Schema: own; Owner: -\n--\n\n\
                     CREATE INDEX i ON own.reference USING btree (v);\n";
        whole
            .replace("COPY own.reference", &format!("{data}COPY own.reference"))
            .replace(last, &format!("{index}{sql}\n\n{last}"))
    };
    let lost = after("DELETE FROM own.reference WHERE k = 1001;");
    verified(&place, &lost, &[]).failed("own.reference: expected 2 rows, found 1");
    let changed = after("UPDATE own.reference SET v = 'theirs' WHERE k = 1001;");
    verified(&place, &changed, &[]).failed("own.reference: restored values differ from the dump");
}

#[test]
fn what_an_extension_brings_anew_each_time_is_left_out_where_it_says_what_is_dumped() {
    let place = place();
    let moments = "2024-01-02 03:04:05+00\tours\n";
    let outcome = verified(&place, &dump("", "", moments), &[]);
    outcome.passed();
}

/// Extensions that every PostgreSQL has, with rows of their types.
const COMMON: &str = "\
CREATE EXTENSION pgcrypto; CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE EXTENSION ltree;
CREATE TABLE t (c citext UNIQUE, h hstore, l ltree, b bytea);
INSERT INTO t SELECT 'Name ' || i, hstore('a', i::text), ('top.n' || i)::ltree, digest(i::text, 'sha256')
FROM generate_series(1, 50) i";

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn what_an_extension_brings_anew_each_time_and_nobody_can_tell_from_the_backup_is_not_verified()
    {
        let place = place();
        let whole = dump("", "", "").replace(
            "COPY public.items",
            "COPY own.ticks (at) FROM stdin;\n2024-01-02 03:04:05+00\n\\.\n\nCOPY public.items",
        );
        let outcome = verified(&place, &whole, &[]);
        outcome.not_verified("its extension brings other rows each time it is made");
        // What is bad beside it is still seen.
        let bad = whole.replace(
            "COPY public.items (id) FROM stdin;\n1\n",
            "COPY public.items (id) FROM stdin;\nx\n",
        );
        verified(&place, &bad, &[]).failed("restore error");
    }

    #[test]
    fn the_common_extensions_pass_with_their_contents_in_every_format_and_on_either_engine() {
        source().client("createdb", &["--", "common_extensions"]);
        let database = Database { name: "common_extensions".to_owned() };
        database.sql(COMMON);
        let place = place();
        place.file("a.sql", &database.dump(&[]));
        place.file("b.sql", &database.dump(&["--inserts"]));
        place.file("a.dump", &database.dump(&["--format=custom"]));
        for (name, engine) in
            [("a.sql", "docker"), ("a.dump", "docker"), ("a.sql", "local"), ("b.sql", "local")]
        {
            let outcome = place.outcome(&mut place.verify_with(&[name, "--engine", engine]));
            outcome.passed().says("✓ Contents match the backup (1 table)");
        }
    }
}
