//! What this build is, for `--version --verbose`.

use std::ffi::OsStr;

use chrono::DateTime;

/// Where nobody told the build.
const UNKNOWN: &str = "not recorded";

/// Whether words of a command line, of which one asks for the version, ask for all of it.
pub fn is_wanted_in_full(mut words: impl Iterator<Item = impl AsRef<OsStr>>) -> bool {
    words.any(|word| {
        let word = word.as_ref().to_string_lossy();
        let short = word.strip_prefix('-').filter(|letters| !letters.starts_with('-'));
        word == "--verbose" || short.is_some_and(|letters| letters.contains('v'))
    })
}

/// The version, and below it a line for each fact.
pub fn in_full() -> String {
    // By make and the packages. It is asked here and not in build.rs, so that another commit links the program anew and
    // compiles nothing else.
    let commit = option_env!("CCC_BACKUP_COMMIT").unwrap_or(env!("CCC_BACKUP_PACKAGED_COMMIT"));
    let date = option_env!("SOURCE_DATE_EPOCH").and_then(day).unwrap_or_default();
    [
        env!("CARGO_PKG_VERSION").to_owned(),
        line("commit", commit),
        line("date", &date),
        line("target", env!("CCC_BACKUP_TARGET")),
        line("rustc", env!("CCC_BACKUP_RUSTC")),
        line("profile", if cfg!(debug_assertions) { "debug" } else { "release" }),
        line(
            "linked",
            if cfg!(target_feature = "crt-static") { "statically" } else { "dynamically" },
        ),
    ]
    .join("\n")
}

fn line(name: &str, value: &str) -> String {
    format!("{name}: {}", if value.is_empty() { UNKNOWN } else { value })
}

/// The day of so many seconds after 1970, in UTC.
fn day(seconds: &str) -> Option<String> {
    let time = DateTime::from_timestamp(seconds.parse().ok()?, 0)?;
    Some(time.format("%Y-%m-%d").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_is_that_of_utc() {
        assert_eq!(day("1764460799").as_deref(), Some("2025-11-29"));
        assert_eq!(day("soon"), None);
    }

    #[test]
    fn both_spellings_ask_for_all_of_it() {
        for words in [&["--version", "--verbose"][..], &["-v", "-V"], &["-Vv"]] {
            assert!(is_wanted_in_full(words.iter()), "{words:?}");
        }
        for words in [&["--version"][..], &["-V"], &["-V", "--version"]] {
            assert!(!is_wanted_in_full(words.iter()), "{words:?}");
        }
    }
}
