//! Restores a listed dump over several connections, by a [`Plan`] for each of its databases.
//!
//! The first connection runs what goes in order; the others take any task whose turn has come
//! ([`Schedule`]). Rows are read by a thread for each table that is being loaded ([`rows`]).

mod rows;

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::connection::{Connection, Settings};
use super::ledger::Ledger;
use super::plan::{Catalog, Plan, Work, table_of};
pub use super::schedule::Reading;
use super::schedule::{Order, Schedule, Task};
use super::table::{Table, counted_from};
use super::{LoadError, catalog};
use crate::dump::insert_run::InsertRun;
use crate::dump::item::{CopyBlock, Statement};
use crate::dump::script::{Entry, Part};
use crate::dump::subject::Subject;
use crate::packing::ranges::Ranges;
use crate::pg::{self, ConnectInfo, ServerError};
use rows::{Sender, read_result};

/// Messages of rows read ahead of a connection.
const AHEAD: usize = 4;
/// Parts of a table that are taken together where they are read as they are sent: to go to a place
/// in the dump costs half a member on average.
const PARTS_TOGETHER: usize = 4;

/// Told the bytes of rows sent so far, and the table at hand.
pub type Progress = Arc<dyn Fn(u64, &str) + Send + Sync>;

/// Told of a table whose rows are what they will be, while a connection has nothing to do: may read it back
/// as long as it keeps the [`Reading`]. Returns at once.
pub type ReadBack = Arc<dyn Fn(&CopyBlock, Reading) + Send + Sync>;

