//! The psql commands that pg_dump and pg_dumpall write, and those of people that change nothing.

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
    /// One that shows something, or changes how psql shows it.
    Shown,
    /// A variable of this name, which psql puts in where it is used.
    Set(&'a [u8]),
    /// One that decides what psql makes of the rest, and is not carried out here.
    Unsupported,
}

/// What pg_dump writes where it forgot its key.
pub(super) const NO_KEY: &[u8] = b"(null)";
/// Commands that leave the database and this machine as they are. Source: PostgreSQL 18, psql.
const SHOWING: [&[u8]; 20] = [
    b"\\echo",
    b"\\qecho",
    b"\\warn",
    b"\\timing",
    b"\\pset",
    b"\\x",
    b"\\a",
    b"\\t",
    b"\\f",
    b"\\H",
    b"\\C",
    b"\\T",
    b"\\conninfo",
    b"\\errverbose",
    b"\\l",
    b"\\p",
    b"\\?",
    b"\\h",
    b"\\help",
    b"\\copyright",
];
/// Variables that change only what psql shows or when it stops.
const SHOWN: [&[u8]; 16] = [
    b"ON_ERROR_STOP",
    b"ON_ERROR_ROLLBACK",
    b"QUIET",
    b"ECHO",
    b"ECHO_HIDDEN",
    b"VERBOSITY",
    b"SHOW_CONTEXT",
    b"SHOW_ALL_RESULTS",
    b"HIDE_TABLEAM",
    b"HIDE_TOAST_COMPRESSION",
    b"FETCH_COUNT",
    b"COMP_KEYWORD_CASE",
    b"PROMPT1",
    b"PROMPT2",
    b"PROMPT3",
    b"HISTSIZE",
];
/// Variables that change how psql reads or sends.
const READING: [&[u8]; 4] = [b"AUTOCOMMIT", b"SINGLELINE", b"SINGLESTEP", b"ENCODING"];
/// Commands that decide what is sent.
const DECIDING: [&[u8]; 5] = [b"\\if", b"\\elif", b"\\else", b"\\endif", b"\\bind"];
/// Commands that send the statement before them.
const SENDING: [&[u8]; 6] = [b"\\g", b"\\gx", b"\\gset", b"\\gexec", b"\\gdesc", b"\\crosstabview"];

/// Reads such a line, without its end. None when it is neither pg_dump's nor harmless.
pub(super) fn command(line: &[u8]) -> Option<Command<'_>> {
    let (word, rest) = parts(line);
    match word {
        b"\\restrict" | b"\\unrestrict" if rest == NO_KEY => Some(match word {
            b"\\restrict" => Command::Restrict(rest),
            _ => Command::Unrestrict(rest),
        }),
        b"\\restrict" if is_plain(rest) => Some(Command::Restrict(rest)),
        b"\\unrestrict" if is_plain(rest) => Some(Command::Unrestrict(rest)),
        b"\\encoding" if is_plain(rest) => {
            let encoding = String::from_utf8_lossy(rest).into_owned();
            Some(Command::Plain(Meta::Encoding(encoding)))
        }
        b"\\connect" | b"\\c" => {
            let database = Name::from(database(rest)?);
            Some(Command::Plain(Meta::Connect { database }))
        }
        _ if !is_inert(rest) => None,
        b"\\set" => variable(rest),
        b"\\unset" if rest.split(u8::is_ascii_whitespace).any(|of| READING.contains(&of)) => {
            Some(Command::Unsupported)
        }
        b"\\unset" => Some(Command::Shown),
        b"\\encoding" | b"\\o" if rest.is_empty() => Some(Command::Shown),
        _ if SHOWING.contains(&word) || is_description(word) => Some(Command::Shown),
        _ if DECIDING.contains(&word) => Some(Command::Unsupported),
        _ => None,
    }
}

/// Whether this is a command that sends the statement before it, and to nobody but the server.
pub(super) fn sends(line: &[u8]) -> bool {
    let (word, rest) = parts(line);
    SENDING.contains(&word) && is_inert(rest) && (rest.is_empty() || !word.starts_with(b"\\g"))
        || word == b"\\gset" && is_inert(rest)
}

