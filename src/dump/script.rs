//! A dump as a list: its statements, and where the rows of its COPY blocks are. With it a restore
//! can go to any table at once, and knows what comes after the rows before it has read them.

use std::sync::Arc;

use bytes::Bytes;

use crate::dump::item::{CopyBlock, Item, Meta, Statement};

/// Bytes of statements that are kept; a dump that holds more (its rows are INSERT statements) is
/// restored as it is read.
const MOST_BYTES: usize = 24 << 20;

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
    },
    /// A psql command.
    Meta(Meta),
}

/// The list of a dump.
#[derive(Debug, Default)]
pub struct Script {
    entries: Arc<Vec<Entry>>,
    kept: usize,
    overflown: bool,
}

impl Script {
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
                self.entries_mut().push(Entry::Copy { block, bytes: 0 });
            }
            Item::CopyData(data) => {
                if let Some(Entry::Copy { bytes, .. }) = self.entries_mut().last_mut() {
                    *bytes += data.len() as u64;
                }
            }
            Item::CopyEnd => {}
            Item::Meta(meta) => self.entries_mut().push(Entry::Meta(meta.clone())),
        }
        if self.kept > MOST_BYTES {
            *self = Self { overflown: true, ..Self::default() };
        }
    }

    /// The entries; `None` when there were more than are kept.
    pub fn entries(&self) -> Option<Arc<Vec<Entry>>> {
        (!self.overflown).then(|| Arc::clone(&self.entries))
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
