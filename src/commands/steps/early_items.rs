//! Tables that are read back while pg_restore is at work: their rows are there, nothing that follows changes them, and one of its
//! jobs has nothing to do. What it says tells both.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::early_rows::EarlyReader;
use super::obstacles::aside;
use super::target::Target;
use crate::archive::pick;
use crate::model::outcome::Obstacle;
use crate::restore::archive::items::Items;

/// See the module.
pub(super) struct EarlyItems {
    reader: EarlyReader,
    state: Arc<State>,
}

struct State {
    items: Mutex<Items>,
    changed: Notify,
}

/// A table is read as long as this lives.
struct Reading(Arc<State>);

impl EarlyItems {
    /// For a restore over so many jobs, where what functions do changes no rows; nothing where tables cannot be read before it
    /// has come to its end.
    pub async fn of(target: Target<'_>, jobs: usize) -> Result<Option<Self>, Obstacle> {
        if !target.dump.contents.statements.leave_rows_alone() {
            return Ok(None);
        }
        let Some(reader) = target.early_reader() else { return Ok(None) };
        let backup = target.cx.backup.clone();
        let before = aside(target.cx.stop, move || pick::before_reading(&backup)).await?;
        // What cannot be read is told by whoever has to.
        Ok(before.ok().map(|before| {
            let items = Mutex::new(Items::of(jobs, before));
            Self { reader, state: Arc::new(State { items, changed: Notify::new() }) }
        }))
    }

    /// Takes the next line of what pg_restore says.
    pub fn line(&self, line: &str) {
        self.state.items().line(line, |(schema, name)| self.reader.bytes(schema, name));
        self.state.changed.notify_one();
    }

    /// Reads tables. Never ends.
    pub async fn read(&self) -> Infallible {
        loop {
            let next = self.state.items().take();
            match next {
                Some((schema, name)) => {
                    self.reader.read(&schema, &name, Reading(Arc::clone(&self.state)));
                }
                None => self.state.changed.notified().await,
            }
        }
    }
}

impl State {
    fn items(&self) -> MutexGuard<'_, Items> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.items().read();
        self.0.changed.notify_one();
    }
}
