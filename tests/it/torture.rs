//! A database with every kind of object that PostgreSQL has: its backups pass, in whatever way pg_dump
//! writes them, and what they lose is seen.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::dumps::{gzipped, position};
use crate::support::source::source;
use crate::support::torture::{NO_APPLICATION, made, torture};
use crate::support::{Outcome, Place, database, length, text};

const NO_MANIFEST: &str = "no manifest: ";
const OTHER_ORDER: &str =
    "contents of torture.listed: its partitions have their columns in different";

/// A place where nothing of CCC is expected.
fn place() -> Place {
    let place = Place::on_a_lent_server();
    place.file("ccc-backup.toml", NO_APPLICATION);
    place
}

/// What a passed verdict does not cover.
fn not_proven(outcome: &Outcome) -> Vec<&str> {
    outcome.stdout.lines().filter_map(|line| line.strip_prefix("Not proven: ")).collect()
}

#[test]
fn the_torture_database_has_more_than_forty_kinds_of_objects() {
    let dump = text(&torture().dump(&[]));
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for line in dump.lines() {
        let Some(entry) = line.strip_prefix("-- Name: ") else { continue };
        // Comments and function bodies hold lines that only look like this.
        let Some((name, rest)) = entry.rsplit_once("; Type: ") else { continue };
        if name != "fake" {
            *kinds.entry(rest.split(';').next().unwrap()).or_default() += 1;
        }
    }
    let objects: usize =
        kinds.iter().filter(|(kind, _)| **kind != "COMMENT").map(|kind| kind.1).sum();
    eprintln!("{} kinds, {objects} objects without comments: {kinds:?}", kinds.len());
    assert!(kinds.len() >= 50, "{} kinds: {kinds:?}", kinds.len());
    assert!(objects >= 500, "{objects} objects: {kinds:?}");
}

#[test]
fn a_backup_of_everything_made_by_create_passes_and_is_proven() {
    let place = place();
    for args in [&["a.sql.gz"][..], &["b.sql.gz", "--keep-owner"]] {
        let made = place.outcome(place.create(torture()).args(args));
        assert_eq!(made.code, 0, "{made}");
        let outcome = place.outcome(place.verify().arg(args[0]));
        outcome.passed().says("✓ Large objects match the backup (5, 270,260 bytes)");
        assert!(outcome.stdout.contains("✓ Contents match the backup (121 tables)"), "{outcome}");
        assert!(outcome.stdout.contains("✓ Statements match the manifest"), "{outcome}");
        assert_eq!(not_proven(&outcome), [""; 0], "{outcome}");
    }
}

/// Flags of pg_dump, and what is not proven of a dump made with them.
const WAYS: [(&[&str], &[&str]); 17] = [
    (&["--no-owner", "--no-acl"], &[]),
    (&["--clean"], &[]),
    (&["--clean", "--if-exists"], &[]),
    (&["--create"], &[]),
    (&["--create", "--clean", "--if-exists"], &[]),
    (&["--inserts"], &[]),
    (&["--column-inserts"], &[]),
    (&["--rows-per-insert=10", "--on-conflict-do-nothing"], &[]),
    (&["--quote-all-identifiers"], &[]),
    (&["--load-via-partition-root"], &[OTHER_ORDER]),
    (&["--enable-row-security"], &[]),
    (&["--no-comments", "--no-publications", "--no-subscriptions"], &[]),
    (&["--no-toast-compression", "--no-table-access-method", "--no-unlogged-table-data"], &[]),
    (&["--disable-triggers"], &[]),
    (&["--disable-dollar-quoting"], &[]),
    (&["--use-set-session-authorization"], &[]),
    (&["--verbose"], &[]),
];

