//! The words of the transcript of a restore into a server that others use.

use std::time::Duration;

use super::RULE;
use crate::events::{RestoreEvent, Restored};
use crate::model::outcome::{RunReport, Status, Verdict, counted, grouped, spoken};

/// What people read of it.
pub(super) fn restore(event: &RestoreEvent) -> Vec<String> {
    match event {
        RestoreEvent::Started { backup, server, database } => vec![
            RULE.into(),
            "DATABASE RESTORE".into(),
            RULE.into(),
            format!("Backup file: {}", backup.display()),
            format!("Server: {server}"),
            format!("Database: {database}"),
        ],
        RestoreEvent::Planned(plan) => {
            let mut lines = vec![String::new(), "What is going to be done:".to_owned()];
            lines.extend(plan.lines.iter().map(|(label, text)| format!("  {label}: {text}")));
            if plan.is_all {
                lines.extend([String::new(), "Nothing was changed (--dry-run)".to_owned()]);
            }
            lines
        }
        RestoreEvent::Asked(_) => Vec::new(),
        RestoreEvent::Finished { report, restored } => finished(report, restored.as_ref()),
        RestoreEvent::Switched { from, restored } => {
            let mut lines = vec![format!("✓ {from} has the name {}", restored.database)];
            lines.extend(set_aside(restored));
            lines
        }
        RestoreEvent::TablesRestored { database, schema, tables, bytes_read, bytes_there } => {
            let mut lines: Vec<String> = tables
                .iter()
                .map(|(name, rows)| format!("  ✓ {name}: {}, proven", counted(*rows, "row")))
                .collect();
            lines.extend([
                String::new(),
                format!("✅ RESTORED {} into the schema {schema} of {database}", counted(tables.len() as u64, "table")),
                format!("Read {} of {} bytes of the backup", grouped(*bytes_read), grouped(*bytes_there)),
                "They have no indexes, foreign keys and triggers: to compare, and to take rows back from"
                    .to_owned(),
                format!("Remove them: DROP SCHEMA \"{schema}\" CASCADE"),
            ]);
            lines
        }
        RestoreEvent::Emptied { database } => {
            vec![format!("✓ {database} is empty again: what a restore left in it was removed")]
        }
        RestoreEvent::Dropped { database } => vec![format!("✓ {database} was removed")],
    }
}

/// The end of a restore: what was proven, and how long it took.
fn finished(report: &RunReport, restored: Option<&Restored>) -> Vec<String> {
    let mut lines = vec![String::new(), RULE.into()];
    match restored {
        Some(restored) => {
            lines.push(format!("✅ RESTORED {}", restored.database));
            let (tables, rows) = (report.tables.unwrap_or(0), report.rows.unwrap_or(0));
            lines.push(format!(
                "{} and {} from {} are there, {} proven, in {}",
                counted(tables, "table"),
                counted(rows, "row"),
                report.backup.display(),
                counted(report.count(Status::Passed) as u64, "check"),
                spoken(Duration::try_from_secs_f64(report.seconds).unwrap_or_default())
            ));
            let late = report.checks.iter().filter(|check| check.status == Status::Failed);
            lines.extend(late.map(|check| format!("⚠️ {}", check.title)));
            lines.extend(set_aside(restored));
            lines.extend(report.not_proven.iter().map(|what| format!("Not proven: {what}")));
        }
        None => {
            lines.push(match report.verdict() {
                Verdict::Failed if report.fails_only_own() => {
                    "❌ NOT RESTORED: a check of your own does not pass".into()
                }
                Verdict::Failed => "❌ NOT RESTORED: the backup is bad".into(),
                _ => "⚠️ NOT RESTORED".to_owned(),
            });
            lines.extend(report.causes());
        }
    }
    lines.push(RULE.into());
    lines
}

/// Where the database is that had the name, and how to have it back.
fn set_aside(restored: &Restored) -> Option<String> {
    let before = restored.before.as_ref()?;
    Some(format!(
        "The one that had the name is {before}: ccc-backup restore --undo gives it back, DROP DATABASE \
         \"{before}\" removes it"
    ))
}
