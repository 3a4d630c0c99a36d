//! What backups are called, and what their names say.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDateTime, Utc};

use super::database_names::{OF, decoded, encoded};
use super::sealed_names::sealed_path;
use crate::model::format::Format;
use crate::model::packing::Packing;
use crate::model::suffix::{SEALED, Suffix, Writer, without_encryption};

/// The table of contents of a directory that is a backup.
const TOC: &str = "toc.dat";
/// The file of runs in a backup directory.
pub const HISTORY_FILE: &str = "history.jsonl";

/// What a backup of this format and packing ends with; the packing of an archive is pg_dump's own.
fn suffix(format: Format, packing: Packing) -> &'static str {
    let fits = |suffix: &Suffix| {
        suffix.format == format && (format != Format::Plain || suffix.packing == packing)
    };
    Suffix::given().find(fits).map_or("", |suffix| suffix.text)
}

/// `backup_YYYYMMDD_HHMMSS.sql.gz` and its like, in UTC; `backup_YYYYMMDD_HHMMSS_of_DATABASE.sql.gz` where it says of which
/// database it is.
pub fn default_name(
    at: DateTime<Utc>,
    database: Option<&str>,
    format: Format,
    packing: Packing,
) -> String {
    let of = database.map_or_else(String::new, |database| format!("{OF}{}", encoded(database)));
    format!("backup_{}{of}{}", at.format("%Y%m%d_%H%M%S"), suffix(format, packing))
}

/// What is made when `given` is asked for: `x.sql` and `x` become `x.sql.gz` with gzip, `x` and
/// `x.dump` become `x.dump`. A name never claims another packing than the file has.
pub fn output_path(given: &Path, format: Format, packing: Packing) -> PathBuf {
    let Some(name) = given.file_name() else {
        return given.to_owned();
    };
    let named = Suffix::of(name);
    let fits = |suffix: Suffix| suffix.format == format && suffix.packing == packing;
    let has_archives_suffix = named.is_some_and(|named| named.format == format);
    let (fits, stem) = match format {
        Format::Plain => (named.is_some_and(fits), without_packing(name)),
        _ => (has_archives_suffix, name),
    };
    if fits {
        return given.to_owned();
    }
    let mut made = stem.to_owned();
    if format == Format::Plain && made.as_encoded_bytes().ends_with(b".sql") {
        made.push(packing.suffix());
    } else {
        made.push(suffix(format, packing));
    }
    given.with_file_name(made)
}

/// A name without what says how `create` packed it.
fn without_packing(name: &OsStr) -> &OsStr {
    let of_packing = |suffix: &Suffix| suffix.writer == Writer::Operator;
    let mut packings = Suffix::written().filter(of_packing);
    let stem = packings.find_map(|suffix| suffix.stem(name.as_encoded_bytes()));
    stem.map_or(name, OsStr::from_bytes)
}

/// The directory of a file; `.` for a bare name.
pub fn directory_of(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// `<file>.manifest.json`.
pub fn manifest_path(backup: &Path) -> PathBuf {
    let mut path = backup.as_os_str().to_owned();
    path.push(".manifest.json");
    path.into()
}

/// `<file>.sig`: where ssh-keygen puts the signature of a file.
pub fn signature_path(signed: &Path) -> PathBuf {
    let mut path = signed.as_os_str().to_owned();
    path.push(".sig");
    path.into()
}

/// The file of runs for a backup directory.
pub fn history_path(dir: &Path) -> PathBuf {
    dir.join(HISTORY_FILE)
}

/// The first time `YYYYMMDD_HHMMSS` in a name (`-` or `T` may stand between), as UTC.
pub fn time_in_name(name: &str) -> Option<DateTime<Utc>> {
    let bytes = name.as_bytes();
    (0..bytes.len().saturating_sub(14)).find_map(|start| {
        let digit_at = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
        let longer = (start > 0 && digit_at(start - 1)) || digit_at(start + 15);
        let stamp = bytes.get(start..start + 15)?;
        if longer { None } else { parse_stamp(stamp) }
    })
}

fn parse_stamp(stamp: &[u8]) -> Option<DateTime<Utc>> {
    let (date, rest) = stamp.split_at_checked(8)?;
    let (between, time) = rest.split_at_checked(1)?;
    let digits = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    if !matches!(between, b"_" | b"-" | b"T") || !digits(date) || !digits(time) {
        return None;
    }
    let text = [date, time].concat();
    let text = std::str::from_utf8(&text).ok()?;
    // Without a separator chrono reads the year greedily; sixteen digits are split by us.
    let spaced = format!(
        "{}-{}-{} {}:{}:{}",
        &text[..4],
        &text[4..6],
        &text[6..8],
        &text[8..10],
        &text[10..12],
        &text[12..]
    );
    NaiveDateTime::parse_from_str(&spaced, "%Y-%m-%d %H:%M:%S").ok().map(|time| time.and_utc())
}

/// What a name says that `create` gives by itself.
struct OwnName {
    time: DateTime<Utc>,
    database: Option<String>,
}

/// Reads a name that `create` gives by itself, `backup_YYYYMMDD_HHMMSS`, perhaps a database, and a known suffix or none
/// (a directory); `None` for every other name.
fn own_name(name: &str) -> Option<OwnName> {
    let rest = name.strip_prefix("backup_")?;
    let (stamp, rest) = rest.split_at_checked(15)?;
    let rest = rest.strip_suffix(SEALED).unwrap_or(rest);
    let (of, suffix) = rest.split_at(rest.find('.').unwrap_or(rest.len()));
    let known = suffix.is_empty() || Suffix::given().any(|given| given.text == suffix);
    if stamp.as_bytes()[8] != b'_' || !known {
        return None;
    }
    let database = match of {
        "" => None,
        of => Some(decoded(of.strip_prefix(OF)?)?),
    };
    Some(OwnName { time: parse_stamp(stamp.as_bytes())?, database })
}

/// The time in a name that `create` gives by itself; `None` for every other name. Only such files are ever removed.
pub fn own_time(name: &str) -> Option<DateTime<Utc>> {
    own_name(name).map(|own| own.time)
}

/// The database in a name that `create` gives by itself. Of a sealed backup, it is what stands for the database there.
pub fn database_in_name(name: &str) -> Option<String> {
    own_name(name)?.database
}

/// Whether a file of this name can be a backup, encrypted or not. Hidden files, and so partial ones, manifests,
/// globals and the history are none.
pub fn is_backup_name(name: &OsStr) -> bool {
    let is_shown = !name.as_encoded_bytes().starts_with(b".");
    if !is_shown || super::globals::is_globals_name(name) {
        return false;
    }
    let name = without_encryption(name).unwrap_or(name);
    Suffix::given().any(|suffix| {
        suffix.format != Format::Directory && suffix.stem(name.as_encoded_bytes()).is_some()
    })
}

/// Whether a directory is a backup in pg_dump's directory format.
pub fn is_backup_directory(path: &Path) -> bool {
    path.join(TOC).is_file() || sealed_path(&path.join(TOC)).is_file()
}

/// Whether a directory of this name can be a backup that `create` makes.
pub fn is_backup_directory_name(name: &str) -> bool {
    let suffix = Suffix::of(OsStr::new(name));
    suffix.is_some_and(|suffix| suffix.format == Format::Directory)
}

/// The backup that a partial file was to become, if its name is one.
pub fn partial_of(name: &str) -> Option<&str> {
    let target = name.strip_prefix('.')?.strip_suffix(".partial")?;
    (!target.is_empty()).then_some(target)
}

#[cfg(test)]
#[path = "naming_tests.rs"]
mod tests;
