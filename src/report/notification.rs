//! Word of a run that has ended: a line for people, JSON for programs, and facts for the environment of a command.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;

use super::json::{ReportDocument, pretty};
use crate::model::ended_run::{Command, EndedRun};
use crate::model::outcome::Verdict;

/// The version of the document: raised when a field goes away or changes its meaning; a new field leaves it as it is.
pub const SCHEMA_VERSION: u32 = 1;
/// Letters of the line for people at the most.
const MOST_TEXT: usize = 1000;

/// Word of a run of ccc-backup that has ended: the body of a webhook, and what a command reads.
#[derive(Debug, Serialize, JsonSchema)]
pub struct NotificationDocument<'a> {
    /// Version of this format. New fields can appear without a new version.
    #[schemars(extend("const" = SCHEMA_VERSION))]
    pub schema_version: u32,
    /// One line for people. Slack, Mattermost and others show it.
    pub text: String,
    /// A UUID of the run, which a ping has as `rid`.
    pub run_id: &'a str,
    /// What was run.
    pub command: Command,
    /// What the exit code says. Of `verify`, about the backup; of others: `passed`, it was done; `failed`, it was tried and
    /// could not be done; `not_verified`, it could not be tried, or was interrupted.
    pub verdict: Verdict,
    /// What the process exits with.
    pub exit_code: u8,
    /// The name of the machine.
    pub host: &'a str,
    /// Version of ccc-backup.
    pub tool_version: &'static str,
    /// When the run began.
    pub started_at: DateTime<Utc>,
    /// Wall time of the run in seconds.
    pub seconds: f64,
    /// The backup that it was about, as it was shown; where it was about one.
    pub backup: Option<&'a str>,
    /// Why it did not end well, one sentence each, most telling first.
    pub causes: &'a [String],
    /// What to do next, where it did not end well.
    pub hint: Option<&'a str>,
    /// Harmless things worth knowing.
    pub warnings: &'a [String],
    /// What a verification found, as `--report` writes it.
    pub report: Option<ReportDocument<'a>>,
}

/// The document, with a line end.
pub fn document(run: &EndedRun) -> Vec<u8> {
    pretty(&NotificationDocument {
        schema_version: SCHEMA_VERSION,
        text: headline(run),
        run_id: &run.id,
        command: run.command,
        verdict: run.verdict(),
        exit_code: run.exit_code,
        host: &run.host,
        tool_version: env!("CARGO_PKG_VERSION"),
        started_at: run.started_at,
        seconds: run.seconds,
        backup: run.backup.as_deref(),
        causes: &run.causes,
        hint: run.hint.as_deref(),
        warnings: &run.warnings,
        report: run.report.as_deref().map(ReportDocument::of),
    })
}

