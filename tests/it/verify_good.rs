//! Good backups pass, whatever way they were made and packed, and the report is SPEC's.

use std::sync::OnceLock;

use crate::support::dumps::{AS_CREATE_DOES, gzipped, rows, with_sql_first};
use crate::support::transcript::{assert_has_every_line, redacted};
use crate::support::{Outcome, Place, database, good_dump, unchanged_database};

/// SPEC's transcript of a good run, with the file that this test gives.
const SPECIFICATION: &str = include_str!("transcripts/verify.txt");

/// One run on the good dump, looked at by several tests.
fn good_run() -> &'static Outcome {
    static RUN: OnceLock<Outcome> = OnceLock::new();
    RUN.get_or_init(|| {
        let place = Place::on_a_lent_server();
        let name = "backups/backup_20260114_143022.sql";
        let mut outcome = place.verify_bytes(name, good_dump());
        outcome.stdout = outcome.stdout.replace(&place.container, "backup-restore-test");
        outcome
    })
}

#[test]
fn the_transcript_of_a_good_run_is_stable() {
    insta::assert_snapshot!(redacted(&good_run().stdout).join("\n"));
}

#[test]
fn the_transcript_of_a_good_run_has_every_line_of_the_specification_in_its_order() {
    assert_has_every_line(&good_run().stdout, SPECIFICATION);
}

#[test]
fn verify_backup_file_exists_and_its_size_is_shown() {
    let size = ccc_backup::model::outcome::grouped(good_dump().len() as u64);
    good_run().passed().says(&format!("✓ Backup file exists: {size} bytes"));
}

#[test]
fn verify_schema_finds_the_six_tables() {
    for label in [
        "Alembic version",
        "Users",
        "Organizations",
        "Content jobs",
        "Content artifacts",
        "Subscriptions",
    ] {
        good_run().says(&format!("✓ {label} table exists"));
    }
}

#[test]
fn verify_data_integrity_counts_the_rows_of_the_five_tables() {
    for (label, table) in [
        ("Users", "users"),
        ("Organizations", "organizations"),
        ("Content jobs", "content_jobs"),
        ("Content artifacts", "content_artifacts"),
        ("Subscriptions", "subscriptions"),
    ] {
        let count = rows(good_dump(), table).len();
        good_run().says(&format!("✓ {label} count >= 0 (count: {count})"));
    }
}

#[test]
fn verify_migrations_shows_the_revision_that_alembic_wrote() {
    let version = rows(good_dump(), "alembic_version").concat();
    let version = String::from_utf8(version).unwrap();
    good_run().says(&format!("✓ Migration version: {}", version.trim()));
}

#[test]
fn cleanup_container_leaves_neither_container_nor_network_nor_volume() {
    // Place::verify_bytes looked at what was left.
    good_run().says("✓ Container cleaned up");
}

#[test]
fn a_good_run_writes_nothing_to_stderr() {
    assert_eq!(good_run().stderr, "");
}

#[test]
fn run_verification_query_success_shows_large_counts_with_separators_and_zero_is_no_failure() {
    let database = database();
    database.sql(
        "CREATE TABLE many AS SELECT n AS id FROM generate_series(1, 12345) AS n;
         DROP TABLE subscriptions CASCADE; ALTER TABLE many RENAME TO subscriptions;
         TRUNCATE content_artifacts CASCADE",
    );
    let outcome = Place::on_a_lent_server().verify_bytes("a.sql", &database.dump(&AS_CREATE_DOES));
    outcome.passed().says("✓ Subscriptions count >= 0 (count: 12,345)");
    outcome.says("✓ Content artifacts count >= 0 (count: 0)");
}

#[test]
fn a_gzipped_backup_is_known_by_its_content_whatever_its_name() {
    let place = Place::on_a_lent_server();
    place.verify_bytes("gzipped.sql", &gzipped(good_dump())).passed();
    place.verify_bytes("plain.sql.gz", good_dump()).passed();
}

#[test]
fn a_gzip_file_of_several_members_is_read_to_its_end() {
    let (first, second) = good_dump().split_at(good_dump().len() / 2);
    let place = Place::on_a_lent_server();
    place.verify_bytes("two.sql.gz", &[gzipped(first), gzipped(second)].concat()).passed();
}

#[test]
fn restore_backup_with_warnings_passes_and_counts_them() {
    let dump = with_sql_first(
        "SET transaction_timeout = 0;\n\nALTER TABLE public.never_there DROP CONSTRAINT c;\n\n\
         DROP TABLE public.never_there;",
    );
    let outcome = Place::on_a_lent_server().verify_bytes("a.sql", &dump);
    outcome.passed().says("✓ Backup restored successfully");
    outcome.says("(3 harmless errors passed over)");
}

