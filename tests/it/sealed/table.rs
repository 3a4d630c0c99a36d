//! The table of the README: what a thief learns of a sealed backup, as it is found in one.

use super::{created, key};
use crate::support::{Place, unchanged_database};

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
const BEGIN: &str = "<!-- what a thief learns: written by a test -->\n";
const END: &str = "<!-- end -->";

/// What is asked of a manifest, and where it would stand in one.
const ASKED: [(&str, &[&str]); 13] = [
    ("that there is a backup, and its id", &["backup_id"]),
    ("when it was made", &["created_at"]),
    ("format (plain, custom, directory)", &["format"]),
    ("names, sizes and checksums of its files", &["files"]),
    ("to whom it is sealed", &["encryption", "recipients"]),
    ("whether roles were saved beside it", &["globals"]),
    ("host, port and user", &["source", "host"]),
    ("name of the database", &["source", "database"]),
    ("versions of server and tools", &["tools"]),
    ("names of tables, numbers of rows", &["contents", "tables"]),
    ("size before compression", &["dump_bytes"]),
    ("what the backup leaves out", &["options"]),
    ("rows, definitions, roles", &["contents", "statements"]),
];

#[test]
fn what_a_thief_learns_is_in_the_readme() {
    let place = Place::without_docker();
    let recipient = key(&place, "k");
    let read = |name: &str| -> serde_json::Value {
        let path = place.dir().join(format!("{name}.manifest.json"));
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    };
    created(&place, unchanged_database(), &["open", "--globals"]);
    created(&place, unchanged_database(), &["a", "--globals", "--encrypt-to", &recipient]);
    let (open, sealed) = (read("open.sql.gz"), read("a.sql.gz.age"));
    let has = |manifest: &serde_json::Value, path: &[&str]| {
        path.iter().try_fold(manifest, |at, key| at.get(key)).is_some_and(|found| !found.is_null())
    };
    let word = |has: bool| if has { "yes" } else { "no" };
    let mut table = String::from("| | open | sealed |\n|---|---|---|\n");
    for (what, path) in ASKED {
        let of_open = path[0] == "encryption" || has(&open, path);
        let of_open = if path[0] == "encryption" { "–" } else { word(of_open) };
        table += &format!("| {what} | {of_open} | {} |\n", word(has(&sealed, path)));
    }
    let text = std::fs::read_to_string(README).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the README has the place of the table");
    let (found, after) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(README, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
    } else {
        assert_eq!(found, table, "UPDATE_DOCS=1 writes it anew");
    }
}
