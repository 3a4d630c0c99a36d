//! Prometheus's text format: how metrics are written.
//!
//! Format: <https://prometheus.io/docs/instrumenting/exposition_formats/>, "Text-based format".

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_without_samples_is_left_out_and_a_sample_may_have_no_labels() {
        let mut text = String::new();
        family(&mut text, "x", "gauge", "It.", "");
        sample(&mut text, "y", &[""], 1);
        assert_eq!(text, "backup_y 1\n");
    }
}
