//! What a dump writes into large objects, and their contents as one number.
//!
//! pg_dump makes them by `lo_create`, then fills each by `lo_open`, as many `lowrite` as it takes, and
//! `lo_close` (PostgreSQL 15, pg_dump, plain format; what pg_restore makes of an archive is the same).

use std::fmt;

use xxhash_rust::xxh3::Xxh3;

use super::token::{Token, Tokens};
use crate::model::contents::{LargeObjects, ObjectContents};
use crate::model::fingerprint::Fingerprint;

/// The contents of a large object, taken in piece by piece.
#[derive(Clone)]
pub struct LargeObject {
    hash: Box<Xxh3>,
    bytes: u64,
}

impl LargeObject {
    /// The one of this number, without contents.
    pub fn new(number: u32) -> Self {
        let mut hash = Box::new(Xxh3::new());
        hash.update(&number.to_be_bytes());
        Self { hash, bytes: 0 }
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, data: &[u8]) {
        self.hash.update(data);
        self.bytes += data.len() as u64;
    }

    /// Adds what is in it to what is in others.
    pub fn add_to(&self, all: &mut ObjectContents) {
        if self.bytes > 0 {
            all.bytes += self.bytes;
            all.fingerprint = all.fingerprint.plus(Fingerprint(self.hash.digest128()));
        }
    }
}

impl fmt::Debug for LargeObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LargeObject").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// Follows the statements of a dump.
#[derive(Debug, Default)]
pub struct Written {
    count: u64,
    found: ObjectContents,
    open: Option<LargeObject>,
    /// Something was written in a way that pg_dump does not write it.
    strange: bool,
}

impl Written {
    /// Takes in a statement, if it is about large objects.
    pub fn take(&mut self, text: &[u8], standard_strings: bool) {
        let Some(call) = Call::of(text, standard_strings) else { return };
        match (call, &mut self.open) {
            (Call::Create, _) => self.count += 1,
            (Call::Open(number), None) => self.open = Some(LargeObject::new(number)),
            (Call::Write(data), Some(object)) => object.update(&data),
            (Call::Close, Some(object)) => {
                object.add_to(&mut self.found);
                self.open = None;
            }
            _ => self.strange = true,
        }
    }

    /// What was written so far.
    pub fn objects(&self) -> LargeObjects {
        let known = !self.strange && self.open.is_none();
        LargeObjects { count: self.count, contents: known.then_some(self.found) }
    }
}

/// A call of one of the functions that pg_dump writes.
#[derive(Debug, PartialEq, Eq)]
enum Call {
    Create,
    Open(u32),
    Write(Vec<u8>),
    Close,
    /// Not as pg_dump writes it.
    Strange,
}

impl Call {
    fn of(text: &[u8], standard_strings: bool) -> Option<Self> {
        let mut tokens = Tokens::under(standard_strings, text);
        if !tokens.take_word("select") || tokens.take_word("pg_catalog") && !tokens.take_mark(b'.')
        {
            return None;
        }
        if tokens.take_word("lo_create") {
            Some(Self::Create)
        } else if tokens.take_word("lo_open") {
            Some(opened(tokens).map_or(Self::Strange, Self::Open))
        } else if tokens.take_word("lowrite") {
            Some(written(tokens).map_or(Self::Strange, Self::Write))
        } else if tokens.take_word("lo_close") {
            Some(Self::Close)
        } else {
            None
        }
    }
}

/// `('16411', 131072);`; the number has no quotes in dumps of old versions.
fn opened(mut tokens: Tokens<'_>) -> Option<u32> {
    if !tokens.take_mark(b'(') {
        return None;
    }
    let digits = match tokens.next()? {
        Token::Text(digits) => digits,
        Token::Word(digits) => digits.to_vec(),
        Token::Name(_) | Token::Mark(_) => return None,
    };
    std::str::from_utf8(&digits).ok()?.parse().ok()
}

