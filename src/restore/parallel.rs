//! Restores a listed dump over several connections, by its [`Plan`].
//!
//! The first connection runs what goes in order; the others take any task whose turn has come
//! ([`Schedule`]). Rows are read by a thread for each table that is being loaded.

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use memchr::memchr_iter;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};

use super::connection::{Connection, Settings};
use super::ledger::Ledger;
use super::plan::{Catalog, Plan, Work, table_of};
pub use super::schedule::Reading;
use super::schedule::{Order, Schedule, Task};
use super::table::{Table, counted_from};
use super::{LoadError, catalog};
use crate::dump::item::{CopyBlock, Statement};
use crate::dump::script::Entry;
use crate::dump::subject::Subject;
use crate::packing::ranges::Ranges;
use crate::pg::{self, ConnectInfo, ServerError};

/// Messages of rows read ahead of a connection.
const AHEAD: usize = 4;
/// Parts of a table that are taken together where they are read as they are sent: to go to a place
/// in the dump costs half a member on average.
const PARTS_TOGETHER: usize = 4;

/// Bytes of a part that are held while the next one is read. Rows can be of any length, and a part ends
/// at the end of a row only.
const MOST_HELD: u64 = 16 << 20;

type Sender = mpsc::Sender<Bytes>;

/// Told the bytes of rows sent so far, and the table at hand.
pub type Progress = Arc<dyn Fn(u64, &str) + Send + Sync>;

/// Told of a table whose rows are what they will be, while a connection has nothing to do: may read it back
/// as long as it keeps the [`Reading`]. Returns at once.
pub type ReadBack = Arc<dyn Fn(&CopyBlock, Reading) + Send + Sync>;

/// Restores the dump of `entries`, whose rows are read from `source`, over `jobs` connections, and
/// notes in `ledger` what it did.
///
/// # Errors
/// When it could not be told whether the backup restores; a bad backup is a value. Dropping the
/// future stops the restore.
pub async fn load(
    source: Ranges,
    entries: Arc<Vec<Entry>>,
    target: &ConnectInfo,
    jobs: usize,
    ledger: &Ledger,
    progress: Progress,
    read_back: Option<ReadBack>,
) -> Result<(), LoadError> {
    let work = Shared {
        entries,
        source,
        progress,
        sent: Arc::default(),
        begun: Arc::default(),
        settings: Arc::default(),
    };
    let mut main = Worker { connection: Connection::open(target, ledger).await?, work };
    let entries = Arc::clone(&main.work.entries);
    let data = entries.iter().position(|entry| matches!(entry, Entry::Copy { .. }));
    let data = data.unwrap_or(entries.len());
    main.in_order(0, data).await?;
    // Tables may have names in no encoding, so they are not asked for in vain.
    if data == entries.len() {
        return Ok(());
    }
    // A transaction may have come to grief, and then answers nothing.
    let catalog = if main.connection.is_in_transaction() {
        Catalog { reads_unseen: true, ..Catalog::default() }
    } else {
        catalog::ask(main.connection.session()).await?
    };
    let plan = Plan::of(&entries, data, &catalog);
    let order = if main.work.source.anywhere() { Order::Way } else { Order::Dump };
    let schedule = Arc::new(Schedule::new(plan, order, jobs));
    let mut workers = JoinSet::new();
    for _ in 1..jobs {
        let worker =
            Worker { connection: Connection::open(target, ledger).await?, work: main.work.clone() };
        workers.spawn(worker.work_off(Arc::clone(&schedule), false));
    }
    if let Some(read_back) = read_back {
        workers.spawn(offer(Arc::clone(&schedule), entries, read_back));
    }
    workers.spawn(main.work_off(schedule, true));
    while let Some(ended) = workers.join_next().await {
        ended.map_err(|_| LoadError::Died)??;
    }
    Ok(())
}

/// Offers tables to be read back, until the restore has come to its end.
async fn offer(
    schedule: Arc<Schedule>,
    entries: Arc<Vec<Entry>>,
    read_back: ReadBack,
) -> Result<(), LoadError> {
    while let Some((index, reading)) = schedule.next_to_read_back().await {
        if let Entry::Copy { block, .. } = &entries[index] {
            read_back(block, reading);
        }
    }
    Ok(())
}

/// What every worker needs.
#[derive(Clone)]
struct Shared {
    entries: Arc<Vec<Entry>>,
    source: Ranges,
    progress: Progress,
    sent: Arc<AtomicU64>,
    /// Statements begun that have a connection of their own.
    begun: Arc<AtomicUsize>,
    /// What the session of the main connection was set to when it last ended a job.
    settings: Arc<Mutex<Option<Arc<Settings>>>>,
}

struct Worker {
    connection: Connection,
    work: Shared,
}

