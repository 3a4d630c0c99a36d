//! What a text is that pg_dump's header does not stand above: SQL of another program, a dump that has
//! lost its beginning, or no SQL at all.

use memchr::memmem;

use super::super::flaw::Flaw;

/// How psql begins a statement that PostgreSQL knows, in any case. Source: PostgreSQL 18, SQL commands.
const COMMANDS: [&str; 53] = [
    "abort",
    "alter",
    "analyse",
    "analyze",
    "begin",
    "call",
    "checkpoint",
    "close",
    "cluster",
    "comment",
    "commit",
    "copy",
    "create",
    "deallocate",
    "declare",
    "delete",
    "discard",
    "do",
    "drop",
    "end",
    "execute",
    "explain",
    "fetch",
    "grant",
    "import",
    "insert",
    "listen",
    "load",
    "lock",
    "merge",
    "move",
    "notify",
    "prepare",
    "reassign",
    "refresh",
    "reindex",
    "release",
    "reset",
    "revoke",
    "rollback",
    "savepoint",
    "security",
    "select",
    "set",
    "show",
    "start",
    "table",
    "truncate",
    "unlisten",
    "update",
    "vacuum",
    "values",
    "with",
];
/// Of these, the ones that fill a database.
const FILLING: [&str; 3] = ["copy", "create", "insert"];
/// How no dump of pg_dump begins, since it writes its settings first.
const LATE: [&str; 6] = ["alter", "comment", "copy", "grant", "insert", "revoke"];
/// How programs begin what they say to whoever started them, and who that is.
const WORDS: [(&[u8], &str); 20] = [
    (b"pg_dump: ", "pg_dump"),
    (b"pg_dumpall: ", "pg_dumpall"),
    (b"pg_restore: ", "pg_restore"),
    (b"psql: ", "psql"),
    (b"mysqldump: ", "mysqldump"),
    (b"bash: ", "a shell"),
    (b"-bash: ", "a shell"),
    (b"sh: ", "a shell"),
    (b"/bin/sh: ", "a shell"),
    (b"/bin/bash: ", "a shell"),
    (b"zsh: ", "a shell"),
    (b"sudo: ", "sudo"),
    (b"ssh: ", "ssh"),
    (b"Warning: Permanently added ", "ssh"),
    (b"docker: ", "docker"),
    (b"the input device is not a TTY", "docker"),
    (b"Error response from daemon", "docker"),
    (b"Defaulted container ", "kubectl"),
    (b"Unable to use a TTY", "kubectl"),
    (b"Error from server", "kubectl"),
];
/// What stands above a dump.
const HEADER: &[u8] = b"\n-- PostgreSQL database";
/// How files begin that are something else, in text, and what they are.
const OTHERS: [(&[u8], &str); 7] = [
    (b"{", "it is JSON"),
    (b"[", "it is JSON"),
    (b"-- MySQL dump", "it is a dump of MySQL"),
    (b"-- MariaDB dump", "it is a dump of MariaDB"),
    (b"/*M!999999", "it is a dump of MariaDB"),
    (b"-- phpMyAdmin SQL Dump", "it is a dump of MySQL"),
    (b"PRAGMA foreign_keys", "it is a dump of SQLite"),
];

/// What is known of the statements, as long as no header stood above them.
#[derive(Debug, Default)]
pub(super) struct Stranger {
    /// The first bytes of the file.
    start: Vec<u8>,
    begins_late: Option<bool>,
    fills: bool,
    /// The line and the beginning of the first statement that is none.
    nonsense: Option<(u64, String)>,
}

impl Stranger {
    /// Keeps the first bytes of the file.
    pub(super) fn keep(&mut self, chunk: &[u8]) {
        const KEPT: usize = 256;
        let room = KEPT.saturating_sub(self.start.len());
        self.start.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }

    /// Takes a statement that begins on this line.
    pub(super) fn take(&mut self, text: &[u8], line: u64) {
        let word = first_word(text);
        let among =
            |words: &[&str]| words.iter().any(|of| word.eq_ignore_ascii_case(of.as_bytes()));
        self.begins_late.get_or_insert(among(&LATE));
        self.fills |= among(&FILLING);
        if !is_command(word) && !text.starts_with(b"(") {
            self.nonsense.get_or_insert_with(|| (line, Flaw::excerpt(text)));
        }
    }

    /// Whether all of it is SQL, and makes or fills anything.
    pub(super) fn is_sql(&self) -> bool {
        self.fills && self.may_be_sql()
    }

    /// Whether nothing in it is no SQL.
    pub(super) fn may_be_sql(&self) -> bool {
        self.nonsense.is_none() && self.other().is_none()
    }

