//! A dump as a list: its statements, and where the rows of its COPY blocks are. With it a restore
//! can go to any table at once, and knows what comes after the rows before it has read them.

use std::sync::Arc;

use bytes::Bytes;
use memchr::memchr_iter;

use crate::dump::insert_run::InsertRun;
use crate::dump::inserts::InsertTarget;
use crate::dump::item::{CopyBlock, Item, Meta, Name, Statement};
use crate::dump::own_database::{self, OfDatabase};

/// Bytes of statements that are kept; a dump that holds more (INSERT statements that are not of constants) is restored as
/// it is read.
const MOST_BYTES: usize = 24 << 20;
/// Bytes of rows between two cuts, at the least.
const PART_BYTES: u64 = 2 << 20;
/// Bytes of a table whose rows are counted; the others are taken to be like them.
const SAMPLE_BYTES: u64 = 1 << 20;

/// An entry of the list, in dump order.
#[derive(Debug, Clone)]
pub enum Entry {
    /// A statement.
    Statement(Statement),
    /// A COPY block.
    Copy {
        /// Its head.
        block: CopyBlock,
        /// Bytes of its rows.
        bytes: u64,
        /// How many rows it has, about: enough to guess how long what follows takes.
        rows: u64,
        /// Bytes of the rows before each place where they can be parted, in order.
        cuts: Vec<u64>,
    },
    /// INSERT statements of one table, whose rows are constants.
    Inserts(InsertRun),
    /// A psql command.
    Meta,
}

/// What a dump has for one database.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// The database that it connects to, and the line before that; none for the one that the dump begins in.
    pub connects: Option<(Name, u64)>,
    /// What follows, up to where it connects to another.
    pub entries: Arc<Vec<Entry>>,
}

/// The list of a dump.
#[derive(Debug)]
pub struct Script {
    /// For the databases that it was connected to before.
    earlier: Vec<Part>,
    /// For the one at hand.
    part: Part,
    kept: usize,
    overflown: bool,
    part_bytes: u64,
    /// Bytes of the COPY block at hand whose rows were counted.
    sampled: u64,
    /// The line of the last statement.
    line: u64,
}

impl Default for Script {
    fn default() -> Self {
        Self::with_parts_of(PART_BYTES)
    }
}

impl Script {
    /// A list with cuts after so many bytes of rows each, at the least.
    pub fn with_parts_of(part_bytes: u64) -> Self {
        Self {
            earlier: Vec::new(),
            part: Part::default(),
            kept: 0,
            overflown: false,
            part_bytes,
            sampled: 0,
            line: 1,
        }
    }

    /// Takes the reader's next item. For an INSERT statement whose rows are constants, `inserts` is what it inserts into,
    /// and the number of rows.
    pub fn take(&mut self, item: &Item, inserts: Option<(InsertTarget, u64)>) {
        if self.overflown {
            return;
        }
        match item {
            Item::Statement(statement) => {
                self.line = statement.line;
                match inserts {
                    Some((target, rows)) => self.take_inserts(statement, target, rows),
                    None => {
                        let statement = self.keep(statement);
                        self.entries().push(Entry::Statement(statement));
                    }
                }
            }
            Item::CopyStart(block) => {
                let statement = self.keep(&block.statement);
                let block = CopyBlock { statement, ..block.clone() };
                self.sampled = 0;
                self.entries().push(Entry::Copy { block, bytes: 0, rows: 0, cuts: Vec::new() });
            }
            Item::CopyData(data) => self.take_rows(data),
            Item::CopyEnd => {
                let sampled = self.sampled;
                if let Some(Entry::Copy { bytes, rows, .. }) = self.entries().last_mut()
                    && *bytes > sampled
                {
                    *rows = (*rows as f64 * *bytes as f64 / sampled as f64) as u64;
                }
            }
            Item::Meta(Meta::Connect { database }) => {
                let connects = Some((database.clone(), self.line));
                let next = Part { connects, entries: Arc::default() };
                self.earlier.push(std::mem::replace(&mut self.part, next));
            }
            // It is no statement that another connection could repeat: such a dump is restored as it is read.
            Item::Meta(Meta::Encoding(_)) => *self = Self { overflown: true, ..Self::default() },
            Item::Meta(_) => self.entries().push(Entry::Meta),
        }
        if self.kept > MOST_BYTES {
            *self = Self { overflown: true, ..Self::default() };
        }
    }

    fn take_inserts(&mut self, statement: &Statement, target: InsertTarget, rows: u64) {
        let part_bytes = self.part_bytes;
        if let Some(Entry::Inserts(run)) = self.entries().last_mut()
            && run.takes(statement, &target, rows, part_bytes)
        {
            return;
        }
        let run = InsertRun::of(statement, target, rows);
        self.kept += run.head.text.len() + size_of::<Entry>();
        self.entries().push(Entry::Inserts(run));
    }

    fn take_rows(&mut self, data: &Bytes) {
        let (part_bytes, length) = (self.part_bytes, data.len() as u64);
        let Some(Entry::Copy { block, bytes, rows, cuts }) = self.entries().last_mut() else {
            return;
        };
        let due = cuts.last().unwrap_or(&0) + part_bytes <= *bytes;
        if due
            && block.text_format
            && let Some(end) = row_end(data)
        {
            cuts.push(*bytes + end as u64);
        }
        let is_sample = *bytes < SAMPLE_BYTES;
        if is_sample {
            *rows += memchr_iter(b'\n', data).count() as u64;
        }
        *bytes += length;
        if is_sample {
            self.sampled += length;
        }
    }

    /// What there is for each database, in order; `None` when there was more than is kept, or of several encodings.
    pub fn parts(&self) -> Option<Vec<Part>> {
        (!self.overflown).then(|| self.earlier.iter().chain([&self.part]).cloned().collect())
    }

    /// The entries that are not on the database itself, of a dump of one alone, whatever its name.
    pub fn part_of_one(&self) -> Option<Part> {
        if self.overflown || !self.earlier.iter().all(Part::holds_nothing) {
            return None;
        }
        let others = self.part.entries.iter().filter(|entry| !is_of_database(entry));
        Some(Part { connects: None, entries: Arc::new(others.cloned().collect()) })
    }

    /// The entries of the database at hand. Nobody else has them while the dump is being read.
    fn entries(&mut self) -> &mut Vec<Entry> {
        Arc::make_mut(&mut self.part.entries)
    }

    /// A copy of its own: the reader's text is a part of a much larger piece of the dump.
    fn keep(&mut self, statement: &Statement) -> Statement {
        self.kept += statement.text.len() + size_of::<Entry>();
        Statement { text: Bytes::copy_from_slice(&statement.text), ..statement.clone() }
    }
}

impl Part {
    /// Nothing but settings, and statements on databases, stands here.
    fn holds_nothing(&self) -> bool {
        self.entries.iter().all(|entry| match entry {
            Entry::Statement(statement) => {
                own_database::is_setting(statement) || is_of_database(entry)
            }
            Entry::Copy { .. } | Entry::Inserts(_) => false,
            Entry::Meta => true,
        })
    }
}

fn is_of_database(entry: &Entry) -> bool {
    matches!(entry, Entry::Statement(statement) if OfDatabase::read(&statement.text).is_some())
}

/// Bytes up to the end of the first row that surely ends in `data`. A line end after a backslash
/// may belong to a value.
pub(super) fn row_end(data: &[u8]) -> Option<usize> {
    memchr_iter(b'\n', data).find(|at| *at > 0 && data[at - 1] != b'\\').map(|at| at + 1)
}

#[cfg(test)]
#[path = "script_tests.rs"]
mod tests;