impl Worker {
    /// Takes tasks until none is left.
    async fn work_off(mut self, schedule: Arc<Schedule>, main: bool) -> Result<(), LoadError> {
        while let Some(task) = schedule.next(main).await {
            let (Task::Job(id) | Task::Parts { job: id, .. }) = task;
            let job = &schedule.plan.jobs[id];
            let entries = Arc::clone(&self.work.entries);
            let (Work::Serial { from: first, .. } | Work::Load(first) | Work::Run(first)) =
                job.work;
            self.settle(first).await?;
            if let Some(Entry::Statement(setting)) = job.tablespace.map(|index| &entries[index]) {
                self.connection.set_for_a_while(setting).await?;
            }
            if !matches!(job.work, Work::Serial { .. }) {
                self.connection.leave_order();
            }
            match (&job.work, task) {
                (Work::Serial { from, to }, _) => self.in_order(*from, *to).await?,
                (Work::Load(index), Task::Job(_)) => self.load(id, *index, &schedule).await?,
                (Work::Load(index), Task::Parts { from, to, .. }) => {
                    self.load_parts(*index, from..to, &schedule).await?;
                }
                (Work::Run(index), _) => {
                    // The server's own processes take the place of connections that have nothing to do.
                    self.connection.lend_workers(schedule.spare(id)).await?;
                    self.run_beside(*index, schedule.runs()).await?;
                }
            }
            schedule.done(task);
        }
        Ok(())
    }

    /// Entries `from..to`, in order, on the main connection. What its session is set to afterwards holds
    /// for all.
    async fn in_order(&mut self, from: usize, to: usize) -> Result<(), LoadError> {
        self.serial(from, to).await?;
        let is_statement = |entry: &Entry| matches!(entry, Entry::Statement(_));
        if self.work.entries[from..to].iter().any(is_statement)
            && !self.connection.is_in_transaction()
        {
            let settings = self.connection.settings().await?;
            *self.work.settings.lock().unwrap_or_else(PoisonError::into_inner) = Some(settings);
        }
        Ok(())
    }

    /// Takes over, before an entry, what the dump has set at its place.
    async fn settle(&mut self, index: usize) -> Result<(), LoadError> {
        let settings = self.work.settings.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let entries = Arc::clone(&self.work.entries);
        match (settings, &entries[index]) {
            (
                Some(settings),
                Entry::Statement(statement)
                | Entry::Copy { block: CopyBlock { statement, .. }, .. },
            ) => self.connection.adopt(settings, statement).await,
            _ => Ok(()),
        }
    }

    /// The statement of an entry, as the number of such statements is `of`.
    async fn run_beside(&mut self, index: usize, of: usize) -> Result<(), LoadError> {
        let entries = Arc::clone(&self.work.entries);
        let Entry::Statement(statement) = &entries[index] else { return Ok(()) };
        tracing::debug!(line = statement.line, "on its own connection");
        self.work.tell_begun(statement, of);
        self.connection.run(statement).await?;
        if matches!(statement.subject(), Subject::Session(_)) {
            self.connection.forget_settings();
        }
        Ok(())
    }

    async fn serial(&mut self, from: usize, to: usize) -> Result<(), LoadError> {
        let entries = Arc::clone(&self.work.entries);
        let mut waiting: Vec<&Statement> = Vec::new();
        for entry in entries.iter().take(to).skip(from) {
            if let Entry::Statement(statement) = entry {
                waiting.push(statement);
                continue;
            }
            self.connection.run_all(&std::mem::take(&mut waiting)).await?;
            match entry {
                Entry::Copy { block, bytes, .. } => self.copy_in_place(block, *bytes).await?,
                // A dump that connects, or has \encoding, has no list of entries.
                Entry::Meta | Entry::Statement(_) => {}
            }
        }
        self.connection.run_all(&waiting).await
    }

    /// A COPY block in the dump's order.
    async fn copy_in_place(&mut self, block: &CopyBlock, bytes: u64) -> Result<(), LoadError> {
        let (work, from, name) = (self.work.clone(), block.data_offset, block.display_name());
        let read = move |sender: &Sender| {
            work.source.open(from)?.read(bytes, |rows| work.send(rows, &name, sender))
        };
        self.connection.count_statement();
        if let (Some(refusal), ()) = self.copy(block, None, read).await? {
            self.connection.note(&block.statement, refusal)?;
        }
        Ok(())
    }

