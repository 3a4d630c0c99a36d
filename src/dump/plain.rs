//! Reads a plain dump as pg_dump and pg_dumpall write it: statements, COPY data, meta-commands.
//!
//! Push style and without I/O: bytes in, cut anywhere, items out. SQL text is the truth; comments
//! are hints, except for those that say that this is a dump and that it is complete. Memory is
//! bounded by the longest statement; COPY data pass through as slices of what was fed.
//!
//! The reader alternates between four places: the gap between statements (here), a statement
//! (`lexer`), the end of a COPY statement's line, and COPY data (`copy`).

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use memchr::{memchr, memchr_iter, memchr2};

use super::copy::{HELD, Terminator, copy_from_stdin};
use super::flaw::Flaw;
use super::item::{Facts, Item, Meta, Statement, TocEntry};
use super::lexer::{BlockComment, Encoding, Lexer, Stop};
use super::meta::{self, Command};
use super::session::{Setting, setting};
use super::toc::{self, Comment};

/// The longest statement a PostgreSQL server accepts, in bytes.
const STATEMENT_LIMIT: usize = 0x3fff_ffff;
/// The same before anything said that this is a dump.
const STRANGE_LIMIT: usize = 1 << 20;
/// What is kept of a comment or a meta-command, in bytes; pg_dump's are far shorter.
const LINE_LIMIT: usize = 16 << 10;
/// UTF-8's byte order mark, which psql skips.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The state of reading one plain dump.
#[derive(Debug)]
pub struct Reader {
    place: Place,
    lexer: Lexer,
    /// What earlier pieces held of the statement.
    statement: BytesMut,
    /// Line and offset where the statement, block comment or COPY statement began.
    began: (u64, u64),
    /// What earlier pieces held of a comment or meta-command, and whether it began its line.
    text: Vec<u8>,
    alone: bool,
    /// The table whose data are read.
    table: String,
    terminator: Terminator,
    toc: Option<Arc<TocEntry>>,
    restriction: Option<Vec<u8>>,
    facts: Facts,
    flaw: Option<Flaw>,
    line: u64,
    offset: u64,
    /// The next byte begins a line.
    line_start: bool,
}

#[derive(Debug)]
enum Place {
    /// Before the first byte that is not of a byte order mark; so much of it was seen.
    Mark(usize),
    Gap,
    Dash,
    Slash,
    LineComment,
    BlockComment(BlockComment),
    Meta,
    Statement,
    /// After the `;` of a COPY statement.
    CopyLine,
    CopyData,
}

impl Reader {
    /// At the first byte of a dump.
    #[must_use]
    pub fn new() -> Self {
        Self {
            place: Place::Mark(0),
            lexer: Lexer::new(),
            statement: BytesMut::new(),
            began: (1, 0),
            text: Vec::new(),
            alone: false,
            table: String::new(),
            terminator: Terminator::new(),
            toc: None,
            restriction: None,
            facts: Facts::default(),
            flaw: None,
            line: 1,
            offset: 0,
            line_start: true,
        }
    }

    /// Feeds the next bytes of the dump; appends what they complete to `out`.
    ///
    /// # Errors
    ///
    /// The text cannot be a dump. `out` then holds the items before the flaw, and every later
    /// call gives the same flaw.
    pub fn feed(&mut self, chunk: Bytes, out: &mut Vec<Item>) -> Result<(), Flaw> {
        let mut at = 0;
        while at < chunk.len() {
            if let Some(flaw) = &self.flaw {
                return Err(flaw.clone());
            }
            match self.step(&chunk, at, out) {
                Ok(used) => {
                    self.advance(&chunk[at..at + used]);
                    at += used;
                }
                Err(flaw) => self.flaw = Some(self.judged(flaw)),
            }
        }
        self.flaw.clone().map_or(Ok(()), Err)
    }

