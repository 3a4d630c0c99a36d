//! The composite action, by which another repository verifies its backups: its own steps, with
//! what GitHub gives them.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::support::dumps::gzipped;
use crate::support::{BINARY, Place, good_dump, repository, text};
use crate::workflow::{Step, bash};

const DIRECTORY: &str = ".github/actions/verify";

#[derive(Deserialize)]
struct Action {
    inputs: BTreeMap<String, Input>,
    outputs: BTreeMap<String, Output>,
    runs: Runs,
}

#[derive(Deserialize)]
struct Input {
    default: String,
}

#[derive(Deserialize)]
struct Output {
    value: String,
}

#[derive(Deserialize)]
struct Runs {
    steps: Vec<Step>,
}

fn action() -> Action {
    let path = repository(DIRECTORY).join("action.yml");
    serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Runs the action in a place; gives the exit code of the step that ended it, and its outputs.
fn run(place: &Place, inputs: &[(&str, &str)]) -> (i32, BTreeMap<String, String>) {
    let action = action();
    let given = |name: &str| {
        let chosen = inputs.iter().find(|(input, _)| *input == name).map(|(_, value)| *value);
        chosen.unwrap_or(&action.inputs[name].default).to_owned()
    };
    let output_file = place.dir().join("output");
    let mut code = 0;
    for step in &action.runs.steps {
        let script = step.run.as_deref().unwrap();
        assert!(!script.contains("${{"), "a value is pasted into a script: {script}");
        let mut command = bash(script);
        for (name, value) in &step.env {
            let input = value.strip_prefix("${{ inputs.").and_then(|rest| rest.strip_suffix(" }}"));
            command.env(name, given(input.unwrap()));
        }
        let output = command
            .current_dir(place.dir())
            .env("GITHUB_ACTION_PATH", repository(DIRECTORY))
            .env("GITHUB_OUTPUT", &output_file)
            .env("RUNNER_TEMP", place.dir().join("temp"))
            .env("CCC_BACKUP", BINARY)
            .output()
            .unwrap();
        code = output.status.code().unwrap();
        eprintln!("{}{}", text(&output.stdout), text(&output.stderr));
        if code != 0 {
            break;
        }
    }
    let said = std::fs::read_to_string(output_file).unwrap();
    let outputs = said.lines().map(|line| line.split_once('=').unwrap());
    (code, outputs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

#[test]
fn the_action_fails_with_a_bad_backup_and_says_so_in_its_output() {
    let place = Place::new();
    place.file("bad.sql.gz", &gzipped(&good_dump()[..good_dump().len() / 2]));
    let args = format!("--port 0\n--container-name {}", place.container);
    let (code, outputs) = run(&place, &[("file", "bad.sql.gz"), ("args", &args)]);
    assert_eq!((code, outputs["verdict"].as_str()), (1, "failed"));
    assert!(std::fs::exists(&outputs["report"]).unwrap());
}

#[test]
fn the_action_takes_its_inputs_for_names_and_not_for_code() {
    let place = Place::without_docker();
    let inputs = [("file", "$(touch ran); --help"), ("args", "$(touch ran) `touch ran`")];
    let (code, outputs) = run(&place, &inputs);
    assert_eq!((code, outputs["verdict"].as_str()), (2, "not-verified"));
    assert!(!std::fs::exists(place.dir().join("ran")).unwrap());
}

#[test]
fn the_actions_outputs_are_those_that_its_step_writes() {
    let written = ["report", "verdict"];
    let declared = action().outputs;
    assert!(declared.keys().eq(written));
    for name in written {
        assert_eq!(declared[name].value, format!("${{{{ steps.verify.outputs.{name} }}}}"));
    }
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn the_action_verifies_the_newest_backup_and_says_where_the_report_is() {
        let place = Place::new();
        place.file("backups/backup_20260114_020000.sql.gz", &gzipped(good_dump()));
        let args = format!("--port 0 --container-name {}", place.container);
        // It has no manifest.
        let inputs = [("args", args.as_str()), ("require-proof", "false")];
        let (code, outputs) = run(&place, &inputs);
        assert_eq!((code, outputs["verdict"].as_str()), (0, "passed"));
        std::fs::remove_file(place.dir().join("output")).unwrap();
        let (code, outputs) = run(&place, &inputs[..1]);
        assert_eq!((code, outputs["verdict"].as_str()), (2, "not-verified"));
        let report = std::fs::read_to_string(&outputs["report"]).unwrap();
        assert!(report.contains("\"verdict\""), "{report}");
        place.assert_nothing_left();
    }
}