    /// The COPY block of an entry, into a table that this restore has made and that is empty. When
    /// another connection has nothing to do, it gets its part of the rows.
    async fn load(
        &mut self,
        job: usize,
        index: usize,
        schedule: &Arc<Schedule>,
    ) -> Result<(), LoadError> {
        let entries = Arc::clone(&self.work.entries);
        let Some(table) = Table::of(&entries[index]) else { return Ok(()) };
        let (block, parts) = (table.block, table.parts());
        self.connection.count_statement();
        if parts == 1 {
            return self.load_parts(index, 0..1, schedule).await;
        }
        tracing::debug!(table = block.display_name(), table.bytes, "begun on one connection");
        let name = table_of(block)
            .map(|table| pg::quote_qualified(&table.schema.text(), &table.name.text()));
        let (work, on) = (self.work.clone(), Arc::clone(schedule));
        let read = move |sender: &Sender| work.send_until_shared(index, job, &on, sender);
        match self.copy(block, name.as_deref(), read).await? {
            (Some(refusal), _) => {
                self.connection.note(&block.statement, refusal)?;
                schedule.release_reader();
            }
            (None, reached) if reached < parts => {
                let table = block.display_name();
                tracing::debug!(table, reached, parts, "shared with other connections");
                let together = if schedule.in_dump_order() { 1 } else { PARTS_TOGETHER };
                schedule.share(job, reached..parts, together);
                schedule.release_reader();
            }
            (None, _) => schedule.release_reader(),
        }
        Ok(())
    }

    /// Some of the rows of an entry, beside other connections.
    async fn load_parts(
        &mut self,
        index: usize,
        parts: Range<usize>,
        schedule: &Arc<Schedule>,
    ) -> Result<(), LoadError> {
        let entries = Arc::clone(&self.work.entries);
        let Some(table) = Table::of(&entries[index]) else { return Ok(()) };
        let range = table.range(parts);
        let (from, bytes) = (table.block.data_offset + range.start, range.end - range.start);
        let (work, on, name) =
            (self.work.clone(), Arc::clone(schedule), table.block.display_name());
        let read = move |sender: &Sender| {
            let mut reader = work.source.open(from)?;
            if !on.in_dump_order() || bytes > MOST_HELD {
                reader.read(bytes, |rows| work.send(rows, &name, sender))?;
                drop(reader);
                if on.in_dump_order() {
                    on.release_reader();
                }
                return Ok(());
            }
            // The next reader waits for this one, not for the server.
            let mut held = Vec::new();
            reader.read(bytes, |rows| {
                held.push(rows);
                true
            })?;
            drop(reader);
            on.release_reader();
            held.into_iter().all(|rows| work.send(rows, &name, sender));
            Ok(())
        };
        if let (Some(refusal), ()) = self.copy(table.block, None, read).await? {
            let before = self.rows_before(table.block.data_offset, range.start).await?;
            self.connection.note(&table.block.statement, counted_from(refusal, before))?;
        }
        Ok(())
    }

    /// How many rows begin in the first `bytes` bytes from `offset`.
    async fn rows_before(&self, offset: u64, bytes: u64) -> Result<u64, LoadError> {
        let source = self.work.source.clone();
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

    /// Rows that `read` sends on a thread of its own. What the server refused is told, and what
    /// `read` gave.
    async fn copy<T: Send + 'static>(
        &mut self,
        block: &CopyBlock,
        fresh: Option<&str>,
        read: impl FnOnce(&Sender) -> io::Result<T> + Send + 'static,
    ) -> Result<(Option<ServerError>, T), LoadError> {
        let (sender, rows) = mpsc::channel(AHEAD);
        let reader = tokio::task::spawn_blocking(move || read(&sender));
        let refusal = self.connection.copy(block, fresh, rows).await?;
        Ok((refusal, read_result(reader.await)?))
    }
}

/// What a reading thread came to.
fn read_result<T>(ended: Result<io::Result<T>, JoinError>) -> Result<T, LoadError> {
    match ended {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Err(LoadError::Changed),
        Ok(Err(error)) => Err(LoadError::Disk(error)),
        Err(_) => Err(LoadError::Died),
    }
}

impl Shared {
    /// Names a statement that can take longer than its table's rows: an index, a constraint.
    fn tell_begun(&self, statement: &Statement, of: usize) {
        let number = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
        let object = statement.toc.as_ref().map_or("statement".to_owned(), ToString::to_string);
        let current = format!("{object} ({number} of {of})");
        (self.progress)(self.sent.load(Ordering::Relaxed), &current);
    }

    /// Hands rows on; `false` when nobody listens.
    fn send(&self, rows: Bytes, table: &str, sender: &Sender) -> bool {
        let bytes = rows.len() as u64;
        let sent = self.sent.fetch_add(bytes, Ordering::Relaxed) + bytes;
        (self.progress)(sent, table);
        sender.blocking_send(rows).is_ok()
    }

    /// Reads the parts of an entry, which a job loads, one after the other, until another connection had better take
    /// some. Gives the number of parts sent.
    fn send_until_shared(
        &self,
        index: usize,
        job: usize,
        schedule: &Schedule,
        sender: &Sender,
    ) -> io::Result<usize> {
        let Some(table) = Table::of(&self.entries[index]) else { return Ok(0) };
        let (name, mut listening) = (table.block.display_name(), true);
        let behind = schedule.plan.cost_behind(job);
        let mut reader = self.source.open(table.block.data_offset)?;
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
