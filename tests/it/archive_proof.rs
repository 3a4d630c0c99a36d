//! What the restore of an archive proves, whatever comes afterwards, and what it does not prove.

use crate::archives::{archive, replace, with_statement, with_statements};
use crate::support::source::source;
use crate::support::torture::NO_APPLICATION;
use crate::support::{Outcome, Place, database};

fn place() -> Place {
    let place = Place::on_a_lent_server();
    place.file("ccc-backup.toml", NO_APPLICATION);
    place
}

fn verified(place: &Place, archive: &[u8], args: &[&str]) -> Outcome {
    place.file("a.dump", archive);
    place.outcome(place.verify_with(args).arg("a.dump"))
}

const REFUSED: &str = "CREATE TABLE public.users ();";

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn what_an_archive_was_proven_bad_by_stays_proof_when_the_restore_is_cut_short() {
        let place = place();
        for (jobs, then, code) in [
            ("1", "SELECT pg_sleep(60);", 1),
            ("1", "SELECT pg_terminate_backend(pg_backend_pid());", 1),
            ("1", "COPY (SELECT 1) TO PROGRAM 'kill -QUIT 1';", 1),
            // Workers' errors are no proof until one connection meets them, too.
            ("4", "SELECT pg_sleep(60);", 2),
        ] {
            let archive = with_statements([REFUSED, then]);
            let outcome = verified(&place, &archive, &["--jobs", jobs, "--timeout", "20s"]);
            assert_eq!(outcome.code, code, "{jobs} {then}: {outcome}");
            if code == 1 {
                outcome.failed("relation \"users\" already exists");
            }
        }
        // What comes after the server's trouble may come of it.
        let archive = with_statements(["SELECT pg_terminate_backend(pg_backend_pid());", REFUSED]);
        verified(&place, &archive, &["--jobs", "1"]).not_verified("terminating connection");
    }

    #[test]
    fn a_server_in_trouble_says_nothing_of_an_archive() {
        let place = place();
        let gone = with_statement("SELECT pg_terminate_backend(pg_backend_pid());");
        verified(&place, &gone, &[]).not_verified("terminating connection").hints("run it again");
        // More than fits into the memory that the data directory may take.
        let much = "CREATE TABLE public.much AS SELECT repeat(md5(n::text), 60) AS t FROM \
                generate_series(1, 1000000) n;";
        let outcome = verified(&place, &with_statement(much), &["--memory", "1400MB"]);
        // The data or the log, whichever is full first.
        outcome.not_verified("file").hints("the data do not fit");
    }

    #[test]
    fn words_of_a_server_in_trouble_that_are_the_dumps_own_are_no_trouble() {
        let (place, database) = (place(), database());
        for words in ["No space left on device", "terminating connection due to a crash"] {
            let sql = format!("DO $$ BEGIN RAISE 'could not extend file \"x\": {words}'; END $$;");
            verified(&place, &with_statement(&sql), &[]).failed(words);
            let sql = format!("DO $$ BEGIN RAISE '{words}'; END $$;");
            verified(&place, &with_statement(&sql), &["--jobs", "1"]).failed(words);
        }
        database.sql(
            "CREATE SCHEMA rows; CREATE TABLE rows.t (a text, b int);
         INSERT INTO rows.t VALUES ('1', 1), ('connection to server lost', 2)",
        );
        let args = ["--format=custom", "--compress=0", "--schema=rows"];
        let mut archive = archive(&database, &args);
        replace(&mut archive, "a text,", "a int4,");
        for jobs in ["1", "4"] {
            let outcome = verified(&place, &archive, &["--jobs", jobs]);
            outcome.failed("invalid input syntax for type integer: \"connection to server lost\"");
        }
    }

    #[test]
    fn the_second_attempt_at_an_archive_takes_back_whatever_the_first_made() {
        let (place, database) = (place(), database());
        let subscription = format!("\"sub; of {}\"", database.name);
        let comment = "x".repeat(60);
        database.sql(&format!("COMMENT ON TABLE tags IS '{comment}'"));
        let created =
            "CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false, slot_name = 'x')";
        database.sql(&format!("CREATE SUBSCRIPTION {subscription} {created}"));
        let mut archive = archive(&database, &["--format=custom", "--compress=0"]);
        // The source is others', too.
        database.sql(&format!("ALTER SUBSCRIPTION {subscription} SET (slot_name = NONE)"));
        database.sql(&format!("DROP SUBSCRIPTION {subscription}"));
        let comment = format!("COMMENT ON TABLE public.tags IS '{comment}';");
        replace(&mut archive, &comment, &format!("{REFUSED:width$}", width = comment.len()));
        let outcome = verified(&place, &archive, &["--jobs", "4"]);
        outcome.failed("relation \"users\" already exists");
    }

    #[test]
    fn a_tablespace_that_the_sandbox_lacks_is_passed_over_in_archives_of_every_format() {
        let (place, database) = (place(), database());
        let space = format!("fast_{}", database.name);
        // By psql's standard input: it may stand in no transaction with others.
        let create = format!("CREATE TABLESPACE {space} LOCATION ''");
        let args = ["-Xq", "-d", &database.name, "-v", "ON_ERROR_STOP=1"];
        let set = ["-c", "SET allow_in_place_tablespaces = on", "-c", &create];
        source().client("psql", &[&args[..], &set].concat());
        database.sql(&format!(
        "CREATE SCHEMA fast; CREATE TABLE fast.t (a int PRIMARY KEY USING INDEX TABLESPACE {space})
             TABLESPACE {space};
         CREATE TABLE fast.p (a int) PARTITION BY RANGE (a) TABLESPACE {space};
         CREATE TABLE fast.p1 PARTITION OF fast.p FOR VALUES FROM (0) TO (9);
         CREATE MATERIALIZED VIEW fast.m TABLESPACE {space} AS SELECT 1 AS one;
         CREATE INDEX ON fast.p (a) TABLESPACE {space}; INSERT INTO fast.t VALUES (1), (2);
         INSERT INTO fast.p VALUES (1)"
    ));
        for format in ["custom", "tar"] {
            for jobs in ["1", "4"] {
                let archive = archive(&database, &["--schema=fast", "--format", format]);
                let outcome = verified(&place, &archive, &["--jobs", jobs]);
                outcome.passed().says("✓ Contents match the backup (2 tables)");
                assert_eq!(outcome.stderr, "", "{outcome}");
            }
        }
    }

    #[test]
    fn the_second_attempt_at_an_archive_has_the_extensions_that_a_local_server_lends() {
        let (place, database) = (place(), database());
        let comment = "x".repeat(60);
        database.sql(&format!("CREATE EXTENSION bloom; COMMENT ON TABLE tags IS '{comment}'"));
        let mut archive = archive(&database, &["--format=custom", "--compress=0"]);
        let args = ["--engine", "local", "--jobs", "4"];
        verified(&place, &archive, &args).passed();
        let comment = format!("COMMENT ON TABLE public.tags IS '{comment}';");
        replace(&mut archive, &comment, &format!("{REFUSED:width$}", width = comment.len()));
        verified(&place, &archive, &args).failed("relation \"users\" already exists");
    }
}
