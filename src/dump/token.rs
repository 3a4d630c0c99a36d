//! The words of a complete statement, for the few statements whose meaning matters.
//!
//! Only as exact as COPY, SET and setval need; where statements end is the lexer's business.

use memchr::{memchr2, memmem};

use super::lexer::BlockComment;

/// A word of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A keyword or unquoted name, or a number, as written.
    Word(&'a [u8]),
    /// A quoted name, unquoted.
    Name(Vec<u8>),
    /// A literal, unquoted; backslashes undone where it is `E'…'`. Also what is between dollars.
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

    /// What is between `$tag$` and the next one, where the next byte begins such a pair.
    fn dollar_quoted(&mut self) -> Option<Vec<u8>> {
        let tag = self.rest.get(1..)?.iter().position(|b| *b == b'$')? + 2;
        let (opening, inside) = self.rest.split_at(tag);
        let name = &opening[1..tag - 1];
        if name.first().is_some_and(u8::is_ascii_digit) || !name.iter().all(|b| continues(*b)) {
            return None;
        }
        let end = memmem::find(inside, opening).unwrap_or(inside.len());
        self.rest = inside.get(end + tag..).unwrap_or_default();
        Some(inside[..end].to_vec())
    }

    /// `U&'…'` and `U&"…"`, without the prefix: the text with its `\XXXX` and `\+XXXXXX` undone.
    fn unicode(&mut self, quote: u8) -> Vec<u8> {
        let written = self.quoted(quote, false);
        let mut text = Vec::with_capacity(written.len());
        let mut rest = written.as_slice();
        while let Some((&byte, after)) = rest.split_first() {
            let (skipped, digits) = if after.first() == Some(&b'+') { (1, 6) } else { (0, 4) };
            let code = after.get(skipped..skipped + digits).filter(|_| byte == b'\\');
            let code = code.and_then(|code| std::str::from_utf8(code).ok());
            match code.and_then(|code| char::from_u32(u32::from_str_radix(code, 16).ok()?)) {
                Some(letter) => {
                    text.extend(letter.encode_utf8(&mut [0; 4]).as_bytes());
                    rest = &after[skipped + digits..];
                }
                None => {
                    text.push(byte);
                    rest = after;
                }
            }
        }
        text
    }
}

/// Whether a byte can stand within a word.
fn continues(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || byte == b'_'
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.skip_space();
        if self.rest.first() == Some(&b'$')
            && let Some(text) = self.dollar_quoted()
        {
            return Some(Token::Text(text));
        }
        let (&first, after) = self.rest.split_first()?;
        Some(match (first, after.first()) {
            (b'"', _) => Token::Name(self.quoted(b'"', false)),
            (b'\'', _) => Token::Text(self.quoted(b'\'', self.escapes)),
            (b'e' | b'E', Some(b'\'')) => {
                self.rest = after;
                Token::Text(self.quoted(b'\'', true))
            }
            (b'u' | b'U', Some(b'&')) if matches!(after.get(1), Some(b'\'' | b'"')) => {
                let quote = after[1];
                self.rest = &after[1..];
                let text = self.unicode(quote);
                if quote == b'"' { Token::Name(text) } else { Token::Text(text) }
            }
            _ => {
                let within = |b: &&u8| continues(**b) || **b == b'$';
                let length = self.rest.iter().take_while(within).count();
                if continues(first) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<Token<'_>> {
        Tokens::of(text.as_bytes()).collect()
    }

    #[test]
    fn what_is_between_dollars_is_one_literal() {
        let text = |text: &str| Token::Text(text.as_bytes().to_vec());
        assert_eq!(tokens("AS $$ BEGIN; 'x END $$;")[1], text(" BEGIN; 'x END "));
        assert_eq!(tokens("$_b1$ a $$ b $_b1$")[0], text(" a $$ b "));
        assert_eq!(tokens("$a$ no end"), [text(" no end")]);
        assert_eq!(tokens("$1")[0], Token::Mark(b'$'));
        assert_eq!(tokens("a$b$c"), [Token::Word(b"a$b$c")]);
        assert_eq!(tokens("$1$ x $1$")[0], Token::Mark(b'$'));
    }

    #[test]
    fn unicode_escapes_are_undone_in_names_and_literals() {
        let name = Token::Name("dат".as_bytes().to_vec());
        assert_eq!(tokens(r#"U&"d\0430\0442""#)[0], name);
        assert_eq!(tokens(r"u&'\+01F600 it''s'")[0], Token::Text("😀 it's".into()));
        assert_eq!(tokens(r"U&'\zz'")[0], Token::Text(r"\zz".into()));
        assert_eq!(tokens("u & 'x'")[0], Token::Word(b"u"));
    }
}
