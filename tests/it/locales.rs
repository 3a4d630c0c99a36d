//! Databases whose locale the sandbox lacks, as images have few: C takes its place, which is said,
//! and what another sort order makes of a good backup is not held against it.

use std::sync::OnceLock;

use crate::support::source::Source;
use crate::support::{Outcome, Place};

const OWN: &[u8] = b"[checks]\ntables = [\"words\"]\nmigrations = \"none\"\n";
/// Words that German sorts otherwise than C does, in what depends on their order or their case.
const WORDS: &str = "
    CREATE TABLE words (word text PRIMARY KEY, id serial UNIQUE);
    INSERT INTO words (word) VALUES ('Zoo'), ('apfel'), ('Äpfel'), ('zebra'), ('Apfel'), ('öl'), ('Straße');
    INSERT INTO words (word) SELECT 'wort' || n || 'Ü' FROM generate_series(1, 2000) n;
    CREATE INDEX ON words (lower(word));
    CREATE UNIQUE INDEX ON words ((upper(word) || id) COLLATE \"C\");
    CREATE TABLE initials (initial text, word text REFERENCES words) PARTITION BY LIST (initial);
    CREATE TABLE initials_other PARTITION OF initials DEFAULT;
    CREATE TABLE initials_a PARTITION OF initials FOR VALUES IN ('a', 'A', 'Ä');
    INSERT INTO initials SELECT left(word, 1), word FROM words;
    CREATE MATERIALIZED VIEW first AS SELECT min(word), max(word) FROM words;
    CLUSTER words USING words_pkey";
/// A table whose rows are where German puts them. In C every capital comes before every small letter.
const RANGES: &str = "
    CREATE TABLE words (word text) PARTITION BY RANGE (word);
    CREATE TABLE early PARTITION OF words FOR VALUES FROM (MINVALUE) TO ('m');
    CREATE TABLE late PARTITION OF words FOR VALUES FROM ('m') TO (MAXVALUE);
    INSERT INTO words VALUES ('Zoo'), ('apfel'), ('Äpfel'), ('zebra'), ('Apfel'), ('öl')";

/// A server that has more locales than an image.
fn server() -> &'static Source {
    static SERVER: OnceLock<Source> = OnceLock::new();
    SERVER.get_or_init(|| Source::with_locales("de_DE.UTF-8 de_DE.ISO-8859-1 tr_TR.UTF-8"))
}

/// Makes a database.
fn database(name: &str, options: &[&str], sql: &str) {
    server().client("createdb", &[&["--template=template0"], options, &["--", name]].concat());
    let utf8 = "SET client_encoding = 'UTF8'";
    let args = ["-Xqv", "ON_ERROR_STOP=1", "-d", name, "-c", utf8, "-c", sql];
    server().client("psql", &args);
}

fn create(place: &Place, database: &str, backup: &str) {
    let mut command = place.ccc();
    command.args(["create", backup]).envs(server().connection(database));
    let made = place.outcome(&mut command);
    assert_eq!(made.code, 0, "{made}");
}

/// A place for backups of those databases.
fn place() -> Place {
    let place = Place::on_a_lent_server();
    place.file("ccc-backup.toml", OWN);
    place
}

fn verified(place: &Place, args: &[&str]) -> Outcome {
    place.outcome(&mut place.verify_with(args))
}

/// What `create` proves without a manifest, and with one.
const CONTENTS: &str = "✓ Contents match the backup (3 tables)";
const ROWS: &str = "✓ Rows match the backup (3 tables, 4,014 rows)";

