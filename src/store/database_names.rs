//! How the name of a backup says of which database it is: `backup_YYYYMMDD_HHMMSS_of_DATABASE.sql.gz`.
//!
//! Backups of several databases begin at the same time and lie in the same directory, so their names have to differ, and
//! whoever looks at a list has to tell them apart. A database may be called anything: what is no letter of ASCII, no digit
//! and no underscore is written as `-` with two hex digits for each byte, and `-` itself as `--`.

use std::fmt::Write;

/// What stands between the time and the database.
pub(super) const OF: &str = "_of_";

/// A database as it stands in the name of a backup.
pub(super) fn encoded(database: &str) -> String {
    let mut text = String::new();
    for byte in database.bytes() {
        match byte {
            b'-' => text.push_str("--"),
            _ if is_plain(byte) => text.push(char::from(byte)),
            // A String takes every text.
            _ => drop(write!(text, "-{byte:02x}")),
        }
    }
    text
}

/// The database that stands there; `None` where nothing stands that [`encoded`] writes.
pub(super) fn decoded(text: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (b'-', [b'-', after @ ..]) => {
                bytes.push(b'-');
                after
            }
            (b'-', [_, _, after @ ..]) => {
                let digits = std::str::from_utf8(&rest[1..3]).ok()?;
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
                after
            }
            (byte, after) if is_plain(*byte) => {
                bytes.push(*byte);
                after
            }
            _ => return None,
        };
    }
    let database = String::from_utf8(bytes).ok()?;
    (!database.is_empty() && encoded(&database) == text).then_some(database)
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_written_in_letters_that_files_objects_and_shells_take_and_read_again() {
        for (database, text) in [
            ("shop", "shop"),
            ("Shop_2", "Shop_2"),
            ("my-app", "my--app"),
            ("my app", "my-20app"),
            ("../etc/passwd", "-2e-2e-2fetc-2fpasswd"),
            ("a.sql.gz", "a-2esql-2egz"),
            ("it's \"x\"", "it-27s-20-22x-22"),
            ("Größe", "Gr-c3-b6-c3-9fe"),
            ("-2d", "--2d"),
            ("%", "-25"),
        ] {
            assert_eq!(encoded(database), text);
            assert_eq!(decoded(text).as_deref(), Some(database));
        }
    }

    #[test]
    fn what_nobody_writes_so_is_no_database() {
        for text in ["", "a.b", "a b", "-", "-4", "a-", "-4g", "-61", "-2E", "-ff", "-+1", "ä"] {
            assert_eq!(decoded(text), None, "{text}");
        }
    }
}
