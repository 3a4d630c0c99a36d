//! `restore` into a real server that others use, with its real pg_dump and pg_restore.

mod disaster;
mod emptied;
mod foretold;
mod held;
mod interrupted;
mod own_checks;
mod own_database;
mod refusals;
mod swap;
mod tables;
mod whole;

use assert_cmd::Command;

use crate::support::source::source;
use crate::support::{BINARY, Outcome, Place, Running, clean_environment};

/// `ccc-backup restore` into a database of the source server.
pub fn command(place: &Place, database: &str, args: &[&str]) -> Command {
    let mut command = place.ccc();
    command.arg("restore").args(args).envs(source().connection(database));
    command
}

/// The same, started.
fn started(place: &Place, database: &str, args: &[&str]) -> Running {
    let mut command = std::process::Command::new(BINARY);
    command.env_clear().envs(clean_environment()).current_dir(place.dir());
    Running::spawn(command.arg("restore").args(args).envs(source().connection(database)))
}

/// Restores, and takes down what came of it.
fn restore(place: &Place, database: &str, args: &[&str]) -> Outcome {
    place.outcome(&mut command(place, database, args))
}

/// SQL in a database of the source server; gives the rows, unaligned.
fn sql(database: &str, sql: &str) -> String {
    let args = ["-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", sql];
    String::from_utf8(source().client("psql", &args)).unwrap().trim().to_owned()
}

/// The databases whose names begin so, sorted.
pub fn databases(beginning: &str) -> Vec<String> {
    let list = format!(
        "SELECT datname FROM pg_database WHERE pg_catalog.starts_with(datname, '{beginning}') \
         ORDER BY datname"
    );
    sql("postgres", &list).lines().map(str::to_owned).collect()
}

/// A name for a database of a test's own.
fn name(what: &str) -> String {
    format!("r_{what}_{}", std::process::id())
}

/// A database that goes when this does, with what stands beside it.
struct Named(String);

impl Named {
    fn new(what: &str) -> Self {
        Self(name(what))
    }

    /// The same, made with a table `kept` of three rows.
    fn filled(what: &str) -> Self {
        let named = Self::new(what);
        sql("postgres", &format!("CREATE DATABASE {}", named.0));
        sql(&named.0, "CREATE TABLE kept AS SELECT generate_series(1, 3) AS id");
        named
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        for database in databases(&self.0) {
            sql("postgres", &format!("DROP DATABASE IF EXISTS \"{database}\" WITH (FORCE)"));
        }
    }
}

impl Outcome {
    /// The database was restored, and has its name.
    #[track_caller]
    pub fn restored(&self, database: &str) -> &Self {
        assert_eq!(self.code, 0, "{self}");
        self.says(&format!("✅ RESTORED {database}"))
    }

    #[track_caller]
    fn not_restored(&self, cause: &str) -> &Self {
        assert_eq!(self.code, 2, "{self}");
        self.says("⚠️ NOT RESTORED");
        assert!(self.stdout.contains(cause), "no {cause:?}: {self}");
        self.hints("")
    }
}
