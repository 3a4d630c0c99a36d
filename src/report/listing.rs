//! What `list` and `history` answer, as text for people and as JSON for programs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytesize::ByteSize;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::forecast;
use crate::model::outcome::{Verdict, grouped};
use crate::store::history::{History, Record, Work};
use crate::store::listing::Listed;
use crate::store::proof::Judged;
use crate::store::signature::Signed;
use crate::store::statistics::{Attempts, RestoreTimes, Statistics};

/// The version of both JSON forms.
pub const JSON_VERSION: u32 = 1;

/// The backups of a directory as text.
pub fn backups_text(dir: &Path, now: DateTime<Utc>, backups: &[Listed]) -> String {
    if backups.is_empty() {
        return format!("No backups in {}\n", dir.display());
    }
    let heads = ["BACKUP", "AGE", "SIZE", "ROWS", "VERIFIED", "COPIES", "SIGNED BY"];
    let mut rows = vec![heads.map(str::to_owned)];
    rows.extend(backups.iter().map(|backup| {
        [
            printable(&backup.name.to_string_lossy()),
            age(now, backup.time),
            ByteSize(backup.bytes).to_string(),
            backup.rows.map_or_else(|| "-".to_owned(), grouped),
            verified(now, backup),
            copies(backup),
            signed(backup),
        ]
    }));
    if backups.iter().all(|backup| backup.signature.is_none()) {
        rows.iter_mut().for_each(|row| row[6].clear());
    }
    let sealed = sealed_for(backups);
    if backups.iter().all(|backup| backup.copies.is_empty()) {
        let without = |[name, age, size, rows, verified, _, signed]: [String; 7]| {
            [name, age, size, rows, verified, signed]
        };
        let rows: Vec<_> = rows.into_iter().map(without).collect();
        return table(&rows, [Left, Right, Right, Right, Left, Left]) + &sealed;
    }
    table(&rows, [Left, Right, Right, Right, Left, Left, Left]) + &sealed
}

/// In how many places it is, and in how many it was proven.
fn copies(backup: &Listed) -> String {
    let proven = backup.copies.iter().filter(|copy| copy.proven == Some(true)).count();
    format!("{}, proven {proven}", backup.copies.len())
}

/// By which key; whether it may sign is asked by whoever verifies.
fn signed(backup: &Listed) -> String {
    match &backup.signature {
        None => "-".to_owned(),
        Some(Signed { key: Some(key), fits: true }) => key.clone(),
        // In a place, it is not read for a list.
        Some(Signed { key: None, fits: true }) => "signed".to_owned(),
        Some(Signed { .. }) => "DOES NOT FIT".to_owned(),
    }
}

/// To whom the backups are sealed: a line for each set of recipients, with the backups that it is of.
fn sealed_for(backups: &[Listed]) -> String {
    let mut sets: BTreeMap<&[String], Vec<&Listed>> = BTreeMap::new();
    for backup in backups.iter().filter(|backup| !backup.recipients.is_empty()) {
        sets.entry(&backup.recipients).or_default().push(backup);
    }
    let line = |(recipients, of): (&[String], Vec<&Listed>)| {
        let newest = of.first().map(|backup| printable(&backup.name.to_string_lossy()));
        let which = match (of.len(), newest) {
            (1, Some(name)) => name,
            (more, Some(name)) => format!("{more} backups, the newest {name}"),
            (_, None) => String::new(),
        };
        format!("Sealed for {}: {which}\n", recipients.join(", "))
    };
    let lines: String = sets.into_iter().map(line).collect();
    if lines.is_empty() { lines } else { format!("\n{lines}") }
}

fn verified(now: DateTime<Utc>, backup: &Listed) -> String {
    let told = |judged: &Judged, word: &str| {
        let slow = judged.rto_missed && judged.verdict == Verdict::Passed;
        let slow = if slow { " (RTO missed)" } else { "" };
        format!("{word}{slow} {}", ago(now, judged.at))
    };
    match (&backup.verdict, &backup.last_attempt) {
        (Some(judged), _) if judged.verdict == Verdict::Passed => told(judged, "passed"),
        (Some(judged), _) => told(judged, "FAILED"),
        (None, Some(tried)) => told(tried, "inconclusive"),
        (None, None) => "never".to_owned(),
    }
}

