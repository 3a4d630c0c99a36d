//! Tables that are read back while pg_restore is at work: their rows are there, nothing that follows changes them, and one of its
//! jobs has nothing to do. What it says tells both.

use std::collections::{BTreeMap, BinaryHeap};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::early_rows::EarlyReader;
use super::obstacles::aside;
use super::target::Target;
use crate::archive::pick::{self, Before};
use crate::model::outcome::Obstacle;
use crate::restore::archive::items::{Finished, Items};

/// Schema and name of a table.
type Name = (String, String);

/// See the module.
pub(super) struct EarlyItems {
    reader: EarlyReader,
    before: Before,
    state: Arc<State>,
}

struct State {
    now: Mutex<Now>,
    changed: Notify,
}

struct Now {
    items: Items,
    /// How many items each table still waits for, by the number of the entry with its rows: that one, and its constraints.
    waits: BTreeMap<i64, usize>,
    /// Tables that can be read: bytes of their rows, and their names.
    readable: BinaryHeap<(u64, Name)>,
    readers: usize,
}

/// A table is read as long as this lives.
struct Reading(Arc<State>);

impl EarlyItems {
    /// For a restore over so many jobs; nothing where tables cannot be read before it has come to its end.
    pub async fn of(target: Target<'_>, jobs: usize) -> Result<Option<Self>, Obstacle> {
        if !target.dump.contents.statements.leave_rows_alone() {
            return Ok(None);
        }
        let Some(reader) = target.early_reader() else { return Ok(None) };
        let backup = target.cx.backup.clone();
        // What cannot be read is told by whoever has to.
        let before = aside(target.cx.stop, move || pick::before_reading(&backup)).await?;
        let Ok(before) = before else { return Ok(None) };
        let mut waits: BTreeMap<i64, usize> = before.tables.keys().map(|of| (*of, 1)).collect();
        for table in before.constraints.values() {
            *waits.entry(*table).or_default() += 1;
        }
        let (items, readable) = (Items::of(jobs), BinaryHeap::new());
        let now = Mutex::new(Now { items, waits, readable, readers: 0 });
        let state = Arc::new(State { now, changed: Notify::new() });
        Ok(Some(Self { reader, before, state }))
    }

    /// Takes the next line of what pg_restore says.
    pub fn line(&self, line: &str) {
        let mut now = self.state.now();
        if let Some(Finished { entry, what }) = now.items.line(line)
            && let Some(table) = self.table_of(entry, what)
            && let Some(waits) = now.waits.get_mut(&table)
        {
            *waits = waits.saturating_sub(1);
            if *waits == 0
                && let Some((schema, name)) = self.before.tables.get(&table)
                && let Some(bytes) = self.reader.bytes(schema, name)
            {
                now.readable.push((bytes, (schema.clone(), name.clone())));
            }
        }
        drop(now);
        self.state.changed.notify_one();
    }

    /// The table that waited for an item, by the number of the entry with its rows.
    fn table_of(&self, entry: i64, what: &str) -> Option<i64> {
        let are_rows = |(_, name): &Name| what.strip_prefix("TABLE DATA ") == Some(name);
        let rows = self.before.tables.get(&entry).filter(|table| are_rows(table)).map(|_| entry);
        rows.or_else(|| self.before.constraints.get(&entry).copied())
    }

    /// Reads them, the largest first. Never ends.
    pub async fn read(&self) -> Infallible {
        loop {
            while let Some((schema, name)) = self.state.take() {
                self.reader.read(&schema, &name, Reading(Arc::clone(&self.state)));
            }
            self.state.changed.notified().await;
        }
    }
}

impl State {
    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next table to read, where a job has nothing to do.
    fn take(&self) -> Option<Name> {
        let mut now = self.now();
        if now.items.idle() <= now.readers {
            return None;
        }
        let (_, name) = now.readable.pop()?;
        now.readers += 1;
        Some(name)
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.now().readers -= 1;
        self.0.changed.notify_one();
    }
}
