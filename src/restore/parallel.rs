//! Restores a listed dump over several connections, by its [`Plan`].
//!
//! The first connection runs what goes in order; the others take any job whose turn has come, the
//! heaviest first. Rows are read by a thread for each table that is being loaded.

use std::collections::BinaryHeap;
use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use super::connection::{Connection, Ledger};
use super::plan::{Plan, Work, table_of};
use super::{LoadError, catalog};
use crate::dump::item::{CopyBlock, Meta, Statement};
use crate::dump::script::Entry;
use crate::dump::seek::Seekable;
use crate::dump::subject::Subject;
use crate::pg::{self, ConnectInfo};

/// Bytes of rows sent in a message.
const CHUNK_BYTES: usize = 256 * 1024;
/// Messages read ahead of a connection.
const AHEAD: usize = 4;

/// Told the bytes of rows sent so far, and the table at hand.
pub type Progress = Arc<dyn Fn(u64, &str) + Send + Sync>;

/// Restores the dump of `entries`, whose rows are read from `source`, over `jobs` connections, and
/// notes in `ledger` what it did.
///
/// # Errors
/// When it could not be told whether the backup restores; a bad backup is a value. Dropping the
/// future stops the restore.
pub async fn load(
    source: &Seekable,
    entries: Arc<Vec<Entry>>,
    target: &ConnectInfo,
    jobs: usize,
    ledger: &Ledger,
    progress: Progress,
) -> Result<(), LoadError> {
    let work = Shared {
        entries,
        source: source.clone(),
        progress,
        sent: Arc::default(),
        begun: Arc::default(),
    };
    let mut main = Worker { connection: Connection::open(target, ledger).await?, work };
    let entries = Arc::clone(&main.work.entries);
    let data = entries.iter().position(|entry| matches!(entry, Entry::Copy { .. }));
    let data = data.unwrap_or(entries.len());
    main.serial(0, data).await?;
    let catalog = catalog::ask(main.connection.session()).await?;
    let plan = Plan::of(&entries, data, &catalog);
    let schedule = Arc::new(Schedule::new(plan));
    let mut workers = JoinSet::new();
    for _ in 1..jobs {
        let worker =
            Worker { connection: Connection::open(target, ledger).await?, work: main.work.clone() };
        workers.spawn(worker.work_off(Arc::clone(&schedule), false));
    }
    workers.spawn(main.work_off(schedule, true));
    while let Some(ended) = workers.join_next().await {
        ended.map_err(|_| LoadError::Died)??;
    }
    Ok(())
}

/// What every worker needs.
#[derive(Clone)]
struct Shared {
    entries: Arc<Vec<Entry>>,
    source: Seekable,
    progress: Progress,
    sent: Arc<AtomicU64>,
    /// Statements begun that have a connection of their own.
    begun: Arc<AtomicUsize>,
}

struct Worker {
    connection: Connection,
    work: Shared,
}

impl Worker {
    /// Takes jobs until none is left.
    async fn work_off(mut self, schedule: Arc<Schedule>, main: bool) -> Result<(), LoadError> {
        while let Some(id) = schedule.next(main).await {
            let job = &schedule.plan.jobs[id];
            let entries = Arc::clone(&self.work.entries);
            self.connection.settle(&schedule.plan.settings[..job.settings], &entries).await?;
            match job.work {
                Work::Serial { from, to } => self.serial(from, to).await?,
                Work::Load(index) => self.load(index).await?,
                Work::Run(index) => {
                    if let Entry::Statement(statement) = &entries[index] {
                        tracing::debug!(line = statement.line, "on its own connection");
                        self.work.begins(statement, schedule.runs);
                        self.connection.run(statement).await?;
                    }
                }
            }
            schedule.done(id);
        }
        Ok(())
    }

    /// Entries `from..to`, in order.
    async fn serial(&mut self, from: usize, to: usize) -> Result<(), LoadError> {
        let entries = Arc::clone(&self.work.entries);
        let mut waiting: Vec<&Statement> = Vec::new();
        for (index, entry) in entries.iter().enumerate().take(to).skip(from) {
            if let Entry::Statement(statement) = entry {
                if let Subject::Session(name) = statement.subject() {
                    self.connection.has_settled(name, index);
                }
                waiting.push(statement);
                continue;
            }
            self.connection.run_all(&std::mem::take(&mut waiting)).await?;
            match entry {
                Entry::Copy { block, bytes } => self.copy(block, *bytes, None).await?,
                Entry::Meta(Meta::Encoding(encoding)) => {
                    self.connection.set_encoding(encoding.clone());
                }
                Entry::Meta(Meta::Connect { .. }) => return Err(LoadError::connects()),
                Entry::Meta(Meta::Restrict | Meta::Unrestrict) | Entry::Statement(_) => {}
            }
        }
        self.connection.run_all(&waiting).await
    }

