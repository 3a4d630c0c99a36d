//! Backups of several databases: made in one run, told apart wherever they lie, verified together.

mod cut_short;
mod in_a_place;
mod kept;
mod making;
mod verified;

use std::sync::OnceLock;

use crate::support::source::Source;
use crate::support::{Outcome, Place};

/// Names that a database may have, and nobody expects; and a plain one.
const NAMES: [&str; 6] = ["shop", "My Shop/2", "it's \"x\".sql.gz", "../Größe", "a-b_of_c", "-2f"];

/// A server with these databases, of which each holds its own number of rows, one that nobody but its owner may enter, and
/// the one for connecting, with nothing in it. Nobody changes it.
fn server() -> &'static Source {
    static SERVER: OnceLock<Source> = OnceLock::new();
    SERVER.get_or_init(|| {
        let server = Source::start();
        for (rows, name) in (1..).zip(NAMES) {
            make(&server, name, rows);
        }
        make(&server, "closed", 9);
        sql(&server, "postgres", "CREATE ROLE walker LOGIN PASSWORD 'w4lk'");
        sql(&server, "closed", "REVOKE CONNECT ON DATABASE closed FROM PUBLIC");
        for name in NAMES {
            sql(&server, name, "GRANT SELECT ON t TO walker");
        }
        server
    })
}

/// Makes a database with a table of so many rows.
fn make(server: &Source, name: &str, rows: u32) {
    server.client("createdb", &["--", name]);
    sql(
        server,
        name,
        &format!("CREATE TABLE t (n int); INSERT INTO t SELECT generate_series(1, {rows})"),
    );
}

fn sql(server: &Source, database: &str, sql: &str) {
    server.client("psql", &["-Xqv", "ON_ERROR_STOP=1", "-d", database, "-c", sql]);
}

/// Runs `create` against a server.
fn create(place: &Place, server: &Source, args: &[&str]) -> Outcome {
    let mut command = place.ccc();
    command.arg("create").args(args).envs(server.connection("nobody_has_this"));
    Outcome::of(&command.output().unwrap())
}

/// The same, of all databases; it must succeed.
#[track_caller]
fn created(place: &Place, server: &Source, args: &[&str]) -> Outcome {
    let outcome = create(place, server, &[&["--all-databases"], args].concat());
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome}");
    outcome
}

/// The names of the backups, without the time that all have.
fn backups(place: &Place) -> Vec<String> {
    let names = place.names("backups").into_iter();
    let names = names.filter(|name| name.ends_with(".sql.gz") || name.ends_with(".dump"));
    names.map(|name| name[22..].to_owned()).collect()
}

/// A configuration that wants no tables of an application.
fn configured(place: &Place, more: &str) {
    let text = format!("[checks]\ntables = []\nmigrations = \"none\"\n{more}");
    place.file("ccc-backup.toml", text.as_bytes());
}

/// A report that was written there.
fn report(place: &Place, name: &str) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(place.dir().join(name)).unwrap()).unwrap()
}
