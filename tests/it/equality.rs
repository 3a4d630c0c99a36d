//! What `verify` restores is what psql restores: pg_dump says the same of both.

use std::process::Command;

use crate::support::source::Database;
use crate::support::torture::{NO_APPLICATION, torture};
use crate::support::twin::{assert_same, restored_twice};
use crate::support::{Outcome, Place, text, unchanged_database};

/// The backup by `create` and its text, and pg_dump's own, packed by gzip(1).
fn backups(place: &Place, database: &Database) -> [(&'static str, Vec<u8>); 2] {
    let made = Outcome::of(&place.create(database).arg("created.sql.gz").output().unwrap());
    assert_eq!(made.code, 0, "{made}");
    place.file("gzipped.sql", &database.dump(&[]));
    run(place, "gzip", &["gzipped.sql"]);
    ["created.sql.gz", "gzipped.sql.gz"]
        .map(|name| (name, run(place, "gzip", &["--decompress", "--stdout", name])))
}

fn run(place: &Place, program: &str, args: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(args).current_dir(place.dir()).output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {}", text(&output.stderr));
    output.stdout
}

#[test]
fn two_databases_that_differ_are_told_apart() {
    let place = Place::new();
    let dump = unchanged_database().dump(&[]);
    place.file("a.sql", &dump);
    let other = text(&dump).replace("SELECT pg_catalog.setval('public.users_id_seq', ", "--");
    let [ours, theirs] = restored_twice(&place, &["a.sql"], other.as_bytes(), &[]);
    assert_ne!(ours, theirs);
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn cccs_database_is_restored_as_by_psql() {
        let place = Place::new();
        for (name, sql) in backups(&place, unchanged_database()) {
            for jobs in ["1", "4"] {
                let twins = restored_twice(&place, &[name, "--jobs", jobs], &sql, &[]);
                assert!(twins[0].contains("COPY public.users "), "{}", twins[0]);
                assert_same(&format!("{name} with {jobs} jobs"), &twins);
            }
        }
    }

    #[test]
    fn every_kind_of_object_is_restored_as_by_psql() {
        let place = Place::new();
        place.file("ccc-backup.toml", NO_APPLICATION);
        // Rows go to partitions by the hash of an enum's value, and that is the hash of a number which the
        // server gives each value when it is made.
        let flags = ["--exclude-table-data=torture.hashed*"];
        for (name, sql) in backups(&place, torture()) {
            for jobs in ["1", "4"] {
                let twins = restored_twice(&place, &[name, "--jobs", jobs], &sql, &flags);
                assert!(twins[0].contains("COPY torture.toasted "), "{}", twins[0]);
                assert_same(&format!("{name} with {jobs} jobs"), &twins);
            }
        }
    }
}
