//! Drills: a sample of the backups in every place, and the bytes of all of them.

mod page;
mod sample;
mod scrub;
mod year;

use serde_json::Value;

use crate::support::{Outcome, Place, unchanged_database};

/// Makes a backup, with these arguments.
#[track_caller]
fn create(place: &Place, args: &[&str]) {
    let outcome = Outcome::of(&place.create(unchanged_database()).args(args).output().unwrap());
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome}");
}

/// Changes a byte in the middle of a file.
fn rot(place: &Place, file: &str) {
    let path = place.dir().join(file);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x20;
    std::fs::write(&path, bytes).unwrap();
}

/// The report of a drill.
fn report(place: &Place, file: &str) -> Value {
    serde_json::from_slice(&std::fs::read(place.dir().join(file)).unwrap()).unwrap()
}

/// Each backup of a report, as `PLACE/BACKUP VERDICT`.
fn verdicts(report: &Value) -> Vec<String> {
    let of = |backup: &Value| {
        let text = |name: &str| backup[name].as_str().unwrap().to_owned();
        let verdict = backup["result"]["verdict"].as_str().unwrap_or("not reached");
        format!("{}/{} {verdict}", text("place"), text("backup"))
    };
    report["backups"].as_array().unwrap().iter().map(of).collect()
}

/// The runs on record in a directory: what each did, and how it ended.
fn runs(place: &Place, dir: &str) -> Vec<String> {
    let history = std::fs::read_to_string(place.dir().join(dir).join("history.jsonl"));
    let run = |line: &str| {
        let run: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| run[name].as_str().unwrap().to_owned();
        format!("{} {}", text("work"), text("verdict"))
    };
    history.unwrap_or_default().lines().map(run).collect()
}
