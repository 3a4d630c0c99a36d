//! The torture database: every kind of object that pg_dump writes.

use std::sync::OnceLock;

use super::repository;
use super::source::{Database, source};

/// A configuration under which any database verifies.
pub const NO_APPLICATION: &[u8] = b"[checks]\ntables = []\nmigrations = \"none\"\n";

/// The torture database on the source server; made by the first test that asks, and never changed.
pub fn torture() -> &'static Database {
    static TORTURE: OnceLock<Database> = OnceLock::new();
    TORTURE.get_or_init(|| {
        let torture = Database { name: "torture".to_owned() };
        source().client("createdb", &["--", &torture.name]);
        let script = repository("tests/fixtures/torture.sql");
        let args = ["-Xq", "-d", &torture.name, "-f", script.to_str().unwrap()];
        let said = source().client("psql", &args);
        assert!(said.is_empty(), "{}", super::text(&said));
        torture
    })
}
