//! Finds where an SQL statement ends, as psql's lexer does (PostgreSQL 15, `psqlscan.l`).
//!
//! Fed with pieces of a statement cut anywhere; remembers between them only its state. It is
//! used from the first byte of a statement to its `;`; what stands between statements is not its
//! business. It differs from psql where psql fails on what pg_dump writes: only `BEGIN ATOMIC`
//! opens a body (`CREATE FUNCTION begin()` is legal), and `:name` is never a variable.

mod class;
mod comment;
mod dollar;

use memchr::{memchr, memchr2};

use super::encoding::Encoding;
use class::{CLASS, CONTINUES, Class};

pub(super) use comment::{BlockComment, is_all};

/// Whether a byte goes on with a word that a letter began.
pub(super) fn continues(byte: u8) -> bool {
    CONTINUES[usize::from(byte)]
}

/// Why [`Lexer::scan`] returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// The piece is used up and the statement is not complete.
    More,
    /// The statement is complete after that many bytes of the piece, `;` included.
    End(usize),
    /// There is a backslash outside quotes at that byte of the piece.
    Backslash(usize),
}

/// The kinds of `'…'`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quote {
    /// Backslashes are ordinary: `'…'` and `U&'…'`.
    Standard,
    /// Backslashes escape: `E'…'`, and `'…'` without standard_conforming_strings.
    Escape,
    /// `B'…'` and `X'…'`, where `''` is not a quote.
    Bits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Plain,
    Word,
    UnicodePrefix,
    Dash,
    Slash,
    LineComment,
    BlockComment,
    Quote(Quote),
    Escaped,
    Name,
    DollarTag,
    DollarBody,
}

/// What came before, as far as it changes the meaning of what comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    Nothing,
    /// `BEGIN` in a routine.
    Begin,
    /// A closing quote.
    Quote(Quote),
    /// A closing quote and space: a quote now would begin a new literal.
    QuoteSpace(Quote),
    /// A closing quote and space with a newline: a quote now continues the literal.
    QuoteNewline(Quote),
}

/// How far the statement's first words go towards `CREATE [OR REPLACE] FUNCTION|PROCEDURE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opening {
    Start,
    Create,
    Or,
    Replace,
    Routine,
    Other,
}

/// The longest keyword that matters is `procedure`.
const WORD: usize = 10;

/// The state of a statement that is being read.
#[derive(Debug)]
pub(super) struct Lexer {
    state: State,
    after: After,
    opening: Opening,
    parens: u32,
    /// Open `BEGIN ATOMIC` and `CASE`.
    body: u32,
    comment: BlockComment,
    /// A word cut by the end of a piece.
    word: Vec<u8>,
    /// The tag of a dollar quote without its dollars, and how much of its end has been seen.
    tag: Vec<u8>,
    matched: usize,
    standard_strings: bool,
    encoding: Encoding,
}

impl Lexer {
    pub(super) fn new() -> Self {
        Self {
            state: State::Plain,
            after: After::Nothing,
            opening: Opening::Start,
            parens: 0,
            body: 0,
            comment: BlockComment::default(),
            word: Vec::new(),
            tag: Vec::new(),
            matched: 0,
            standard_strings: true,
            encoding: Encoding::Safe,
        }
    }

    /// Whether backslashes in `'…'` are ordinary, for what is scanned from now on.
    pub(super) fn set_standard_strings(&mut self, on: bool) {
        self.standard_strings = on;
    }

    pub(super) fn set_encoding(&mut self, encoding: Encoding) {
        self.encoding = encoding;
    }

    /// Whether the text so far ends inside a literal, a quoted name or a dollar quote.
    pub(super) fn in_quotes(&self) -> bool {
        matches!(self.state, State::Quote(_) | State::Escaped | State::Name | State::DollarBody)
    }

    /// Whether the text so far may be a whole statement, but for its semicolon.
    pub(super) fn may_end(&self) -> bool {
        !self.in_quotes()
            && !matches!(self.state, State::BlockComment | State::DollarTag)
            && (self.parens, self.body) == (0, 0)
    }

