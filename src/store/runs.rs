//! The history of a place: one small object a run, below `history/`. Its name says what a list or a clean-up has to know,
//! so that they need no downloads, and whoever may only write can put a run on record.
//!
//! `history/<time>.<command>.<verdict>.<sha256>.<bytes>.<rows>.<seconds>.<database>.<backup>`: `-` stands for what is not
//! known, and what could be taken for a part of it is percent-encoded. The object holds the line that `history.jsonl`
//! would hold.

use std::path::Path;

use chrono::{DateTime, NaiveDateTime, Utc};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::StoreError;
use super::history::{self, History, Record};
use super::objects::{Bucket, Object, Put};
use super::place::{ObjectUrl, Place};

/// The folder of the runs, in a place.
pub const FOLDER: &str = "history";
/// The largest line.
const MOST_BYTES: u64 = 4 << 20;
/// How the time is written in a name: the order of names is that of time.
const TIME: &str = "%Y%m%dT%H%M%S%6fZ";
/// What a database's name may not bring into an object's.
const RESERVED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'%')
    .add(b'.')
    .add(b'/')
    .add(b'\\')
    .add(b'?')
    .add(b'#')
    .add(b'*')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'|')
    .add(b'[')
    .add(b']')
    .add(b'{')
    .add(b'}')
    .add(b'^')
    .add(b'`')
    .add(b'~')
    .add(b'&')
    .add(b'+')
    .add(b'-');

/// Puts a run on record.
///
/// # Errors
/// What the place answers.
pub fn put(place: &ObjectUrl, record: &Record) -> Result<(), StoreError> {
    let url = place.join(FOLDER).join(&name(record));
    let mut line = serde_json::to_vec(record)
        .map_err(|error| StoreError::io("write", &url.path(), error.into()))?;
    line.push(b'\n');
    Ok(Bucket::of(place)?.put(&url, line.into(), Put::New)?)
}

/// The runs on record in a directory or in a place, the oldest first; of a place, as far as a list of it tells.
///
/// # Errors
/// What disk or place refuse.
pub fn of(place: &Path) -> Result<History, StoreError> {
    match Place::of(place)? {
        Place::Objects(url) => read(&url),
        Place::Directory(dir) => history::read(&dir),
    }
}

/// The same, with all that is on record of the newest runs.
///
/// # Errors
/// As [`of`].
pub fn whole_of(place: &Path, newest: usize) -> Result<History, StoreError> {
    match Place::of(place)? {
        Place::Objects(url) => read_whole(&url, newest),
        Place::Directory(dir) => history::read(&dir),
    }
}

/// The runs of a place, the oldest first, as far as their names say it.
///
/// # Errors
/// What the place answers.
pub fn read(place: &ObjectUrl) -> Result<History, StoreError> {
    Ok(by_names(&Bucket::of(place)?.list(&place.join(FOLDER))?))
}

fn by_names(objects: &[Object]) -> History {
    let mut history = History::default();
    for object in objects {
        let name = object.url.key.rsplit('/').next().unwrap_or_default();
        match parse(name) {
            Some(record) => history.records.push(record),
            None => history.damaged += 1,
        }
    }
    history.last_run = history.records.len() as u64;
    history
}

/// The runs of a place, the oldest first; of the newest, all that was put on record.
///
/// # Errors
/// What the place answers.
pub fn read_whole(place: &ObjectUrl, newest: usize) -> Result<History, StoreError> {
    let bucket = Bucket::of(place)?;
    let mut objects = bucket.list(&place.join(FOLDER))?;
    let newest = objects.split_off(objects.len().saturating_sub(newest));
    let mut history = by_names(&objects);
    let urls: Vec<_> = newest.into_iter().map(|object| object.url).collect();
    let mut lines = Vec::new();
    for line in bucket.read_all(&urls, MOST_BYTES)? {
        // One that is gone meanwhile is none.
        lines.extend_from_slice(&line.unwrap_or_default());
        lines.push(b'\n');
    }
    let whole = history::parse(&lines);
    history.records.extend(whole.records);
    history.damaged += whole.damaged;
    history.newer += whole.newer;
    for (run, record) in (1..).zip(&mut history.records) {
        record.run = Some(run);
    }
    history.last_run = history.records.len() as u64;
    Ok(history)
}

/// The name of the object of a run.
fn name(record: &Record) -> String {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let number = |number: Option<u64>| or_none(number.map(|number| number.to_string()));
    let encoded = |text: &String| utf8_percent_encode(text, RESERVED).to_string();
    format!(
        "{}.{}.{}.{}.{}.{}.{}.{}.{}",
        record.started_at.format(TIME),
        word(record.work),
        word(record.soundness()),
        or_none(record.sha256.clone()),
        number(record.file_bytes),
        number(record.rows),
        record.seconds.ceil(),
        or_none(record.database.as_ref().map(encoded)),
        record.backup,
    )
}

/// What a name says of a run.
fn parse(name: &str) -> Option<Record> {
    let mut parts = name.splitn(9, '.');
    let mut part = || parts.next();
    let (time, work, verdict) = (part()?, part()?, part()?);
    let (sha256, bytes, rows, seconds, database, backup) =
        (part()?, part()?, part()?, part()?, part()?, part()?);
    let known = |text: &str| (text != "-").then(|| text.to_owned());
    let number = |text: &str| known(text).map(|text| text.parse().ok());
    let time: DateTime<Utc> = NaiveDateTime::parse_from_str(time, TIME).ok()?.and_utc();
    let mut record = Record::new(of_word(work)?, backup, time, of_word(verdict)?);
    record.sha256 = known(sha256);
    record.file_bytes = number(bytes).unwrap_or_default();
    record.rows = number(rows).unwrap_or_default();
    record.seconds = seconds.parse().ok()?;
    record.database =
        known(database).map(|text| percent_decode_str(&text).decode_utf8_lossy().into_owned());
    Some(record)
}

/// The word for it in the line of a run.
fn word(of: impl Serialize) -> String {
    let word = serde_json::to_value(of).ok();
    word.as_ref().and_then(Value::as_str).unwrap_or("-").to_owned()
}

fn of_word<T: DeserializeOwned>(word: &str) -> Option<T> {
    serde_json::from_value(word.into()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::outcome::Verdict;
    use crate::store::history::Work;

    fn record() -> Record {
        let at = DateTime::parse_from_rfc3339("2026-01-14T14:30:22.123456Z").unwrap().to_utc();
        Record::new(Work::Verify, "backup_20260114_143022.sql.gz", at, Verdict::Passed)
    }

    #[test]
    fn the_name_of_a_run_says_what_a_list_has_to_know() {
        let mut run = record();
        run.sha256 = Some("ab".repeat(32));
        (run.file_bytes, run.rows, run.seconds) = (Some(7), Some(9), 3.0);
        run.database = Some("my.app-db/ä 1".to_owned());
        let name = name(&run);
        assert!(name.starts_with("20260114T143022123456Z.verify.passed.abab"), "{name}");
        assert!(!name.contains(['/', ' ']), "{name}");
        assert_eq!(parse(&name), Some(run));
    }

    #[test]
    fn what_is_not_known_is_left_out_and_other_names_are_no_runs() {
        assert_eq!(parse(&name(&record())), Some(record()));
        for other in ["", "x", "20260114T143022123456Z.verify.passed", "a.b.c.d.e.f.g.h.i"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn the_verdict_in_the_name_is_the_one_on_the_backup() {
        let mut run = record();
        (run.verdict, run.soundness) = (Verdict::Failed, Some(Verdict::Passed));
        assert!(name(&run).contains(".verify.passed."), "{}", name(&run));
    }
}
