//! The words of a complete statement, for the few statements whose meaning matters.
//!
//! Only as exact as COPY, SET and setval need; where statements end is the lexer's business.

use memchr::memchr2;

use super::lexer::BlockComment;

/// A word of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A keyword or unquoted name, or a number, as written.
    Word(&'a [u8]),
    /// A quoted name, unquoted.
    Name(Vec<u8>),
    /// A literal, unquoted; backslashes undone where it is `E'…'`.
    Text(Vec<u8>),
    /// Any other character.
    Mark(u8),
}

impl Token<'_> {
    pub(super) fn is_word(&self, keyword: &str) -> bool {
        matches!(self, Token::Word(word) if word.eq_ignore_ascii_case(keyword.as_bytes()))
    }
}

/// Splits a statement, leaving out space and comments.
#[derive(Debug, Clone)]
pub(super) struct Tokens<'a> {
    rest: &'a [u8],
    /// Backslashes escape in plain literals, too: `standard_conforming_strings` is off.
    escapes: bool,
}

impl<'a> Tokens<'a> {
    pub(super) fn of(text: &'a [u8]) -> Self {
        Self { rest: text, escapes: false }
    }

    /// Of a statement under the given `standard_conforming_strings`.
    pub(super) fn under(standard_strings: bool, text: &'a [u8]) -> Self {
        Self { rest: text, escapes: !standard_strings }
    }

    /// What comes after the tokens so far.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Steps over the next token when it is that keyword.
    pub(super) fn take_word(&mut self, keyword: &str) -> bool {
        self.take(|token| token.is_word(keyword))
    }

    /// Steps over the next token when it is that character.
    pub(super) fn take_mark(&mut self, mark: u8) -> bool {
        self.take(|token| *token == Token::Mark(mark))
    }

    fn take(&mut self, wanted: impl Fn(&Token<'_>) -> bool) -> bool {
        let mut ahead = self.clone();
        let found = ahead.next().is_some_and(|token| wanted(&token));
        if found {
            *self = ahead;
        }
        found
    }

    /// Steps over an SQL name and gives it as PostgreSQL stores it.
    pub(super) fn take_name(&mut self) -> Option<Vec<u8>> {
        match self.next()? {
            Token::Word(word) => Some(word.to_ascii_lowercase()),
            Token::Name(name) => Some(name),
            Token::Text(_) | Token::Mark(_) => None,
        }
    }

    /// Steps over names joined by dots.
    pub(super) fn take_qualified(&mut self) -> Option<Vec<Vec<u8>>> {
        let mut parts = vec![self.take_name()?];
        while self.take_mark(b'.') {
            parts.push(self.take_name()?);
        }
        Some(parts)
    }

    fn skip_space(&mut self) {
        loop {
            self.rest = self.rest.trim_ascii_start();
            if self.rest.starts_with(b"--") {
                let end = memchr2(b'\n', b'\r', self.rest).unwrap_or(self.rest.len());
                self.rest = &self.rest[end..];
            } else if self.rest.starts_with(b"/*") {
                let inside = &self.rest[2..];
                let end = BlockComment::default().scan(inside);
                self.rest = &inside[end.unwrap_or(inside.len())..];
            } else {
                return;
            }
        }
    }

    /// What is between two `quote`s, of which the first is the next byte.
    fn quoted(&mut self, quote: u8, escapes: bool) -> Vec<u8> {
        let mut text = Vec::new();
        let mut at = 1;
        while let Some(&byte) = self.rest.get(at) {
            at += 1;
            if byte == quote {
                if self.rest.get(at) != Some(&quote) {
                    break;
                }
                at += 1;
                text.push(byte);
            } else if byte == b'\\' && escapes {
                text.extend(self.rest.get(at));
                at += 1;
            } else {
                text.push(byte);
            }
        }
        self.rest = &self.rest[at.min(self.rest.len())..];
        text
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.skip_space();
        let (&first, after) = self.rest.split_first()?;
        Some(match (first, after.first()) {
            (b'"', _) => Token::Name(self.quoted(b'"', false)),
            (b'\'', _) => Token::Text(self.quoted(b'\'', self.escapes)),
            (b'e' | b'E', Some(b'\'')) => {
                self.rest = after;
                Token::Text(self.quoted(b'\'', true))
            }
            _ => {
                let continues = |b: &u8| b.is_ascii_alphanumeric() || *b >= 0x80 || *b == b'_';
                let length = self.rest.iter().take_while(|b| continues(b) || **b == b'$').count();
                if continues(&first) {
                    let (word, rest) = self.rest.split_at(length);
                    self.rest = rest;
                    Token::Word(word)
                } else {
                    self.rest = after;
                    Token::Mark(first)
                }
            }
        })
    }
}