const REPLACED: &str = "in the place of the source's locale the sandbox has C: ";
const UNKNOWN: &str = "nothing says the source's locale, and in C: ";

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn a_locale_of_the_manifest_that_the_sandbox_lacks_is_replaced_by_c_and_that_is_said() {
        let place = place();
        for (name, locale, encoding) in
            [("german", "de_DE.UTF-8", "UTF8"), ("latin", "de_DE.ISO-8859-1", "LATIN1")]
        {
            database(name, &["--locale", locale, "--encoding", encoding], WORDS);
            let said =
                format!("warning: the server has no locale {locale}: the database was created");
            for (backup, engine) in [
                ("a.sql.gz", "docker"),
                ("a.dump", "docker"),
                ("a.dir", "local"),
                ("b.sql.gz", "local"),
            ] {
                let backup = format!("{name}-{backup}");
                create(&place, name, &backup);
                let outcome = verified(&place, &[&backup, "--engine", engine]);
                outcome.passed().says(CONTENTS).says(ROWS);
                assert!(outcome.stderr.starts_with(&said), "{outcome}");
                assert!(!outcome.stdout.contains("harmless"), "{outcome}");
            }
        }
    }

    #[test]
    fn a_locale_that_a_server_lacks_which_is_restored_into_is_replaced_by_c_and_that_is_said() {
        let place = place();
        database("german_back", &["--locale", "de_DE.UTF-8", "--encoding", "UTF8"], WORDS);
        create(&place, "german_back", "a.sql.gz");
        let here = crate::support::source::source();
        let mut restore = place.ccc();
        restore.args(["restore", "a.sql.gz"]).envs(here.connection("german_back"));
        let outcome = place.outcome(&mut restore);
        assert_eq!(outcome.code, 0, "{outcome}");
        outcome.says(CONTENTS).says("✅ RESTORED german_back");
        let said = "warning: the server has no locale de_DE.UTF-8: the database was created";
        assert!(outcome.stderr.starts_with(said), "{outcome}");
        here.client("dropdb", &["german_back"]);
    }

    #[test]
    fn a_database_in_the_place_of_one_of_another_locale_knows_letters_where_it_can() {
        let place = place();
        let letters = "CREATE TABLE words (word text CHECK (word ~ '^[[:alpha:]]+$'));
                   INSERT INTO words VALUES ('Äpfel'), ('öl')";
        database("letters", &["--locale=de_DE.UTF-8"], letters);
        create(&place, "letters", "a.sql.gz");
        verified(&place, &["a.sql.gz"]).passed();
        place.file("a.sql", &server().client("pg_dump", &["--create", "-d", "letters"]));
        verified(&place, &["a.sql"]).passed();
        let latin = ["--locale=de_DE.ISO-8859-1", "--encoding=LATIN1"];
        database("latin_letters", &latin, letters);
        create(&place, "latin_letters", "b.sql.gz");
        verified(&place, &["b.sql.gz"]).not_verified(REPLACED).hints("--image");
        place.file("b.sql", &server().client("pg_dump", &["--create", "-d", "latin_letters"]));
        verified(&place, &["b.sql"]).not_verified(REPLACED).hints("--image");
        place.file("b.dump", &server().client("pg_dump", &["-Fc", "-d", "latin_letters"]));
        verified(&place, &["b.dump"]).not_verified(UNKNOWN).hints("ccc-backup create");
    }

    #[test]
    fn a_row_that_another_sort_order_sends_elsewhere_is_not_held_against_the_backup() {
        let place = place();
        database("ranges", &["--locale=de_DE.UTF-8"], RANGES);
        for name in ["a.sql.gz", "a.dump"] {
            create(&place, "ranges", name);
            let outcome = verified(&place, &[name]);
            outcome.not_verified(REPLACED).hints("--image");
            assert!(outcome.stdout.contains("violates partition constraint"), "{outcome}");
        }
        let dump = |args: &[&str]| server().client("pg_dump", &[&["-d", "ranges"], args].concat());
        place.file("b.sql", &dump(&["--create"]));
        verified(&place, &["b.sql"]).not_verified(REPLACED).hints("--image");
        for args in [&[][..], &["--inserts"], &["-Fc"], &["-Ft"]] {
            place.file("c.sql", &dump(args));
            verified(&place, &["c.sql"]).not_verified(UNKNOWN).hints("ccc-backup create");
        }
        place.file("d.sql", &dump(&["--load-via-partition-root"]));
        verified(&place, &["d.sql"]).passed();
    }

    #[test]
    fn bounds_that_another_sort_order_turns_round_are_not_held_against_the_backup() {
        let place = place();
        // Without room for what is elsewhere in C, and with an end that is before the beginning there.
        let bounds = "CREATE TABLE words (word text) PARTITION BY RANGE (word);
                  CREATE TABLE middle PARTITION OF words FOR VALUES FROM ('g') TO ('P');
                  INSERT INTO words VALUES ('Haus'), ('hier'), ('Ort')";
        database("bounds", &["--locale=de_DE.UTF-8"], bounds);
        place.file("a.sql", &server().client("pg_dump", &["-d", "bounds"]));
        let outcome = verified(&place, &["a.sql"]);
        outcome.not_verified("empty range bound specified for partition \"middle\"");
        let narrow = "CREATE TABLE words (word text) PARTITION BY RANGE (word);
                  CREATE TABLE middle PARTITION OF words FOR VALUES FROM ('g') TO ('p');
                  INSERT INTO words VALUES ('Haus'), ('hier')";
        database("narrow", &["--locale=de_DE.UTF-8"], narrow);
        let args = ["--load-via-partition-root", "-d", "narrow"];
        place.file("a.sql", &server().client("pg_dump", &args));
        let outcome = verified(&place, &["a.sql"]);
        outcome.not_verified("no partition of relation \"words\" found for row");
    }

    #[test]
    fn a_unique_expression_that_another_locale_makes_equal_is_not_held_against_the_backup() {
        let place = place();
        // Turkish has two letters for i.
        let words = "CREATE TABLE words (word text); CREATE UNIQUE INDEX ON words (lower(word));
                 INSERT INTO words VALUES ('SIK'), ('sik')";
        database("turkish", &["--locale=tr_TR.UTF-8"], words);
        for name in ["a.sql.gz", "a.dump"] {
            create(&place, "turkish", name);
            let outcome = verified(&place, &[name]);
            outcome.not_verified(REPLACED).hints("--image");
            assert!(outcome.stdout.contains("could not create unique index"), "{outcome}");
        }
    }

    #[test]
    fn a_collation_of_a_column_that_the_sandbox_lacks_is_named_and_not_held_against_the_backup() {
        let place = place();
        // As initdb makes them of the locales of the system.
        let columns = "CREATE COLLATION pg_catalog.\"de_DE.utf8\" (locale = 'de_DE.UTF-8');
                   CREATE TABLE words (word text COLLATE \"de_DE.utf8\");
                   INSERT INTO words VALUES ('Äpfel')";
        let own = "CREATE COLLATION german (locale = 'de_DE.UTF-8');
               CREATE TABLE words (word text COLLATE german)";
        for (name, sql, said) in [
            ("columns", columns, "the sandbox lacks a locale: "),
            ("own", own, "could not create locale \"de_DE.UTF-8\""),
        ] {
            database(name, &["--locale=C.UTF-8"], sql);
            for backup in [format!("{name}.sql.gz"), format!("{name}.dump")] {
                create(&place, name, &backup);
                verified(&place, &[&backup]).not_verified(said).hints("--image");
            }
        }
        let lost =
            "CREATE COLLATION lost (locale = 'C'); CREATE TABLE words (word text COLLATE lost)";
        database("lost", &["--locale=C.UTF-8"], lost);
        let dump = String::from_utf8(server().client("pg_dump", &["-d", "lost"])).unwrap();
        let begin = dump.find("--\n-- Name: lost; Type: COLLATION").unwrap();
        let end = begin + dump[begin..].find(";\n\n").unwrap();
        place.file("a.sql", &[&dump[..begin], &dump[end + 3..]].concat().into_bytes());
        verified(&place, &["a.sql"]).failed("collation \"public.lost\"");
    }

    #[test]
    fn a_locale_of_a_dump_that_creates_its_database_is_replaced_by_c_and_that_is_said() {
        let place = place();
        for (name, locale, encoding) in
            [("german_made", "de_DE.UTF-8", "UTF8"), ("latin_made", "de_DE.ISO-8859-1", "LATIN1")]
        {
            database(name, &["--locale", locale, "--encoding", encoding], WORDS);
            place.file("a.sql", &server().client("pg_dump", &["--create", "-d", name]));
            let outcome = verified(&place, &["a.sql", "--report", "report.json"]);
            outcome.passed().says(CONTENTS).says(ROWS);
            let said =
                "warning: the sandbox lacks the locale of a database that the backup creates";
            assert!(outcome.stderr.starts_with(said), "{outcome}");
            let report = std::fs::read_to_string(place.dir().join("report.json")).unwrap();
            assert!(report.contains("1 × database made with the locale C"), "{report}");
        }
    }

    #[test]
    fn what_no_locale_explains_fails_where_the_locale_was_replaced_too() {
        let place = place();
        let other = "CREATE TABLE words (word text UNIQUE); CREATE TABLE days (day date) PARTITION BY RANGE (day);
                 CREATE TABLE early PARTITION OF days FOR VALUES FROM ('2026-01-01') TO ('2026-07-01');
                 INSERT INTO words VALUES ('Äpfel'), ('öl'); INSERT INTO days VALUES ('2026-03-03')";
        database("other", &["--locale=de_DE.UTF-8"], other);
        let dump = server().client("pg_dump", &["--create", "-d", "other"]);
        let dump = String::from_utf8(dump).unwrap();
        place.file("a.sql", dump.replace("\nöl\n", "\nÄpfel\n").as_bytes());
        verified(&place, &["a.sql"]).failed("could not create unique index");
        let dump = server().client("pg_dump", &["-d", "other"]);
        let dump = String::from_utf8(dump).unwrap();
        place.file("a.sql", dump.replace("\n2026-03-03\n", "\n2025-03-03\n").as_bytes());
        verified(&place, &["a.sql"]).failed("violates partition constraint");
    }
}