/// Restores a dump that has these parts, whose rows are read from `source`, over `jobs` connections, and
/// notes in `ledger` what it did. `read_back` is for a dump of one database, which is that of `target`.
///
/// # Errors
/// When it could not be told whether the backup restores; a bad backup is a value. Dropping the
/// future stops the restore.
pub async fn load(
    source: Ranges,
    parts: Vec<Part>,
    target: &ConnectInfo,
    jobs: usize,
    ledger: &Ledger,
    progress: Progress,
    read_back: Option<ReadBack>,
) -> Result<(), LoadError> {
    let sent = Arc::default();
    for part in parts {
        let mut connection = Connection::open(target, ledger).await?;
        let mut target = target.clone();
        if let Some((database, line)) = &part.connects {
            let database = database.text();
            if !connection.go_to(&database, *line).await? {
                // Everything after it would go to the wrong database.
                break;
            }
            target = target.database(&database);
        }
        let work = Shared {
            entries: part.entries,
            source: source.clone(),
            progress: Arc::clone(&progress),
            sent: Arc::clone(&sent),
            begun: Arc::default(),
            settings: Arc::default(),
        };
        let main = Worker { connection, work };
        main.load_all(&target, jobs, ledger, read_back.clone()).await?;
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
    /// Restores all entries, with so many connections to their database, of which this worker's is the main one.
    async fn load_all(
        mut self,
        target: &ConnectInfo,
        jobs: usize,
        ledger: &Ledger,
        read_back: Option<ReadBack>,
    ) -> Result<(), LoadError> {
        let entries = Arc::clone(&self.work.entries);
        let data = entries.iter().position(|entry| Table::of(entry).is_some());
        let data = data.unwrap_or(entries.len());
        self.in_order(0, data).await?;
        // Tables may have names in no encoding, so they are not asked for in vain.
        if data == entries.len() {
            return Ok(());
        }
        // A transaction may have come to grief, and then answers nothing.
        let catalog = if self.connection.is_in_transaction() {
            Catalog { reads_unseen: true, ..Catalog::default() }
        } else {
            catalog::ask(self.connection.session()).await?
        };
        let plan = Plan::of(&entries, data, &catalog);
        let order = if self.work.source.anywhere() { Order::Way } else { Order::Dump };
        let schedule = Arc::new(Schedule::new(plan, order, jobs));
        let mut workers = JoinSet::new();
        for _ in 1..jobs {
            let connection = Connection::open(target, ledger).await?;
            let worker = Self { connection, work: self.work.clone() };
            workers.spawn(worker.work_off(Arc::clone(&schedule), false));
        }
        if let Some(read_back) = read_back {
            workers.spawn(offer(Arc::clone(&schedule), entries, read_back));
        }
        workers.spawn(self.work_off(schedule, true));
        while let Some(ended) = workers.join_next().await {
            ended.map_err(|_| LoadError::Died)??;
        }
        Ok(())
    }

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
                | Entry::Copy { block: CopyBlock { statement, .. }, .. }
                | Entry::Inserts(InsertRun { head: statement, .. }),
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
                Entry::Inserts(run) => self.insert_in_place(run).await?,
                // One that connects begins another list, and a dump that has \encoding has none.
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

    /// INSERT statements in the dump's order.
    async fn insert_in_place(&mut self, run: &InsertRun) -> Result<(), LoadError> {
        let (work, from, bytes) = (self.work.clone(), run.head.offset, run.bytes);
        let statements = work.statements(run, 0);
        self.insert(move |sender| {
            statements.read(sender, |take| work.source.open(from)?.read(bytes, take))
        })
        .await
    }

    /// The rows of an entry, into a table that this restore has made and that is empty. When
    /// another connection has nothing to do, it gets its part of them.
    async fn load(
        &mut self,
        job: usize,
        index: usize,
        schedule: &Arc<Schedule>,
    ) -> Result<(), LoadError> {
        let entries = Arc::clone(&self.work.entries);
        let Some(table) = Table::of(&entries[index]) else { return Ok(()) };
        let parts = table.parts();
        let together = if schedule.in_dump_order() { 1 } else { PARTS_TOGETHER };
        let block = match table {
            Table::Copied { block, .. } => block,
            Table::Inserted(_) => {
                // Nothing is gained by keeping to one connection.
                let first = together.min(parts);
                if first < parts {
                    let table = table.display_name();
                    tracing::debug!(
                        table,
                        parts,
                        "its INSERT statements go over several connections"
                    );
                    schedule.share(job, first..parts, together);
                }
                return self.load_parts(index, 0..first, schedule).await;
            }
        };
        self.connection.count_statement();
        if parts == 1 {
            return self.load_parts(index, 0..1, schedule).await;
        }
        let bytes = table.bytes();
        tracing::debug!(table = table.display_name(), bytes, "begun on one connection");
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
                let table = table.display_name();
                tracing::debug!(table, reached, parts, "shared with other connections");
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
        let range = table.range(parts.clone());
        let (from, bytes) = (table.offset() + range.start, range.end - range.start);
        let (work, on) = (self.work.clone(), Arc::clone(schedule));
        match table {
            Table::Copied { block, .. } => {
                let name = table.display_name();
                let read = move |sender: &Sender| {
                    work.read(&on, from, bytes, |rows| work.send(rows, &name, sender))
                };
                if let (Some(refusal), ()) = self.copy(block, None, read).await? {
                    let before = self.work.rows_before(block.data_offset, range.start).await?;
                    self.connection.note(&block.statement, counted_from(refusal, before))?;
                }
                Ok(())
            }
            Table::Inserted(run) => {
                let statements = work.statements(run, parts.start);
                self.insert(move |sender| {
                    statements.read(sender, |take| work.read(&on, from, bytes, take))
                })
                .await
            }
        }
    }

    /// Statements that `read` sends on a thread of its own.
    async fn insert(
        &mut self,
        read: impl FnOnce(&mpsc::Sender<Vec<Statement>>) -> io::Result<()> + Send + 'static,
    ) -> Result<(), LoadError> {
        let (sender, mut statements) = mpsc::channel(AHEAD);
        let reader = tokio::task::spawn_blocking(move || read(&sender));
        while let Some(statements) = statements.recv().await {
            let statements: Vec<&Statement> = statements.iter().collect();
            self.connection.run_all(&statements).await?;
        }
        read_result(reader.await)
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

impl Shared {
    /// Names a statement that can take longer than its table's rows: an index, a constraint.
    fn tell_begun(&self, statement: &Statement, of: usize) {
        let number = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
        let object = statement.toc.as_ref().map_or("statement".to_owned(), ToString::to_string);
        let current = format!("{object} ({number} of {of})");
        (self.progress)(self.sent.load(Ordering::Relaxed), &current);
    }

    /// Tells that so much of a table's rows was read.
    fn tell_read(&self, rows: &[u8], table: &str) {
        let bytes = rows.len() as u64;
        let sent = self.sent.fetch_add(bytes, Ordering::Relaxed) + bytes;
        (self.progress)(sent, table);
    }
}
