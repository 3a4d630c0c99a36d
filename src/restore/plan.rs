//! In which order, and how far at once, a dump is restored: a graph of jobs, which `planner` makes.
//!
//! Two jobs that touch one table keep the dump's order, unless both only build indexes on it, or
//! both only add foreign keys to it; those exclude each other, but any of them may come first.
//! What is not understood is a barrier: it waits for everything before it, and everything after it
//! waits for it. So is what changes the session, and what calls a function that may read tables. A
//! dump that is not understood is restored slower, never wrongly.

use std::collections::{BTreeMap, BTreeSet};

use super::cost::{Columns, Cost};
use super::readable::Readable;
use crate::dump::item::{CopyBlock, Name};
use crate::dump::subject::Relation;

/// What the catalog says of the tables once they are created.
#[derive(Debug, Default, Clone)]
pub struct Catalog {
    /// Plain tables, without triggers, foreign keys, rules or indexes, whose rows call no function that
    /// may read others: they can go in at once with those of others.
    pub clean: BTreeSet<Relation>,
    /// Of those tables, the columns with a default: what it gives can depend on what was done before.
    pub defaults: BTreeMap<Relation, Vec<Name>>,
    /// How many of a table's columns are generated, where some are.
    pub generated: BTreeMap<Relation, usize>,
    /// For tables in a partition tree or with children: all of their family.
    pub families: BTreeMap<Relation, Vec<Relation>>,
    /// The columns of tables, by which is guessed how long their indexes take.
    pub columns: BTreeMap<Relation, Columns>,
    /// Names of functions that may read tables, and of types whose values call one.
    pub reading: BTreeSet<Vec<u8>>,
    /// Whether a statement may call such a function without naming it: by an operator, a cast, an event
    /// trigger.
    pub reads_unseen: bool,
}

/// What a job does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Entries `from..to` of the list, one after the other, on the main connection.
    Serial {
        /// The first.
        from: usize,
        /// The one after the last.
        to: usize,
    },
    /// The rows of this entry, on any connection.
    Load(usize),
    /// The statement of this entry, on any connection.
    Run(usize),
}

/// A part of the restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// What it does.
    pub work: Work,
    /// Jobs that must be done before, by index.
    pub after: Vec<usize>,
    /// How long it takes, guessed.
    pub cost: Cost,
    /// How long it takes to the end of the restore from when it begins, guessed, if nobody had to wait for a
    /// connection. The longer, the sooner.
    pub way: Cost,
    /// The `SET default_tablespace` that holds for it, where the session does not have it yet.
    pub tablespace: Option<usize>,
    /// Tables that it locks against others of its kind: of two jobs that share one, one runs at a
    /// time, in any order.
    pub locks: Vec<Relation>,
}

/// The jobs of a restore.
#[derive(Debug, Default)]
pub struct Plan {
    /// In dump order.
    pub jobs: Vec<Job>,
    /// Tables that can be read back early; no job waits for that.
    pub readable: Vec<Readable>,
}

impl Plan {
    /// How long all jobs together take that wait for this one, guessed.
    pub fn cost_behind(&self, job: usize) -> Cost {
        let mut behind = BTreeSet::from([job]);
        for (id, other) in self.jobs.iter().enumerate().skip(job + 1) {
            if other.after.iter().any(|before| behind.contains(before)) {
                behind.insert(id);
            }
        }
        behind.remove(&job);
        behind.into_iter().map(|id| self.jobs[id].cost).sum()
    }

    /// The longest way from each job to the end. A job comes after all that it waits for.
    pub(super) fn find_ways(&mut self) {
        // Of those that lock one table, one runs at a time: the first is the beginning of as long a way as all of them.
        let mut in_turn: BTreeMap<Relation, Cost> = BTreeMap::new();
        for job in &self.jobs {
            for table in &job.locks {
                *in_turn.entry(table.clone()).or_default() += job.cost;
            }
        }
        for id in (0..self.jobs.len()).rev() {
            let job = &mut self.jobs[id];
            let of_all = job.locks.iter().filter_map(|table| in_turn.get(table)).max();
            // Up to here it holds the longest way of those that wait for it.
            job.way += of_all.copied().unwrap_or_default().max(job.cost);
            let (way, after) = (job.way, job.after.clone());
            for before in after {
                self.jobs[before].way = self.jobs[before].way.max(way);
            }
        }
    }
}

/// The table of a COPY block, where its schema is written.
pub fn table_of(block: &CopyBlock) -> Option<Relation> {
    Some(Relation { schema: block.schema.clone()?, name: block.table.clone() })
}
