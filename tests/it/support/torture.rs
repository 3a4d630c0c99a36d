//! The torture database: every kind of object that pg_dump writes.

use std::sync::OnceLock;

use super::repository;
use super::source::{Database, source};

/// A configuration under which any database verifies.
pub const NO_APPLICATION: &[u8] = b"[checks]\ntables = []\nmigrations = \"none\"\n";

/// The torture database on the source server; made by the first test that asks, and never changed.
pub fn torture() -> &'static Database {
    static TORTURE: OnceLock<Database> = OnceLock::new();
    TORTURE.get_or_init(|| made("torture", &[]))
}

/// A torture database of this name, made with these options of its script, such as `toast_mb=100`.
pub fn made(name: &str, options: &[&str]) -> Database {
    source().client("createdb", &["--", name]);
    let script = repository("tests/fixtures/torture.sql");
    let mut args = vec!["-Xq", "-d", name, "-f", script.to_str().unwrap()];
    options.iter().for_each(|option| args.extend(["-v", option]));
    let said = source().client("psql", &args);
    assert!(said.is_empty(), "{}", super::text(&said));
    Database { name: name.to_owned() }
}
