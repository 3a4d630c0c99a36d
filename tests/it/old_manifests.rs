//! Backups whose manifests are of format 1, kept as a version of then wrote them
//! (`tests/fixtures/format_1`, of a server 15).

use std::path::Path;

use ccc_backup::sealing::Identities;
use ccc_backup::store::manifest::Manifest;

use crate::support::{Outcome, Place, repository};

const BACKUPS: [&str; 2] = ["shop.sql.gz", "shop.dir"];

/// A place with a copy of them.
fn kept() -> Place {
    let place = Place::on_a_lent_server();
    let from = repository("tests/fixtures/format_1");
    let mut copy = std::process::Command::new("cp");
    assert!(copy.arg("-r").arg(from.join(".")).arg(place.dir()).status().unwrap().success());
    place.file("ccc-backup.toml", b"[checks]\ntables = []\n");
    place
}

fn verified(place: &Place, backup: &str) -> Outcome {
    place.outcome(place.verify().arg(backup))
}

#[test]
fn a_backup_with_a_manifest_of_format_1_verifies_with_nothing_left_to_prove() {
    let place = kept();
    for backup in BACKUPS {
        let manifest = std::fs::read(place.dir().join(format!("{backup}.manifest.json"))).unwrap();
        assert!(manifest.starts_with(b"{\n  \"format_version\": 1,"), "{backup}");
        let outcome = verified(&place, backup);
        outcome.passed().says("Failed: 0");
        assert!(outcome.stdout.contains("✓ Checksum matches the manifest"), "{outcome}");
        outcome.says("✓ Rows match the backup (3 tables, 101 rows)");
        outcome.says("✓ Large objects match the backup (1, 14 bytes)");
        assert!(!outcome.stdout.contains("Not proven"), "{outcome}");
    }
}

#[test]
fn a_byte_changed_in_the_backup_or_its_manifest_of_format_1_fails() {
    let place = kept();
    let change = |path: &Path, at: usize| {
        let mut bytes = std::fs::read(path).unwrap();
        bytes[at] ^= 1;
        std::fs::write(path, bytes).unwrap();
    };
    let dir = place.dir();
    // The time in the head of a gzip file, which nothing else covers.
    change(&dir.join("shop.sql.gz"), 4);
    verified(&place, "shop.sql.gz").failed("Checksum does not match the manifest");
    change(&dir.join("shop.dir/3362.dat.gz"), 4);
    verified(&place, "shop.dir").failed("Checksum does not match the manifest");
    let manifest = dir.join("shop.dir.manifest.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    change(&manifest, text.find("\"rows\": ").unwrap() + 8);
    verified(&place, "shop.dir").failed("the manifest is damaged");
}

#[test]
fn manifests_of_both_formats_are_listed_with_what_they_say() {
    let place = kept();
    let again =
        Manifest::read(&place.dir().join("shop.sql.gz"), &Identities::default()).unwrap().unwrap();
    let copy = place.dir().join("copy.sql.gz");
    std::fs::copy(place.dir().join("shop.sql.gz"), &copy).unwrap();
    again.write(&copy, None).unwrap();
    let outcome =
        place.outcome(place.ccc().args(["list", "--backup-dir", ".", "--format", "json"]));
    assert_eq!(outcome.code, 0, "{outcome}");
    let list: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    let backups = list["backups"].as_array().unwrap();
    assert_eq!(backups.len(), 3, "{outcome}");
    for backup in backups {
        assert_eq!((&backup["manifest"], &backup["rows"]), (&"present".into(), &101.into()));
        assert_eq!(backup["database"], "shop");
    }
}
