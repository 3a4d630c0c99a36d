//! What a drill found as versioned JSON, for machines and auditors. `docs/drill.schema.json` is its schema, generated from
//! the types.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::model::drill::{DatabaseOutlook, DrillReport, End, PlaceFound, Planned, Turn};
use crate::model::outcome::Verdict;
use crate::report::json::{ReportDocument, pretty};

/// The version of the document: raised when a field goes away or changes its meaning; a new field leaves it as it is.
pub const SCHEMA_VERSION: u32 = 1;

/// The result of a drill by ccc-backup.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DrillDocument<'a> {
    /// Version of this format. New fields can appear without a new version.
    #[schemars(extend("const" = SCHEMA_VERSION))]
    pub schema_version: u32,
    /// The worst verdict of all; what was not reached is not verified.
    pub verdict: Verdict,
    /// What the process exits with: 0 passed, 1 failed, 2 not verified.
    #[schemars(range(min = 0, max = 2))]
    pub exit_code: u8,
    /// Version of ccc-backup.
    pub tool_version: &'a str,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// Wall time in seconds.
    pub seconds: f64,
    /// Whether nothing was restored, and the bytes of each backup were compared with its manifest.
    pub file_only: bool,
    /// How long a restore may take, in seconds.
    pub rto_seconds: Option<f64>,
    /// How long the drill might take, in seconds.
    pub within_seconds: Option<f64>,
    /// Why the verdict is not "passed", the worst first.
    pub causes: Vec<String>,
    /// Where it looked, and what was there before it.
    pub places: &'a [PlaceFound],
    /// The backups that were to be tried, in the order of the plan.
    pub backups: Vec<TurnDocument<'a>>,
    /// How long restores are going to take, by those on record.
    pub outlooks: &'a [DatabaseOutlook],
    /// Harmless things worth knowing.
    pub warnings: &'a [String],
}

/// A backup that was to be tried.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TurnDocument<'a> {
    /// What was planned.
    #[serde(flatten)]
    pub planned: &'a Planned,
    /// Why it was not come to; absent where it was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_reached: Option<&'a str>,
    /// What was found, as `verify --report` has it; absent where it was not come to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<ReportDocument<'a>>,
}

impl<'a> TurnDocument<'a> {
    fn of(turn: &'a Turn) -> Self {
        let (not_reached, result) = match &turn.end {
            End::Tried(report) => (None, Some(ReportDocument::of(report))),
            End::NotReached { why } => (Some(why.as_str()), None),
        };
        Self { planned: &turn.planned, not_reached, result }
    }
}

/// The document of a drill, with a line end.
pub fn serialize(report: &DrillReport) -> Vec<u8> {
    pretty(&DrillDocument {
        schema_version: SCHEMA_VERSION,
        verdict: report.verdict(),
        exit_code: report.verdict().exit_code(),
        tool_version: &report.tool_version,
        started_at: report.started_at,
        seconds: report.seconds,
        file_only: report.file_only,
        rto_seconds: report.rto_seconds,
        within_seconds: report.within_seconds,
        causes: report.causes(),
        places: &report.places,
        backups: report.turns.iter().map(TurnDocument::of).collect(),
        outlooks: &report.outlooks,
        warnings: &report.warnings,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::drill::samples;

    #[test]
    fn the_document_has_the_worst_verdict_and_each_backup_with_what_was_proven_of_it() {
        let value: serde_json::Value =
            serde_json::from_slice(&serialize(&samples::drill())).unwrap();
        assert_eq!((&value["verdict"], &value["exit_code"]), (&"failed".into(), &1.into()));
        let backups = value["backups"].as_array().unwrap();
        assert_eq!(backups[0]["result"]["verdict"], "passed");
        let proven = backups[0]["result"]["proven"][0].as_str().unwrap();
        assert!(proven.starts_with("It restores into PostgreSQL 15.18"), "{proven}");
        assert_eq!(backups[0]["standing"]["state"], "untried");
        assert!(backups[3]["result"].is_null() && backups[3]["not_reached"].is_string());
        assert_eq!(value["places"][2]["obstacle"]["hint"], serde_json::Value::Null);
    }

    #[test]
    fn the_schema_in_docs_is_the_one_of_the_types() {
        crate::report::json::kept_schema_is(
            "drill",
            &crate::report::json::schema_of::<DrillDocument<'_>>(),
        );
    }
}
