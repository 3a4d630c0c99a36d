//! What stands between statements: space, comments, meta-commands.

use std::sync::Arc;

use memchr::memchr2;

use super::{LINE_LIMIT, Place, Reader};
use crate::dump::flaw::Flaw;
use crate::dump::item::{Item, Meta};
use crate::dump::lexer::BlockComment;
use crate::dump::meta::{self, Command};
use crate::dump::toc::{self, Comment};

impl Reader {
    /// Space between statements, up to what is none.
    pub(super) fn gap(&mut self, input: &[u8]) -> usize {
        let blank = |b: &u8| matches!(b, b' ' | b'\t' | b'\n' | b'\r' | 0x0B | 0x0C | b';');
        let Some(at) = input.iter().position(|b| !blank(b)) else {
            return input.len();
        };
        if at > 0 {
            return at;
        }
        self.text.clear();
        self.alone = self.line_start;
        self.began = (self.line, self.offset);
        self.place = match input[0] {
            b'-' => Place::Dash,
            b'/' => Place::Slash,
            b'\\' => Place::Meta,
            0 if self.frames.complete() => {
                self.facts.padded = true;
                Place::Padding
            }
            _ => Place::Statement,
        };
        usize::from(matches!(self.place, Place::Dash | Place::Slash))
    }

    /// After a dash or a slash, by the next byte.
    pub(super) fn comment_or_operator(&mut self, next: u8) -> usize {
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

    pub(super) fn line_comment(&mut self, input: &[u8]) -> Result<usize, Flaw> {
        let end = memchr2(b'\n', b'\r', input);
        let text = &input[..end.unwrap_or(input.len())];
        self.refuse_nul(text)?;
        self.keep(text);
        if end.is_some() {
            self.place = Place::Gap;
            if self.alone {
                self.noted(toc::comment(&self.text))?;
            }
        }
        Ok(text.len())
    }

    fn noted(&mut self, comment: Comment) -> Result<(), Flaw> {
        self.facts.note(&comment);
        let items = self.facts.statements + self.facts.copy_blocks;
        self.frames.take(&comment, self.line, items)?;
        self.facts.trailer = self.frames.complete();
        match comment {
            Comment::Entry(entry) => {
                let entry = Arc::new(entry);
                self.toc = Some(Arc::clone(&entry));
                self.entries.begin(Some((entry, self.line)), &mut self.facts)
            }
            Comment::Header | Comment::ClusterHeader => {
                self.toc = None;
                self.entries_end()
            }
            Comment::Trailer | Comment::ClusterTrailer => {
                self.toc = None;
                self.entries_end()
            }
            Comment::Remark => {
                self.entries.filled();
                Ok(())
            }
            Comment::ServerVersion(_) | Comment::DumpVersion(_) | Comment::Other => Ok(()),
        }
    }

    pub(super) fn block_comment(&mut self, input: &[u8]) -> Result<usize, Flaw> {
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
    pub(super) fn keep(&mut self, text: &[u8]) -> usize {
        let room = LINE_LIMIT.saturating_sub(self.text.len());
        self.text.extend_from_slice(&text[..text.len().min(room)]);
        text.len()
    }

    /// The meta-command in `self.text`.
    pub(super) fn meta(&mut self, out: &mut Vec<Item>) -> Result<(), Flaw> {
        let whole = self.alone && self.text.len() < LINE_LIMIT;
        let (line, text) = (self.line, Flaw::excerpt(&self.text));
        if !self.statement.is_empty() && meta::sends(&self.text) {
            return Err(Flaw::Unsupported { line, text });
        }
        if !self.statement.is_empty() {
            let (began, statement) = (self.began.0, Flaw::excerpt(&self.statement));
            return Err(Flaw::CommandInStatement { line, text, began, statement });
        }
        let command = match meta::command(&self.text) {
            Some(command) if whole || matches!(command, Command::Shown) => command,
            _ => return Err(Flaw::MetaCommand { line, text }),
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
            // What a tar archive's restore.sql has, of pg_dump 15.14 and later.
            (Command::Unrestrict(key), None) if key == meta::NO_KEY => return Ok(()),
            (Command::Plain(meta), None) => meta,
            (Command::Shown, None) => return Ok(()),
            (Command::Unsupported, None) => return Err(Flaw::Unsupported { line, text }),
            (Command::Set(name), None) => {
                let name = name.to_vec();
                self.variables.push(name);
                return Ok(());
            }
            _ => return Err(Flaw::Restricted { line, text }),
        };
        self.entries.filled();
        match &meta {
            Meta::Unrestrict | Meta::Restrict => {}
            Meta::Connect { .. } => {
                self.toc = None;
                self.lexer.set_standard_strings(true);
            }
            Meta::Encoding(name) => self.set_encoding(name.clone(), line)?,
        }
        out.push(Item::Meta(meta));
        Ok(())
    }
}
