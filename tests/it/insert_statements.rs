//! Large tables whose rows are INSERT statements: several connections take them at once, and it makes no difference.

use std::fmt::Write;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::support::{Outcome, Place, unchanged_database};

const OWN: &[u8] = b"[checks]\ntables = []\nmigrations = \"none\"\n";
const ROWS: usize = 48_000;
/// Told when the rows of a table are parted.
const PARTED: &str = "its INSERT statements go over several connections";

/// A dump of a table with these values in its rows, of about 10 MB, and of a small one.
fn dump(value: impl Fn(usize) -> String) -> Vec<u8> {
    let mut dump = "--\n-- PostgreSQL database dump\n--\n\nSET standard_conforming_strings = on;\n\
                    CREATE TABLE public.large (id integer, name text, note text);\nCREATE TABLE public.small (id integer);\n"
        .to_owned();
    for row in 1..=ROWS {
        let note = "it''s a note; of several words ".repeat(5);
        writeln!(
            dump,
            "INSERT INTO public.large VALUES ({}, 'name\n{row}', '{note}');",
            value(row)
        )
        .unwrap();
    }
    dump += "INSERT INTO public.small VALUES (1);\n\
             ALTER TABLE ONLY public.large ADD CONSTRAINT large_pkey PRIMARY KEY (id);\n\
             \n--\n-- PostgreSQL database dump complete\n--\n";
    dump.into_bytes()
}

/// One member, as gzip makes it: it can be read from its beginning only.
fn one_member(dump: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(dump).unwrap();
    packed.finish().unwrap()
}

fn verify(place: &Place, file: &str, jobs: &str) -> Outcome {
    let mut verify = place.verify();
    verify.args([file, "--config", "own.toml", "--jobs", jobs]).env("RUST_LOG", "ccc_backup=debug");
    place.outcome(&mut verify)
}

#[test]
fn several_connections_restore_all_rows_and_they_are_proven() {
    let place = Place::on_a_lent_server();
    place.file("own.toml", OWN);
    let dump = dump(|row| row.to_string());
    place.file("a.sql", &dump);
    place.file("a.sql.gz", &one_member(&dump));
    for (file, jobs) in [("a.sql", "4"), ("a.sql.gz", "4"), ("a.sql", "1")] {
        let outcome = verify(&place, file, jobs);
        outcome.passed().says("✓ Rows match the backup (2 tables, 48,001 rows)");
        outcome.says("✓ Contents match the backup (2 tables)");
        assert_eq!(outcome.stderr.contains(PARTED), jobs != "1", "{file} over {jobs}: {outcome}");
    }
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn a_row_that_is_refused_is_named_by_its_line_whoever_met_it() {
        let place = Place::on_a_lent_server();
        place.file("own.toml", OWN);
        // Each row takes two lines, from the eighth on.
        let (bad, line) = (ROWS - 5_000, 8 + 2 * (ROWS - 5_001));
        place.file("a.sql", &dump(|row| if row == bad { "'x'".into() } else { row.to_string() }));
        for jobs in ["4", "1"] {
            let outcome = verify(&place, "a.sql", jobs);
            outcome.failed("invalid input syntax for type integer: \"x\"");
            assert!(
                outcome.to_string().contains(&format!("line {line}")),
                "line {line}: {outcome}"
            );
        }
        // Two rows of one key: no row is refused, and the key is.
        place.file("b.sql", &dump(|row| (row % (ROWS - 1)).to_string()));
        verify(&place, "b.sql", "4").failed("could not create unique index \"large_pkey\"");
    }

    #[test]
    fn what_create_makes_with_insert_statements_passes_and_a_lost_statement_is_found() {
        let place = Place::on_a_lent_server();
        for flag in ["--inserts", "--column-inserts", "--rows-per-insert=50"] {
            let dump = unchanged_database().dump(&[flag]);
            place.verify_bytes("a.sql", &dump).passed();
        }
        let mut create = place.create(unchanged_database());
        let made = Outcome::of(
            &create.args(["b.sql", "--compress", "none", "--", "--inserts"]).output().unwrap(),
        );
        assert_eq!(made.code, 0, "{made}");
        let dump = std::fs::read_to_string(place.dir().join("b.sql")).unwrap();
        let (lost, _) = dump.match_indices("INSERT INTO public.comments").nth(3).unwrap();
        let end = lost + dump[lost..].find("\nINSERT").unwrap() + 1;
        place.file("b.sql", [&dump[..lost], &dump[end..]].concat().as_bytes());
        let outcome = place.outcome(place.verify().arg("b.sql"));
        assert_eq!(outcome.code, 1, "{outcome}");
    }
}
