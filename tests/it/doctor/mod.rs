//! `doctor`: each thing that is broken is named with what mends it, and looking at it changes nothing.

mod database;
mod keys;
mod places;
mod server;
mod told;
mod works;

use std::collections::BTreeMap;
use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;

use crate::support::{Outcome, Place};

/// What a run found.
struct Looked {
    code: i32,
    findings: Vec<Value>,
    outcome: Outcome,
}

/// `doctor` in a place, which starts no server.
fn doctor(place: &Place) -> Command {
    let mut command = place.ccc();
    command.args(["doctor", "--no-start", "--engine", "local"]).env("CCC_BACKUP_IMAGE", "");
    command
}

/// Runs it, for programs.
#[track_caller]
fn looked(place: &Place, command: &mut Command) -> Looked {
    let outcome = place.outcome(command.args(["--format", "json"]));
    let document: Value =
        serde_json::from_str(&outcome.stdout).unwrap_or_else(|_| panic!("{outcome}"));
    assert_eq!(document["schema_version"], 1);
    assert_eq!(document["exit_code"], outcome.code, "{outcome}");
    let findings = document["findings"].as_array().unwrap().clone();
    Looked { code: outcome.code, findings, outcome }
}

impl Looked {
    /// The exit code is this one.
    #[track_caller]
    fn ends(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "{}", self.outcome);
        self
    }

    /// One thing is in this state, with these words; where it is bad, it is said what mends it.
    #[track_caller]
    fn says(&self, id: &str, state: &str, words: &str) -> &Self {
        let found = self.findings.iter().find(|it| it["id"] == id);
        let found = found.unwrap_or_else(|| panic!("no {id}: {}", self.outcome));
        let said = found["said"].as_str().unwrap();
        assert!(
            found["state"] == state && said.contains(words),
            "{id}, {state}, {words:?}: {found}"
        );
        if matches!(state, "broken" | "unknown") {
            assert!(found["mend"].is_string(), "nothing mends it: {found}");
        }
        self
    }

    /// What mends it has these words.
    #[track_caller]
    fn mends(&self, id: &str, words: &str) -> &Self {
        let found = self.findings.iter().find(|it| it["id"] == id).unwrap();
        assert!(found["mend"].as_str().unwrap().contains(words), "no {words:?}: {found}");
        self
    }
}

/// All files below a directory, with what is in them.
fn everything(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.insert(path.display().to_string(), Vec::new());
            all.extend(everything(&path));
        } else {
            all.insert(path.display().to_string(), std::fs::read(&path).unwrap());
        }
    }
    all
}
