//! Word of a run: webhooks, a dead man's switch, a command; and that nothing of it changes what the run found.

mod commands;
mod interrupted;
mod metrics;
mod pings;
mod secrets;
mod tls;
mod trouble;
mod webhooks;

use crate::support::{Outcome, Place};

/// A place with a backup that needs no server to be found bad, and this configuration.
fn place(config: &str) -> Place {
    let place = Place::without_docker();
    place.file("bad.sql", b"");
    place.file("ccc-backup.toml", config.as_bytes());
    place
}

/// Verifies the bad backup.
fn verify(place: &Place, args: &[&str]) -> Outcome {
    let outcome = place.outcome(place.verify_locally().arg("bad.sql").args(args));
    outcome.failed("empty");
    outcome
}

/// Somebody was told.
#[track_caller]
fn told(outcome: &Outcome, who: &str) {
    outcome.says(&format!("✓ Told {who}"));
    assert!(!outcome.stderr.contains("was not told"), "{outcome}");
}

/// Somebody was not told, for this reason, which is a warning and no more.
#[track_caller]
fn untold(outcome: &Outcome, who: &str, why: &str) {
    let warning = format!("warning: {who} was not told: ");
    let line = outcome.stderr.lines().find(|line| line.starts_with(&warning));
    let line = line.unwrap_or_else(|| panic!("no {warning:?}: {outcome}"));
    assert!(line.contains(why), "no {why:?}: {outcome}");
    assert!(!outcome.stdout.contains("✓ Told"), "{outcome}");
}