/// The command, and its arguments.
fn parts(line: &[u8]) -> (&[u8], &[u8]) {
    let line = line.trim_ascii_end();
    let (word, rest) =
        line.split_at(line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len()));
    (word, rest.trim_ascii_start())
}

/// `\d`, `\dt+` and the like.
fn is_description(word: &[u8]) -> bool {
    const MOST: usize = b"\\dFtS+".len();
    word.starts_with(b"\\d")
        && word.len() <= MOST
        && word[2..].iter().all(|b| b.is_ascii_alphabetic() || *b == b'+')
}

/// `\set [NAME [VALUE]]`.
fn variable(rest: &[u8]) -> Option<Command<'_>> {
    let mut words = rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let Some(name) = words.next() else { return Some(Command::Shown) };
    let value = words.next().unwrap_or(b"on").to_ascii_lowercase();
    Some(match name {
        b"AUTOCOMMIT" if matches!(&value[..], b"on" | b"true" | b"yes" | b"1") => Command::Shown,
        b"SINGLELINE" | b"SINGLESTEP" if matches!(&value[..], b"off" | b"false" | b"no" | b"0") => {
            Command::Shown
        }
        _ if READING.contains(&name) => Command::Unsupported,
        _ if SHOWN.contains(&name) => Command::Shown,
        _ => Command::Set(name),
    })
}

/// Whether arguments run nothing and hold no other command.
fn is_inert(arguments: &[u8]) -> bool {
    let mut quoted = false;
    let mut bytes = arguments.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\'' => quoted = !quoted,
            b'\\' if quoted => drop(bytes.next()),
            b'\\' | b'`' => return false,
            _ => {}
        }
    }
    !quoted
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
        assert_eq!(connects_to(r"\c postgres"), Some("postgres".into()));
        assert_eq!(connects_to(r#"\connect "Shop""#), Some("Shop".into()));
        let line = r#"\connect -reuse-previous=on "dbname=shop""#;
        assert_eq!(connects_to(line), Some("shop".into()));
        let line = r#"\connect -reuse-previous=on "dbname='it\'s a ""db""\\'""#;
        assert_eq!(connects_to(line), Some(r#"it's a "db"\"#.into()));
    }

    #[test]
    fn what_changes_nothing_is_passed_over() {
        for line in [
            r"\timing",
            r"\timing on",
            r"\echo restoring the 'big\n' one :x",
            r"\pset pager off",
            r"\set",
            r"\set ON_ERROR_STOP on",
            r"\set AUTOCOMMIT on",
            r"\unset ON_ERROR_STOP",
            r"\encoding",
            r"\o",
            r"\dt+ public.*",
            "\\x\ton",
        ] {
            assert_eq!(command(line.as_bytes()), Some(Command::Shown), "{line}");
        }
    }

    #[test]
    fn what_decides_over_the_rest_is_not_carried_out() {
        for line in
            [r"\set AUTOCOMMIT off", r"\set SINGLELINE", r"\unset AUTOCOMMIT", r"\if :x", r"\endif"]
        {
            assert_eq!(command(line.as_bytes()), Some(Command::Unsupported), "{line}");
        }
        assert_eq!(command(br"\set owner me"), Some(Command::Set(b"owner")));
        for line in [r"\g", r"\gexec", r"\gset prefix_"] {
            assert!(sends(line.as_bytes()), "{line}");
        }
        for line in [r"\g |cat", r"\g file", r"\gexec \! id", r"\N", r"\."] {
            assert!(!sends(line.as_bytes()), "{line}");
        }
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
            r"\echo `id`",
            r"\echo x \! id",
            r"\echo 'x",
            r"\o /tmp/file",
            r"\o |cat",
            r"\set x `id`",
            r"\include other.sql",
            r"\ir other.sql",
            r"\download",
            r"\w file",
            r"\q",
            r"\copy t from program 'id'",
            r"\",
        ] {
            assert_eq!(command(line.as_bytes()), None, "{line}");
        }
    }
}