    /// Reads on in the statement. After [`Stop::End`] the next byte begins a new statement.
    pub(super) fn scan(&mut self, input: &[u8]) -> Stop {
        let mut at = 0;
        while at < input.len() {
            let rest = &input[at..];
            at += match self.state {
                State::Plain => match self.plain(rest) {
                    (_, Stop::End(used)) => return Stop::End(at + used),
                    (_, Stop::Backslash(place)) => return Stop::Backslash(at + place),
                    (used, Stop::More) => used,
                },
                State::Word => self.word(rest),
                State::UnicodePrefix => self.unicode_prefix(rest[0]),
                State::Dash => self.dash(rest[0]),
                State::Slash => self.slash(rest[0]),
                State::LineComment => self.line_comment(rest),
                State::BlockComment => self.block_comment(rest),
                State::Quote(quote) => self.quote(quote, rest),
                State::Escaped => {
                    self.state = State::Quote(Quote::Escape);
                    1
                }
                State::Name => self.name(rest),
                State::DollarTag => self.dollar_tag(rest[0]),
                State::DollarBody => self.dollar_body(rest),
            };
        }
        Stop::More
    }

    /// Outside everything. Returns at the first byte that changes the state.
    fn plain(&mut self, input: &[u8]) -> (usize, Stop) {
        let mut at = 0;
        while let Some(&byte) = input.get(at) {
            let class = CLASS[usize::from(byte)];
            match class {
                Class::Other => self.after = After::Nothing,
                Class::Space => {
                    if let After::Quote(quote) = self.after {
                        self.after = After::QuoteSpace(quote);
                    }
                }
                Class::Newline => {
                    if let After::Quote(quote) | After::QuoteSpace(quote) = self.after {
                        self.after = After::QuoteNewline(quote);
                    }
                }
                Class::Letter => {
                    let end = input[at..].iter().position(|&b| !CONTINUES[usize::from(b)]);
                    let Some(length) = end else {
                        self.word.clear();
                        self.state = State::Word;
                        return (at, Stop::More);
                    };
                    at += length;
                    self.word_ended(&input[at - length..at], input[at]);
                    if self.state != State::Plain {
                        return (at + 1, Stop::More);
                    }
                    continue;
                }
                Class::Open => {
                    self.after = After::Nothing;
                    self.parens = self.parens.saturating_add(1);
                }
                Class::Close => {
                    self.after = After::Nothing;
                    self.parens = self.parens.saturating_sub(1);
                }
                Class::Semicolon if self.parens == 0 && self.body == 0 => {
                    self.after = After::Nothing;
                    self.opening = Opening::Start;
                    return (0, Stop::End(at + 1));
                }
                Class::Semicolon => self.after = After::Nothing,
                Class::Backslash => return (0, Stop::Backslash(at)),
                Class::Quote => self.state = State::Quote(self.opened_quote()),
                Class::NameQuote => self.enter(State::Name),
                Class::Dollar => {
                    self.tag.clear();
                    self.enter(State::DollarTag);
                }
                Class::Dash => self.state = State::Dash,
                Class::Slash => self.state = State::Slash,
            }
            at += 1;
            if self.state != State::Plain {
                break;
            }
        }
        (at, Stop::More)
    }

    fn enter(&mut self, state: State) {
        self.after = After::Nothing;
        self.state = state;
    }

    /// The kind of literal that a `'` opens here, or goes on with.
    fn opened_quote(&self) -> Quote {
        match self.after {
            After::QuoteNewline(quote) => quote,
            After::Quote(quote) if quote != Quote::Bits => quote,
            _ if self.standard_strings => Quote::Standard,
            _ => Quote::Escape,
        }
    }

    /// A word cut by the end of the last piece, or one that reaches the end of this one.
    fn word(&mut self, input: &[u8]) -> usize {
        let end = input.iter().position(|&b| !CONTINUES[usize::from(b)]);
        let length = end.unwrap_or(input.len());
        let room = (WORD + 1).saturating_sub(self.word.len());
        self.word.extend_from_slice(&input[..length.min(room)]);
        if end.is_none() {
            return length;
        }
        self.state = State::Plain;
        let word = std::mem::take(&mut self.word);
        self.word_ended(&word, input[length]);
        self.word = word;
        length + usize::from(self.state != State::Plain)
    }

