//! Archives of a pg_dump that is newer than its server, as an administrator's own machine makes them:
//! only a pg_restore of its own version reads them.

use crate::support::docker::newer_image;
use crate::support::source::source;
use crate::support::versions::dump_by;
use crate::support::{Outcome, Place, unchanged_database};

/// Has PostgreSQL 17's pg_dump write `archive` in the place.
fn dump(place: &Place, args: &[&str]) {
    let database = &unchanged_database().name;
    dump_by(newer_image(), &source().libpq(), database, place, "archive", args);
}

fn verified(place: &Place, args: &[&str]) -> Outcome {
    place.outcome(place.verify_by_version().arg("archive").args(args))
}

#[test]
fn an_archive_of_a_newer_pg_dump_is_not_verified_in_a_version_that_was_named_and_is_older() {
    let place = Place::on_a_lent_server();
    for args in [&["--format=custom"][..], &["--format=directory"], &["--format=tar"]] {
        dump(&place, args);
        let outcome = verified(&place, &["--postgres-version", "15"]);
        outcome
            .not_verified("unsupported version (1.16) in file header")
            .hints("--postgres-version");
        outcome.says("Starting PostgreSQL 15 container...");
    }
}

#[test]
fn an_archive_of_a_newer_pg_dump_that_is_damaged_fails() {
    let place = Place::on_a_lent_server();
    dump(&place, &["--format=custom"]);
    let path = place.dir().join("archive");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    verified(&place, &[]).failed("it is cut");
    std::fs::write(&path, damaged(&whole)).unwrap();
    verified(&place, &[]).failed("pg_restore cannot read the archive");
}

/// With other bytes in the compressed rows of the largest table.
fn damaged(whole: &[u8]) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    let at = bytes.len() - 20_000;
    bytes[at..at + 16].fill(0xff);
    bytes
}

#[test]
fn an_archive_with_a_manifest_can_be_verified_in_another_version_which_proves_no_statements() {
    let place = Place::on_a_lent_server();
    for name in ["a.dump", "a.dir", "a.tar"] {
        let made = place.outcome(place.create(unchanged_database()).arg(name));
        assert_eq!(made.code, 0, "{made}");
        let outcome =
            place.outcome(place.verify_by_version().args([name, "--postgres-version", "17"]));
        outcome.passed().says("✓ Contents match the backup (25 tables)");
        let open = "Not proven: statements against the manifest: it was written by pg_restore 15";
        assert_eq!(outcome.stdout.matches(open).count(), 1, "{outcome}");
    }
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn an_archive_of_a_newer_pg_dump_than_its_server_is_restored_by_the_newer_pg_restore() {
        let place = Place::on_a_lent_server();
        for args in [
            &["--format=custom"][..],
            &["--format=custom", "--compress=zstd"],
            &["--format=custom", "--compress=lz4"],
            &["--format=directory", "--jobs=2"],
            &["--format=directory", "--compress=zstd:3"],
            &["--format=tar"],
        ] {
            dump(&place, args);
            let outcome = verified(&place, &[]);
            outcome.passed().says("✓ Contents match the backup (25 tables)");
            outcome.says("Starting PostgreSQL 17 container...");
            let said = "warning: the archive of a server 15 is of a version that only pg_restore 17 and newer \
                    ones read; taking PostgreSQL 17";
            assert_eq!(outcome.stderr.lines().next(), Some(said), "{args:?}: {outcome}");
            assert!(!outcome.stdout.contains("harmless"), "{args:?}: {outcome}");
        }
    }
}
