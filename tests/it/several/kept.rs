//! `cleanup` and `list` tell the databases apart.

use super::{backups, configured, created, make};
use crate::support::source::Source;
use crate::support::{Outcome, Place};

/// Renames the backups of a place so that they are of that day.
fn dated(place: &Place, day: &str) {
    let today = chrono::Utc::now().format("backup_%Y%m%d_").to_string();
    for name in place.names("backups").into_iter().filter(|name| name.starts_with(&today)) {
        let new = format!("backup_{day}_{}", &name[today.len()..]);
        let dir = place.dir().join("backups");
        std::fs::rename(dir.join(name), dir.join(new)).unwrap();
    }
}

#[test]
fn the_newest_of_each_database_stays_with_its_roles_however_old_it_is() {
    let (place, server) = (Place::without_docker(), Source::start());
    for (rows, name) in (1..).zip(["blog", "shop"]) {
        make(&server, name, rows);
    }
    created(&place, &server, &[]);
    dated(&place, "20260101");
    created(&place, &server, &["--exclude-database", "blog"]);
    let cleaned =
        Outcome::of(&place.ccc().args(["cleanup", "--older-than", "30d"]).output().unwrap());
    assert_eq!(cleaned.code, 0, "{cleaned}");
    assert!(cleaned.stdout.contains("Removed: 1 ("), "{cleaned}");
    assert_eq!(backups(&place), ["_of_blog.sql.gz", "_of_shop.sql.gz"]);
    let names = place.names("backups");
    assert_eq!(names.iter().filter(|name| name.ends_with(".globals.sql")).count(), 2, "{names:?}");
    assert!(
        names.iter().any(|name| name.starts_with("backup_20260101") && name.contains("_of_blog"))
    );
}

#[test]
fn so_does_that_of_a_database_that_is_told_by_its_manifest_alone() {
    let (place, server) = (Place::without_docker(), Source::start());
    for (rows, name) in (1..).zip(["blog", "shop"]) {
        make(&server, name, rows);
    }
    configured(&place, "");
    for name in ["blog", "shop"] {
        super::create(&place, &server, &["--dbname", name]).says("✓ Backup created successfully");
        dated(&place, if name == "blog" { "20260101" } else { "20260102" });
    }
    let cleaned = Outcome::of(&place.ccc().args(["cleanup", "--keep-last", "1"]).output().unwrap());
    assert!(cleaned.stdout.contains("Removed: 0 ("), "{cleaned}");
    let listed = Outcome::of(&place.ccc().args(["list", "--format", "json"]).output().unwrap());
    let listed: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    let of: Vec<_> =
        listed["backups"].as_array().unwrap().iter().map(|it| &it["database"]).collect();
    assert_eq!(of, ["shop", "blog"]);
}
