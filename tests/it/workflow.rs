//! The nightly verification: the steps of its workflow, as they stand there, against a real server
//! and a real engine. GitHub's own parts (checkout, cache, uploads, the service) are replaced.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde::Deserialize;

use crate::support::source::source;
use crate::support::{BINARY, Place, clean_environment, repository, text};

const NIGHTLY: &str = ".github/workflows/backup-verification.yml";
const DRILL: &str = ".github/workflows/backup-drill.yml";
const NIGHTLY_TESTS: &str = ".github/workflows/nightly-tests.yml";

#[derive(Deserialize)]
struct Workflow {
    jobs: BTreeMap<String, Job>,
}

#[derive(Deserialize)]
struct Job {
    #[serde(default)]
    env: BTreeMap<String, String>,
    steps: Vec<Step>,
}

/// A step of a job, or of a composite action.
#[derive(Deserialize)]
pub struct Step {
    pub name: Option<String>,
    pub run: Option<String>,
    #[serde(rename = "if")]
    pub condition: Option<String>,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    #[serde(default)]
    pub with: BTreeMap<String, serde_json::Value>,
}

fn workflow(path: &str) -> Workflow {
    serde_saphyr::from_str(&std::fs::read_to_string(repository(path)).unwrap()).unwrap()
}

fn job() -> Job {
    workflow(NIGHTLY).jobs.remove("verify").unwrap()
}

fn drill_job() -> Job {
    workflow(DRILL).jobs.remove("drill").unwrap()
}

/// A step's script, as GitHub runs it.
pub fn bash(script: &str) -> Command {
    let mut command = Command::new("bash");
    command.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script]);
    command.env_clear().envs(clean_environment()).current_dir(repository("."));
    command
}

/// A night of its own: a directory, a database that is not there yet, a container's name.
struct Night {
    place: Place,
    job: Job,
    database: String,
}

impl Night {
    fn new(database: &str) -> Self {
        Self::of(job(), database)
    }

    fn of(job: Job, database: &str) -> Self {
        let place = Place::on_a_lent_server();
        std::fs::create_dir(place.dir().join("nightly")).unwrap();
        Self { place, job, database: database.to_owned() }
    }

    fn run(&self, step: &Step) -> Output {
        let mut command = bash(step.run.as_deref().unwrap());
        for (name, value) in self.job.env.iter().chain(&step.env) {
            command.env(name, value.replace("${{ matrix.postgres }}", "15"));
        }
        let server = source();
        command
            .env("DB_PORT", server.port.to_string())
            .env("DB_PASSWORD", &server.password)
            .env("DB_NAME", &self.database)
            .env("SEED_SCALE", "0.001")
            .env("NIGHTLY_DIR", self.place.dir().join("nightly"))
            .env("CCC_BACKUP", BINARY)
            .env("ARGS", self.args(step))
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_STEP_SUMMARY", self.place.dir().join("summary.md"));
        command.output().unwrap()
    }

    /// What lets it run beside others.
    fn args(&self, step: &Step) -> String {
        let name = format!("--container-name {}", self.place.container);
        let is_drill = step.run.as_deref() == Some("make nightly-drill");
        if is_drill { name } else { format!("--port 0 {name}") }
    }

    /// Runs the unconditional steps in order; gives the first that fails, and its output.
    fn steps(&self) -> Option<(&str, Output)> {
        let steps = self.job.steps.iter().filter(|step| step.condition.is_none());
        for step in steps.filter(|step| step.run.is_some()) {
            let output = self.run(step);
            if !output.status.success() {
                return Some((step.run.as_deref().unwrap(), output));
            }
            if step.run.as_deref() == Some("make nightly-backup") {
                self.damage();
            }
        }
        None
    }

    /// Cuts the backup short, in the night that is named after it.
    fn damage(&self) {
        if !self.database.ends_with("_cut") {
            return;
        }
        let names = self.place.names("nightly/backups");
        let backup = names.iter().find(|name| name.ends_with(".sql.gz")).unwrap();
        let path = self.file("backups").join(backup);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() * 2 / 3]).unwrap();
    }

    fn file(&self, name: &str) -> PathBuf {
        self.place.dir().join("nightly").join(name)
    }

    fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.file("logs").join(name)).unwrap()
    }

    fn verdict(&self, name: &str) -> String {
        let report: serde_json::Value = serde_json::from_str(&self.log(name)).unwrap();
        report["verdict"].as_str().unwrap().to_owned()
    }

    fn summary(&self) -> String {
        std::fs::read_to_string(self.place.dir().join("summary.md")).unwrap()
    }
}

#[test]
fn the_nights_steps_make_a_backup_and_prove_that_it_restores() {
    let night = Night::new("nightly_good");
    if let Some((step, output)) = night.steps() {
        panic!("{step}: {}{}", text(&output.stdout), text(&output.stderr));
    }
    let backups = night.place.names("nightly/backups");
    assert!(backups.iter().any(|name| name.ends_with(".sql.gz")), "{backups:?}");
    assert!(backups.iter().any(|name| name.ends_with(".manifest.json")), "{backups:?}");
    assert!(night.log("create.txt").contains("✓ Backup created successfully"));
    for name in ["verify.txt", "verify-latest.txt"] {
        assert!(night.log(name).contains("✅ VERIFICATION PASSED"), "{}", night.log(name));
    }
    assert_eq!(night.verdict("verify.json"), "passed");
    assert_eq!(night.verdict("verify-latest.json"), "passed");
    assert!(night.log("verify.xml").contains("<testsuite"));
    assert!(night.log("ccc-backup.prom").contains("backup_verification_last_success_timestamp"));
    let summary = night.summary();
    assert_eq!(summary.matches("## Backup Verification Summary").count(), 1, "{summary}");
    assert!(summary.contains("- **Status**: success"), "{summary}");
    night.place.assert_nothing_left();
}