/// The backups of a directory as JSON.
///
/// # Errors
/// None that the data can cause.
pub fn backups_json(
    dir: &Path,
    now: DateTime<Utc>,
    backups: &[Listed],
    history: &History,
) -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct Answer<'a> {
        version: u32,
        at: DateTime<Utc>,
        backup_dir: String,
        history: SetAside,
        backups: &'a [Listed],
    }
    let backup_dir = dir.display().to_string();
    let history = SetAside::of(history);
    json(&Answer { version: JSON_VERSION, at: now, backup_dir, history, backups })
}

#[derive(Serialize)]
struct SetAside {
    damaged_lines: usize,
    newer_lines: usize,
}

impl SetAside {
    fn of(history: &History) -> Self {
        Self { damaged_lines: history.damaged, newer_lines: history.newer }
    }
}

fn json(answer: &impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string_pretty(answer).map(|text| text + "\n")
}

/// The last `limit` runs, newest first, and the statistics of all of them, as text; and which
/// directories `below` have a history of their own.
pub fn runs_text(
    dir: &Path,
    now: DateTime<Utc>,
    records: &[Record],
    limit: usize,
    statistics: &[Statistics],
    below: &[PathBuf],
) -> String {
    let below: String = below.iter().map(|dir| also(&dir.to_string_lossy())).collect();
    if records.is_empty() {
        return format!("No runs on record in {}\n{below}", dir.display());
    }
    let heads = ["STARTED (UTC)", "RUN", "TIME", "RESTORE", "BACKUP"];
    let mut rows = vec![heads.map(str::to_owned)];
    rows.extend(records.iter().rev().take(limit).map(|record| {
        let restored = record.restore_seconds().map_or_else(|| "-".to_owned(), duration);
        [
            record.started_at.format("%Y-%m-%d %H:%M").to_string(),
            result(record).to_owned(),
            duration(record.seconds),
            restored,
            printable(&record.backup),
        ]
    }));
    let mut text = table(&rows, [Left, Left, Right, Right, Left]);
    if records.len() > limit {
        text += &format!("… and {} earlier: --limit\n", records.len() - limit);
    }
    statistics.iter().for_each(|one| text += &database(now, one));
    if !below.is_empty() {
        text.push('\n');
    }
    text + &below
}

/// That a directory below has runs of its own on record.
fn also(dir: &str) -> String {
    format!("More runs are on record in {}: --backup-dir\n", printable(dir))
}

pub(super) fn result(record: &Record) -> &'static str {
    match (record.work, record.verdict) {
        (Work::Create, Verdict::Passed) => "create made",
        (Work::Create, Verdict::Failed) => "create FAILED",
        (Work::Create, Verdict::NotVerified) => "create not made",
        (Work::Verify, Verdict::Failed) if record.soundness() == Verdict::Passed => {
            if record.missed_rto() { "verify too slow" } else { "verify sound, FAILED" }
        }
        (Work::Verify, Verdict::Passed) => "verify passed",
        (Work::Verify, Verdict::Failed) => "verify FAILED",
        (Work::Verify, Verdict::NotVerified) => "verify inconclusive",
        (Work::Restore, Verdict::Failed) if record.soundness() == Verdict::Passed => {
            "restore too slow"
        }
        (Work::Restore, Verdict::Passed) => "restore done",
        (Work::Restore, Verdict::Failed) => "restore FAILED",
        (Work::Restore, Verdict::NotVerified) => "restore not done",
        (Work::CheckKeys, Verdict::Passed) => "keys open it",
        (Work::CheckKeys, Verdict::Failed) => "keys do NOT open",
        (Work::CheckKeys, Verdict::NotVerified) => "keys inconclusive",
        (Work::Scrub, Verdict::Passed) => "bytes intact",
        (Work::Scrub, Verdict::Failed) => "bytes DAMAGED",
        (Work::Scrub, Verdict::NotVerified) => "bytes inconclusive",
    }
}

