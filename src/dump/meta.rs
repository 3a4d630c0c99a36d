//! The psql commands that pg_dump and pg_dumpall write, and no others.

use super::item::{Meta, Name};

/// A line that begins with a backslash.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command<'a> {
    /// `\restrict KEY`.
    Restrict(&'a [u8]),
    /// `\unrestrict KEY`.
    Unrestrict(&'a [u8]),
    /// One that needs no key.
    Plain(Meta),
}

/// Reads such a line, without its end. None when pg_dump does not write it.
pub(super) fn command(line: &[u8]) -> Option<Command<'_>> {
    let line = line.trim_ascii_end();
    let (word, rest) = line.split_at(line.iter().position(|&b| b == b' ')?);
    let rest = rest.trim_ascii_start();
    match word {
        b"\\restrict" if is_plain(rest) => Some(Command::Restrict(rest)),
        b"\\unrestrict" if is_plain(rest) => Some(Command::Unrestrict(rest)),
        b"\\encoding" if is_plain(rest) => {
            let encoding = String::from_utf8_lossy(rest).into_owned();
            Some(Command::Plain(Meta::Encoding(encoding)))
        }
        b"\\connect" => {
            let database = Name::from(database(rest)?);
            Some(Command::Plain(Meta::Connect { database }))
        }
        _ => None,
    }
}

fn is_plain(text: &[u8]) -> bool {
    !text.is_empty()
        && text.iter().all(|&b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

/// `name`, `"name"` or `-reuse-previous=on "dbname='name'"`.
fn database(text: &[u8]) -> Option<Vec<u8>> {
    match text.strip_prefix(b"-reuse-previous=on ") {
        None => unquoted(text),
        Some(rest) => {
            let string = unquoted(rest)?;
            connection_value(string.strip_prefix(b"dbname=")?)
        }
    }
}

/// An argument of a psql command, in double quotes where it needs them.
fn unquoted(text: &[u8]) -> Option<Vec<u8>> {
    let Some(inside) = text.strip_prefix(b"\"") else {
        return (is_plain(text) && text[0] != b'-').then(|| text.to_vec());
    };
    let inside = inside.strip_suffix(b"\"")?;
    let mut name = Vec::with_capacity(inside.len());
    let mut bytes = inside.iter();
    while let Some(&byte) = bytes.next() {
        if byte == b'"' && bytes.next() != Some(&b'"') {
            return None;
        }
        name.push(byte);
    }
    (!name.is_empty()).then_some(name)
}

/// A value of a libpq connection string, as pg_dump quotes it.
fn connection_value(text: &[u8]) -> Option<Vec<u8>> {
    let Some(inside) = text.strip_prefix(b"'") else {
        return is_plain(text).then(|| text.to_vec());
    };
    let inside = inside.strip_suffix(b"'")?;
    let mut value = Vec::with_capacity(inside.len());
    let mut bytes = inside.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'\\' => value.push(*bytes.next()?),
            b'\'' => return None,
            _ => value.push(byte),
        }
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connects_to(line: &str) -> Option<Name> {
        match command(line.as_bytes())? {
            Command::Plain(Meta::Connect { database }) => Some(database),
            _ => None,
        }
    }

    #[test]
    fn the_database_is_read_in_every_spelling_of_pg_dump() {
        assert_eq!(connects_to(r"\connect postgres"), Some("postgres".into()));
        assert_eq!(connects_to(r#"\connect "Shop""#), Some("Shop".into()));
        let line = r#"\connect -reuse-previous=on "dbname=shop""#;
        assert_eq!(connects_to(line), Some("shop".into()));
        let line = r#"\connect -reuse-previous=on "dbname='it\'s a ""db""\\'""#;
        assert_eq!(connects_to(line), Some(r#"it's a "db"\"#.into()));
    }

    #[test]
    fn nothing_else_is_taken_for_a_command_of_pg_dump() {
        for line in [
            r"\! rm -rf /",
            r"\i other.sql",
            r"\connect",
            r"\connect a b",
            r"\connect - user",
            r"\connect a \! id",
            r#"\connect "a" "b""#,
            r#"\connect -reuse-previous=on "dbname='a'b'""#,
            r"\connect `id`",
            r"\encoding :x",
            r"\restrict",
            r"\restrict a b",
            r"\copy t from program 'id'",
            r"\",
        ] {
            assert_eq!(command(line.as_bytes()), None, "{line}");
        }
    }
}
