//! The words of the transcript: what people read of each event.

use super::creation;
use super::doctor;
use super::drill::transcript::{drill, headline as drill_headline};
use super::listing::printable;
use super::restore_transcript::restore;
use super::{RULE, SHORT_RULE};
use crate::events::{CleanupLine, CopyLine, DrillEvent, Event, RestoreEvent, SandboxKind};
use crate::model::outcome::{CheckResult, RunReport, Section, Status, Verdict, counted, grouped};

/// With `--quiet`: the verdict and its cause on one line.
pub(super) fn quiet(event: &Event) -> String {
    match event {
        Event::VerifyFinished(report) => {
            let cause = report.causes().into_iter().next();
            let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
            format!("{}{cause}\n", headline(report.verdict()))
        }
        Event::Drill(DrillEvent::Finished(report)) => {
            let cause = report.causes().into_iter().next();
            let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
            format!("{}{cause}\n", drill_headline(report))
        }
        Event::Restore(RestoreEvent::Finished { report, restored: Some(restored) }) => {
            let late = report.checks.iter().find(|check| check.status == Status::Failed);
            let late = late.map(|check| format!(": {}", check.title)).unwrap_or_default();
            format!("✅ RESTORED {} from {}{late}\n", restored.database, report.backup.display())
        }
        Event::Restore(RestoreEvent::Finished { report, restored: None }) => {
            let cause = report.causes().into_iter().next();
            let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
            format!("⚠️ NOT RESTORED{cause}\n")
        }
        Event::Restore(
            RestoreEvent::Switched { .. }
            | RestoreEvent::Dropped { .. }
            | RestoreEvent::Emptied { .. }
            | RestoreEvent::TablesRestored { .. },
        ) => transcript(event),
        Event::Doctor(event) => doctor::quiet(event),
        Event::Create(event) => creation::quiet(event),
        _ => String::new(),
    }
}

