//! What backups are called, and what their names say.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDateTime, Utc};

/// The file of runs in a backup directory.
pub const HISTORY_FILE: &str = "history.jsonl";

/// Suffixes of the files that `create` can make, longest first where one ends another.
const SUFFIXES: [&str; 5] = [".sql.gz", ".sql.zst", ".sql", ".dump", ".tar"];

/// What the name of a directory that `create` makes ends with.
const DIRECTORY_SUFFIX: &str = ".dir";

/// The archives that `create` can make, by their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveKind {
    /// `.dump`: the custom format.
    Custom,
    /// `.dir`: a directory.
    Directory,
    /// `.tar`
    Tar,
}

impl ArchiveKind {
    /// What its name ends with.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Custom => ".dump",
            Self::Directory => DIRECTORY_SUFFIX,
            Self::Tar => ".tar",
        }
    }
}

/// `backup_YYYYMMDD_HHMMSS.dump` and its like, in UTC.
pub fn default_archive_name(at: DateTime<Utc>, kind: ArchiveKind) -> String {
    format!("backup_{}{}", at.format("%Y%m%d_%H%M%S"), kind.suffix())
}

/// What the name of an output says that it is: an archive of some kind, or (`None`) SQL; the outer
/// `None` where it says neither.
pub fn kind_named(path: &Path) -> Option<Option<ArchiveKind>> {
    let name = path.file_name()?.as_encoded_bytes();
    let ends = |suffix: &str| name.len() > suffix.len() && name.ends_with(suffix.as_bytes());
    let kinds = [ArchiveKind::Custom, ArchiveKind::Directory, ArchiveKind::Tar];
    match kinds.into_iter().find(|kind| ends(kind.suffix())) {
        Some(kind) => Some(Some(kind)),
        None if [".sql", ".gz", ".zst"].into_iter().any(ends) => Some(None),
        None => None,
    }
}

/// The archive that is made when `given` is asked for: `x` and `x.dump` become `x.dump`.
pub fn archive_path(given: &Path, kind: ArchiveKind) -> PathBuf {
    let Some(name) = given.file_name() else {
        return given.to_owned();
    };
    if name.as_encoded_bytes().ends_with(kind.suffix().as_bytes()) && name != kind.suffix() {
        return given.to_owned();
    }
    let mut made = name.to_owned();
    made.push(kind.suffix());
    given.with_file_name(made)
}

/// How a plain dump is packed, as far as its name shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Packing {
    /// `.sql`
    None,
    /// `.sql.gz`
    #[default]
    Gzip,
    /// `.sql.zst`
    Zstd,
}

impl Packing {
    /// What it adds to the name of a plain dump.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
            Self::Zstd => ".zst",
        }
    }
}

/// How the file of this name is packed, as its suffix says; the inner error is the suffix of what
/// `create` does not write. `None` where the name leaves it open.
pub fn packing_named(path: &Path) -> Option<Result<Packing, &'static str>> {
    let name = path.file_name()?.as_encoded_bytes();
    let ends = |suffix: &&str| name.len() > suffix.len() && name.ends_with(suffix.as_bytes());
    let known = [Packing::Gzip, Packing::Zstd].into_iter().find(|it| ends(&it.suffix()));
    known.map(Ok).or_else(|| [".xz", ".bz2", ".lz4"].into_iter().find(ends).map(Err))
}

/// `backup_YYYYMMDD_HHMMSS.sql.gz`, in UTC.
pub fn default_name(at: DateTime<Utc>, packing: Packing) -> String {
    format!("backup_{}.sql{}", at.format("%Y%m%d_%H%M%S"), packing.suffix())
}

/// The file that is made when `given` is asked for: `x.sql` and `x` become `x.sql.gz` with gzip, and
/// a name never claims another packing than the file has.
pub fn output_path(given: &Path, packing: Packing) -> PathBuf {
    let Some(name) = given.file_name() else {
        return given.to_owned();
    };
    let bytes = name.as_encoded_bytes();
    if packing != Packing::None && bytes.ends_with(packing.suffix().as_bytes()) {
        return given.to_owned();
    }
    let stem = [".gz", ".zst"].iter().find_map(|suffix| {
        let stem = name.to_str()?.strip_suffix(suffix)?;
        (!stem.is_empty()).then(|| OsStr::new(stem).to_owned())
    });
    let mut made = stem.unwrap_or_else(|| name.to_owned());
    if !made.as_encoded_bytes().ends_with(b".sql") {
        made.push(".sql");
    }
    made.push(packing.suffix());
    given.with_file_name(made)
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

/// The time in a name that `create` gives by itself, `backup_YYYYMMDD_HHMMSS` and a known suffix or
/// none (a directory); `None` for every other name. Only such files are ever removed.
pub fn own_time(name: &str) -> Option<DateTime<Utc>> {
    let rest = name.strip_prefix("backup_")?;
    let (stamp, suffix) = rest.split_at_checked(15)?;
    let known = suffix.is_empty() || suffix == DIRECTORY_SUFFIX || SUFFIXES.contains(&suffix);
    if stamp.as_bytes()[8] != b'_' || !known {
        return None;
    }
    parse_stamp(stamp.as_bytes())
}

/// Whether a file of this name can be a backup. Hidden files, and so partial ones, manifests,
/// globals and the history are none.
pub fn is_backup_name(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    !bytes.starts_with(b".")
        && !super::globals::is_globals_name(name)
        && SUFFIXES
            .iter()
            .any(|suffix| bytes.len() > suffix.len() && bytes.ends_with(suffix.as_bytes()))
}

/// Whether a directory is a backup in pg_dump's directory format.
pub fn is_backup_directory(path: &Path) -> bool {
    path.join("toc.dat").is_file()
}

/// Whether a directory of this name can be a backup that `create` makes.
pub fn is_backup_directory_name(name: &str) -> bool {
    name.strip_suffix(DIRECTORY_SUFFIX).is_some_and(|stem| !stem.is_empty())
}

/// The backup that a partial file was to become, if its name is one.
pub fn partial_of(name: &str) -> Option<&str> {
    let target = name.strip_prefix('.')?.strip_suffix(".partial")?;
    (!target.is_empty()).then_some(target)
}

#[cfg(test)]
#[path = "naming_tests.rs"]
mod tests;
