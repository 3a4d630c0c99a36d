//! What works of a set-up: a page for people, JSON for programs.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;

use super::RULE;
use super::json::pretty;
use super::listing::printable;
use crate::events::DoctorEvent;
use crate::model::checkup::{Checkup, Finding, State};

/// The version of the document: raised when a field goes away or changes its meaning; a new field leaves it as it is.
pub const SCHEMA_VERSION: u32 = 1;
/// How wide the names of things are, unless one is longer.
const WIDTH: usize = 20;
/// How wide they are at the most: what has a longer one stands by itself.
const WIDEST: usize = 36;

/// What works of a set-up of ccc-backup.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DoctorDocument<'a> {
    /// Version of this format. New fields can appear without a new version.
    #[schemars(extend("const" = SCHEMA_VERSION))]
    pub schema_version: u32,
    /// What the process exits with: 0 all that is set up works, 1 something is broken, 2 something could not be told.
    #[schemars(range(min = 0, max = 2))]
    pub exit_code: u8,
    /// Everything that was looked at, in the order of the page.
    pub findings: &'a [Finding],
}

/// The document, with a line end.
pub fn serialize(checkup: &Checkup) -> Vec<u8> {
    pretty(&DoctorDocument {
        schema_version: SCHEMA_VERSION,
        exit_code: checkup.exit_code(),
        findings: &checkup.findings,
    })
}

/// The JSON Schema of the document, with a line end.
pub fn schema() -> Vec<u8> {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    pretty(&settings.into_generator().into_root_schema_for::<DoctorDocument<'_>>())
}

/// The lines of the page for one event.
pub(super) fn lines(event: &DoctorEvent) -> Vec<String> {
    match event {
        DoctorEvent::Started => vec![RULE.into(), "DOCTOR".into(), RULE.into()],
        DoctorEvent::Examined(findings) => examined(findings),
        DoctorEvent::Finished(checkup) => {
            let counts = counts(checkup);
            vec![RULE.into(), counts, String::new(), headline(checkup).into(), RULE.into()]
        }
    }
}

/// With `--quiet`: the end, and what is broken or could not be told.
pub(super) fn quiet(event: &DoctorEvent) -> String {
    let DoctorEvent::Finished(checkup) = event else { return String::new() };
    let is_bad = |finding: &&Finding| matches!(finding.state, State::Broken | State::Unknown);
    let bad = checkup.findings.iter().filter(is_bad);
    let lines = bad.flat_map(|finding| of_finding(finding, WIDTH));
    std::iter::once(headline(checkup).to_owned()).chain(lines).map(|line| line + "\n").collect()
}

fn examined(findings: &[Finding]) -> Vec<String> {
    let widths = findings.iter().map(|finding| finding.what.chars().count());
    let width = widths.filter(|width| *width <= WIDEST).fold(WIDTH, usize::max);
    let mut lines = Vec::new();
    for (at, finding) in findings.iter().enumerate() {
        if at == 0 || findings[at - 1].area != finding.area {
            lines.push(finding.area.to_string());
        }
        lines.extend(of_finding(finding, width));
    }
    lines
}

fn of_finding(finding: &Finding, width: usize) -> Vec<String> {
    let mark = match finding.state {
        State::Works => "✓",
        State::Remark => "⚠",
        State::NotSetUp | State::NotTried => "–",
        State::Broken => "✗",
        State::Unknown => "?",
    };
    let one_line = |text: &str| printable(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    let (what, said) = (one_line(&finding.what), one_line(&finding.said));
    let line = format!("  {mark} {what:<width$}  {said}");
    let mend = finding.mend.iter().map(|mend| format!("      hint: {}", one_line(mend)));
    std::iter::once(line.trim_end().to_owned()).chain(mend).collect()
}

fn counts(checkup: &Checkup) -> String {
    let states = [
        (State::Works, "works"),
        (State::Remark, "with a remark"),
        (State::NotSetUp, "not set up"),
        (State::NotTried, "not tried"),
        (State::Broken, "broken"),
        (State::Unknown, "not told"),
    ];
    let counted = states.map(|(state, word)| (checkup.count(state), word));
    let counted = counted.iter().filter(|(count, _)| *count > 0);
    counted.map(|(count, word)| format!("{word}: {count}")).collect::<Vec<_>>().join(", ")
}

fn headline(checkup: &Checkup) -> &'static str {
    match checkup.exit_code() {
        0 => "✅ ALL THAT IS SET UP WORKS",
        1 => "❌ SOMETHING IS BROKEN",
        _ => "⚠️ NOT ALL OF IT COULD BE TOLD",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::checkup::Area;

    fn checkup() -> Checkup {
        let of = |area, id: &str, what: &str, state, said: &str| {
            Finding::new(area, id, what, state, said)
        };
        let findings = vec![
            of(Area::Tools, "pg_dump", "pg_dump", State::Works, "15.18, /usr/bin/pg_dump"),
            of(Area::Tools, "psql", "psql", State::Broken, "not\nfound").mended("apt install x"),
            of(Area::Source, "connection", "connection", State::NotSetUp, "nobody names one"),
            of(Area::Sandbox, "image", "image", State::Unknown, "it is not here"),
            of(
                Area::Places,
                "place",
                "s3://bucket/with/a/long/prefix/of/names",
                State::Remark,
                "x",
            ),
            of(Area::Places, "temporary", "temporary", State::NotTried, "\u{1b}[31m"),
        ];
        Checkup { findings }
    }

    #[test]
    fn a_page_has_a_line_for_each_thing_and_what_mends_it() {
        let checkup = checkup();
        let events = [
            DoctorEvent::Started,
            DoctorEvent::Examined(checkup.findings.clone()),
            DoctorEvent::Finished(checkup.into()),
        ];
        let page: Vec<String> = events.iter().flat_map(lines).collect();
        insta::assert_snapshot!(page.join("\n"));
    }

    #[test]
    fn quietly_only_what_is_bad_is_told() {
        insta::assert_snapshot!(quiet(&DoctorEvent::Finished(checkup().into())));
    }

    #[test]
    fn the_document_has_all_findings() {
        insta::assert_snapshot!(String::from_utf8(serialize(&checkup())).unwrap());
    }

    #[test]
    fn the_schema_in_docs_is_the_one_of_the_types() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/doctor.schema.json");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, schema()).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        let generated = String::from_utf8(schema()).unwrap();
        assert!(kept == generated, "{path} is out of date: run the tests with UPDATE_DOCS=1");
    }
}