/// The lines of the transcript for one event, each with its line end.
pub(super) fn transcript(event: &Event) -> String {
    let lines: Vec<String> = match event {
        Event::CreateStarted { database, host, output } => vec![
            SHORT_RULE.into(),
            "DATABASE BACKUP".into(),
            SHORT_RULE.into(),
            format!("Database: {database}"),
            format!("Host: {host}"),
            format!("Output: {}", output.display()),
            String::new(),
            "Creating backup...".into(),
        ],
        Event::Created {
            file,
            dump_bytes,
            file_bytes,
            compressed,
            contents,
            not_in_it,
            globals,
        } => {
            let mut lines = vec![
                String::new(),
                "✓ Backup created successfully".into(),
                format!("  File: {}", file.display()),
                format!(
                    "  Size: {dump_bytes} bytes{}",
                    if *compressed { " of SQL, before compression" } else { "" }
                ),
            ];
            lines.extend(contents.iter().map(|contents| format!("  Contents: {contents}")));
            lines.extend(not_in_it.iter().map(|what| format!("  Not in it: {what}")));
            lines.extend(globals.iter().map(|file| format!("  Globals: {}", file.display())));
            if *compressed {
                lines.extend([
                    String::new(),
                    "Compressing backup... as it was written".into(),
                    "✓ Backup compressed".into(),
                    format!("  File: {}", file.display()),
                    format!("  Size: {file_bytes} bytes"),
                    format!("  Compression: {:.1}%", saved(*dump_bytes, *file_bytes)),
                ]);
            }
            lines
        }
        Event::Signed { file, key } => {
            vec![String::new(), format!("✓ Signed by {key}"), format!("  File: {}", file.display())]
        }
        Event::Create(event) => creation::lines(event),
        Event::VerifyStarted { backup } => vec![
            RULE.into(),
            "BACKUP RESTORE VERIFICATION".into(),
            RULE.into(),
            format!("Backup file: {}", backup.display()),
        ],
        Event::Restore(event) => restore(event),
        Event::BackupFound { bytes } => {
            vec![format!("✓ Backup file exists: {} bytes", grouped(*bytes))]
        }
        Event::BackupIsArchive { what } => vec![format!("  Format: {what}")],
        Event::SandboxChecking { name } => {
            vec![String::new(), format!("Checking for existing container: {name}")]
        }
        Event::SandboxSwept { what } => {
            vec![format!("✓ Removed leftover of an earlier run: {what}")]
        }
        Event::ImagePulling { image } => vec![format!("Pulling image: {image}...")],
        Event::ImageBuilding { base, packages } => {
            vec![format!("Building an image of {base} with {}...", packages.join(", "))]
        }
        Event::SandboxStarting { kind, version, why } => {
            vec![format!("Starting PostgreSQL {version} {kind}..."), format!("  {why}")]
                .into_iter()
                .filter(|line| !line.trim().is_empty())
                .collect()
        }
        Event::SandboxStarted { kind, name } => {
            vec![format!("✓ {} started: {name}", capitalized(*kind))]
        }
        Event::SandboxWaiting => vec!["Waiting for PostgreSQL to be ready...".into()],
        Event::SandboxReady { attempts } => {
            let s = if *attempts == 1 { "" } else { "s" };
            vec![format!("✓ PostgreSQL ready after {attempts} attempt{s}")]
        }
        Event::BackupRead { tables, rows, bytes } => vec![
            String::new(),
            "Reading backup...".into(),
            format!(
                "✓ Backup is complete: {} in {}, {} of SQL",
                counted(*rows, "row"),
                counted(*tables as u64, "table"),
                counted(*bytes, "byte")
            ),
        ],
        Event::RestoreStarted { kind, database, is_copied } => vec![
            String::new(),
            format!("Restoring backup into {database}..."),
            match is_copied {
                true => format!("Copying backup file to {kind}... done when it was read"),
                false => format!("Copying backup file to {kind}... not needed, its rows are sent"),
            },
        ],
        Event::DatabaseCreating { database } => vec![format!("Creating database: {database}")],
        Event::RolesCreated(roles) => {
            vec![format!("Creating roles of the backup, without login: {}", first(roles))]
        }
        Event::Restoring => vec!["Restoring backup (this may take a while)...".into()],
        Event::RestoreFinished { errors, tolerated } => restored(errors, *tolerated),
        Event::SectionStarted(section) => {
            let what = section.to_string().to_lowercase();
            vec![String::new(), format!("Verifying {what}...")]
        }
        Event::Checked(check) => checked(check),
        Event::VerifyFinished(report) => summary(report),
        Event::Copy(line) => vec![match line {
            CopyLine::Copied { name, bytes } => {
                format!("  copied  {}  ({} bytes)", printable(name), grouped(*bytes))
            }
            CopyLine::There { name } => format!("  there   {}", printable(name)),
            CopyLine::Sum(sum) => sum.clone(),
        }],
        Event::Drill(event) => drill(event),
        Event::Cleanup(line) => vec![match line {
            CleanupLine::Kept { name, why } => format!("  keep    {}  ({why})", printable(name)),
            CleanupLine::Removed { name, why, dry_run: false } => {
                format!("  remove  {}  ({why})", printable(name))
            }
            CleanupLine::Removed { name, why, dry_run: true } => {
                format!("  would remove  {}  ({why})", printable(name))
            }
            CleanupLine::NothingBuilt => "No image was built".into(),
            CleanupLine::NothingLeft => "No sandbox was left behind".into(),
            CleanupLine::Sum(sum) => sum.clone(),
        }],
        Event::Doctor(event) => doctor::lines(event),
        Event::Told(who) => vec![format!("✓ Told {who}")],
        Event::SandboxClosing(kind) => {
            vec![String::new(), format!("Cleaning up test {kind}...")]
        }
        Event::SandboxClosed(kind) => vec![format!("✓ {} cleaned up", capitalized(*kind))],
        Event::SandboxKept { kind, name, connect, remove } => vec![
            String::new(),
            format!("{} kept: {name}", capitalized(*kind)),
            format!("  Connect: {connect}"),
            format!("  Remove:  {remove}"),
        ],
        Event::Progress(_)
        | Event::Expected(..)
        | Event::Warning(_)
        | Event::Waiting { .. }
        | Event::Error { .. } => Vec::new(),
    };
    lines.into_iter().map(|line| line + "\n").collect()
}

/// How much smaller the file is than the dump, in percent.
fn saved(dump_bytes: u64, file_bytes: u64) -> f64 {
    if dump_bytes == 0 {
        return 0.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "a percentage with one decimal")]
    let ratio = file_bytes as f64 / dump_bytes as f64;
    (1.0 - ratio) * 100.0
}

