//! The run report for GitHub Actions: the step summary, and annotations as workflow commands.
//! Source: GitHub's "Workflow commands for GitHub Actions".

use std::fmt::Write;

use crate::model::outcome::{RunReport, Status, Verdict, spoken};

/// The step summary, in Markdown.
pub fn summary(report: &RunReport) -> Vec<u8> {
    let status = match report.verdict() {
        Verdict::Passed => "success",
        Verdict::Failed => "failure",
        Verdict::NotVerified => "not verified",
    };
    let mut text = format!(
        "## Backup Verification Summary\n\n\
         - **Date**: {}\n\
         - **Status**: {status}\n\
         - **Backup Size**: {}\n\n{}\n\n",
        report.started_at.format("%Y-%m-%d %H:%M:%S UTC"),
        mebibytes(report.backup_bytes),
        closing(report),
    );
    match report.verdict() {
        Verdict::Passed => {}
        Verdict::Failed => list(&mut text, None, &[report.disproven(), report.missed()].concat()),
        Verdict::NotVerified => list(&mut text, None, &report.causes()),
    }
    if report.verdict() == Verdict::Failed
        && let Some(obstacle) = &report.obstacle
    {
        list(&mut text, Some("Stopped by"), std::slice::from_ref(&obstacle.cause));
    }
    text.push_str(&facts(report));
    let warned = report.ended(Status::Warned).map(|check| check.title.clone());
    let warnings: Vec<String> = warned.chain(report.warnings.iter().cloned()).collect();
    list(&mut text, Some("Warnings"), &warnings);
    // Said above already where it is why the backup did not pass.
    if report.verdict() != Verdict::NotVerified || !report.require_proof {
        list(&mut text, Some("Not proven"), &report.not_proven);
    }
    text.into_bytes()
}

/// What becomes of the checks at the end of the log: an error for each cause, a warning for each
/// thing worth a look. Each is a line.
pub fn annotations(report: &RunReport) -> String {
    let title = match report.verdict() {
        Verdict::NotVerified => "Backup not verified",
        Verdict::Passed | Verdict::Failed => "Backup verification failed",
    };
    let mut text = String::new();
    for cause in report.causes() {
        command(&mut text, "error", title, &cause);
    }
    let warned = report.ended(Status::Warned).map(|check| check.title.as_str());
    for warning in warned.chain(report.warnings.iter().map(String::as_str)) {
        command(&mut text, "warning", "Backup verification", warning);
    }
    text
}

/// The verdict in SPEC's words.
fn closing(report: &RunReport) -> &'static str {
    match report.verdict() {
        Verdict::Passed => {
            "✅ Backup restore verification passed!\n\n\
             The backup can be restored successfully and all verification checks passed."
        }
        Verdict::Failed if report.soundness() == Verdict::Passed => match report.is_only_late() {
            true => {
                "❌ Backup restore verification failed!\n\n\
                 The backup is sound, but it was not restored in the time allowed."
            }
            false => {
                "❌ Backup restore verification failed!\n\n\
                 The backup is sound; what failed is not of it."
            }
        },
        Verdict::Failed if report.disproven().is_empty() => match report.is_only_late() {
            true => {
                "❌ Backup restore verification failed!\n\n\
                 The restore took longer than allowed, and it could not be told whether the backup is good."
            }
            false => {
                "❌ Backup restore verification failed!\n\n\
                 What failed is not of the backup, and it could not be told whether that is good."
            }
        },
        Verdict::Failed => {
            "❌ Backup restore verification failed!\n\n\
             The backup was tested and is bad. Do not rely on it."
        }
        Verdict::NotVerified if report.lacks_only_proof() => {
            "⚠️ Backup not verified!\n\n\
             The backup can be restored successfully, but not all of it was proven."
        }
        Verdict::NotVerified => {
            "⚠️ Backup not verified!\n\n\
             It could not be told whether the backup is good."
        }
    }
}

