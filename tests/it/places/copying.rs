//! Copies of backups in other places.

use super::{Bucket, DEAD, FORMATS, dead, succeeded};
use crate::support::s3::{Who, rclone, seaweed};
use crate::support::{Outcome, Place, unchanged_database};

#[test]
fn a_copy_whose_bytes_are_not_those_of_the_manifest_is_not_made() {
    let (place, bucket) = (Place::without_docker(), Bucket::of(rclone()));
    let made = place.create(unchanged_database()).arg("backups/a.sql.gz").output().unwrap();
    succeeded(&Outcome::of(&made));
    let path = place.dir().join("backups/a.sql.gz");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[500] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let copied = bucket.run(&place, &["copy", "backups", &bucket.url(), "a.sql.gz"]);
    assert_eq!(copied.code, 1, "{copied}");
    assert_eq!(bucket.names(), Vec::<String>::new());
}

/// The roles beside a backup of each of [`FORMATS`].
const GLOBALS: &str = "p/a.globals.sql";

#[test]
fn a_copy_that_cannot_be_made_spoils_neither_the_backup_nor_the_others_and_is_named() {
    let (place, bucket) = (Place::without_docker(), Bucket::of(seaweed()));
    let mut command = place.create(unchanged_database());
    command.args(["--copy-to", &bucket.url(), "--copy-to", DEAD, "--copy-to", "second"]);
    command.envs(bucket.server.environment());
    command.envs(dead());
    let made = Outcome::of(&command.output().unwrap());
    assert_eq!(made.code, 1, "{made}");
    assert!(made.stderr.contains(&format!("is not in {DEAD}")), "{made}");
    assert_eq!(bucket.names().len(), 2, "{made}");
    assert_eq!(place.names("second").len(), 3, "backup, manifest, history");
    assert_eq!(place.names("backups").len(), 3);
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn what_a_place_lacks_is_brought_there_with_all_that_belongs_to_it() {
        let (place, bucket) = (Place::on_a_lent_server(), Bucket::of(seaweed()));
        for format in ["plain", "directory"] {
            let mut command = place.create(unchanged_database());
            let name = if format == "plain" { "backups/a.sql.gz" } else { "backups/b.dir" };
            let made = Outcome::of(
                &command.args(["--format", format, "--globals", name]).output().unwrap(),
            );
            succeeded(&made);
        }
        let copied = bucket.run(&place, &["copy", "backups", &bucket.url(), "--missing"]);
        succeeded(&copied);
        assert!(copied.stdout.contains("Copied: 2"), "{copied}");
        let again = bucket.run(&place, &["copy", "backups", &bucket.url(), "--missing"]);
        assert!(again.code == 0 && again.stdout.contains("Copied: 0"), "{again}");
        for name in ["a.sql.gz", "b.dir"] {
            bucket
                .verify(&place, &[&format!("{}/{name}", bucket.url()), "--require-proof"])
                .passed();
        }
        // And back, when the directory has burned.
        std::fs::remove_dir_all(place.dir().join("backups")).unwrap();
        succeeded(&bucket.run(&place, &["copy", &bucket.url(), "backups", "--missing"]));
        for name in ["backups/a.sql.gz", "backups/b.dir"] {
            place.outcome(place.verify().args([name, "--require-proof"])).passed();
        }
    }

    #[test]
    fn copies_are_written_with_the_backup_by_a_key_that_may_read_neither() {
        let (place, bucket) = (Place::on_a_lent_server(), Bucket::of(seaweed()));
        let copies = [Bucket::of(seaweed()), Bucket::of(seaweed())];
        for (format, name) in FORMATS {
            let mut command = place.create(unchanged_database());
            let url = format!("{}/{name}", bucket.url());
            command.args([&url, "--format", format, "--globals"]);
            for copy in &copies {
                command.args(["--copy-to", &copy.url()]);
            }
            let made = command.envs(bucket.server.environment_of(Who::Writer)).output().unwrap();
            succeeded(&Outcome::of(&made));
            let globals = bucket.server.get(&bucket.name, GLOBALS);
            for copy in &copies {
                let url = format!("{}/{name}", copy.url());
                copy.verify(&place, &[&url, "--require-proof"]).passed();
                assert_eq!(copy.server.get(&copy.name, GLOBALS), globals);
                copy.server.remove(&copy.name, GLOBALS);
            }
            bucket.server.remove(&bucket.name, GLOBALS);
        }
        assert_eq!(bucket.names(), copies[0].names());
        assert_eq!(place.names("."), Vec::<String>::new(), "nothing of it was on the disk");
    }
}
