//! The reading side of a restore: rows and INSERT statements of a place in the dump, on a thread for each table.

use std::io;

use bytes::Bytes;
use memchr::memchr_iter;
use tokio::sync::mpsc;
use tokio::task::JoinError;

use super::super::LoadError;
use super::super::schedule::Schedule;
use super::super::table::Table;
use super::Shared;
use crate::dump::insert_run::InsertRun;
use crate::dump::item::{Item, Statement};
use crate::dump::plain::Reader;

/// Bytes of a part that are held while the next one is read. Rows can be of any length, and a part ends
/// at the end of a row only.
const MOST_HELD: u64 = 16 << 20;

pub(super) type Sender = mpsc::Sender<Bytes>;

/// What a reading thread came to.
pub(super) fn read_result<T>(ended: Result<io::Result<T>, JoinError>) -> Result<T, LoadError> {
    match ended {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Err(LoadError::Changed),
        Ok(Err(error)) => Err(LoadError::Disk(error)),
        Err(_) => Err(LoadError::Died),
    }
}

impl Shared {
    /// Reads the bytes of some parts of a table, and hands them on until `take` says no.
    pub(super) fn read(
        &self,
        schedule: &Schedule,
        from: u64,
        bytes: u64,
        mut take: impl FnMut(Bytes) -> bool,
    ) -> io::Result<()> {
        let mut reader = self.source.open(from)?;
        if !schedule.in_dump_order() || bytes > MOST_HELD {
            reader.read(bytes, take)?;
            drop(reader);
            if schedule.in_dump_order() {
                schedule.release_reader();
            }
            return Ok(());
        }
        // The next reader waits for this one, not for the server.
        let mut held = Vec::new();
        reader.read(bytes, |piece| {
            held.push(piece);
            true
        })?;
        drop(reader);
        schedule.release_reader();
        held.into_iter().all(&mut take);
        Ok(())
    }

    /// How many rows begin in the first `bytes` bytes from `offset`.
    pub(super) async fn rows_before(&self, offset: u64, bytes: u64) -> Result<u64, LoadError> {
        let source = self.source.clone();
        let counting = tokio::task::spawn_blocking(move || {
            let mut rows = 0;
            source.open(offset)?.read(bytes, |piece| {
                rows += memchr_iter(b'\n', &piece).count() as u64;
                true
            })?;
            Ok(rows)
        });
        read_result(counting.await)
    }

    /// Hands rows on; `false` when nobody listens.
    pub(super) fn send(&self, rows: Bytes, table: &str, sender: &Sender) -> bool {
        self.tell_read(&rows, table);
        sender.blocking_send(rows).is_ok()
    }

    /// Reads the parts of an entry, which a job loads, one after the other, until another connection had better take
    /// some. Gives the number of parts sent.
    pub(super) fn send_until_shared(
        &self,
        index: usize,
        job: usize,
        schedule: &Schedule,
        sender: &Sender,
    ) -> io::Result<usize> {
        let Some(table) = Table::of(&self.entries[index]) else { return Ok(0) };
        let (name, mut listening) = (table.display_name(), true);
        let behind = schedule.plan.cost_behind(job);
        let mut reader = self.source.open(table.offset())?;
        for part in 0..table.parts() {
            if part > 0 && schedule.wants_parts(job, behind) {
                return Ok(part);
            }
            let range = table.range(part..part + 1);
            reader.read(range.end - range.start, |rows| {
                listening = self.send(rows, &name, sender);
                listening
            })?;
            if !listening {
                break;
            }
        }
        Ok(table.parts())
    }

    /// Statements of a run, from this part on.
    pub(super) fn statements(&self, run: &InsertRun, part: usize) -> Statements {
        let (line, offset) = (run.line_of(part), run.offset_of(part));
        Statements {
            work: self.clone(),
            reader: Reader::between_statements(line, offset),
            table: Table::Inserted(run).display_name(),
        }
    }
}

/// Takes statements out of a place in the dump.
pub(super) struct Statements {
    work: Shared,
    reader: Reader,
    table: String,
}

impl Statements {
    /// Sends the statements that are in the pieces that `pieces` hands on, in order.
    pub(super) fn read(
        self,
        sender: &mpsc::Sender<Vec<Statement>>,
        pieces: impl FnOnce(&mut dyn FnMut(Bytes) -> bool) -> io::Result<()>,
    ) -> io::Result<()> {
        let Self { work, mut reader, table } = self;
        let mut is_sound = true;
        pieces(&mut |piece| {
            work.tell_read(&piece, &table);
            let mut items = Vec::new();
            is_sound = reader.feed(piece, &mut items).is_ok();
            let statements = items.into_iter().filter_map(|item| match item {
                Item::Statement(statement) => Some(statement),
                _ => None,
            });
            is_sound && sender.blocking_send(statements.collect()).is_ok()
        })?;
        // It was read before, so it is not what it was.
        if is_sound { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reading_thread_that_came_to_no_end_says_nothing_of_the_backup() {
        let ended = |read: fn() -> io::Result<u64>| tokio::task::spawn_blocking(read);
        assert_eq!(read_result(ended(|| Ok(7)).await).unwrap(), 7);
        let shorter = read_result(ended(|| Err(io::ErrorKind::UnexpectedEof.into())).await);
        assert!(matches!(shorter, Err(LoadError::Changed)), "{shorter:?}");
        let broken = read_result(ended(|| Err(io::Error::from_raw_os_error(5))).await);
        assert!(matches!(broken, Err(LoadError::Disk(_))), "{broken:?}");
        let died = read_result(ended(|| panic!("it dies, as it should")).await);
        assert!(matches!(died, Err(LoadError::Died)), "{died:?}");
    }
}
