//! The run report as versioned JSON, for machines and auditors. `docs/report.schema.json` is its
//! schema, generated from the types.

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::outcome::{RunReport, Verdict};

/// The version of the document: raised when a field goes away or changes its meaning; a new field
/// leaves it as it is.
pub const SCHEMA_VERSION: u32 = 1;

/// The result of a verification by ccc-backup.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ReportDocument<'a> {
    /// Version of this format. New fields can appear without a new version.
    #[schemars(extend("const" = SCHEMA_VERSION))]
    pub schema_version: u32,
    /// The verdict on the backup.
    pub verdict: Verdict,
    /// What the process exits with: 0 passed, 1 failed, 2 not verified.
    #[schemars(range(min = 0, max = 2))]
    pub exit_code: u8,
    /// The verdict on the backup itself, whatever time its restore took.
    pub soundness: Verdict,
    /// What was proven of the backup, one sentence each.
    pub proven: Vec<String>,
    /// What proves the backup bad, one sentence each, most telling first.
    pub disproven: Vec<String>,
    /// What was wanted of the restore and missed, such as its time: it proves nothing against the
    /// backup.
    pub missed: Vec<String>,
    /// Everything that this run leaves open, one sentence each: what it does not cover, what it
    /// could not check, what it never came to, and what is worth a look.
    pub not_proven: Vec<String>,
    /// Everything that was found.
    pub report: &'a RunReport,
}

impl<'a> ReportDocument<'a> {
    /// What a run found.
    pub fn of(report: &'a RunReport) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            verdict: report.verdict(),
            exit_code: report.verdict().exit_code(),
            soundness: report.soundness(),
            proven: report.proven(),
            disproven: report.disproven(),
            missed: report.missed(),
            not_proven: report.unproven(),
            report,
        }
    }
}

/// The document of a run, with a line end.
pub fn serialize(report: &RunReport) -> Vec<u8> {
    pretty(&ReportDocument::of(report))
}

#[expect(clippy::expect_used, reason = "the types have string keys only, and paths as text")]
pub(super) fn pretty(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).expect("our own types are JSON");
    bytes.push(b'\n');
    bytes
}

/// The JSON Schema of a document, with a line end.
#[cfg(test)]
pub(super) fn schema_of<T: JsonSchema>() -> Vec<u8> {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    pretty(&settings.into_generator().into_root_schema_for::<T>())
}

/// Holds the schema in the documents to this one, or writes it anew.
#[cfg(test)]
pub(super) fn kept_schema_is(name: &str, generated: &[u8]) {
    let path = format!("{}/docs/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, generated).unwrap();
    }
    let kept = std::fs::read(&path).unwrap_or_default();
    assert!(kept == generated, "{path} is out of date: run the tests with UPDATE_DOCS=1");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn the_document_has_the_verdict_and_what_was_proven_and_what_was_not() {
        for (name, report) in samples::all() {
            insta::assert_snapshot!(name, String::from_utf8(serialize(&report)).unwrap());
        }
    }

    #[test]
    fn a_path_that_is_no_text_is_still_reported() {
        use std::os::unix::ffi::OsStringExt;
        let mut report = samples::passed();
        report.backup = std::ffi::OsString::from_vec(b"b\xff.sql".to_vec()).into();
        let text = String::from_utf8(serialize(&report)).unwrap();
        assert!(text.contains("\"b\u{fffd}.sql\""), "{text}");
    }

    #[test]
    fn the_schema_in_docs_is_the_one_of_the_types() {
        kept_schema_is("report", &schema_of::<ReportDocument<'_>>());
    }
}