    /// Whether it begins where pg_dump does not.
    pub(super) fn begins_late(&self) -> bool {
        self.begins_late == Some(true)
    }

    fn other(&self) -> Option<&'static str> {
        let start = self.start.trim_ascii_start();
        let is =
            |(begins, what): &(&[u8], &'static str)| start.starts_with(begins).then_some(*what);
        OTHERS.iter().find_map(is)
    }

    /// What it is instead of a dump, for the end of a sentence; empty where that is not known.
    pub(super) fn told(&self) -> String {
        let start = self.start.trim_ascii_start();
        if let Some(other) = self.other() {
            return format!("; {other}");
        }
        if let Some(whose) = words(start) {
            return format!("; it holds words of {whose}: {}", Flaw::excerpt(first_line(start)));
        }
        match &self.nonsense {
            Some((line, text))
                if !text.is_empty() && !text.contains(char::REPLACEMENT_CHARACTER) =>
            {
                format!("; line {line} is no SQL: {text}")
            }
            _ => String::new(),
        }
    }
}

/// Whose words a statement begins with that is none.
pub(super) fn words(text: &[u8]) -> Option<&'static str> {
    WORDS.iter().find(|(begins, _)| text.starts_with(begins)).map(|(_, whose)| *whose)
}

/// The flaw of a statement that is none, because words stand in its place: those of a program that is
/// known, or any in which the header of a dump is lost.
pub(super) fn flaw(text: &[u8], line: u64, is_dump: bool) -> Option<Flaw> {
    if text.starts_with(super::BYTE_ORDER_MARK) {
        return Some(Flaw::Mark { line });
    }
    let swallowed = || !is_dump && has_header(text);
    let whose = words(text).filter(|_| is_dump || swallowed());
    let whose = whose.or_else(|| swallowed().then_some("another program"))?;
    Some(Flaw::Words { line, whose, text: Flaw::excerpt(first_line(text)) })
}

/// Whether the header of a dump stands in it, and in no literal of a statement.
fn has_header(text: &[u8]) -> bool {
    let in_literal = |at: usize| {
        is_command(first_word(text)) && memchr::memchr_iter(b'\'', &text[..at]).count() % 2 == 1
    };
    memmem::find(text, HEADER).is_some_and(|at| !in_literal(at))
}

fn is_command(word: &[u8]) -> bool {
    COMMANDS.iter().any(|of| word.eq_ignore_ascii_case(of.as_bytes()))
}

fn first_word(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|b| !b.is_ascii_alphabetic() && *b != b'_');
    &text[..end.unwrap_or(text.len())]
}

fn first_line(text: &[u8]) -> &[u8] {
    &text[..text.iter().position(|b| *b == b'\n').unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(statements: &[&str]) -> Stranger {
        let mut stranger = Stranger::default();
        for (line, text) in (1..).zip(statements) {
            stranger.keep(text.as_bytes());
            stranger.take(text.as_bytes(), line);
        }
        stranger
    }

    #[test]
    fn sql_that_fills_a_database_is_told_from_words() {
        assert!(
            of(&["create table a (b int);", "(SELECT 1);", "Insert into a values(1);"]).is_sql()
        );
        for none in [
            &["SET a = 1;", "SELECT 1;"][..],
            &["CREATE TABLE a ();", "hello;"],
            &["created two tables;"],
            &["3\t4\n", "CREATE TABLE a ();"],
            &["-- MySQL dump 10.13\nCREATE TABLE a (b int);"],
        ] {
            assert!(!of(none).is_sql(), "{none:?}");
        }
        assert!(of(&["COPY a FROM stdin;"]).begins_late());
        assert!(!of(&["SET a = 1;", "COPY a FROM stdin;"]).begins_late());
    }

    #[test]
    fn a_header_is_swallowed_by_words_and_not_by_a_literal() {
        let header = "\n--\n-- PostgreSQL database dump\n--\nSET a = 1;";
        let found = |text: &str| flaw(text.as_bytes(), 1, false).is_some();
        assert!(found(&format!("Dumping shop{header}")));
        assert!(found(&format!("it's a dump{header}")));
        assert!(!found(&format!("COMMENT ON TABLE a IS 'It''s so:{header}';")));
    }

    #[test]
    fn what_it_is_instead_is_named() {
        for (text, told) in [
            ("{\"error\": 1}", "; it is JSON"),
            (
                "bash: pg_dump: command not found",
                "; it holds words of a shell: bash: pg_dump: command not found",
            ),
            ("Hello world;", "; line 1 is no SQL: Hello world;"),
            ("SELECT 1;", ""),
        ] {
            assert_eq!(of(&[text]).told(), told);
        }
        assert_eq!(of(&["\u{fffd}PNG;"]).told(), "");
    }
}
