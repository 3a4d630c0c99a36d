//! `create` to a place: whole or not there at all, in every format that can be streamed.

use rustix::process::Signal;

use super::{Bucket, FORMATS, succeeded};
use crate::support::s3::{rclone, seaweed};
use crate::support::source::connection;
use crate::support::{Outcome, Place, Running, unchanged_database};

#[test]
fn a_name_that_is_taken_is_refused_and_what_is_there_stays() {
    for server in [seaweed(), rclone()] {
        let (place, bucket) = (Place::without_docker(), Bucket::of(server));
        let url = format!("{}/a.sql.gz", bucket.url());
        bucket.server.put(&bucket.name, "p/a.sql.gz", b"precious");
        let refused = bucket.create(&place, &[&url]);
        assert_eq!(refused.code, 2, "{refused}");
        assert!(refused.stderr.contains("a.sql.gz exists already"), "{refused}");
        assert_eq!(bucket.server.get(&bucket.name, "p/a.sql.gz"), b"precious");
        succeeded(&bucket.create(&place, &[&url, "--force"]));
        assert!(bucket.names().contains(&"p/a.sql.gz.manifest.json".to_owned()));
        // Also where a backup is replaced by another one.
        succeeded(&bucket.create(&place, &[&url, "--force"]));
    }
}

#[test]
fn a_dump_that_fails_leaves_nothing_that_looks_like_a_backup() {
    let (place, bucket) = (Place::without_docker(), Bucket::of(seaweed()));
    for format in ["plain", "custom", "directory"] {
        let args = ["--format", format, "--", "--table=no_such_table"];
        let failed = bucket.create(&place, &args);
        assert_eq!(failed.code, 1, "{failed}");
    }
    assert_eq!((bucket.names(), bucket.server.uploads(&bucket.name)), (vec![], vec![]));
    assert_eq!(bucket.runs().len(), 3, "each is on record");
}

#[test]
fn an_upload_that_is_interrupted_is_taken_back() {
    let (place, bucket) = (Place::without_docker(), Bucket::of(seaweed()));
    let copy = Bucket::of(seaweed());
    // It writes what fills several parts, and then waits.
    let slow = place.program(
        "pg_dump",
        "case $* in *--version*) echo 'pg_dump (PostgreSQL) 15.0'; exit;; esac\n\
         head -c 40000000 /dev/urandom | base64\nexec sleep 60",
    );
    let mut command = std::process::Command::new(crate::support::BINARY);
    command.args(["create", "--backup-dir", &bucket.url(), "--compress=none", "--pg-dump"]);
    command.arg(slow).current_dir(place.dir()).env_clear();
    command.args(["--copy-to", &copy.url()]);
    command.envs(crate::support::clean_environment()).envs(connection(unchanged_database()));
    command.envs(bucket.server.environment());
    let mut running = Running::spawn(&mut command);
    let begun = std::time::Instant::now();
    while [&bucket, &copy].iter().any(|bucket| bucket.server.uploads(&bucket.name).is_empty()) {
        assert!(begun.elapsed().as_secs() < 60, "no upload was begun");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    running.signal(Signal::INT);
    let (outcome, _) = running.end();
    assert_eq!(outcome.code, 2, "{outcome}");
    for bucket in [bucket, copy] {
        assert_eq!((bucket.names(), bucket.server.uploads(&bucket.name)), (vec![], vec![]));
    }
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn a_part_with_the_status_of_a_whole_object_is_a_part() {
        let (place, bucket) = (Place::on_a_lent_server(), Bucket::of(rclone()));
        for (format, name) in FORMATS {
            let url = format!("{}/{name}", bucket.url());
            succeeded(&bucket.create(&place, &["--format", format, &url]));
            bucket.verify(&place, &[&url, "--require-proof"]).passed();
        }
    }

    #[test]
    fn a_sealed_and_signed_backup_is_made_in_a_place_and_opens_there() {
        let (place, bucket) = (Place::on_a_lent_server(), Bucket::of(seaweed()));
        let key = Outcome::of(&place.ccc().args(["keys", "new", "key.txt"]).output().unwrap());
        let recipient =
            key.stdout.split_whitespace().find(|word| word.starts_with("age1")).unwrap();
        let keygen = std::process::Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f", "signer"])
            .current_dir(place.dir())
            .status();
        assert!(keygen.unwrap().success());
        let public = std::fs::read_to_string(place.dir().join("signer.pub")).unwrap();
        place.file("allowed", format!("ops {public}").as_bytes());
        for (format, _) in FORMATS {
            let url = format!("{}/{format}", bucket.url());
            let args =
                ["--format", format, &url, "--encrypt-to", recipient, "--sign-key", "signer"];
            let made = bucket.create(&place, &args);
            succeeded(&made);
        }
        let names = bucket.names();
        assert!(names.contains(&"p/plain.sql.gz.age.manifest.json.sig".to_owned()), "{names:?}");
        for name in ["plain.sql.gz.age", "custom.dump.age", "directory.dir.age"] {
            let url = format!("{}/{name}", bucket.url());
            let opened = bucket
                .verify(&place, &[&url, "--identity", "key.txt", "--allowed-signers", "allowed"]);
            opened.passed();
            bucket.verify(&place, &[&url]).not_verified("it is sealed for");
        }
    }

    #[test]
    fn a_backup_of_every_format_that_is_made_in_a_place_passes_there_with_nothing_left_to_prove() {
        let (place, bucket) = (Place::on_a_lent_server(), Bucket::of(seaweed()));
        for (format, name) in FORMATS {
            let url = format!("{}/{name}", bucket.url());
            let made = bucket.create(&place, &["--format", format, &url, "--globals"]);
            succeeded(&made);
            made.says(&format!("File: {url}"));
            bucket.verify(&place, &[&url, "--require-proof"]).passed();
            bucket.server.remove(&bucket.name, "p/a.globals.sql");
        }
        // Nothing of it was on the disk.
        assert_eq!(place.names("."), Vec::<String>::new());
    }
}
