//! Which part of a restore is done next, and by whom. Pure but for the waiting: knows no
//! connection and reads nothing.
//!
//! A table is loaded by one connection, in one transaction whose rows the server need not log. When
//! another connection has nothing to do, the rest of the table becomes parts that anyone takes:
//! better rows that are logged than a core that is idle.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::cost::Cost;
use super::plan::{Plan, Work};
use crate::dump::subject::Relation;

/// In which order the rows of tables are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// What the longest way to the end begins with comes first.
    Way,
    /// As they stand in the dump, and one at a time is read: for a backup that can only be read
    /// from its beginning.
    Dump,
}

/// Something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// A job of the plan.
    Job(usize),
    /// Some of the rows of a job that loads a table.
    Parts {
        /// The job.
        job: usize,
        /// The first part.
        from: usize,
        /// The one after the last.
        to: usize,
    },
}

/// Which jobs can be taken.
pub struct Schedule {
    /// The plan that is worked off.
    pub plan: Plan,
    order: Order,
    /// How many take jobs.
    connections: usize,
    state: Mutex<State>,
    changed: Notify,
    /// Something changed that decides whether a table is read back.
    quieter: Notify,
}

#[derive(Default)]
struct State {
    /// Jobs that each job still waits for, and behind the jobs each table that can be read back.
    waits: Vec<usize>,
    /// What waits for each job.
    followers: Vec<Vec<usize>>,
    /// Jobs for any connection: the way from each to the end, earlier ones first among equals.
    ready: BinaryHeap<(Cost, Reverse<usize>)>,
    /// With [`Order::Dump`], the loads that were not begun.
    loads: VecDeque<usize>,
    /// With [`Order::Dump`], whether somebody reads rows.
    reading: bool,
    /// Parts of tables that nobody has taken yet.
    parts: VecDeque<(usize, Range<usize>)>,
    /// For loads that were parted: those that are at work on them or will be.
    parted: BTreeMap<usize, usize>,
    /// Tables of the foreign keys that are being added.
    locked: BTreeSet<Relation>,
    /// The job for the main connection whose turn has come; there is one barrier at a time.
    serial: Option<usize>,
    /// Connections that wait for something to do.
    idle: usize,
    /// Tables that can be read back now: how long that takes.
    readable: BinaryHeap<(Cost, Reverse<usize>)>,
    /// Tables that are being read back.
    readers: usize,
    /// Tables whose rows are on their way.
    loading: usize,
    /// Jobs that are still to be done, and how long they take together, guessed.
    left: usize,
    cost_left: Cost,
    /// The ways of those jobs, and how many have each.
    ways_left: BTreeMap<Cost, usize>,
}

/// A table is read back as long as this lives.
pub struct Reading(Arc<Schedule>);

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.state().readers -= 1;
        self.0.quieter.notify_one();
    }
}

impl Schedule {
    /// All of the plan is still to be done, by so many connections.
    pub fn new(plan: Plan, order: Order, connections: usize) -> Self {
        let mut state = State {
            followers: vec![Vec::new(); plan.jobs.len()],
            left: plan.jobs.len(),
            cost_left: plan.jobs.iter().map(|job| job.cost).sum(),
            ..State::default()
        };
        for job in &plan.jobs {
            *state.ways_left.entry(job.way).or_default() += 1;
        }
        let readable = plan.readable.iter().map(|table| &table.after);
        for (id, after) in plan.jobs.iter().map(|job| &job.after).chain(readable).enumerate() {
            state.waits.push(after.len());
            for before in after {
                state.followers[*before].push(id);
            }
        }
        for (id, job) in plan.jobs.iter().enumerate() {
            if order == Order::Dump && matches!(job.work, Work::Load(_)) {
                state.loads.push_back(id);
            }
        }
        for id in 0..state.waits.len() {
            if state.waits[id] == 0 {
                state.release(id, &plan, order);
            }
        }
        Self {
            plan,
            order,
            connections,
            state: Mutex::new(state),
            changed: Notify::new(),
            quieter: Notify::new(),
        }
    }