    /// The dump ends here.
    ///
    /// # Errors
    ///
    /// It ends where a dump cannot: it is cut, or is none.
    pub fn finish(&mut self, out: &mut Vec<Item>) -> Result<(), Flaw> {
        if self.flaw.is_none() {
            if matches!(self.place, Place::Meta) {
                // An editor may have taken the last newline. Cut, it is judged by what is missing.
                let _ = self.meta(out);
            }
            self.flaw = self.cut().map(|flaw| self.judged(flaw));
        }
        self.flaw.clone().map_or(Ok(()), Err)
    }

    /// What the dump has said about itself so far; also usable after a flaw.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The line that is being read, from 1.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Bytes read.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    fn advance(&mut self, used: &[u8]) {
        if let Some(&last) = used.last() {
            self.line_start = last == b'\n';
            self.line += lines(used);
            self.offset += used.len() as u64;
        }
    }

    /// Reads on from `at`. Returns the bytes used; none only when the place has changed.
    fn step(&mut self, chunk: &Bytes, at: usize, out: &mut Vec<Item>) -> Result<usize, Flaw> {
        let input = &chunk[at..];
        match self.place {
            Place::Mark(seen) => {
                if BYTE_ORDER_MARK.get(seen) == input.first() {
                    self.place = Place::Mark(seen + 1);
                    return Ok(1);
                }
                self.line_start = true;
                self.place = Place::Gap;
                Ok(0)
            }
            Place::Gap => self.gap(input),
            Place::Dash | Place::Slash => Ok(self.comment_or_operator(input[0])),
            Place::LineComment => self.line_comment(input),
            Place::BlockComment(_) => self.block_comment(input),
            Place::Meta => match memchr(b'\n', input) {
                Some(end) => {
                    self.keep(&input[..end]);
                    self.meta(out)?;
                    self.place = Place::Gap;
                    Ok(end)
                }
                None => Ok(self.keep(input)),
            },
            Place::Statement => self.statement(chunk, at, out),
            Place::CopyLine => self.copy_line(input),
            Place::CopyData => Ok(self.copy_data(chunk, at, out)),
        }
    }

    /// Space between statements, up to what is none.
    fn gap(&mut self, input: &[u8]) -> Result<usize, Flaw> {
        let blank = |b: &u8| matches!(b, b' ' | b'\t' | b'\n' | b'\r' | 0x0B | 0x0C | b';');
        let Some(at) = input.iter().position(|b| !blank(b)) else {
            return Ok(input.len());
        };
        if at > 0 {
            return Ok(at);
        }
        self.text.clear();
        self.alone = self.line_start;
        self.began = (self.line, self.offset);
        self.place = match input[0] {
            b'-' => Place::Dash,
            b'/' => Place::Slash,
            b'\\' => Place::Meta,
            _ => Place::Statement,
        };
        match self.place {
            Place::Dash | Place::Slash => Ok(1),
            Place::Meta if !self.alone => Err(self.meta_command(input)),
            _ => Ok(0),
        }
    }

    /// After a dash or a slash, by the next byte.
    fn comment_or_operator(&mut self, next: u8) -> usize {
        let dash = matches!(self.place, Place::Dash);
        if dash && next == b'-' {
            self.place = Place::LineComment;
            return 1;
        }
        if !dash && next == b'*' {
            self.place = Place::BlockComment(BlockComment::default());
            return 1;
        }
        // No statement begins so, but the server shall say it.
        let operator = if dash { b"-" } else { b"/" };
        self.lexer.scan(operator);
        self.statement.extend_from_slice(operator);
        self.place = Place::Statement;
        0
    }

    fn line_comment(&mut self, input: &[u8]) -> Result<usize, Flaw> {
        let end = memchr2(b'\n', b'\r', input);
        let text = &input[..end.unwrap_or(input.len())];
        self.refuse_nul(text)?;
        self.keep(text);
        if end.is_some() {
            self.place = Place::Gap;
            if self.alone {
                self.noted(toc::comment(&self.text));
            }
        }
        Ok(text.len())
    }

    fn noted(&mut self, comment: Comment) {
        self.facts.note(&comment);
        match comment {
            Comment::Entry(entry) => self.toc = Some(Arc::new(entry)),
            Comment::Header | Comment::ClusterHeader => self.toc = None,
            _ => {}
        }
    }

    fn block_comment(&mut self, input: &[u8]) -> Result<usize, Flaw> {
        let Place::BlockComment(comment) = &mut self.place else {
            return Ok(0);
        };
        let end = comment.scan(input);
        let used = end.unwrap_or(input.len());
        self.refuse_nul(&input[..used])?;
        if end.is_some() {
            self.place = Place::Gap;
        }
        Ok(used)
    }

    /// Keeps the text of a comment or meta-command, the beginning of it if it is long.
    fn keep(&mut self, text: &[u8]) -> usize {
        let room = LINE_LIMIT.saturating_sub(self.text.len());
        self.text.extend_from_slice(&text[..text.len().min(room)]);
        text.len()
    }

    /// The meta-command in `self.text`.
    fn meta(&mut self, out: &mut Vec<Item>) -> Result<(), Flaw> {
        let line = self.line;
        let refusal = |text: &[u8]| Flaw::Restricted { line, text: Flaw::excerpt(text) };
        let command = meta::command(&self.text).filter(|_| self.text.len() < LINE_LIMIT);
        let Some(command) = command else {
            return Err(self.meta_command(&self.text));
        };
        let meta = match (command, &self.restriction) {
            (Command::Restrict(key), None) => {
                self.restriction = Some(key.to_vec());
                Meta::Restrict
            }
            (Command::Unrestrict(key), Some(given)) if key == given => {
                self.restriction = None;
                Meta::Unrestrict
            }
            (Command::Plain(meta), None) => meta,
            _ => return Err(refusal(&self.text)),
        };
        match &meta {
            Meta::Unrestrict => {}
            Meta::Restrict => self.facts.trailer = false,
            Meta::Connect { .. } => {
                self.facts.trailer = false;
                self.toc = None;
                self.lexer.set_standard_strings(true);
            }
            Meta::Encoding(name) => {
                self.facts.trailer = false;
                self.set_encoding(name.clone());
            }
        }
        out.push(Item::Meta(meta));
        Ok(())
    }

    fn statement(&mut self, chunk: &Bytes, at: usize, out: &mut Vec<Item>) -> Result<usize, Flaw> {
        let input = &chunk[at..];
        let stop = self.lexer.scan(input);
        let (Stop::End(used) | Stop::Backslash(used)) = stop else {
            self.refuse_nul(input)?;
            self.refuse_length(input.len())?;
            self.statement.extend_from_slice(input);
            return Ok(input.len());
        };
        self.refuse_nul(&input[..used])?;
        if let Stop::Backslash(_) = stop {
            let mut flaw = self.meta_command(&input[used..]);
            if let Flaw::MetaCommand { line, .. } = &mut flaw {
                *line += lines(&input[..used]);
            }
            return Err(flaw);
        }
        self.refuse_length(used)?;
        let text = if self.statement.is_empty() {
            chunk.slice(at..at + used)
        } else {
            self.statement.extend_from_slice(&input[..used]);
            std::mem::take(&mut self.statement).freeze()
        };
        let (line, offset) = self.began;
        self.place = Place::Gap;
        self.completed(Statement { text, toc: self.toc.clone(), line, offset }, out);
        Ok(used)
    }

    fn completed(&mut self, statement: Statement, out: &mut Vec<Item>) {
        self.facts.trailer = false;
        let statement = match statement.text.first() {
            Some(b'c' | b'C') => match copy_from_stdin(statement) {
                Ok(block) => {
                    self.table = block.display_name();
                    self.terminator = Terminator::new();
                    self.place = Place::CopyLine;
                    self.facts.copy_blocks += 1;
                    return out.push(Item::CopyStart(block));
                }
                Err(statement) => statement,
            },
            Some(b's' | b'S') => {
                match setting(&statement.text) {
                    Some(Setting::StandardStrings(on)) => self.lexer.set_standard_strings(on),
                    Some(Setting::ClientEncoding(name)) => self.set_encoding(name),
                    None => {}
                }
                statement
            }
            _ => statement,
        };
        self.facts.statements += 1;
        out.push(Item::Statement(statement));
    }

    fn set_encoding(&mut self, name: String) {
        self.lexer.set_encoding(Encoding::named(&name));
        self.facts.client_encoding = Some(name);
    }

    /// What is left of the line of a COPY statement.
    fn copy_line(&mut self, input: &[u8]) -> Result<usize, Flaw> {
        let blank = |b: &u8| matches!(b, b' ' | b'\t' | b'\r');
        match input.iter().position(|b| !blank(b)) {
            None => Ok(input.len()),
            Some(at) if input[at] == b'\n' => {
                self.place = Place::CopyData;
                Ok(at + 1)
            }
            Some(_) => Err(Flaw::TextAfterCopy { line: self.line }),
        }
    }

    fn copy_data(&mut self, chunk: &Bytes, at: usize, out: &mut Vec<Item>) -> usize {
        let found = self.terminator.scan(&chunk[at..]);
        if found.released > 0 {
            out.push(Item::CopyData(Bytes::from_static(&HELD[..found.released])));
        }
        if found.data > 0 {
            out.push(Item::CopyData(chunk.slice(at..at + found.data)));
        }
        if found.ended {
            out.push(Item::CopyEnd);
            self.place = Place::Gap;
        }
        found.used
    }

    fn refuse_nul(&self, text: &[u8]) -> Result<(), Flaw> {
        match memchr(0, text) {
            Some(at) => Err(Flaw::NulByte { line: self.line + lines(&text[..at]) }),
            None => Ok(()),
        }
    }

    fn refuse_length(&self, more: usize) -> Result<(), Flaw> {
        let limit = if self.is_dump() { STATEMENT_LIMIT } else { STRANGE_LIMIT };
        if self.statement.len() + more > limit {
            return Err(Flaw::StatementTooLong { line: self.began.0 });
        }
        Ok(())
    }

    fn meta_command(&self, text: &[u8]) -> Flaw {
        let text = text.split(|&b| b == b'\n').next().unwrap_or_default();
        Flaw::MetaCommand { line: self.line, text: Flaw::excerpt(text) }
    }

    fn is_dump(&self) -> bool {
        self.facts.header || self.facts.cluster
    }

    /// Of a file that nothing calls a dump, say that rather than what is odd in it.
    fn judged(&self, flaw: Flaw) -> Flaw {
        match flaw {
            Flaw::MetaCommand { .. } | Flaw::Restricted { .. } => flaw,
            _ if self.is_dump() => flaw,
            _ => Flaw::NotADump { lines: self.line },
        }
    }

    /// What is wrong with an end here.
    fn cut(&self) -> Option<Flaw> {
        let (line, text) = (self.began.0, || Flaw::excerpt(&self.statement));
        match self.place {
            Place::CopyLine | Place::CopyData => {
                Some(Flaw::CutInCopy { table: self.table.clone(), line })
            }
            Place::Statement if self.lexer.in_quotes() => {
                Some(Flaw::CutInQuote { line, text: text() })
            }
            Place::Statement => Some(Flaw::CutInStatement { line, text: text() }),
            Place::BlockComment(_) => Some(Flaw::CutInComment { line }),
            _ if !self.is_dump() => Some(Flaw::NotADump { lines: self.line }),
            _ if !self.facts.trailer => Some(Flaw::NoTrailer { line: self.line }),
            _ if self.restriction.is_some() => Some(Flaw::NoUnrestrict { line: self.line }),
            _ => None,
        }
    }
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

fn lines(text: &[u8]) -> u64 {
    memchr_iter(b'\n', text).count() as u64
}

#[cfg(test)]
mod tests;