/// The first of some names, and how many more there are.
fn first(names: &[String]) -> String {
    const SHOWN: usize = 10;
    let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn restored(errors: &[String], tolerated: usize) -> Vec<String> {
    const SHOWN: usize = 3;
    let mut lines = Vec::new();
    if errors.is_empty() {
        lines.push("✓ Backup restored successfully".to_owned());
    } else {
        let s = if errors.len() == 1 { "" } else { "s" };
        lines.push(format!("✗ Restore failed with {} error{s}:", errors.len()));
        for error in errors.iter().take(SHOWN) {
            lines.extend(error.lines().map(|line| format!("  {line}")));
        }
        if errors.len() > SHOWN {
            lines.push(format!("  … and {} more: see --log-file", errors.len() - SHOWN));
        }
    }
    if tolerated > 0 {
        let s = if tolerated == 1 { "" } else { "s" };
        lines.push(format!("  ({tolerated} harmless error{s} passed over)"));
    }
    lines
}

fn checked(check: &CheckResult) -> Vec<String> {
    let mark = match check.status {
        // Counts that are shown have the mark of the specification; the summary counts them apart.
        Status::Shown if check.section == Section::Data => "✓",
        Status::Passed => "✓",
        Status::Shown => "·",
        Status::Warned => "⚠",
        Status::Failed => "✗",
        Status::NotRun => "?",
    };
    let mut lines = vec![format!("  {mark} {}", check.title)];
    lines.extend(check.details.iter().map(|line| format!("      {line}")));
    lines
}

fn headline(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "✅ VERIFICATION PASSED",
        Verdict::Failed => "❌ VERIFICATION FAILED",
        Verdict::NotVerified => "⚠️ NOT VERIFIED",
    }
}

fn summary(report: &RunReport) -> Vec<String> {
    let mut lines = vec![
        String::new(),
        RULE.into(),
        "VERIFICATION SUMMARY".into(),
        RULE.into(),
        format!("Backup file: {}", report.backup.display()),
        format!("Total checks: {}", report.checks.len()),
        format!("Passed: {}", report.count(Status::Passed)),
        format!("Failed: {}", report.count(Status::Failed)),
    ];
    let others = [
        (Status::Shown, "Shown, not judged"),
        (Status::Warned, "Warnings"),
        (Status::NotRun, "Not run"),
    ];
    for (status, label) in others {
        if report.count(status) > 0 {
            lines.push(format!("{label}: {}", report.count(status)));
        }
    }
    lines.extend([String::new(), headline(report.verdict()).into()]);
    match report.verdict() {
        Verdict::Passed => {
            lines.push("Backup can be restored successfully".into());
            if let (Some(tables), Some(rows)) = (report.tables, report.rows) {
                let (tables, rows) = (counted(tables, "table"), counted(rows, "row"));
                lines.push(format!("In it: {tables}, {rows}"));
            }
            lines.extend(report.not_proven.iter().map(|what| format!("Not proven: {what}")));
        }
        Verdict::Failed => {
            if report.soundness() == Verdict::Passed {
                lines.push(match report.is_only_late() {
                    true => {
                        "Backup can be restored successfully, but not in the time allowed".into()
                    }
                    false => "Backup can be restored successfully; what failed is not of it".into(),
                });
            }
            lines.extend(report.causes());
        }
        Verdict::NotVerified => {
            lines.push(match report.lacks_only_proof() {
                true => "Backup can be restored successfully, but not all of it was proven".into(),
                false => "It could not be told whether the backup is good".into(),
            });
            lines.extend(report.causes());
        }
    }
    lines.push(RULE.into());
    lines
}

/// Colours the marks at the start of lines.
pub(super) fn coloured(text: &str) -> String {
    const MARKS: [(&str, &str); 3] = [
        ("✓", "\u{1b}[32m✓\u{1b}[0m"),
        ("✗", "\u{1b}[31m✗\u{1b}[0m"),
        ("⚠ ", "\u{1b}[33m⚠\u{1b}[0m "),
    ];
    let paint = |line: &str| {
        let body = line.trim_start();
        let indent = &line[..line.len() - body.len()];
        match MARKS.iter().find(|(mark, _)| body.starts_with(mark)) {
            Some((mark, painted)) => format!("{indent}{painted}{}", &body[mark.len()..]),
            None => line.to_owned(),
        }
    };
    text.split_inclusive('\n').map(paint).collect()
}

/// At the beginning of a sentence.
fn capitalized(kind: SandboxKind) -> &'static str {
    match kind {
        SandboxKind::Container => "Container",
        SandboxKind::Server => "Server",
    }
}

#[cfg(test)]
#[path = "transcript_tests.rs"]
mod tests;