#[test]
fn a_backup_that_is_damaged_in_the_night_stops_it_and_leaves_its_logs() {
    let night = Night::new("nightly_cut");
    let (step, output) = night.steps().expect("a damaged backup passed");
    assert_eq!(step, "make nightly-verify");
    // The number behind "Error" is the exit code of ccc-backup.
    assert!(text(&output.stderr).contains("Error 1"), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("::error"), "{}", text(&output.stdout));
    assert_eq!(night.verdict("verify.json"), "failed");
    assert!(night.log("verify.xml").contains("<failure"));
    assert!(night.log("verify.txt").contains("❌ VERIFICATION FAILED"));
    assert!(night.summary().contains("- **Status**: failure"), "{}", night.summary());
    // What follows a failure adds nothing to a report that is there.
    let before = night.summary();
    let after_failure = conditional(&night.job, "failure()");
    assert!(night.run(after_failure).status.success());
    assert_eq!(night.summary(), before);
}

#[test]
fn a_night_that_ends_before_the_verification_says_that_nothing_was_verified() {
    let night = Night::new("nightly_none");
    let output = night.run(conditional(&night.job, "failure()"));
    assert!(output.status.success(), "{}", text(&output.stderr));
    let summary = night.summary();
    assert!(summary.contains("## Backup Verification Summary"), "{summary}");
    assert!(summary.contains("- **Status**: not verified"), "{summary}");
}

fn conditional<'a>(job: &'a Job, condition: &str) -> &'a Step {
    job.steps
        .iter()
        .find(|step| step.run.is_some() && step.condition.as_deref() == Some(condition))
        .unwrap()
}

#[test]
fn every_step_of_the_workflows_is_a_target_of_the_makefile() {
    let makefile = std::fs::read_to_string(repository("Makefile")).unwrap();
    let others = [".github/workflows/ci.yml", ".github/workflows/release.yml"];
    for path in [NIGHTLY, DRILL, NIGHTLY_TESTS].into_iter().chain(others) {
        let jobs = workflow(path).jobs.into_values();
        for run in jobs.flat_map(|job| job.steps).filter_map(|step| step.run) {
            let target = run.strip_prefix("make ").unwrap_or_else(|| panic!("{path}: {run}"));
            let known = makefile.lines().any(|line| line.starts_with(&format!("{target}:")));
            assert!(known, "{path}: {run}");
        }
    }
}

#[test]
fn every_night_all_tests_run_and_the_long_ones_at_their_full_length() {
    let jobs = workflow(NIGHTLY_TESTS).jobs.into_values();
    let runs: Vec<_> = jobs.flat_map(|job| job.steps).filter_map(|step| step.run).collect();
    for target in ["make test", "make test-long"] {
        assert!(runs.iter().any(|run| run == target), "{target}: {runs:?}");
    }
}

#[test]
fn what_the_night_makes_is_what_is_uploaded() {
    let upload = |name: &str| {
        let steps = job().steps;
        steps
            .into_iter()
            .find(|step| {
                step.with.get("name").and_then(|value| value.as_str()).is_some_and(|value| {
                    // Another major version's has that version behind it.
                    value.split("${{").next() == Some(name)
                })
            })
            .unwrap_or_else(|| panic!("no upload of {name}"))
    };
    let backup = upload("test-backup");
    assert_eq!(
        (&backup.with["path"], &backup.with["retention-days"]),
        (&"nightly/backups".into(), &7.into())
    );
    let logs = upload("verification-logs");
    assert_eq!(
        (&logs.with["path"], &logs.with["retention-days"]),
        (&"nightly/logs".into(), &30.into())
    );
    assert_eq!(logs.condition.as_deref(), Some("always()"));
    let steps = job().steps;
    let at = |name: &str| steps.iter().position(|step| step.name.as_deref() == Some(name)).unwrap();
    // A backup that does not verify is the one that somebody will want to look at.
    assert!(at("Upload the backup") < at("Verify the backup"));
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn the_steps_of_the_drill_prove_old_backups_and_copies_and_write_a_page_of_it() {
        let night = Night::of(drill_job(), "nightly_drill");
        if let Some((step, output)) = night.steps() {
            panic!("{step}: {}{}", text(&output.stdout), text(&output.stderr));
        }
        assert_eq!(night.verdict("drill.json"), "passed");
        let page = night.log("drill.html");
        assert!(page.contains("All 6 backups restore."), "{page}");
        assert!(night.log("ccc-backup.prom").contains("backup_copies_proven"));
        let summary = night.summary();
        assert!(summary.contains("## Backup Drill Summary"), "{summary}");
        assert!(summary.contains("✅ DRILL PASSED"), "{summary}");
        night.place.assert_nothing_left();
        let upload =
            drill_job().steps.into_iter().find(|step| step.with.contains_key("retention-days"));
        assert_eq!(upload.unwrap().with["path"], "nightly/logs");
    }
}
