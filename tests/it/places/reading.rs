//! Backups in a place, read by ranges: verified, restored, taken apart, compared; and what happens to them is noticed.

use super::{Bucket, succeeded};
use crate::support::faulty::{Fault, Faulty};
use crate::support::s3::seaweed;
use crate::support::{Outcome, Place, database, unchanged_database};

/// A bucket with a plain backup of this name in it.
fn with_backup(place: &Place, name: &str) -> (Bucket, String) {
    let packing = if name.ends_with(".gz") { "gzip" } else { "none" };
    let bucket = Bucket::of(seaweed());
    let url = format!("{}/{name}", bucket.url());
    succeeded(&bucket.create(place, &[&url, "--compress", packing]));
    (bucket, url)
}

#[test]
fn the_newest_backup_of_a_place_is_verified_and_put_on_record_there() {
    let (place, bucket) = (Place::on_a_lent_server(), Bucket::of(seaweed()));
    succeeded(&bucket.create(&place, &[]));
    bucket.server.put(&bucket.name, "p/backup_29990101_000000.sql.gz", b"unfinished");
    let verified = bucket.verify(&place, &["--latest", "--backup-dir", &bucket.url()]);
    verified.passed();
    let runs = bucket.runs();
    assert_eq!(runs.len(), 2, "{runs:?}");
    assert!(runs[0].contains(".create.passed.") && runs[1].contains(".verify.passed."), "{runs:?}");
}

#[test]
fn a_backup_that_was_damaged_in_a_place_fails() {
    let place = Place::on_a_lent_server();
    let (bucket, url) = with_backup(&place, "a.sql.gz");
    let mut bytes = bucket.server.get(&bucket.name, "p/a.sql.gz");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    bucket.server.put(&bucket.name, "p/a.sql.gz", &bytes);
    assert_eq!(bucket.verify(&place, &[&url]).code, 1);
    bytes.truncate(middle);
    bucket.server.put(&bucket.name, "p/a.sql.gz", &bytes);
    assert_eq!(bucket.verify(&place, &[&url]).code, 1);
}

#[test]
fn a_backup_without_a_manifest_is_verified_by_its_name_and_is_not_the_newest() {
    let place = Place::on_a_lent_server();
    let (bucket, url) = with_backup(&place, "a.sql.gz");
    bucket.server.remove(&bucket.name, "p/a.sql.gz.manifest.json");
    bucket.verify(&place, &[&url]).passed();
    let newest = bucket.verify(&place, &["--latest", "--backup-dir", &bucket.url()]);
    newest.not_verified("No backup found in");
}

#[test]
fn what_is_not_there_is_not_verified() {
    let (place, bucket) = (Place::without_docker(), Bucket::of(seaweed()));
    let url = format!("{}/none.sql.gz", bucket.url());
    bucket.verify(&place, &[&url]).not_verified("Backup file not found");
    let other = bucket.verify(&place, &["s3://no-such-bucket-here/x.sql.gz"]);
    assert_eq!(other.code, 2, "{other}");
}

#[test]
fn an_object_that_is_replaced_while_it_is_read_is_not_verified() {
    let place = Place::on_a_lent_server();
    let (bucket, url) = with_backup(&place, "a.sql");
    let (name, server) = (bucket.name.clone(), bucket.server);
    let bytes = server.get(&name, "p/a.sql");
    let reads = std::sync::atomic::AtomicU32::new(0);
    let way = Faulty::to(server.port(), move |request| {
        // Between the second and the third range of it, somebody puts another one there.
        let is_read = request.verb == "GET"
            && request.path.contains("/p/a.sql")
            && !request.path.contains("manifest");
        if is_read && reads.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 2 {
            let other: Vec<u8> = bytes.iter().rev().copied().collect();
            server.put(&name, "p/a.sql", &other);
        }
        Fault::None
    });
    let mut command = place.verify();
    command.arg(&url).envs(bucket.by(&way));
    place.outcome(&mut command).not_verified("changed");
}

#[test]
fn one_table_of_a_place_is_extracted_and_two_backups_are_compared() {
    let place = Place::without_docker();
    let (bucket, url) = with_backup(&place, "a.sql.gz");
    let local = Outcome::of(&place.create(unchanged_database()).arg("b.sql.gz").output().unwrap());
    succeeded(&local);
    let there = bucket.run(&place, &["extract", &url, "--table", "users"]);
    let here = bucket.run(&place, &["extract", "b.sql.gz", "--table", "users"]);
    succeeded(&there);
    assert!(!there.stdout.is_empty() && there.stdout == here.stdout);
    let same = bucket.run(&place, &["diff", "b.sql.gz", &url, "--table", "users"]);
    assert_eq!(same.code, 0, "{same}");
}

#[test]
fn rows_are_held_to_those_of_the_last_backup_of_the_place_that_passed() {
    let (place, bucket) = (Place::on_a_lent_server(), Bucket::of(seaweed()));
    let database = database();
    database.sql("CREATE TABLE visits AS SELECT generate_series(1, 1000) AS n");
    place.file(
        "own.toml",
        b"[checks]\ntables = []\nmax_age = \"26h\"\n[checks.rows]\nvisits = { max_drop = \"20%\" }\n",
    );
    let made_and_verified = |day: u32| {
        let name = format!("backup_2026011{day}_020000.sql.gz");
        let url = format!("{}/{name}", bucket.url());
        let made = place.create(&database).arg(&url).envs(bucket.server.environment()).output();
        succeeded(&Outcome::of(&made.unwrap()));
        let latest = ["--latest", "--backup-dir", &bucket.url(), "--config", "own.toml"];
        bucket.verify(&place, &latest)
    };
    let first = made_and_verified(1);
    first.passed();
    assert!(first.stdout.contains("· Rows are compared with no earlier backup"), "{first}");
    assert!(first.stdout.contains("old, of the 1 d 2 h allowed (max_age)"), "{first}");
    database.sql("DELETE FROM visits WHERE n > 500");
    let second = made_and_verified(2);
    second.failed(
        "Rows are not about those of backup_20260111_020000.sql.gz: public.visits has 500, before 1,000 \
         (50 % fewer, 20 % allowed)",
    );
}
