//! `list` shows who signed.

use super::{create, fingerprint, keygen_sign, signed};
use crate::support::{Place, text};

fn listed(place: &Place, args: &[&str]) -> String {
    let output = place.ccc().arg("list").args(args).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn the_key_is_shown_where_a_backup_is_signed_and_nothing_where_none_is() {
    let place = Place::without_docker();
    assert_eq!(create(&place, &["backups/plain.sql"], &[]).code, 0);
    assert!(!listed(&place, &[]).contains("SIGNED"));
    signed(&place, "backups/a.sql");
    signed(&place, "backups/b.sql");
    keygen_sign(&place, "k", "file", "backups/b.sql.gz.manifest.json");
    let list = listed(&place, &[]);
    let by = fingerprint(&place.dir().join("k"));
    let ends = |name: &str, end: &str| {
        list.lines().any(|line| line.starts_with(name) && line.ends_with(end))
    };
    assert!(list.lines().next().unwrap().ends_with("SIGNED BY"), "{list}");
    assert!(ends("a.sql.gz", &by) && ends("b.sql.gz", "DOES NOT FIT"), "{list}");
    assert!(ends("plain.sql.gz", " -") && list.lines().count() == 4, "{list}");
    let json: serde_json::Value =
        serde_json::from_str(&listed(&place, &["--format", "json"])).unwrap();
    let of = |name: &str| {
        let backups = json["backups"].as_array().unwrap();
        backups.iter().find(|backup| backup["name"] == name).unwrap()["signature"].clone()
    };
    assert_eq!(of("a.sql.gz"), serde_json::json!({"key": by, "fits": true}));
    assert_eq!(of("b.sql.gz")["fits"], false);
    assert!(of("plain.sql.gz").is_null());
}
