//! Prometheus's text format: how metrics are written, and read back from a file of ours.
//!
//! Format: <https://prometheus.io/docs/instrumenting/exposition_formats/>, "Text-based format".

use std::collections::BTreeMap;
use std::fmt::{Display, Write};

/// What the names of all metrics begin with.
const PREFIX: &str = "backup_";

/// Adds a metric and its samples. Without any it is left out.
pub(super) fn family(text: &mut String, name: &str, kind: &str, help: &str, samples: &str) {
    if !samples.is_empty() {
        text.push_str(&format!("# HELP {PREFIX}{name} {help}\n# TYPE {PREFIX}{name} {kind}\n"));
        text.push_str(samples);
    }
}

/// Where a metric begins; the end of the text where it has none of this name.
pub(super) fn begin(text: &str, name: &str) -> usize {
    let head = format!("# HELP {PREFIX}{name} ");
    // Nothing that a label holds begins a line.
    let is_line = |at: &usize| *at == 0 || text.as_bytes()[at - 1] == b'\n';
    text.match_indices(&head).map(|(at, _)| at).find(is_line).unwrap_or(text.len())
}

/// Adds a sample.
pub(super) fn sample(text: &mut String, name: &str, labels: &[&str], value: impl Display) {
    let labels: Vec<&str> = labels.iter().copied().filter(|label| !label.is_empty()).collect();
    let labels =
        if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
    // Writing to a string does not fail.
    let _ = writeln!(text, "{PREFIX}{name}{labels} {value}");
}

/// A label.
pub(super) fn label(name: &str, value: &str) -> String {
    let value = value.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n");
    format!("{name}=\"{value}\"")
}

/// A sample with labels, as it was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sample<'a> {
    labels: BTreeMap<&'a str, String>,
    value: &'a str,
}

impl Sample<'_> {
    /// A label's value.
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name).map(String::as_str)
    }

    /// The value, where it is a whole number.
    pub(super) fn whole(&self) -> Option<i64> {
        self.value.parse().ok()
    }
}

/// The samples of a metric. Lines that are none are passed over.
pub(super) fn samples<'a>(text: &'a str, name: &str) -> impl Iterator<Item = Sample<'a>> {
    let begin = format!("{PREFIX}{name}{{");
    text.lines().filter_map(move |line| parse(line.strip_prefix(&begin)?))
}

/// What stands after the brace.
fn parse(mut rest: &str) -> Option<Sample<'_>> {
    let mut labels = BTreeMap::new();
    loop {
        let (name, after) = rest.split_once("=\"")?;
        let (value, after) = quoted(after)?;
        labels.insert(name, value);
        if let Some(value) = after.strip_prefix("} ") {
            return Some(Sample { labels, value });
        }
        rest = after.strip_prefix(',')?;
    }
}

/// A label's value up to its quote, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let (mut value, mut chars) = (String::new(), text.chars());
    loop {
        match chars.next()? {
            '"' => return Some((value, chars.as_str())),
            '\\' => match chars.next()? {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_whatever_its_labels_hold() {
        for value in ["ccc", "", "a\"b\\c\nd", r#"","place="x"} 1"#, r"\n", "ä=\",}"] {
            let mut text = String::new();
            let labels = [label("database", value), label("place", "p")];
            sample(&mut text, "x", &[&labels[0], &labels[1]], 7);
            sample(&mut text, "xy", &[&labels[0]], 8);
            let read: Vec<_> = samples(&text, "x").collect();
            assert_eq!(read.len(), 1, "{text}");
            assert_eq!(
                (read[0].label("database"), read[0].label("place")),
                (Some(value), Some("p"))
            );
            assert_eq!(read[0].whole(), Some(7));
        }
    }

    #[test]
    fn lines_that_are_no_samples_are_passed_over() {
        let text =
            "backup_x 1\nbackup_x{a} 1\nbackup_x{a=\"b} 1\nbackup_x{a=\"b\"}1\nbackup_x{a=\"\\\n";
        assert_eq!(samples(text, "x").count(), 0);
        assert_eq!(samples("backup_x{a=\"b\"} 1.5\n", "x").next().unwrap().whole(), None);
    }

    #[test]
    fn a_metric_without_samples_is_left_out_and_a_sample_may_have_no_labels() {
        let mut text = String::new();
        family(&mut text, "x", "gauge", "It.", "");
        sample(&mut text, "y", &[""], 1);
        assert_eq!(text, "backup_y 1\n");
    }
}