#[test]
fn an_application_table_that_is_a_view_can_be_counted() {
    let database = database();
    database.sql(
        "ALTER TABLE subscriptions RENAME TO plans;
         CREATE VIEW subscriptions AS SELECT * FROM plans",
    );
    let dump = database.dump(&AS_CREATE_DOES);
    Place::on_a_lent_server().verify_bytes("a.sql", &dump).passed();
}

#[test]
fn quiet_prints_nothing_but_the_verdict() {
    let place = Place::on_a_lent_server();
    place.file("backups/backup_20260114_143022.sql", good_dump());
    let outcome = place.outcome(place.verify().args(["--latest", "--quiet"]));
    assert_eq!(outcome.stdout, "✅ VERIFICATION PASSED\n");
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
}

#[test]
fn verbose_writes_diagnostics_to_stderr_and_the_same_report_to_stdout() {
    let place = Place::on_a_lent_server();
    place.file("backups/backup_20260114_143022.sql", good_dump());
    let outcome =
        place.outcome(place.verify().args(["backups/backup_20260114_143022.sql", "--verbose"]));
    let said = outcome.stdout.replace(&place.container, "backup-restore-test");
    assert_eq!(redacted(&said), redacted(&good_run().stdout));
    assert!(outcome.stderr.contains("DEBUG"), "{outcome}");
}

#[test]
fn a_log_file_has_the_diagnostics_and_the_terminal_has_not() {
    let place = Place::on_a_lent_server();
    place.file("a.sql", good_dump());
    let outcome = place.outcome(place.verify().args(["a.sql", "--log-file", "run.log"]));
    assert_eq!(outcome.passed().stderr, "");
    let log = std::fs::read_to_string(place.dir().join("run.log")).unwrap();
    assert!(log.contains("DEBUG"), "{log}");
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn more_connections_than_the_machine_has_processors_can_be_had() {
        let place = Place::on_a_lent_server();
        place.file("a.sql", good_dump());
        place.outcome(place.verify().args(["a.sql", "--jobs", "64"])).passed();
    }

    #[test]
    fn texts_that_look_like_times_of_other_zones_do_not_hide_the_zone_of_a_dump() {
        let place = Place::on_a_lent_server();
        place.file("ccc-backup.toml", crate::support::torture::NO_APPLICATION);
        for zone in ["Asia/Kathmandu", "Europe/Berlin", "America/St_Johns"] {
            let database = database();
            database.sql(&format!("ALTER DATABASE {} SET timezone = '{zone}'", database.name));
            database.sql(
            "CREATE SCHEMA said; CREATE TABLE said.words (at timestamptz, words text);
             INSERT INTO said.words SELECT '2026-01-14 14:30:22+00'::timestamptz + n * interval '9 days',
                 (ARRAY['2026-02-30 10:00:00+01', '2026-03-03 03:03:03+05:30', '2026-07-03 03:03:03+00',
                        '0000-00-00 00:00:00+00', '2026-01-01 24:00:01-99'])[n % 5 + 1]
             FROM generate_series(1, 60) n",
        );
            for args in [&["--schema=said"][..], &["--schema=said", "--format=custom"]] {
                let outcome = place.verify_bytes("a.sql", &database.dump(args));
                outcome.passed().says("✓ Contents match the backup (1 table)");
            }
            // One of the texts is another one.
            let dump = String::from_utf8(database.dump(&["--schema=said"])).unwrap();
            let end = dump.find("--\n-- PostgreSQL database dump complete").unwrap();
            let changed = "UPDATE said.words SET words = 'x' WHERE words LIKE '2026-07%';\n\n";
            let bytes = [&dump[..end], changed, &dump[end..]].concat();
            place.verify_bytes("a.sql", bytes.as_bytes()).failed("Contents do not match");
        }
    }

    #[test]
    fn every_way_in_which_pg_dump_writes_plain_sql_passes() {
        let place = Place::on_a_lent_server();
        let database = unchanged_database();
        for flags in [
            &[][..],
            &["--clean"],
            &["--inserts"],
            &["--column-inserts", "--rows-per-insert=50"],
            &["--no-comments", "--quote-all-identifiers", "--disable-dollar-quoting"],
            &["--disable-triggers", "--load-via-partition-root"],
            &["--use-set-session-authorization"],
        ] {
            let outcome = place.verify_bytes("a.sql", &database.dump(flags));
            assert_eq!(outcome.code, 0, "pg_dump {flags:?}: {outcome}");
        }
    }
}
