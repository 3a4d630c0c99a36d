//! What becomes of archives whose restore goes otherwise than most: pg_restore fails over several
//! connections and not over one, says what does not add up, or writes what no dump holds; or the
//! archive does not fit into the sandbox.

use std::process::{Command, Stdio};

use crate::archives::{archive, with_statement, with_statement_in_tar};
use crate::sandbox::SWEEPING;
use crate::support::docker::docker_text;
use crate::support::source::{client, source};
use crate::support::torture::NO_APPLICATION;
use crate::support::{Outcome, Place, database, unchanged_database};

/// A place for archives of other applications.
fn place() -> Place {
    let place = Place::on_a_lent_server();
    place.file("ccc-backup.toml", NO_APPLICATION);
    place
}

fn verified(place: &Place, args: &[&str]) -> Outcome {
    place.outcome(place.verify().arg("a.dump").args(args))
}

#[test]
fn a_restore_that_fails_over_several_connections_and_not_over_one_passes_with_a_warning() {
    let place = Place::on_a_lent_server();
    let once = "DO $$ BEGIN IF pg_stat_file('once', true) IS NULL THEN COPY (SELECT 1) TO PROGRAM \
                'cat >once'; RAISE 'refused once'; END IF; END $$;";
    place.file("a.dump", &with_statement(once));
    let outcome = verified(&place, &["--jobs", "2"]);
    outcome.passed().says("✓ Contents match the backup (25 tables)");
    let said = "warning: pg_restore --jobs=2 failed where one connection did not: ";
    assert!(outcome.stderr.starts_with(said), "{outcome}");
    assert!(outcome.stderr.contains("refused once"), "{outcome}");
    verified(&place, &["--jobs", "1"]).failed("refused once");
}

#[test]
fn an_archive_that_pg_restore_writes_as_no_dump_fails() {
    let place = Place::on_a_lent_server();
    place.file("a.dump", &with_statement("SELECT 'begun and not ended"));
    verified(&place, &[]).failed("as pg_restore writes the archive out, line ");
}

#[test]
fn what_pg_restore_warns_of_is_shown() {
    let place = Place::on_a_lent_server();
    let mut archive = archive(unchanged_database(), &["--format=custom"]);
    // Month and year in which it was made: together more than a year can be.
    archive[37..41].copy_from_slice(&[24, 0, 0, 0]);
    archive[42..46].copy_from_slice(&i32::MAX.to_le_bytes());
    place.file("a.dump", &archive);
    let outcome = verified(&place, &[]);
    outcome.passed();
    assert!(
        outcome.stderr.starts_with("warning: pg_restore: warning: invalid creation date"),
        "{outcome}"
    );
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn messages_of_pg_restore_that_do_not_add_up_are_no_pass() {
        let place = Place::on_a_lent_server();
        // Messages of the server that read as if pg_restore had more to say.
        let torn = "DO $$ BEGIN RAISE E'error: x'; END $$;";
        let more = "DO $$ BEGIN RAISE E'x\npg_restore: error: could not execute query: ERROR:  role \"y\" \
                does not exist\nCommand was: ALTER TABLE a OWNER TO y;'; END $$;";
        for (archive, jobs, said) in [
            (with_statement(torn), "2", "COMMENT TABLE tags: error: x"),
            // What one connection met until then is proof enough.
            (with_statement(more), "2", "COMMENT TABLE tags: x"),
            (with_statement(more), "1", "COMMENT TABLE tags: x"),
            (with_statement_in_tar(more), "2", "COMMENT TABLE tags: x"),
        ] {
            place.file("a.dump", &archive);
            let outcome = verified(&place, &["--jobs", jobs]);
            outcome.failed(said);
        }
    }

    #[test]
    fn a_server_in_trouble_when_an_archive_is_restored_once_more_says_nothing_of_it() {
        let place = Place::on_a_lent_server();
        let sql = "DO $$ BEGIN IF pg_stat_file('twice', true) IS NULL THEN COPY (SELECT 1) TO PROGRAM \
               'cat >twice'; RAISE 'once'; END IF; PERFORM pg_terminate_backend(pg_backend_pid()); END $$;";
        place.file("a.dump", &with_statement(sql));
        let outcome = verified(&place, &["--jobs", "2"]);
        outcome.not_verified("FATAL:  terminating connection due to administrator command");
        assert!(!outcome.stdout.contains("Command was"), "{outcome}");
    }

    #[test]
    fn an_archive_with_a_statement_that_we_do_not_hold_is_not_verified() {
        let (place, database) = (place(), database());
        database.sql("CREATE TABLE long (t text); INSERT INTO long SELECT repeat('x', 140000000)");
        place
            .file("a.dump", &archive(&database, &["--format=custom", "--inserts", "--table=long"]));
        verified(&place, &[]).not_verified("is longer than the 128 MiB").hints("without --inserts");
    }

    #[test]
    fn an_archive_that_does_not_fit_into_the_sandbox_is_not_verified() {
        let (place, database) = (place(), database());
        let rows = "SELECT repeat('x', 60000000) FROM generate_series(1, 18)";
        database.sql(&format!("CREATE TABLE large (t text); INSERT INTO large {rows}"));
        // Packed so well that nobody expects how large it is.
        let pg_dump = client("pg_dump");
        let line = format!(
            "'{}' -Fc -Z0 -t large '{}' | zstd -q >a.dump",
            pg_dump.display(),
            database.name
        );
        let mut dump = Command::new("sh");
        dump.args(["-c", &line]).envs(source().libpq()).current_dir(place.dir());
        assert!(dump.stdin(Stdio::null()).status().unwrap().success());
        let outcome = verified(&place, &["--memory", "1400MB"]);
        outcome
            .not_verified("the archive could not be copied into the sandbox")
            .hints("the data do not fit");
    }

    #[test]
    fn the_copy_of_an_archive_goes_from_a_sandbox_that_is_kept() {
        let _alone = SWEEPING.blocking_lock();
        let place = Place::new();
        place.file("a.dump", &archive(unchanged_database(), &["--format=custom"]));
        let output = place.verify().args(["a.dump", "--no-cleanup"]).output().unwrap();
        Outcome::of(&output).passed();
        let find = "find / \\( -path /proc -o -path /usr \\) -prune -o -name backup -print 2>/dev/null; echo looked";
        let found = docker_text(&["exec", &place.container, "sh", "-c", find]);
        assert_eq!(found.trim(), "looked");
        let outcome = Outcome::of(&place.ccc().args(["cleanup", "--sandbox"]).output().unwrap());
        assert_eq!(outcome.code, 0, "{outcome}");
    }
}
