//! A dump as a list: its statements, and where the rows of its COPY blocks are. With it a restore
//! can go to any table at once, and knows what comes after the rows before it has read them.

use std::sync::Arc;

use bytes::Bytes;
use memchr::memchr_iter;

use crate::dump::item::{CopyBlock, Item, Meta, Statement};
use crate::dump::own_database::{self, OfDatabase};

/// Bytes of statements that are kept; a dump that holds more (its rows are INSERT statements) is
/// restored as it is read.
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
    /// A psql command.
    Meta,
}

/// The list of a dump.
#[derive(Debug)]
pub struct Script {
    entries: Arc<Vec<Entry>>,
    kept: usize,
    overflown: bool,
    /// It connects to a database, before anything else than what is of the session or of the database itself.
    connects: bool,
    part_bytes: u64,
    /// Bytes of the COPY block at hand whose rows were counted.
    sampled: u64,
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
            entries: Arc::default(),
            kept: 0,
            overflown: false,
            connects: false,
            part_bytes,
            sampled: 0,
        }
    }

    /// Takes the reader's next item.
    pub fn take(&mut self, item: &Item) {
        if self.overflown {
            return;
        }
        match item {
            Item::Statement(statement) => {
                let statement = self.keep(statement);
                self.entries_mut().push(Entry::Statement(statement));
            }
            Item::CopyStart(block) => {
                let statement = self.keep(&block.statement);
                let block = CopyBlock { statement, ..block.clone() };
                self.sampled = 0;
                self.entries_mut().push(Entry::Copy { block, bytes: 0, rows: 0, cuts: Vec::new() });
            }
            Item::CopyData(data) => self.take_rows(data),
            Item::CopyEnd => {
                let sampled = self.sampled;
                if let Some(Entry::Copy { bytes, rows, .. }) = self.entries_mut().last_mut()
                    && *bytes > sampled
                {
                    *rows = (*rows as f64 * *bytes as f64 / sampled as f64) as u64;
                }
            }
            // Nothing of the session stays.
            Item::Meta(Meta::Connect { .. }) if self.is_at_the_beginning() => {
                *self = Self { connects: true, ..Self::with_parts_of(self.part_bytes) };
            }
            // Each database has its own catalog, and \encoding is no statement that another connection
            // could repeat: such a dump is restored as it is read.
            Item::Meta(Meta::Connect { .. } | Meta::Encoding(_)) => {
                *self = Self { overflown: true, ..Self::default() }
            }
            Item::Meta(_) => self.entries_mut().push(Entry::Meta),
        }
        if self.kept > MOST_BYTES {
            *self = Self { overflown: true, ..Self::default() };
        }
    }

    fn take_rows(&mut self, data: &Bytes) {
        let (part_bytes, length) = (self.part_bytes, data.len() as u64);
        let Some(Entry::Copy { block, bytes, rows, cuts }) = self.entries_mut().last_mut() else {
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

    /// Nothing but settings, and statements on databases, stands here so far.
    fn is_at_the_beginning(&self) -> bool {
        self.entries.iter().all(|entry| match entry {
            Entry::Statement(statement) => {
                own_database::is_setting(statement) || OfDatabase::read(&statement.text).is_some()
            }
            Entry::Copy { .. } => false,
            Entry::Meta => true,
        })
    }

    /// The entries; `None` when there were more than are kept, or of several databases or encodings, or of
    /// one that the dump connects to.
    pub fn entries(&self) -> Option<Arc<Vec<Entry>>> {
        (!self.overflown && !self.connects).then(|| Arc::clone(&self.entries))
    }

    /// The entries that are not on the database itself, of a dump of one alone, whatever its name.
    pub fn entries_of_one(&self) -> Option<Arc<Vec<Entry>>> {
        let is_of_database = |entry: &Entry| match entry {
            Entry::Statement(statement) => OfDatabase::read(&statement.text).is_some(),
            _ => false,
        };
        if self.overflown {
            return None;
        }
        if !self.entries.iter().any(is_of_database) {
            return Some(Arc::clone(&self.entries));
        }
        let others = self.entries.iter().filter(|entry| !is_of_database(entry));
        Some(Arc::new(others.cloned().collect()))
    }

    /// Nobody else has them while the dump is being read.
    fn entries_mut(&mut self) -> &mut Vec<Entry> {
        Arc::make_mut(&mut self.entries)
    }

    /// A copy of its own: the reader's text is a part of a much larger piece of the dump.
    fn keep(&mut self, statement: &Statement) -> Statement {
        self.kept += statement.text.len() + size_of::<Entry>();
        Statement { text: Bytes::copy_from_slice(&statement.text), ..statement.clone() }
    }
}

/// Bytes up to the end of the first row that surely ends in `data`. A line end after a backslash
/// may belong to a value.
pub(super) fn row_end(data: &[u8]) -> Option<usize> {
    memchr_iter(b'\n', data).find(|at| *at > 0 && data[at - 1] != b'\\').map(|at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::plain::Reader;

    fn script(dump: &[u8], chunk: usize) -> Vec<Entry> {
        let (mut reader, mut script, mut items) = (Reader::new(), Script::default(), Vec::new());
        for piece in dump.chunks(chunk) {
            reader.feed(Bytes::copy_from_slice(piece), &mut items).unwrap();
            items.drain(..).for_each(|item| script.take(&item));
        }
        script.entries().unwrap().to_vec()
    }

    #[test]
    fn long_rows_are_cut_at_their_ends_only() {
        let row = b"1\tsome text\\\nthat goes on\\nand on\n";
        let rows = row.repeat(400_000);
        let dump = [b"COPY public.t (a, b) FROM stdin;\n", &rows[..], b"\\.\n"].concat();
        let entries = script(&dump, 100_003);
        let Some(Entry::Copy { bytes, cuts, .. }) = entries.first() else { panic!("{entries:?}") };
        assert_eq!(*bytes, rows.len() as u64);
        assert_eq!(cuts.len() as u64, bytes / (PART_BYTES + 100_003));
        for cut in cuts {
            assert_eq!(cut % row.len() as u64, 0);
        }
        assert!(cuts.is_sorted() && cuts.iter().all(|cut| cut < bytes));
    }

    #[test]
    fn rows_are_counted_and_those_of_a_large_table_guessed() {
        let rows = |rows: &[u8], piece: usize| {
            let dump = [b"COPY public.t (a, b) FROM stdin;\n", rows, b"\\.\n"].concat();
            match script(&dump, piece).first() {
                Some(Entry::Copy { rows, .. }) => *rows,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(rows(b"", 7), 0);
        assert_eq!(rows(&b"1\tx\n".repeat(1000), 7), 1000);
        // Later rows are twice as long.
        let many = [
            b"1\txxxxxxxxxxxx\n".repeat(200_000),
            b"1\txxxxxxxxxxxxxxxxxxxxxxxxxxxx\n".repeat(200_000),
        ]
        .concat();
        let guessed = rows(&many, 100_003);
        assert!((400_000..800_000).contains(&guessed), "{guessed}");
    }

    #[test]
    fn rows_in_another_format_are_not_cut() {
        let rows = b"1,text\n".repeat(2_000_000);
        let head = b"COPY public.t (a, b) FROM stdin WITH (FORMAT csv);\n";
        let dump = [head, &rows[..], b"\\.\n"].concat();
        let entries = script(&dump, 1 << 20);
        assert!(matches!(&entries[0], Entry::Copy { cuts, .. } if cuts.is_empty()));
    }

    #[test]
    fn a_dump_whose_statements_are_too_large_to_be_kept_has_no_list() {
        let text = Bytes::from(vec![b'x'; MOST_BYTES / 10]);
        let statement = Item::Statement(Statement { text, toc: None, line: 1, offset: 0 });
        let listed = |statements| {
            let mut script = Script::default();
            (0..statements).for_each(|_| script.take(&statement));
            script.entries().map(|entries| entries.len())
        };
        assert_eq!(listed(9), Some(9));
        assert_eq!(listed(10), None);
        assert_eq!(listed(20), None);
    }
}
