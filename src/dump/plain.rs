//! Reads a plain dump as pg_dump and pg_dumpall write it: statements, COPY data, meta-commands.
//!
//! Push style and without I/O: bytes in, cut anywhere, items out. SQL text is the truth; comments
//! are hints, except for those that say that this is a dump and that it is complete. Memory is
//! bounded by [`HELD_MIB`]: a longer statement is read to its end, so that it is known whether it
//! has one, and not kept. COPY data pass through as slices of what was fed.
//!
//! The reader alternates between four places: the gap between statements (`gap`), a statement
//! (`lexer`), the end of a COPY statement's line, and COPY data (`copy`).

mod entries;
mod frames;
mod gap;
mod stranger;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use memchr::{memchr, memchr_iter, memmem};

use super::copy::{HELD, Terminator, copy_from_file, copy_from_stdin};
use super::encoding::{self, Encoding};
use super::flaw::Flaw;
use super::item::{CopyBlock, Facts, Item, Statement, TocEntry};
use super::lexer::{BlockComment, Lexer, Stop, is_all};
use super::session::{Setting, setting};
use entries::Entries;
use frames::Frames;
use stranger::Stranger;

/// The longest statement a PostgreSQL server accepts, in bytes.
const STATEMENT_LIMIT: usize = 0x3fff_ffff;
/// The same before anything said that this is a dump.
const STRANGE_LIMIT: usize = 1 << 20;
/// The longest statement that is kept, in MiB: as much as a stream may need to be unpacked.
const HELD_MIB: usize = 128;
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
    /// Bytes of the statement that were not kept, because it is longer than [`HELD_MIB`].
    not_held: usize,
    /// Line and offset where the statement, block comment or COPY statement began.
    began: (u64, u64),
    /// What earlier pieces held of a comment or meta-command, and whether it began its line.
    text: Vec<u8>,
    alone: bool,
    /// The table whose data are read.
    table: String,
    /// The COPY block whose statement was read, until the line of it ends.
    block: Option<CopyBlock>,
    terminator: Terminator,
    toc: Option<Arc<TocEntry>>,
    entries: Entries,
    frames: Frames,
    stranger: Stranger,
    /// Variables of psql that the dump sets.
    variables: Vec<Vec<u8>>,
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
    /// In zeros behind the end.
    Padding,
}

impl Reader {
    /// At the first byte of a dump.
    #[must_use]
    pub fn new() -> Self {
        Self {
            place: Place::Mark(0),
            lexer: Lexer::new(),
            statement: BytesMut::new(),
            not_held: 0,
            began: (1, 0),
            text: Vec::new(),
            alone: false,
            table: String::new(),
            block: None,
            terminator: Terminator::new(),
            toc: None,
            entries: Entries::default(),
            frames: Frames::default(),
            stranger: Stranger::default(),
            variables: Vec::new(),
            restriction: None,
            facts: Facts::default(),
            flaw: None,
            line: 1,
            offset: 0,
            line_start: true,
        }
    }

    /// Between two statements of a dump that was read before, at this line and byte of it, where plain literals have no
    /// escapes.
    #[must_use]
    pub fn between_statements(line: u64, offset: u64) -> Self {
        let facts = Facts { header: true, ..Facts::default() };
        Self { place: Place::Gap, line, offset, facts, ..Self::new() }
    }

