//! Which arguments may be passed on to pg_dump: none that changes where or how it writes, and none
//! that says how to connect.

use std::ffi::{OsStr, OsString};

use super::error::SourceError;
use crate::model::dump_options::{long_option, short_option};

const WRITES: &str = "it changes what is written, or where";
const CONNECTS: &str = "the connection has options of its own, and arguments are recorded";
const NO_DUMP: &str = "no dump would be made";

/// Long options by their full name; pg_dump accepts any unambiguous beginning of one.
const LONG: [(&str, &str); 12] = [
    ("file", WRITES),
    ("format", WRITES),
    ("compress", WRITES),
    ("jobs", WRITES),
    ("dbname", CONNECTS),
    ("host", CONNECTS),
    ("port", CONNECTS),
    ("username", CONNECTS),
    ("password", CONNECTS),
    ("no-password", CONNECTS),
    ("help", NO_DUMP),
    ("version", NO_DUMP),
];

/// Checks every argument, for a pg_dump of this major version.
///
/// # Errors
/// [`SourceError::Argument`] names the first that may not be passed on.
pub fn check(arguments: &[OsString], major: u32) -> Result<(), SourceError> {
    let mut value_follows = false;
    for argument in arguments {
        if std::mem::take(&mut value_follows) {
            continue;
        }
        value_follows = check_one(argument, major)?;
    }
    Ok(())
}

/// Checks one argument; says whether the next is its value.
fn check_one(argument: &OsStr, major: u32) -> Result<bool, SourceError> {
    let bytes = argument.as_encoded_bytes();
    let refused = |name: String, why| SourceError::Argument { argument: name, why };
    if let Some(long) = bytes.strip_prefix(b"--") {
        let name = long.split(|byte| *byte == b'=').next().unwrap_or(long);
        let whole = name.len() == long.len();
        let forbidden =
            LONG.iter().find(|(full, _)| !name.is_empty() && full.as_bytes().starts_with(name));
        return match forbidden {
            Some((full, why)) => Err(refused(format!("--{full}"), *why)),
            None if name.is_empty() => Err(refused("--".to_owned(), CONNECTS)),
            None => {
                let known =
                    std::str::from_utf8(name).ok().and_then(|name| long_option(name, major));
                Ok(whole && known.is_some_and(|known| known.takes_value))
            }
        };
    }
    let Some(cluster) = bytes.strip_prefix(b"-").filter(|rest| !rest.is_empty()) else {
        // A bare word is the name of a database, or a connection string, which may hold a password.
        let name = argument.to_string_lossy();
        let shown = if name.contains([':', '=']) { "a connection string" } else { &name };
        return Err(refused(shown.to_owned(), CONNECTS));
    };
    for (at, option) in cluster.iter().enumerate() {
        let why = match option {
            b'f' | b'F' | b'Z' | b'j' => Some(WRITES),
            b'd' | b'h' | b'p' | b'U' | b'W' | b'w' => Some(CONNECTS),
            b'?' | b'V' => Some(NO_DUMP),
            _ => None,
        };
        if let Some(why) = why {
            return Err(refused(format!("-{}", char::from(*option)), why));
        }
        if short_option(char::from(*option)).is_some_and(|known| known.takes_value) {
            return Ok(at + 1 == cluster.len());
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(arguments: &[&str]) -> Option<String> {
        let arguments: Vec<_> = arguments.iter().map(OsString::from).collect();
        match check(&arguments, 15) {
            Err(SourceError::Argument { argument, .. }) => Some(argument),
            _ => None,
        }
    }

    #[test]
    fn what_selects_or_shapes_the_dump_is_passed_on() {
        let good: [&[&str]; 9] = [
            &[],
            &["--inserts", "--rows-per-insert=100"],
            &["-t", "users", "--table", "-odd-name", "--exclude-table-data=logs"],
            &["-tusers", "-nfoo", "-Offile"],
            &["--schema-only", "--no-comments", "-v"],
            &["--exclude-schema", "file"],
            &["--filter=list.txt"],
            &["-xc", "-E", "UTF8"],
            &["--lock-wait-timeout", "5s"],
        ];
        for arguments in &good[..3] {
            assert_eq!(refused(arguments), None, "{arguments:?}");
        }
        assert_eq!(refused(good[3]).as_deref(), Some("-f"));
        for arguments in &good[4..] {
            assert_eq!(refused(arguments), None, "{arguments:?}");
        }
    }

    #[test]
    fn what_would_break_the_backup_or_show_a_password_is_refused() {
        let bad: [(&[&str], &str); 18] = [
            (&["-Fc"], "-F"),
            (&["-F", "c"], "-F"),
            (&["--format=custom"], "--format"),
            (&["--form", "c"], "--format"),
            (&["-aFc"], "-F"),
            (&["-vfout.sql"], "-f"),
            (&["--file", "x"], "--file"),
            (&["-Z9"], "-Z"),
            (&["-j4"], "-j"),
            (&["--dbname=postgresql://u:hunter2@h/d"], "--dbname"),
            (&["-W"], "-W"),
            (&["--version"], "--version"),
            (&["-V"], "-V"),
            (&["-v?"], "-?"),
            (&["shop"], "shop"),
            (&["postgresql://u:hunter2@h/d"], "a connection string"),
            (&["host=h password=hunter2"], "a connection string"),
            (&["-t", "users", "shop"], "shop"),
        ];
        for (arguments, expected) in bad {
            assert_eq!(refused(arguments).as_deref(), Some(expected), "{arguments:?}");
        }
    }
}
