//! COPY blocks: what their first statement names, and where their data end.

use memchr::memmem::Finder;

use super::item::{CopyBlock, Name, Statement};
use super::token::{Token, Tokens};

/// Reads `COPY [schema.]table [(columns)] FROM stdin …;`; gives the statement back when it is not.
pub(super) fn copy_from_stdin(statement: Statement) -> Result<CopyBlock, Statement> {
    match head(&statement.text) {
        Some((schema, table, columns, text_format)) => {
            Ok(CopyBlock { statement, schema, table, columns, text_format, data_offset: 0 })
        }
        None => Err(statement),
    }
}

/// Whether it is `COPY … FROM 'file'`, which a server reads.
pub(super) fn copy_from_file(statement: &Statement) -> bool {
    target(&statement.text)
        .is_some_and(|(.., mut tokens)| matches!(tokens.next(), Some(Token::Text(_))))
}

type Head = (Option<Name>, Name, Vec<Name>, bool);

fn head(text: &[u8]) -> Option<Head> {
    let (schema, table, columns, binary, mut tokens) = target(text)?;
    if !tokens.take_word("stdin") {
        return None;
    }
    let text_format = !binary && tokens.next() == Some(Token::Mark(b';'));
    Some((schema, table, columns, text_format))
}

type Target<'a> = (Option<Name>, Name, Vec<Name>, bool, Tokens<'a>);

/// What rows go into, whether they are binary, and what comes behind FROM.
fn target(text: &[u8]) -> Option<Target<'_>> {
    let mut tokens = Tokens::of(text);
    if !tokens.take_word("copy") {
        return None;
    }
    let binary = tokens.take_word("binary");
    let mut parts = tokens.take_qualified()?;
    let table = Name::from(parts.pop()?);
    let schema = parts.pop().map(Name::from);
    let mut columns = Vec::new();
    if tokens.take_mark(b'(') {
        columns.push(Name::from(tokens.take_name()?));
        while tokens.take_mark(b',') {
            columns.push(Name::from(tokens.take_name()?));
        }
        if !tokens.take_mark(b')') {
            return None;
        }
    }
    // pg_dump before version 12 could write this.
    if tokens.take_word("with") && !tokens.take_word("oids") {
        return None;
    }
    tokens.take_word("from").then_some((schema, table, columns, binary, tokens))
}

/// Finds the line `\.` in COPY data that come in pieces cut anywhere.
///
/// psql ends the data at that line whatever came before it, and so does this.
#[derive(Debug)]
pub(super) struct Terminator {
    finder: Finder<'static>,
    /// The next byte is the first of a line, but for the held ones.
    line_start: bool,
    /// Bytes of [`HELD`] that began the line and may be the terminator's.
    held: usize,
}

/// What a line must begin with to be held back.
pub(super) const HELD: &[u8] = b"\\.\r";

/// What a piece of COPY data turned out to be. First come `released` bytes of [`HELD`], then
/// `data` bytes of the piece.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) released: usize,
    pub(super) data: usize,
    /// How much of the piece is used up; the rest, if any, comes after the terminator.
    pub(super) used: usize,
    /// The terminator was found.
    pub(super) ended: bool,
}

enum Line {
    Ends(usize),
    MayEnd,
    GoesOn,
}

fn line(start: &[u8]) -> Line {
    match start {
        [b'\\', b'.', b'\n', ..] => Line::Ends(3),
        [b'\\', b'.', b'\r', b'\n', ..] => Line::Ends(4),
        _ if HELD.starts_with(start) => Line::MayEnd,
        _ => Line::GoesOn,
    }
}

impl Terminator {
    /// At the first byte of the data.
    pub(super) fn new() -> Self {
        Self { finder: Finder::new(b"\n\\."), line_start: true, held: 0 }
    }

    /// Looks through a piece.
    pub(super) fn scan(&mut self, input: &[u8]) -> Found {
        let mut released = 0;
        if self.line_start {
            let mut start = [0; 8];
            let taken = input.len().min(4);
            start[..self.held].copy_from_slice(&HELD[..self.held]);
            start[self.held..self.held + taken].copy_from_slice(&input[..taken]);
            match line(&start[..self.held + taken]) {
                Line::Ends(length) => {
                    let used = length - self.held;
                    return Found { released: 0, data: 0, used, ended: true };
                }
                Line::MayEnd => {
                    self.held += input.len();
                    return Found { released: 0, data: 0, used: input.len(), ended: false };
                }
                Line::GoesOn => released = std::mem::take(&mut self.held),
            }
        }
        let mut data = input.len();
        for at in self.finder.find_iter(input) {
            match line(&input[at + 1..]) {
                Line::Ends(length) => {
                    let used = at + 1 + length;
                    return Found { released, data: at + 1, used, ended: true };
                }
                Line::MayEnd => data = at + 1,
                Line::GoesOn => {}
            }
        }
        if input.ends_with(b"\n\\") {
            data = input.len() - 1;
        }
        self.line_start = input[..data].ends_with(b"\n");
        self.held = input.len() - data;
        Found { released, data, used: input.len(), ended: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &'static str) -> Option<CopyBlock> {
        copy_from_stdin(Statement { text: text.into(), toc: None, line: 1, offset: 0 }).ok()
    }

    #[test]
    fn the_head_names_schema_table_and_columns_without_quotes() {
        let block = block("COPY public.\"Odd \"\"t\"\"; x\" (id, \"a,\n(b\", C) FROM stdin;");
        let block = block.expect("a COPY block");
        assert_eq!(block.schema, Some("public".into()));
        assert_eq!(block.table, "Odd \"t\"; x");
        assert_eq!(block.columns, ["id", "a,\n(b", "c"].map(Name::from));
        assert!(block.text_format);
        assert_eq!(block.display_name(), "public.Odd \"t\"; x");
    }

    #[test]
    fn the_head_is_understood_in_every_spelling() {
        let block_of = |text| block(text).expect("a COPY block");
        assert!(block_of("COPY public.empty  FROM stdin;").columns.is_empty());
        assert!(block_of("copy t from STDIN;").text_format);
        assert!(block_of("COPY t (a) WITH OIDS FROM stdin;").text_format);
        assert!(!block_of("COPY t (a, b) FROM stdin WITH (FORMAT csv);").text_format);
        assert!(!block_of("COPY BINARY t FROM stdin;").text_format);
        assert_eq!(block_of("COPY t FROM stdin;").schema, None);
    }

    #[test]
    fn a_copy_of_another_kind_is_no_block() {
        for text in [
            "COPY t TO stdout;",
            "COPY (SELECT 1) TO stdout;",
            "COPY t FROM '/etc/passwd';",
            "COPY t FROM PROGRAM 'id';",
            "COPY",
            "COPY t (a b) FROM stdin;",
            "COPY t WITH (a) FROM stdin;",
            "SELECT 'COPY t FROM stdin';",
        ] {
            assert_eq!(block(text), None, "{text}");
        }
    }
}
