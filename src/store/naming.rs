//! What backups are called, and what their names say.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDateTime, Utc};

/// The file of runs in a backup directory.
pub const HISTORY_FILE: &str = "history.jsonl";
/// What these runs add up to, beside it.
pub const TOTALS_FILE: &str = "history.totals.json";

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

/// The file of the sums of these runs.
pub fn totals_path(dir: &Path) -> PathBuf {
    dir.join(TOTALS_FILE)
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
mod tests {
    use chrono::TimeZone;
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        Utc.timestamp_opt(seconds, 0).unwrap()
    }

    #[test]
    fn a_default_name_is_the_time_in_utc() {
        let name = default_name(at(1_768_401_022), Packing::Gzip);
        assert_eq!(name, "backup_20260114_143022.sql.gz");
        assert_eq!(own_time(&name), Some(at(1_768_401_022)));
        assert!(default_name(at(0), Packing::None).ends_with("_000000.sql"));
    }

    #[test]
    fn the_name_of_the_output_follows_the_packing() {
        let cases = [
            ("backups/x.sql", Packing::Gzip, "backups/x.sql.gz"),
            ("x.sql.gz", Packing::Gzip, "x.sql.gz"),
            ("x.gz", Packing::Gzip, "x.gz"),
            ("x", Packing::Gzip, "x.sql.gz"),
            ("nightly.2026-01", Packing::Gzip, "nightly.2026-01.sql.gz"),
            ("x.sql", Packing::None, "x.sql"),
            ("x.sql.gz", Packing::None, "x.sql"),
            ("x.sql.gz", Packing::Zstd, "x.sql.zst"),
            ("/tmp/x", Packing::None, "/tmp/x.sql"),
            ("..", Packing::Gzip, ".."),
        ];
        for (given, packing, expected) in cases {
            assert_eq!(output_path(Path::new(given), packing), Path::new(expected), "{given}");
        }
    }

    #[test]
    fn a_name_can_say_how_the_file_is_packed() {
        for (name, expected) in [
            ("a/x.sql.gz", Some(Ok(Packing::Gzip))),
            ("x.gz", Some(Ok(Packing::Gzip))),
            ("x.sql.zst", Some(Ok(Packing::Zstd))),
            ("x.sql.xz", Some(Err(".xz"))),
            ("x.sql", None),
            ("x", None),
            (".gz", None),
            ("x.gz/y", None),
            ("..", None),
        ] {
            assert_eq!(packing_named(Path::new(name)), expected, "{name}");
        }
    }

    #[test]
    fn the_name_of_an_archive_follows_its_format() {
        use ArchiveKind::{Custom, Directory, Tar};
        let cases = [
            ("backups/x", Custom, "backups/x.dump"),
            ("x.dump", Custom, "x.dump"),
            ("nightly.2026-01", Directory, "nightly.2026-01.dir"),
            ("x.dir", Directory, "x.dir"),
            (".dump", Custom, ".dump.dump"),
            ("..", Custom, ".."),
        ];
        for (given, kind, expected) in cases {
            assert_eq!(archive_path(Path::new(given), kind), Path::new(expected), "{given}");
        }
        for (name, said) in [
            ("a/x.dump", Some(Some(Custom))),
            ("x.dir", Some(Some(Directory))),
            ("x.tar", Some(Some(Tar))),
            ("x.sql.gz", Some(None)),
            ("x.sql", Some(None)),
            ("x.dump.zst", Some(None)),
            (".dump", None),
            ("x", None),
        ] {
            assert_eq!(kind_named(Path::new(name)), said, "{name}");
        }
        for kind in [Custom, Directory, Tar] {
            let name = default_archive_name(at(1_768_401_022), kind);
            assert_eq!(own_time(&name), Some(at(1_768_401_022)), "{name}");
        }
    }

    #[test]
    fn a_time_is_found_anywhere_in_a_name() {
        let expected = Some(at(1_768_401_022));
        for name in [
            "backup_20260114_143022.sql",
            "shop-20260114-143022.dump",
            "20260114T143022Z.sql.gz",
            "db_99_20260114_143022",
        ] {
            assert_eq!(time_in_name(name), expected, "{name}");
        }
        for name in [
            "backup.sql",
            "backup_20261414_143022.sql",
            "backup_20260114_250000.sql",
            "x120260114_143022.sql",
            "20260114_1430221.sql",
            "20260114_14302",
            "ü20260114 143022",
        ] {
            assert_eq!(time_in_name(name), None, "{name}");
        }
    }

    #[test]
    fn only_names_that_create_gives_are_our_own() {
        assert!(own_time("backup_20260114_143022").is_some());
        assert!(own_time("backup_20260114_143022.dump").is_some());
        assert!(own_time("backup_20260114_143022.dir").is_some());
        for name in [
            "shop_20260114_143022.sql",
            "backup_20260114_143022.sql.bak",
            "backup_20260114_143022_before_upgrade.sql",
            "backup_20260114-143022.sql",
            "backup_20260230_143022.sql",
            "backup_20260114_14302ü.sql",
            "backup_",
        ] {
            assert_eq!(own_time(name), None, "{name}");
        }
    }

    #[test]
    fn hidden_files_partial_files_manifests_and_the_history_are_no_backups() {
        for name in ["x.sql", "x.sql.gz", "x.sql.zst", "x.dump", "x.tar"] {
            assert!(is_backup_name(OsStr::new(name)), "{name}");
        }
        for name in [
            ".x.sql",
            ".x.sql.gz.partial",
            "x.sql.gz.manifest.json",
            "x.globals.sql",
            HISTORY_FILE,
            TOTALS_FILE,
            ".sql",
            "README.md",
            "x.gz",
        ] {
            assert!(!is_backup_name(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn a_manifest_and_a_partial_file_stand_beside_their_backup() {
        let path = manifest_path(Path::new("b/x.sql.gz"));
        assert_eq!(path, Path::new("b/x.sql.gz.manifest.json"));
        assert_eq!(partial_of(".x.sql.gz.partial"), Some("x.sql.gz"));
        assert_eq!(partial_of("x.partial"), None);
        assert_eq!(partial_of(".partial"), None);
    }

    proptest! {
        #[test]
        fn any_name_can_be_looked_at(name in ".*") {
            let _ = (time_in_name(&name), own_time(&name), is_backup_name(OsStr::new(&name)));
        }

        #[test]
        fn the_time_in_a_default_name_is_the_time_it_was_made_from(
            seconds in 0i64..253_402_300_799
        ) {
            let name = default_name(at(seconds), Packing::Zstd);
            prop_assert_eq!(own_time(&name), Some(at(seconds)));
            prop_assert_eq!(time_in_name(&name), Some(at(seconds)));
        }
    }
}