/// The file and what was done with it, in one line.
fn facts(report: &RunReport) -> String {
    let counted = [
        (Status::Passed, "passed"),
        (Status::Shown, "shown"),
        (Status::Warned, "worth a look"),
        (Status::Failed, "failed"),
        (Status::NotRun, "not run"),
    ]
    .map(|(status, words)| (report.count(status), words));
    let counted = counted.iter().filter(|(count, _)| *count > 0);
    let mut counted: Vec<String> =
        counted.map(|(count, words)| format!("{count} {words}")).collect();
    if counted.is_empty() {
        counted.push("none".to_owned());
    }
    let mut text = escaped(&report.backup.to_string_lossy());
    let _ = write!(text, ": checks: {}", counted.join(", "));
    if let (true, Some(time), Some(sandbox)) =
        (report.restored, report.restore_time(), &report.sandbox)
    {
        let server = escaped(&sandbox.server_version);
        let _ = write!(text, ", restored in {} into PostgreSQL {server}", spoken(time));
    }
    text + ".\n\n"
}

fn list(text: &mut String, heading: Option<&str>, items: &[String]) {
    if items.is_empty() {
        return;
    }
    if let Some(heading) = heading {
        let _ = write!(text, "{heading}:\n\n");
    }
    for item in items {
        let _ = writeln!(text, "- {}", escaped(item));
    }
    text.push('\n');
}

/// Text of others, such as the names of tables, as Markdown that shows it on one line.
pub(super) fn escaped(text: &str) -> String {
    let mut markdown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | '`' | '*' | '[' | ']' | '<' | '|' | '~' | '&' => {
                markdown.push('\\');
                markdown.push(character);
            }
            character if character.is_control() => markdown.push(' '),
            character => markdown.push(character),
        }
    }
    markdown
}

/// A workflow command; what is not allowed in it is escaped.
fn command(text: &mut String, name: &str, title: &str, message: &str) {
    let message = message.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let _ = writeln!(text, "::{name} title={title}::{message}");
}

fn mebibytes(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "two decimals are shown")]
    let size = bytes as f64 / 1_048_576.0;
    match size {
        1.0.. => format!("{size:.1} MiB"),
        0.01.. => format!("{size:.2} MiB"),
        _ if bytes > 0 => "less than 0.01 MiB".to_owned(),
        _ => "0 MiB".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn the_summary_is_the_one_of_the_specification_and_says_what_is_wrong() {
        for (name, report) in samples::all() {
            insta::assert_snapshot!(name, String::from_utf8(summary(&report)).unwrap());
        }
    }

    #[test]
    fn annotations_name_what_is_wrong_and_what_is_worth_a_look() {
        let all = samples::all().map(|(name, report)| format!("{name}\n{}", annotations(&report)));
        insta::assert_snapshot!(all.join("\n"), @r#"
        passed
        ::warning title=Backup verification::1 sequence is behind its column
        ::warning title=Backup verification::2 × role does not exist

        failed
        ::error title=Backup verification failed::restore error: line 7, TABLE <b>: syntax error at or near "x" (SQLSTATE 42601)
        ::error title=Backup verification failed::Users: relation "users" does not exist
        ::error title=Backup verification failed::not checked: Restore time: the restore did not come to its end (--rto 45 min)
        ::warning title=Backup verification::1 sequence is behind its column
        ::warning title=Backup verification::2 × role does not exist

        not_verified
        ::error title=Backup not verified::no Docker Engine answers
        ::error title=Backup not verified::not checked: Restore time: nothing was restored (--rto)
        "#);
    }

    #[test]
    fn what_stopped_a_run_is_told_beside_what_it_had_proven() {
        let mut report = samples::failed();
        report.obstacle = samples::not_verified().obstacle;
        let text = String::from_utf8(summary(&report)).unwrap();
        assert!(text.contains("Stopped by") && text.contains("no Docker Engine answers"), "{text}");
    }

    #[test]
    fn a_message_cannot_end_its_command() {
        let mut text = String::new();
        command(&mut text, "error", "t", "100 %\r\n::stop-commands::x");
        assert_eq!(text, "::error title=t::100 %25%0D%0A::stop-commands::x\n");
    }

    #[test]
    fn names_of_others_are_no_markdown() {
        assert_eq!(escaped("a_b <b>*c*\n[d](e)"), "a_b \\<b>\\*c\\* \\[d\\](e)");
    }

    #[test]
    fn sizes_are_in_mebibytes() {
        let sizes = [0, 370, 60_000, 1_048_576, 15_234_567].map(mebibytes);
        assert_eq!(sizes, ["0 MiB", "less than 0.01 MiB", "0.06 MiB", "1.0 MiB", "14.5 MiB"]);
    }
}