fn database(now: DateTime<Utc>, statistics: &Statistics) -> String {
    let name = statistics.database.as_deref().map_or("(not known)".to_owned(), printable);
    let mut text = format!("\nDatabase: {name}\n");
    let mut line = |what: &str, value: String| text += &format!("  {what:<26}{value}\n");
    line("Last backup made:", last(now, statistics.create.last_success));
    line("Last verification passed:", last(now, statistics.verify.last_success));
    if let Some(failed) = statistics.verify.last_failure {
        line("Last verification failed:", last(now, Some(failed)));
    }
    line("Backups:", counts(&statistics.create, ["made", "failed", "not made"]));
    line("Verifications:", counts(&statistics.verify, ["passed", "failed", "inconclusive"]));
    if let Some(restores) = &statistics.restored {
        line("Restores:", counts(restores, ["done", "failed", "not done"]));
        line("Last restore done:", last(now, restores.last_success));
    }
    if let Some(restore) = &statistics.restore {
        line("Restore time:", times(restore));
        if let Some(trend) = &restore.trend {
            let change = trend.change_percent.map(|percent| format!(" ({percent:+.0} %)"));
            let of = trend.of;
            let (last, before) = (duration(trend.last), duration(trend.before));
            let change = change.unwrap_or_default();
            line("Trend:", format!("last {of} {last}, the {of} before {before}{change}"));
        }
    }
    if let Some(outlook) = &statistics.outlook {
        line("Forecast:", forecast::said(now, outlook));
        if let Some(forecast) = outlook.forecast() {
            line("", forecast::basis(now, forecast));
        }
    }
    text
}

fn last(now: DateTime<Utc>, at: Option<DateTime<Utc>>) -> String {
    match at {
        Some(at) => format!("{} UTC, {}", at.format("%Y-%m-%d %H:%M"), ago(now, at)),
        None => "none on record".to_owned(),
    }
}

fn counts(attempts: &Attempts, words: [&str; 3]) -> String {
    let [passed, failed, not_told] = words;
    let mut text = format!("{} {passed}, {} {failed}", attempts.passed, attempts.failed);
    if attempts.too_slow > 0 {
        text += &format!(" ({} only too slow)", attempts.too_slow);
    }
    if attempts.not_verified > 0 {
        text += &format!(", {} {not_told}", attempts.not_verified);
    }
    text
}

fn times(restore: &RestoreTimes) -> String {
    let s = if restore.count == 1 { "" } else { "s" };
    format!(
        "median {}, 95th percentile {} ({} restore{s})",
        duration(restore.median),
        duration(restore.p95),
        restore.count
    )
}

/// The last `limit` runs, newest first, and the statistics of all of them, as JSON.
///
/// # Errors
/// As [`backups_json`].
pub fn runs_json(
    dir: &Path,
    now: DateTime<Utc>,
    history: &History,
    limit: usize,
    statistics: &[Statistics],
) -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct Answer<'a> {
        version: u32,
        at: DateTime<Utc>,
        backup_dir: String,
        history: SetAside,
        runs: Vec<&'a Record>,
        runs_in_all: usize,
        databases: &'a [Statistics],
    }
    json(&Answer {
        version: JSON_VERSION,
        at: now,
        backup_dir: dir.display().to_string(),
        history: SetAside::of(history),
        runs: history.records.iter().rev().take(limit).collect(),
        runs_in_all: history.records.len(),
        databases: statistics,
    })
}

use Align::{Left, Right};

/// Where a cell stands in its column.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Align {
    /// At its beginning.
    Left,
    /// At its end.
    Right,
}

/// Rows with their columns below each other.
pub(super) fn table<const N: usize>(rows: &[[String; N]], align: [Align; N]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or(0));
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(align).zip(widths).map(|((cell, align), width)| match align {
            Left => format!("{cell:<width$}"),
            Right => format!("{cell:>width$}"),
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// A name from a file system or a history, without what would move a terminal's cursor.
pub(super) fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// `45s`, `12m`, `3h`, `12d`; `future` for what is dated later than clocks differ.
fn age(now: DateTime<Utc>, at: DateTime<Utc>) -> String {
    match (now - at).num_seconds() {
        ..-300 => "future".to_owned(),
        seconds @ ..60 => format!("{}s", seconds.max(0)),
        seconds @ ..3600 => format!("{}m", seconds / 60),
        seconds @ ..172_800 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

/// `12m ago`, or `in the future`.
pub(super) fn ago(now: DateTime<Utc>, at: DateTime<Utc>) -> String {
    match age(now, at) {
        future if future == "future" => format!("in the {future}"),
        age => format!("{age} ago"),
    }
}

/// `4.3s`, `2m05s`, `1h02m`.
fn duration(seconds: f64) -> String {
    if seconds < 59.95 {
        return format!("{seconds:.1}s");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole seconds")]
    let whole = seconds.round() as u64;
    match whole {
        ..3600 => format!("{}m{:02}s", whole / 60, whole % 60),
        _ => format!("{}h{:02}m", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
#[path = "listing_tests.rs"]
mod tests;
