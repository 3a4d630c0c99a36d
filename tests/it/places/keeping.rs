//! `list`, `history` and `cleanup` of a place.

use super::{Bucket, succeeded};
use crate::support::faulty::Faulty;
use crate::support::s3::seaweed;
use crate::support::{Outcome, Place, unchanged_database};

/// A bucket with backups of these times, copies of one, and no history but that one's.
fn with_backups(place: &Place, stamps: &[&str]) -> Bucket {
    let bucket = Bucket::of(seaweed());
    let url = format!("{}/a.sql.gz", bucket.url());
    succeeded(&bucket.create(place, &[&url]));
    let get = |name: &str| bucket.server.get(&bucket.name, name);
    let (bytes, manifest) = (get("p/a.sql.gz"), get("p/a.sql.gz.manifest.json"));
    for stamp in stamps {
        let name = format!("p/backup_{stamp}.sql.gz");
        bucket.server.put(&bucket.name, &name, &bytes);
        bucket.server.put(&bucket.name, &format!("{name}.manifest.json"), &manifest);
    }
    bucket
}

#[test]
fn a_place_is_listed_with_what_its_history_knows_and_without_what_is_unfinished() {
    let (place, bucket) = (Place::on_a_lent_server(), Bucket::of(seaweed()));
    succeeded(&bucket.create(&place, &[]));
    bucket.server.put(&bucket.name, "p/backup_20200101_000000.sql.gz", b"unfinished");
    let list = bucket.run(&place, &["list", "--backup-dir", &bucket.url()]);
    succeeded(&list);
    assert!(list.stdout.contains("never") && !list.stdout.contains("backup_2020"), "{list}");
    bucket.verify(&place, &["--latest", "--backup-dir", &bucket.url()]).passed();
    let list = bucket.run(&place, &["list", "--backup-dir", &bucket.url()]);
    assert!(list.stdout.contains("passed"), "{list}");
    let history = bucket.run(&place, &["history", "--backup-dir", &bucket.url()]);
    succeeded(&history);
    assert!(history.stdout.contains("create") && history.stdout.contains("verify"), "{history}");
}

#[test]
fn a_clean_up_of_a_place_keeps_the_newest_and_removes_the_rest_with_what_belongs_to_it() {
    let place = Place::without_docker();
    let bucket = with_backups(&place, &["20200101_000000", "20200102_000000", "20200103_000000"]);
    let args = ["cleanup", "--older-than", "1d", "--backup-dir", &bucket.url()];
    let shown = bucket.run(&place, &[&args[..], &["--dry-run"]].concat());
    assert!(shown.code == 0 && shown.stdout.contains("Would remove: 2 ("), "{shown}");
    let done = bucket.run(&place, &args);
    assert!(done.code == 0 && done.stdout.contains("Removed: 2 ("), "{done}");
    let names = ["a.sql.gz", "backup_20200103_000000.sql.gz"];
    let expected = names.map(|name| [format!("p/{name}"), format!("p/{name}.manifest.json")]);
    assert_eq!(bucket.names(), expected.concat());
}

#[test]
fn a_backup_is_stored_in_the_class_that_is_asked_for_and_what_is_beside_it_is_not() {
    let (place, bucket) = (Place::without_docker(), Bucket::of(seaweed()));
    let mut command = place.create(unchanged_database());
    command.args(["--backup-dir", &bucket.url()]).envs(bucket.server.environment());
    command.env("CCC_BACKUP_STORAGE_CLASS", "STANDARD_IA");
    succeeded(&Outcome::of(&command.output().unwrap()));
    let classes = bucket.server.classes(&bucket.name);
    assert_eq!(classes.len(), 3, "{classes:?}");
    for (key, class) in classes {
        let is_backup = key.ends_with(".sql.gz") && !key.contains("/history/");
        let asked = if is_backup { "STANDARD_IA" } else { "STANDARD" };
        assert!(class == asked, "{key}: {class}");
    }
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn a_clean_up_of_a_place_keeps_the_newest_that_passed_there() {
        let place = Place::on_a_lent_server();
        let bucket = with_backups(&place, &["20200102_000000", "20200103_000000"]);
        let old = format!("{}/backup_20200101_000000.sql.gz", bucket.url());
        succeeded(&bucket.create(&place, &[&old]));
        bucket.verify(&place, &[&old]).passed();
        let args = ["cleanup", "--older-than", "1d", "--backup-dir", &bucket.url()];
        let done = bucket.run(&place, &args);
        assert_eq!(done.code, 0, "{done}");
        assert!(bucket.names().contains(&"p/backup_20200101_000000.sql.gz".to_owned()), "{done}");
    }

    #[test]
    fn roles_that_no_backup_has_go_a_day_later_and_those_of_a_backup_stay() {
        let place = Place::without_docker();
        let bucket = with_backups(&place, &["20200101_000000"]);
        let put = |name: &str, bytes: &[u8]| bucket.server.put(&bucket.name, name, bytes);
        // Another backup may have the same roles.
        let manifest = bucket.server.get(&bucket.name, "p/a.sql.gz.manifest.json");
        put("p/backup_20200101_000000.sql.zst", b"another");
        put("p/backup_20200101_000000.sql.zst.manifest.json", &manifest);
        for name in ["backup_20200101_000000", "backup_20190101_000000", "by_hand"] {
            put(&format!("p/{name}.globals.sql"), b"roles");
        }
        let clean = |way: &Faulty| {
            let mut command = place.ccc();
            command.args(["cleanup", "--keep-last", "9", "--backup-dir", &bucket.url()]);
            succeeded(&Outcome::of(&command.envs(bucket.by(way)).output().unwrap()));
            bucket.names()
        };
        let mut names = bucket.names();
        assert_eq!(clean(&Faulty::passing(bucket.server.port())), names);
        names.retain(|name| name != "p/backup_20190101_000000.globals.sql");
        assert_eq!(clean(&bucket.later()), names);
    }
}