    /// The COPY block of an entry, into a table that this restore has made and that is empty.
    async fn load(&mut self, index: usize) -> Result<(), LoadError> {
        let entries = Arc::clone(&self.work.entries);
        let Entry::Copy { block, bytes } = &entries[index] else { return Ok(()) };
        tracing::debug!(table = block.display_name(), bytes, "loaded on its own connection");
        let table = table_of(block)
            .map(|table| pg::quote_qualified(&table.schema.text(), &table.name.text()));
        self.copy(block, *bytes, table.as_deref()).await
    }

    async fn copy(
        &mut self,
        block: &CopyBlock,
        bytes: u64,
        fresh: Option<&str>,
    ) -> Result<(), LoadError> {
        let (sender, rows) = mpsc::channel(AHEAD);
        let (work, offset) = (self.work.clone(), block.data_offset);
        let name = block.display_name();
        let reader =
            tokio::task::spawn_blocking(move || work.send_rows(offset, bytes, &name, &sender));
        self.connection.copy(block, fresh, rows).await?;
        match reader.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(LoadError::Changed)
            }
            Ok(Err(error)) => Err(LoadError::Disk(error)),
            Err(_) => Err(LoadError::Died),
        }
    }
}

impl Shared {
    /// Names a statement that can take longer than its table's rows: an index, a constraint.
    fn begins(&self, statement: &Statement, of: usize) {
        let number = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
        let object = statement.toc.as_ref().map_or("statement".to_owned(), ToString::to_string);
        let current = format!("{object} ({number} of {of})");
        (self.progress)(self.sent.load(Ordering::Relaxed), &current);
    }

    /// Reads `bytes` bytes of the dump from `offset` and sends them, until nobody listens.
    fn send_rows(
        &self,
        offset: u64,
        bytes: u64,
        table: &str,
        sender: &mpsc::Sender<Bytes>,
    ) -> io::Result<()> {
        let mut stream = self.source.stream_from(offset)?.take(bytes);
        let mut buffer = BytesMut::new();
        let mut left = bytes;
        while left > 0 {
            buffer.resize(CHUNK_BYTES.min(usize::try_from(left).unwrap_or(CHUNK_BYTES)), 0);
            stream.read_exact(&mut buffer)?;
            let chunk = buffer.split().freeze();
            left -= chunk.len() as u64;
            let sent = self.sent.fetch_add(chunk.len() as u64, Ordering::Relaxed);
            (self.progress)(sent + chunk.len() as u64, table);
            if sender.blocking_send(chunk).is_err() {
                break;
            }
        }
        Ok(())
    }
}

/// Which jobs can be taken.
struct Schedule {
    plan: Plan,
    /// Jobs that are a statement.
    runs: usize,
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    /// Jobs that each job still waits for.
    waits: Vec<usize>,
    /// Jobs that wait for each job.
    followers: Vec<Vec<usize>>,
    /// Jobs for any connection: weight, earlier ones first among equals.
    ready: BinaryHeap<(u64, std::cmp::Reverse<usize>)>,
    /// The job for the main connection whose turn has come; there is one barrier at a time.
    serial: Option<usize>,
    left: usize,
}

impl Schedule {
    fn new(plan: Plan) -> Self {
        let waits: Vec<usize> = plan.jobs.iter().map(|job| job.after.len()).collect();
        let mut followers = vec![Vec::new(); plan.jobs.len()];
        for (id, job) in plan.jobs.iter().enumerate() {
            for before in &job.after {
                followers[*before].push(id);
            }
        }
        let left = plan.jobs.len();
        let mut state = State { waits, followers, ready: BinaryHeap::new(), serial: None, left };
        for id in 0..left {
            if state.waits[id] == 0 {
                state.release(id, &plan);
            }
        }
        let runs = plan.jobs.iter().filter(|job| matches!(job.work, Work::Run(_))).count();
        Self { plan, runs, state: Mutex::new(state), changed: Notify::new() }
    }

    /// The next job; `None` when all are done.
    async fn next(&self, main: bool) -> Option<usize> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Listens from here on, so that no change between the look and the wait is missed.
            changed.as_mut().enable();
            {
                let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                if state.left == 0 {
                    return None;
                }
                if main && let Some(id) = state.serial.take() {
                    return Some(id);
                }
                if let Some((_, std::cmp::Reverse(id))) = state.ready.pop() {
                    return Some(id);
                }
            }
            changed.await;
        }
    }

    fn done(&self, id: usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.left -= 1;
        for follower in std::mem::take(&mut state.followers[id]) {
            state.waits[follower] -= 1;
            if state.waits[follower] == 0 {
                state.release(follower, &self.plan);
            }
        }
        drop(state);
        self.changed.notify_waiters();
    }
}

impl State {
    fn release(&mut self, id: usize, plan: &Plan) {
        let job = &plan.jobs[id];
        match job.work {
            Work::Serial { .. } => self.serial = Some(id),
            Work::Load(_) | Work::Run(_) => self.ready.push((job.weight, std::cmp::Reverse(id))),
        }
    }
}
