//! What an operator asks of a backup beside that it is whole: questions in SQL, rows, age, migrations, what is not in it.

mod age;
mod coverage;
mod migrations;
mod rights;
mod rows;
mod sql;

use crate::support::source::Database;
use crate::support::{Outcome, Place};

/// Nothing is asked of the application.
const NO_APPLICATION: &str = "[checks]\ntables = []\nmigrations = \"none\"\n";

/// Verifies a backup with this configuration.
fn verified(place: &Place, file: &str, config: &str) -> Outcome {
    place.file("own.toml", config.as_bytes());
    place.outcome(place.verify().args([file, "--config", "own.toml"]))
}

/// Makes a backup of a database.
fn made(place: &Place, database: &Database, args: &[&str]) -> Outcome {
    let made = place.outcome(place.create(database).args(args));
    assert_eq!(made.code, 0, "{made}");
    made
}
