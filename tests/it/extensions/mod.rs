//! Backups that need extensions: their image is found, or built, and what they hold is proven. The dumps are of real
//! servers that have them.

mod at_full_length;
mod built;
mod configured;

use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::support::torture::NO_APPLICATION;
use crate::support::{Outcome, Place, clean_environment, repository, text};

/// An image like the official one, with apt.
const APT: &str = "ccc-backup-test/apt:15";
/// The same with hypopg.
const WITH_HYPOPG: &str = "ccc-backup-test/hypopg:{major}";

/// A place, where the images of these tests are here.
fn place() -> Place {
    static MADE: OnceLock<()> = OnceLock::new();
    MADE.get_or_init(|| make_images(&[]));
    Place::new()
}

/// Held by tests whose images others would remove: clean-up removes all.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn make_images(args: &[&str]) {
    let mut script = Command::new(repository("tests/fixtures/extension-images.sh"));
    let made = script.args(args).env_clear().envs(clean_environment()).output().unwrap();
    assert!(made.status.success(), "{}", text(&made.stderr));
}

/// A dump of a database with extensions.
fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(repository("tests/fixtures/extensions").join(name)).unwrap()
}

/// `[images]` that has this image for each of these keys.
fn images(image: &str, keys: &[&str]) -> String {
    let lines = keys.iter().map(|key| format!("\"{key}\" = \"{image}\"\n"));
    format!("[images]\n{}", lines.collect::<String>())
}

/// A configuration with these lines, and no application.
fn configure(place: &Place, lines: &str) {
    let text = [std::str::from_utf8(NO_APPLICATION).unwrap(), lines].join("\n");
    place.file("ccc-backup.toml", text.as_bytes());
}

/// What becomes of a backup whose image is chosen by version or by the configuration.
fn verified(place: &Place, name: &str, bytes: &[u8], args: &[&str]) -> Outcome {
    place.file(name, bytes);
    place.outcome(place.verify_by_version().arg(name).args(args))
}

/// Fails when the report has not these words.
#[track_caller]
fn shows(outcome: &Outcome, words: &str) {
    assert!(outcome.stdout.contains(words), "no {words:?}: {outcome}");
}