    /// Statements that have a connection of their own.
    pub fn runs(&self) -> usize {
        self.plan.jobs.iter().filter(|job| matches!(job.work, Work::Run(_))).count()
    }

    /// Whether rows are taken in the dump's order, one reader at a time: who takes a task that
    /// reads rows calls [`Schedule::release_reader`] as soon as it has them.
    pub fn in_dump_order(&self) -> bool {
        self.order == Order::Dump
    }

    /// The next task; `None` when all are done. `main` takes barriers, too.
    pub async fn next(&self, main: bool) -> Option<Task> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Listens from here on, so that no change between the look and the wait is missed.
            changed.as_mut().enable();
            {
                let mut state = self.state();
                if state.left == 0 {
                    return None;
                }
                if let Some(task) = state.take(main, &self.plan, self.order) {
                    return Some(task);
                }
                state.idle += 1;
            }
            self.quieter.notify_one();
            changed.await;
            self.state().idle -= 1;
        }
    }

    /// Waits for a table that can be read back while a connection has nothing to do, and gives the entry of its
    /// rows. `None` when all jobs are done: nobody waits for what was not read by then. For one caller.
    pub async fn next_to_read_back(self: &Arc<Self>) -> Option<(usize, Reading)> {
        while self.state().left > 0 {
            let table = self.state().take_readable(&self.plan);
            if let Some(entry) = table {
                return Some((entry, Reading(Arc::clone(self))));
            }
            self.quieter.notified().await;
        }
        None
    }

    /// Whether another connection had better take parts of the table that a job loads, behind which jobs wait that
    /// take so long together: when one has nothing to do, or when all that is left for it to do will be wanted at
    /// the end, beside those jobs of which each waits for the one before. What is guessed wrong costs more where too
    /// little was left for the end.
    pub fn wants_parts(&self, job: usize, behind: Cost) -> bool {
        let state = self.state();
        let of = &self.plan.jobs[job];
        let at_the_end = (self.connections as u64 * (of.way - of.cost)).saturating_sub(behind);
        let beside = state.cost_left.saturating_sub(of.cost + behind);
        state.parts.is_empty() && (state.idle > 0 || beside < at_the_end + at_the_end / 4)
    }

    /// How many connections have nothing to do for most of the time that a job takes, as far as can be seen.
    pub fn spare(&self, job: usize) -> usize {
        let state = self.state();
        let waiting = state.ready.iter().map(|(_, Reverse(id))| self.plan.jobs[*id].cost);
        let is_last = waiting.sum::<Cost>() * 2 < self.plan.jobs[job].cost;
        if is_last { self.connections - 1 } else { state.idle }
    }

    /// Gives the rest of a table to whoever has nothing to do, `together` parts at a time. The load
    /// itself is still to be reported as done.
    pub fn share(&self, job: usize, parts: Range<usize>, together: usize) {
        let mut state = self.state();
        let end = parts.end;
        let tasks = parts.step_by(together).map(|from| (job, from..end.min(from + together)));
        state.parts.extend(tasks);
        let at_work = state.parts.iter().filter(|(of, _)| *of == job).count() + 1;
        state.parted.insert(job, at_work);
        drop(state);
        self.changed.notify_waiters();
    }

    /// With [`Order::Dump`]: the rows of the task are read; lets the next reader begin.
    pub fn release_reader(&self) {
        self.state().reading = false;
        self.changed.notify_waiters();
    }

    /// A task is done.
    pub fn done(&self, task: Task) {
        let (Task::Job(id) | Task::Parts { job: id, .. }) = task;
        let mut state = self.state();
        if let Some(at_work) = state.parted.get_mut(&id) {
            *at_work -= 1;
            if *at_work > 0 {
                return;
            }
        }
        state.left -= 1;
        state.cost_left -= self.plan.jobs[id].cost;
        let way = self.plan.jobs[id].way;
        if let Some(jobs) = state.ways_left.get_mut(&way) {
            *jobs -= 1;
            if *jobs == 0 {
                state.ways_left.remove(&way);
            }
        }
        if matches!(self.plan.jobs[id].work, Work::Load(_)) {
            state.loading -= 1;
        }
        for relation in &self.plan.jobs[id].locks {
            state.locked.remove(relation);
        }
        for follower in std::mem::take(&mut state.followers[id]) {
            state.waits[follower] -= 1;
            if state.waits[follower] == 0 {
                state.release(follower, &self.plan, self.order);
            }
        }
        drop(state);
        self.changed.notify_waiters();
        self.quieter.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn release(&mut self, id: usize, plan: &Plan, order: Order) {
        let Some(job) = plan.jobs.get(id) else {
            let table = id - plan.jobs.len();
            return self.readable.push((plan.readable[table].cost, Reverse(table)));
        };
        match job.work {
            Work::Serial { .. } => self.serial = Some(id),
            // Taken from `loads`, in the dump's order.
            Work::Load(_) if order == Order::Dump => {}
            Work::Load(_) | Work::Run(_) => self.ready.push((job.way, Reverse(id))),
        }
    }

    fn take(&mut self, main: bool, plan: &Plan, order: Order) -> Option<Task> {
        if main && let Some(id) = self.serial.take() {
            return Some(Task::Job(id));
        }
        match order {
            Order::Way => {
                let longest = self.ready.peek().map_or(0, |(way, _)| *way);
                let first = self.parts.front();
                if first.is_some_and(|(job, _)| plan.jobs[*job].way >= longest) {
                    return self.take_part();
                }
                self.take_ready(plan).or_else(|| self.take_part())
            }
            Order::Dump => {
                if !self.reading
                    && let Some(task) = self.take_part().or_else(|| self.take_load())
                {
                    self.reading = true;
                    return Some(task);
                }
                self.take_ready(plan)
            }
        }
    }

    /// The entry of a table that is read back from now on. Better a part of one that is on its way; and what would not be
    /// read before the end of the restore is read then, by all connections at once.
    fn take_readable(&mut self, plan: &Plan) -> Option<usize> {
        if self.idle <= self.readers || self.loading > 0 {
            return None;
        }
        let rest = self.ways_left.last_key_value().map_or(0, |(way, _)| *way);
        let mut too_long = Vec::new();
        let mut taken = None;
        while let Some((cost, table)) = self.readable.pop() {
            if cost <= rest {
                taken = Some(table);
                break;
            }
            too_long.push((cost, table));
        }
        self.readable.extend(too_long);
        let Reverse(table) = taken?;
        self.readers += 1;
        Some(plan.readable[table].entry)
    }

    fn take_part(&mut self) -> Option<Task> {
        let (job, parts) = self.parts.pop_front()?;
        Some(Task::Parts { job, from: parts.start, to: parts.end })
    }

    /// The first load in the dump that was not begun, when its turn has come.
    fn take_load(&mut self) -> Option<Task> {
        let ready = self.loads.front().is_some_and(|id| self.waits[*id] == 0);
        let load = if ready { self.loads.pop_front().map(Task::Job) } else { None };
        self.loading += usize::from(load.is_some());
        load
    }

    /// The job of the longest way whose tables are not locked.
    fn take_ready(&mut self, plan: &Plan) -> Option<Task> {
        let mut locked_out = Vec::new();
        let mut taken = None;
        while let Some(entry) = self.ready.pop() {
            let (_, Reverse(id)) = entry;
            let locks = &plan.jobs[id].locks;
            if locks.iter().any(|relation| self.locked.contains(relation)) {
                locked_out.push(entry);
                continue;
            }
            self.locked.extend(locks.iter().cloned());
            self.loading += usize::from(matches!(plan.jobs[id].work, Work::Load(_)));
            taken = Some(Task::Job(id));
            break;
        }
        self.ready.extend(locked_out);
        taken
    }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "simulation_tests.rs"]
mod simulation;