/// `(0, '\x00ff');`
fn written(mut tokens: Tokens<'_>) -> Option<Vec<u8>> {
    let begins = tokens.take_mark(b'(') && tokens.take_word("0") && tokens.take_mark(b',');
    match tokens.next()? {
        Token::Text(text) if begins => hex::decode(text.strip_prefix(b"\\x")?).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(dump: &str) -> Written {
        let mut written = Written::default();
        dump.split_inclusive(';').for_each(|text| written.take(text.as_bytes(), true));
        written
    }

    fn of(objects: &[(u32, &[u8])]) -> LargeObjects {
        let mut found = ObjectContents::default();
        for (number, contents) in objects {
            let mut object = LargeObject::new(*number);
            object.update(contents);
            object.add_to(&mut found);
        }
        LargeObjects { count: objects.len() as u64, contents: Some(found) }
    }

    const MADE: &str = "SELECT pg_catalog.lo_create('7');SELECT pg_catalog.lo_create('8');";

    #[test]
    fn what_is_written_in_pieces_is_read_as_it_is_written_at_once() {
        let found = written(&format!(
            "{MADE}SELECT pg_catalog.lo_open('7', 131072);\nSELECT pg_catalog.lowrite(0, '\\x00fF');\n\
             SELECT pg_catalog.lowrite(0, '\\x5c');SELECT pg_catalog.lo_close(0);\n\
             SELECT pg_catalog.lo_open('8', 131072);SELECT pg_catalog.lo_close(0);"
        ));
        assert_eq!(found.objects(), of(&[(7, b"\x00\xff\\"), (8, b"")]));
    }

    #[test]
    fn numbers_and_contents_tell_objects_apart_and_their_order_does_not() {
        assert_eq!(of(&[(7, b"a"), (8, b"b")]), of(&[(8, b"b"), (7, b"a")]));
        assert_ne!(of(&[(7, b"a"), (8, b"b")]), of(&[(7, b"b"), (8, b"a")]));
        assert_ne!(of(&[(7, b"a")]), of(&[(7, b"a\0")]));
    }

    #[test]
    fn backslashes_are_doubled_where_strings_are_not_standard() {
        let mut written = Written::default();
        for text in
            [r"SELECT lo_open('7', 1);", r"SELECT lowrite(0, '\\x61');", "SELECT lo_close(0);"]
        {
            written.take(text.as_bytes(), false);
        }
        assert_eq!(written.objects().contents, of(&[(7, b"a")]).contents);
    }

    #[test]
    fn what_pg_dump_does_not_write_is_not_said_to_be_known() {
        let open = "SELECT pg_catalog.lo_open('7', 131072);";
        for strange in [
            "SELECT pg_catalog.lowrite(0, '\\x00');".to_owned(),
            open.to_owned(),
            format!("{open}{open}SELECT pg_catalog.lo_close(0);"),
            format!("{open}SELECT pg_catalog.lowrite(0, 'text');SELECT pg_catalog.lo_close(0);"),
            format!("{open}SELECT pg_catalog.lowrite(0, '\\x0');SELECT pg_catalog.lo_close(0);"),
            format!("{open}SELECT pg_catalog.lowrite(0, '\\x0g');SELECT pg_catalog.lo_close(0);"),
            "SELECT pg_catalog.lo_open(some, 131072);SELECT pg_catalog.lo_close(0);".to_owned(),
            "SELECT pg_catalog.lo_open(\"7\", 131072);SELECT pg_catalog.lo_close(0);".to_owned(),
            "SELECT pg_catalog.lo_open '7';SELECT pg_catalog.lo_close(0);".to_owned(),
            format!("{open}SELECT pg_catalog.lowrite(1, '\\x00');SELECT pg_catalog.lo_close(0);"),
            format!("{open}SELECT pg_catalog.lowrite(0, 0);SELECT pg_catalog.lo_close(0);"),
        ] {
            assert_eq!(written(&strange).objects().contents, None, "{strange}");
        }
    }

    #[test]
    fn other_statements_change_nothing() {
        let other =
            "SELECT pg_catalog.setval('s', 1);SELECT lo_unlink(1);BEGIN;SELECT pg_catalog.x;";
        assert_eq!(written(other).objects(), of(&[]));
    }
}