    /// Sets another state than Plain when `next` belongs to what the word begins.
    fn word_ended(&mut self, word: &[u8], next: u8) {
        let after = std::mem::replace(&mut self.after, After::Nothing);
        match (word, next) {
            (b"e" | b"E", b'\'') => return self.state = State::Quote(Quote::Escape),
            (b"b" | b"B" | b"x" | b"X", b'\'') => return self.state = State::Quote(Quote::Bits),
            (b"u" | b"U", b'&') => return self.state = State::UnicodePrefix,
            _ => {}
        }
        if self.opening != Opening::Other {
            self.opening = self.opened_by(word, after);
        }
    }

    fn opened_by(&mut self, word: &[u8], after: After) -> Opening {
        let is = |keyword: &str| word.eq_ignore_ascii_case(keyword.as_bytes());
        match self.opening {
            Opening::Start if is("create") => Opening::Create,
            Opening::Create if is("or") => Opening::Or,
            Opening::Or if is("replace") => Opening::Replace,
            Opening::Create | Opening::Replace if is("function") || is("procedure") => {
                Opening::Routine
            }
            Opening::Routine => {
                if self.parens == 0 {
                    self.routine_word(word, after);
                }
                Opening::Routine
            }
            _ => Opening::Other,
        }
    }

    /// Counts what opens and closes a body of SQL statements.
    fn routine_word(&mut self, word: &[u8], after: After) {
        let is = |keyword: &str| word.eq_ignore_ascii_case(keyword.as_bytes());
        if self.body == 0 {
            if is("begin") {
                self.after = After::Begin;
            } else if after == After::Begin && is("atomic") {
                self.body = 1;
            }
        } else if is("case") {
            self.body = self.body.saturating_add(1);
        } else if is("end") {
            self.body -= 1;
        }
    }

    fn unicode_prefix(&mut self, byte: u8) -> usize {
        self.state = match byte {
            b'\'' => State::Quote(Quote::Standard),
            b'"' => State::Name,
            _ => State::Plain,
        };
        usize::from(self.state != State::Plain)
    }

    fn dash(&mut self, byte: u8) -> usize {
        if byte == b'-' {
            if let After::Quote(quote) = self.after {
                self.after = After::QuoteSpace(quote);
            }
            self.state = State::LineComment;
            return 1;
        }
        self.enter(State::Plain);
        0
    }

    fn slash(&mut self, byte: u8) -> usize {
        if self.after != After::Begin || byte != b'*' {
            self.after = After::Nothing;
        }
        if byte == b'*' {
            self.comment = BlockComment::default();
            self.state = State::BlockComment;
            return 1;
        }
        self.state = State::Plain;
        0
    }

    fn line_comment(&mut self, input: &[u8]) -> usize {
        match memchr2(b'\n', b'\r', input) {
            Some(end) => {
                self.state = State::Plain;
                end
            }
            None => input.len(),
        }
    }

    fn block_comment(&mut self, input: &[u8]) -> usize {
        match self.comment.scan(input) {
            Some(used) => {
                self.state = State::Plain;
                used
            }
            None => input.len(),
        }
    }

    fn quote(&mut self, quote: Quote, input: &[u8]) -> usize {
        let found = match (quote, self.encoding) {
            (Quote::Escape, Encoding::Safe) => memchr2(b'\'', b'\\', input),
            (Quote::Escape, encoding) => {
                input.iter().position(|&b| b == b'\'' || b == b'\\' || encoding.leads(b))
            }
            _ => memchr(b'\'', input),
        };
        let Some(at) = found else {
            return input.len();
        };
        if input[at] == b'\'' {
            self.after = After::Quote(quote);
            self.state = State::Plain;
        } else {
            self.state = State::Escaped;
        }
        at + 1
    }

    fn name(&mut self, input: &[u8]) -> usize {
        match memchr(b'"', input) {
            Some(end) => {
                self.state = State::Plain;
                end + 1
            }
            None => input.len(),
        }
    }
}