#[test]
fn a_database_whose_tables_lie_in_a_tablespace_of_the_source_passes() {
    let database = database();
    let args = ["-Xqd", &database.name, "-v", "ON_ERROR_STOP=1", "-c"];
    let in_place = "SET allow_in_place_tablespaces = on";
    let made = "CREATE TABLESPACE it_torture_fast LOCATION ''";
    source().client("psql", &[&args[..], &[in_place, "-c", made]].concat());
    database.sql(
        "ALTER TABLE users SET TABLESPACE it_torture_fast;
         CREATE TABLE far (id integer PRIMARY KEY USING INDEX TABLESPACE it_torture_fast)
             TABLESPACE it_torture_fast;",
    );
    let outcome = Place::on_a_lent_server().verify_bytes("a.sql", &database.dump(&[]));
    outcome.passed();
    assert!(outcome.stdout.contains(" passed over)"), "{outcome}");
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn a_dump_of_everything_made_by_pg_dump_passes_plain_and_gzipped() {
        let place = place();
        let dump = torture().dump(&[]);
        for (name, bytes) in [("a.sql", dump.clone()), ("a.sql.gz", gzipped(&dump))] {
            let outcome = place.verify_bytes(name, &bytes);
            outcome.passed().says("✓ Large objects match the backup (5, 270,260 bytes)");
            assert!(
                outcome.stdout.contains("✓ Contents match the backup (121 tables)"),
                "{outcome}"
            );
            let said = not_proven(&outcome);
            assert!(said.len() == 1 && said[0].starts_with(NO_MANIFEST), "{outcome}");
        }
    }

    #[test]
    fn a_large_value_and_thousands_of_tables_pass_and_are_proven() {
        let place = place();
        let (toast_mb, tables) = length(("toast_mb=20", 1000), ("toast_mb=100", 5000));
        let large = made("torture_large", &[toast_mb, &format!("many_tables={tables}")]);
        let created = place.outcome(place.create(&large).arg("a.sql.gz"));
        assert_eq!(created.code, 0, "{created}");
        let outcome = place.outcome(place.verify().arg("a.sql.gz"));
        outcome.passed();
        let shown = format!("✓ Contents match the backup ({},071 tables)", tables / 1000);
        assert!(outcome.stdout.contains(&shown), "{outcome}");
    }

    #[test]
    fn a_dump_of_everything_is_proven_with_every_flag_of_pg_dump_that_says_enough() {
        let complaints = Mutex::new(Vec::new());
        let next = AtomicUsize::new(0);
        // A run mostly waits for its container.
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let place = place();
                    while let Some((flags, expected)) =
                        WAYS.get(next.fetch_add(1, Ordering::Relaxed))
                    {
                        let outcome = place.verify_bytes("a.sql", &torture().dump(flags));
                        let said = not_proven(&outcome);
                        let expected = [&[NO_MANIFEST], *expected].concat();
                        let is_expected =
                            |line: &&str| expected.iter().any(|words| line.starts_with(words));
                        let good = said.len() == expected.len() && said.iter().all(is_expected);
                        // Tables that inherit may have had their columns in another order.
                        let nameless = ["--inserts", "--rows-per-insert=10"].contains(&flags[0]);
                        let unread =
                            "INSERT statements without column names do not say which column";
                        let judged = match nameless {
                            true => outcome.code == 2 && outcome.stdout.contains(unread),
                            false => outcome.code == 0 && good,
                        };
                        if !judged {
                            complaints.lock().unwrap().push(format!("{flags:?}: {outcome}"));
                        }
                    }
                });
            }
        });
        let complaints = complaints.into_inner().unwrap();
        assert!(complaints.is_empty(), "{} failed:\n{}", complaints.len(), complaints.join("\n"));
    }

    #[test]
    fn the_sections_of_a_dump_of_everything_pass_one_after_the_other() {
        let sections = ["--section=pre-data", "--section=data", "--section=post-data"];
        let dump = sections.map(|section| torture().dump(&[section])).concat();
        place().verify_bytes("a.sql", &dump).passed();
    }

    #[test]
    fn a_row_lost_on_its_way_through_a_root_with_foreign_partitions_fails() {
        let dump = torture().dump(&["--load-via-partition-root"]);
        let thief = "CREATE FUNCTION public.thief() RETURNS trigger LANGUAGE plpgsql AS \
                 'BEGIN RETURN NULL; END';\nCREATE TRIGGER thief BEFORE INSERT ON \
                 torture.partly_foreign_2 FOR EACH ROW EXECUTE FUNCTION public.thief();\n";
        let at = position(&dump, "\nCOPY torture.partly_foreign ") + 1;
        let outcome =
            place().verify_bytes("a.sql", &[&dump[..at], thief.as_bytes(), &dump[at..]].concat());
        outcome.failed("torture.partly_foreign: expected 1 rows, found 0");
    }

    #[test]
    fn inserts_that_do_not_fit_the_order_of_the_columns_fail_and_those_that_name_them_pass() {
        let database = database();
        database.sql(
            "CREATE TABLE parent (id integer, v text); CREATE TABLE child (v text, id integer);
         ALTER TABLE child INHERIT parent; INSERT INTO child VALUES ('x', 1);",
        );
        let place = Place::on_a_lent_server();
        // The dump makes the child's columns in the parent's order.
        let outcome = place.verify_bytes("a.sql", &database.dump(&["--inserts"]));
        outcome.failed("invalid input syntax for type integer: \"x\"");
        place.verify_bytes("a.sql", &database.dump(&["--column-inserts"])).passed();
    }
}