    /// Feeds the next bytes of the dump; appends what they complete to `out`.
    ///
    /// Items are slices of `chunk` where they can be, so keeping one keeps the chunk.
    ///
    /// # Errors
    ///
    /// The text cannot be a dump. `out` then holds the items before the flaw, and every later
    /// call gives the same flaw.
    pub fn feed(&mut self, chunk: Bytes, out: &mut Vec<Item>) -> Result<(), Flaw> {
        let mut at = 0;
        self.stranger.keep(&chunk);
        while at < chunk.len() {
            if let Some(flaw) = &self.flaw {
                return Err(flaw.clone());
            }
            match self.step(&chunk, at, out) {
                Ok(used) => {
                    self.advance(&chunk[at..at + used]);
                    at += used;
                }
                Err(flaw) => {
                    let line = flaw.line().unwrap_or(self.line);
                    self.flaw = Some(self.judged(flaw, line));
                }
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
            // An editor may have taken the last newline, and psql needs no last semicolon. Cut, it is
            // judged by what is missing.
            let refused = match self.place {
                Place::Meta => self.meta(out).err(),
                Place::Statement if self.may_end() => self.last(out).err(),
                _ => None,
            };
            let refused = refused.or_else(|| self.entries_end().err());
            let flaw = self.cut().or(refused);
            self.flaw = flaw.map(|flaw| self.judged(flaw, self.line));
        }
        self.flaw.clone().map_or(Ok(()), Err)
    }

    /// What the dump has said about itself so far; also usable after a flaw.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
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
            Place::Gap => Ok(self.gap(input)),
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
            Place::CopyLine => self.copy_line(input, out),
            Place::CopyData => Ok(self.copy_data(chunk, at, out)),
            Place::Padding => match input.iter().position(|b| *b != 0) {
                Some(_) => Err(Flaw::NulByte { line: self.line }),
                None => Ok(input.len()),
            },
        }
    }

    /// Whether the statement may be the last one without its semicolon: it stands behind a whole dump, or
    /// in a file that is none of pg_dump's.
    fn may_end(&self) -> bool {
        (self.frames.complete() || !self.facts.is_dump()) && self.lexer.may_end()
    }

    fn last(&mut self, out: &mut Vec<Item>) -> Result<(), Flaw> {
        if self.not_held > 0 {
            return Err(Flaw::StatementNotHeld { line: self.began.0, most_mib: HELD_MIB });
        }
        self.place = Place::Gap;
        let text = std::mem::take(&mut self.statement).freeze();
        let (line, offset) = self.began;
        self.completed(Statement { text, toc: self.toc.clone(), line, offset }, out)
    }

    fn statement(&mut self, chunk: &Bytes, at: usize, out: &mut Vec<Item>) -> Result<usize, Flaw> {
        let input = &chunk[at..];
        let stop = self.lexer.scan(input);
        let (Stop::End(used) | Stop::Backslash(used)) = stop else {
            self.refuse_nul_in_statement(input)?;
            self.refuse_length(input.len())?;
            self.hold(input);
            return Ok(input.len());
        };
        self.refuse_nul_in_statement(&input[..used])?;
        if let Stop::Backslash(_) = stop {
            self.hold(&input[..used]);
            self.text.clear();
            self.alone = false;
            self.place = Place::Meta;
            return Ok(used);
        }
        self.refuse_length(used)?;
        let text = if self.statement.is_empty() {
            chunk.slice(at..at + used)
        } else {
            self.hold(&input[..used]);
            if self.not_held > 0 {
                return Err(Flaw::StatementNotHeld { line: self.began.0, most_mib: HELD_MIB });
            }
            std::mem::take(&mut self.statement).freeze()
        };
        let (line, offset) = self.began;
        self.place = Place::Gap;
        self.completed(Statement { text, toc: self.toc.clone(), line, offset }, out)?;
        Ok(used)
    }

    fn completed(&mut self, statement: Statement, out: &mut Vec<Item>) -> Result<(), Flaw> {
        let (text, line) = (&statement.text, statement.line);
        if let Some(flaw) = stranger::flaw(text, line, self.facts.is_dump()) {
            return Err(flaw);
        }
        if !self.facts.is_dump() {
            self.stranger.take(text, line);
        }
        self.refuse_variables(text, line)?;
        self.entries.filled();
        let statement = match statement.text.first() {
            Some(b'c' | b'C') => match copy_from_stdin(statement) {
                Ok(block) => {
                    self.table = block.display_name();
                    self.terminator = Terminator::new();
                    self.place = Place::CopyLine;
                    self.facts.copy_blocks += 1;
                    self.entries.copied = true;
                    self.block = Some(block);
                    self.text.clear();
                    return Ok(());
                }
                Err(statement) if copy_from_file(&statement) => {
                    let text = Flaw::excerpt(&statement.text);
                    return Err(Flaw::RowsElsewhere { line, text });
                }
                Err(statement) => statement,
            },
            Some(b's' | b'S') => {
                match setting(&statement.text) {
                    Some(Setting::StandardStrings(on)) => self.lexer.set_standard_strings(on),
                    Some(Setting::ClientEncoding(name)) => self.set_encoding(name, self.began.0)?,
                    None => {}
                }
                statement
            }
            Some(b'i' | b'I') => {
                self.entries.inserted |= statement.starts_with(&["INSERT"]);
                statement
            }
            _ => statement,
        };
        self.facts.statements += 1;
        out.push(Item::Statement(statement));
        Ok(())
    }

    fn set_encoding(&mut self, name: String, line: u64) -> Result<(), Flaw> {
        if !encoding::is_known(&name) {
            return Err(Flaw::UnknownEncoding { line, name });
        }
        self.lexer.set_encoding(Encoding::named(&name));
        self.facts.client_encoding = Some(name);
        Ok(())
    }

    /// What is left of the line of a COPY statement: psql reads the rows from the next one on.
    fn copy_line(&mut self, input: &[u8], out: &mut Vec<Item>) -> Result<usize, Flaw> {
        let Some(at) = memchr(b'\n', input) else { return Ok(self.keep(input)) };
        self.keep(&input[..at]);
        if !is_all(&self.text) {
            return Err(Flaw::TextAfterCopy { line: self.line });
        }
        self.place = Place::CopyData;
        let data_offset = self.offset + at as u64 + 1;
        let block = self.block.take().map(|block| CopyBlock { data_offset, ..block });
        out.extend(block.map(Item::CopyStart));
        Ok(at + 1)
    }

    /// Refuses a statement that psql would put values into.
    fn refuse_variables(&self, text: &[u8], line: u64) -> Result<(), Flaw> {
        let used = |name: &Vec<u8>| {
            let marks = [(&b":"[..], &b""[..]), (b":'", b"'"), (b":\"", b"\""), (b":{?", b"}")];
            marks.iter().any(|(before, after)| {
                let written = [before, name.as_slice(), after].concat();
                memmem::find_iter(text, &written).any(|at| at == 0 || text[at - 1] != b':')
            })
        };
        match self.variables.iter().find(|name| used(name)) {
            Some(name) => {
                let name = format!(":{}", String::from_utf8_lossy(name));
                Err(Flaw::Variable { line, name })
            }
            None => Ok(()),
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

    /// Keeps the next bytes of the statement, as long as there are not too many of them.
    fn hold(&mut self, text: &[u8]) {
        if self.not_held == 0 && self.statement.len() + text.len() <= HELD_MIB << 20 {
            self.statement.extend_from_slice(text);
        } else {
            self.not_held += text.len();
        }
    }

    fn refuse_nul(&self, text: &[u8]) -> Result<(), Flaw> {
        match memchr(0, text) {
            Some(at) => Err(Flaw::NulByte { line: self.line + lines(&text[..at]) }),
            None => Ok(()),
        }
    }

    /// The same, and keeps what stood before it.
    fn refuse_nul_in_statement(&mut self, text: &[u8]) -> Result<(), Flaw> {
        let refused = self.refuse_nul(text);
        if let (Err(_), Some(at)) = (&refused, memchr(0, text)) {
            self.hold(&text[..at]);
        }
        refused
    }

    fn refuse_length(&self, more: usize) -> Result<(), Flaw> {
        let known = self.facts.is_dump() || self.stranger.is_sql();
        let limit = if known { STATEMENT_LIMIT } else { STRANGE_LIMIT };
        if self.statement.len() + self.not_held + more > limit {
            return Err(Flaw::StatementTooLong { line: self.began.0 });
        }
        Ok(())
    }

    /// Of a file that nothing calls a dump, say that rather than what is odd in it; of words in the place
    /// of a statement, whose they are.
    fn judged(&self, flaw: Flaw, line: u64) -> Flaw {
        let words = || stranger::flaw(&self.statement, self.began.0, self.facts.is_dump());
        match flaw {
            Flaw::Words { .. } | Flaw::Mark { .. } | Flaw::NotADump { .. } => flaw,
            flaw => match words() {
                Some(words) => words,
                None if self.facts.is_dump() => flaw,
                None if flaw.our_limit().is_some() && self.stranger.may_be_sql() => flaw,
                None => self.no_dump(line),
            },
        }
    }

    fn no_dump(&self, line: u64) -> Flaw {
        let lost = self.stranger.is_sql() && self.frames.headless();
        let told = if lost { "; its beginning was lost".to_owned() } else { self.stranger.told() };
        Flaw::NotADump { line, told }
    }

    /// At the end of a dump.
    fn entries_end(&mut self) -> Result<(), Flaw> {
        self.entries.begin(None, &mut self.facts)?;
        self.entries.end()
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
            _ if !self.facts.is_dump() => {
                let begins_late = self.frames.headless() && self.stranger.begins_late();
                let sql = self.stranger.is_sql() && !begins_late && self.restriction.is_none();
                (!sql).then(|| self.no_dump(self.line))
            }
            _ if !self.frames.complete() => self.frames.missing(self.line),
            _ if self.restriction.is_some() => Some(Flaw::NoUnrestrict { line: self.line }),
            _ if self.facts.statements + self.facts.copy_blocks == 0 => Some(Flaw::NoStatement),
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