/// The JSON Schema of the document, with a line end.
pub fn schema() -> Vec<u8> {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    pretty(&settings.into_generator().into_root_schema_for::<NotificationDocument<'_>>())
}

/// One line for people.
pub fn headline(run: &EndedRun) -> String {
    let parts = [Some(word(run)), run.backup.as_deref(), run.causes.first().map(String::as_str)];
    let said = parts.into_iter().flatten().collect::<Vec<_>>().join(": ");
    let line = format!("ccc-backup {} on {}: {said}", run.command, run.host).replace('\n', " ");
    match line.char_indices().nth(MOST_TEXT) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// A few lines for people.
pub fn text(run: &EndedRun) -> String {
    let more = run.causes.iter().skip(1).cloned();
    let hint = run.hint.iter().map(|hint| format!("hint: {hint}"));
    let warnings = run.warnings.iter().map(|warning| format!("warning: {warning}"));
    let lines = std::iter::once(headline(run)).chain(more).chain(hint).chain(warnings);
    lines.map(|line| line + "\n").collect()
}

/// Names and values for the environment of a command.
pub fn facts(run: &EndedRun) -> Vec<(&'static str, String)> {
    let verdict = match run.verdict() {
        Verdict::Passed => "passed",
        Verdict::Failed => "failed",
        Verdict::NotVerified => "not_verified",
    };
    vec![
        ("CCC_BACKUP_COMMAND", run.command.to_string()),
        ("CCC_BACKUP_VERDICT", verdict.to_owned()),
        ("CCC_BACKUP_EXIT_CODE", run.exit_code.to_string()),
        ("CCC_BACKUP_RUN_ID", run.id.clone()),
        ("CCC_BACKUP_TEXT", headline(run)),
        ("CCC_BACKUP_CAUSE", run.causes.first().cloned().unwrap_or_default()),
        ("CCC_BACKUP_FILE", run.backup.clone().unwrap_or_default()),
    ]
    .into_iter()
    // A variable ends there.
    .map(|(name, value)| (name, value.replace('\0', "")))
    .collect()
}

fn word(run: &EndedRun) -> &'static str {
    match (run.verdict(), run.command) {
        (_, Command::Doctor) => "TEST: no run has ended; whoever reads this is told when one has",
        (Verdict::Failed, _) => "FAILED",
        (Verdict::Passed, Command::Verify) => "PASSED",
        (Verdict::NotVerified, Command::Verify) => "NOT VERIFIED",
        (Verdict::Passed, _) => "DONE",
        (Verdict::NotVerified, _) => "NOT DONE",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::report::samples;

    fn run(command: Command, exit_code: u8, causes: &[&str]) -> EndedRun {
        EndedRun {
            id: "0199a0d1-7e1f-7000-8000-000000000000".to_owned(),
            command,
            exit_code,
            started_at: DateTime::from_timestamp(1_768_356_000, 0).unwrap(),
            seconds: 7.25,
            host: "db1".to_owned(),
            backup: Some("backups/backup_20260114_020000.sql.gz".to_owned()),
            causes: causes.iter().map(|cause| (*cause).to_owned()).collect(),
            hint: None,
            warnings: Vec::new(),
            report: None,
        }
    }

    #[test]
    fn one_line_says_what_ended_how_and_why() {
        let file = "backups/backup_20260114_020000.sql.gz";
        for (command, exit_code, causes, line) in [
            (Command::Verify, 0, &[][..], format!("verify on db1: PASSED: {file}")),
            (
                Command::Verify,
                1,
                &["it is cut off", "x"],
                format!("verify on db1: FAILED: {file}: it is cut off"),
            ),
            (
                Command::Verify,
                2,
                &["no\nDocker"],
                format!("verify on db1: NOT VERIFIED: {file}: no Docker"),
            ),
            (Command::Create, 0, &[], format!("create on db1: DONE: {file}")),
            (
                Command::Restore,
                3,
                &["too slow"],
                format!("restore on db1: FAILED: {file}: too slow"),
            ),
            (
                Command::Copy,
                2,
                &["no such place"],
                format!("copy on db1: NOT DONE: {file}: no such place"),
            ),
        ] {
            assert_eq!(headline(&run(command, exit_code, causes)), format!("ccc-backup {line}"));
        }
        let long = "ä".repeat(5000);
        assert_eq!(headline(&run(Command::Create, 1, &[&long])).chars().count(), MOST_TEXT + 1);
    }

    #[test]
    fn the_document_of_a_verification_has_its_report() {
        let report = Arc::new(samples::failed());
        let mut run = run(Command::Verify, 1, &["it is cut off"]);
        run.hint = Some("take another one".to_owned());
        let without: serde_json::Value = serde_json::from_slice(&document(&run)).unwrap();
        assert!(without["report"].is_null());
        run.report = Some(Arc::clone(&report));
        let with: serde_json::Value = serde_json::from_slice(&document(&run)).unwrap();
        let as_written: serde_json::Value =
            serde_json::from_slice(&crate::report::json::serialize(&report)).unwrap();
        assert_eq!(with["report"], as_written);
        run.report = None;
        insta::assert_snapshot!(String::from_utf8(document(&run)).unwrap());
    }

    #[test]
    fn the_facts_are_there_whatever_happened() {
        let run = EndedRun { backup: None, ..run(Command::Cleanup, 2, &["a\0b", "c"]) };
        let facts = facts(&run);
        let of = |name: &str| facts.iter().find(|(fact, _)| *fact == name).unwrap().1.clone();
        assert_eq!(
            (of("CCC_BACKUP_VERDICT"), of("CCC_BACKUP_EXIT_CODE")),
            ("not_verified".into(), "2".into())
        );
        assert_eq!((of("CCC_BACKUP_CAUSE"), of("CCC_BACKUP_FILE")), ("ab".into(), String::new()));
        assert_eq!(text(&run).lines().nth(1), Some("c"));
    }

    #[test]
    fn the_schema_in_docs_is_the_one_of_the_types() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/notification.schema.json");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, schema()).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        let generated = String::from_utf8(schema()).unwrap();
        assert!(kept == generated, "{path} is out of date: run the tests with UPDATE_DOCS=1");
    }
}
