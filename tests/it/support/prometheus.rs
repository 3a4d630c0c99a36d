//! What Prometheus would read: the file of the metrics, and promtool's word on it.

use std::path::Path;
use std::process::Command;

use super::{Outcome, tool};

/// Runs promtool with a file as its input.
pub fn promtool(args: &[&str], stdin: &Path) -> Outcome {
    let stdin = std::fs::File::open(stdin).unwrap();
    let output = Command::new(tool("promtool")).args(args).stdin(stdin).output();
    let output =
        output.unwrap_or_else(|error| panic!("promtool: {error}: infra/get-tools.sh gets it"));
    Outcome::of(&output)
}

/// A file with metrics, in which promtool finds no fault.
#[track_caller]
pub fn metrics_in(path: &Path) -> String {
    let checked = promtool(&["check", "metrics"], path);
    assert_eq!((checked.code, checked.stderr.as_str()), (0, ""), "{checked}");
    std::fs::read_to_string(path).unwrap()
}

/// The metrics have this line.
#[track_caller]
pub fn has(metrics: &str, line: &str) {
    assert!(metrics.lines().any(|there| there == line), "no {line:?} in:\n{metrics}");
}

/// The value of a sample, given as it is written; `None` where there is none.
pub fn value(metrics: &str, sample: &str) -> Option<i64> {
    let value = |line: &str| line.strip_prefix(sample)?.strip_prefix(' ')?.parse().ok();
    metrics.lines().find_map(value)
}
