//! The words of a complete statement, for the few statements whose meaning matters.
//!
//! Where statements end is the lexer's business, which reads them in pieces; words are as it tells them.

use memchr::{memchr2, memmem};

use super::lexer::{BlockComment, continues};

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

    /// Steps over everything up to a word outside of parentheses, and over the word.
    pub(super) fn skip_to(&mut self, word: &str) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.next()? {
                Token::Mark(b'(') => depth += 1,
                Token::Mark(b')') => depth = depth.saturating_sub(1),
                token if depth == 0 && token.is_word(word) => return Some(()),
                _ => {}
            }
        }
    }

    /// Steps over `(literal, …);` to the end of the statement: whether nothing is called or read there.
    pub(super) fn take_literals(&mut self) -> bool {
        if !self.take_mark(b'(') {
            return false;
        }
        loop {
            let _ = self.take_mark(b'-');
            let is_literal = match self.next() {
                Some(Token::Text(_)) => true,
                Some(Token::Word(word)) => {
                    word[0].is_ascii_digit()
                        || ["true", "false", "null"]
                            .iter()
                            .any(|w| word.eq_ignore_ascii_case(w.as_bytes()))
                }
                _ => false,
            };
            if !is_literal {
                return false;
            }
            if self.take_mark(b')') {
                break;
            }
            if !self.take_mark(b',') {
                return false;
            }
        }
        self.take_mark(b';') && self.next().is_none() || self.rest().is_empty()
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

    /// What is between two `quote`s, of which the first is the next byte. A literal goes on after space with
    /// a line end in it.
    fn quoted(&mut self, quote: u8, escapes: bool) -> Vec<u8> {
        let mut text = Vec::new();
        let mut at = 1;
        while let Some(&byte) = self.rest.get(at) {
            at += 1;
            if byte == quote {
                if self.rest.get(at) == Some(&quote) {
                    at += 1;
                    text.push(byte);
                } else if let Some(space) = continued(&self.rest[at..]).filter(|_| quote == b'\'') {
                    at += space;
                } else {
                    break;
                }
            } else if byte == b'\\' && escapes {
                at += unescape(&self.rest[at..], &mut text);
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
        if name.first().is_some_and(u8::is_ascii_digit) || !name.iter().all(|byte| continues(*byte))
        {
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

/// The bytes up to the inside of the quote that continues a literal, if one does.
fn continued(rest: &[u8]) -> Option<usize> {
    let space = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let has_line_end = rest[..space].iter().any(|byte| matches!(byte, b'\n' | b'\r'));
    (has_line_end && rest.get(space) == Some(&b'\'')).then_some(space + 1)
}

/// Undoes the escape of an `E'…'` whose backslash stands before `rest`, and gives its bytes.
/// Source: PostgreSQL 15, `scan.l`.
fn unescape(rest: &[u8], text: &mut Vec<u8>) -> usize {
    let digits = |from: usize, most: usize, radix: u32| -> Option<(u32, usize)> {
        let is_digit = |byte: &&u8| char::from(**byte).is_digit(radix);
        let count = rest.get(from..)?.iter().take(most).take_while(is_digit).count();
        let written = std::str::from_utf8(&rest[from..from + count]).ok()?;
        Some((u32::from_str_radix(written, radix).ok()?, from + count))
    };
    let Some(&first) = rest.first() else { return 0 };
    let coded = match first {
        b'0'..=b'7' => digits(0, 3, 8),
        b'x' => digits(1, 2, 16),
        _ => None,
    };
    if let Some((code, length)) = coded {
        text.extend(code.to_le_bytes().first());
        return length;
    }
    let letter = match first {
        b'u' => digits(1, 4, 16).filter(|(_, length)| *length == 5),
        b'U' => digits(1, 8, 16).filter(|(_, length)| *length == 9),
        _ => None,
    };
    if let Some((letter, length)) = letter.and_then(|(code, n)| Some((char::from_u32(code)?, n))) {
        text.extend(letter.encode_utf8(&mut [0; 4]).as_bytes());
        return length;
    }
    text.push(match first {
        b'b' => 0x08,
        b'f' => 0x0C,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        other => other,
    });
    1
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
                let length = self.rest.iter().take_while(|byte| continues(**byte)).count();
                if continues(first) && first != b'$' {
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

    #[test]
    fn escapes_are_undone_as_the_server_undoes_them() {
        let text = |text: &str| Token::Text(text.as_bytes().to_vec());
        assert_eq!(tokens(r"E'a\\b\n\t\101\x42'")[0], text("a\\b\n\tAB"));
        assert_eq!(tokens(r"E'\u00e9 \U0001F600 \q\''")[0], text("é 😀 q'"));
        assert_eq!(tokens(r"'a\nb'")[0], text(r"a\nb"));
    }

    #[test]
    fn a_literal_goes_on_in_the_next_line() {
        let text = |text: &str| Token::Text(text.as_bytes().to_vec());
        assert_eq!(tokens("'one ' \n 'two'"), [text("one two")]);
        assert_eq!(tokens("'one' 'two'"), [text("one"), text("two")]);
        assert_eq!(tokens("E'one\\n'\n'two\\n'"), [text("one\ntwo\n")]);
    }
}
