//! In which order, and how far at once, a dump is restored. Pure: a list of entries and a few
//! facts in, a graph of jobs out.
//!
//! Two jobs that touch one table keep the dump's order, unless both only build indexes on it, or
//! both only add foreign keys to it; those exclude each other, but any of them may come first.
//! What is not understood is a barrier: it waits for everything before it, and everything after it
//! waits for it. A dump that is not understood is restored slower, never wrongly.

use std::collections::{BTreeMap, BTreeSet};

use crate::dump::item::CopyBlock;
use crate::dump::script::Entry;
use crate::dump::subject::{Relation, Subject};

/// What the catalog says of the tables once they are created.
#[derive(Debug, Default)]
pub struct Catalog {
    /// Plain tables, empty, without triggers, foreign keys, rules or indexes: the rows of the first
    /// block of each can go in at once with those of others.
    pub clean: BTreeSet<Relation>,
    /// For tables in a partition tree or with children: all of their family.
    pub families: BTreeMap<Relation, Vec<Relation>>,
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
    /// The COPY block of this entry, on any connection.
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
    /// The larger, the sooner: bytes of the table's rows.
    pub weight: u64,
    /// Session settings that hold at its place: index of the last setting before it.
    pub settings: usize,
    /// Tables that it locks against others of its kind: of two jobs that share one, one runs at a
    /// time, in any order.
    pub locks: Vec<Relation>,
}

/// The jobs of a restore.
#[derive(Debug, Default)]
pub struct Plan {
    /// In dump order.
    pub jobs: Vec<Job>,
    /// The settings, in dump order: name, and the entry that sets it.
    pub settings: Vec<(String, usize)>,
}

impl Plan {
    /// Plans entries `from..` of the list. What comes before has been run; its settings count.
    pub fn of(entries: &[Entry], from: usize, catalog: &Catalog) -> Self {
        let mut planner = Planner { weights: weights(entries), ..Planner::default() };
        for (index, entry) in entries.iter().enumerate() {
            if let Entry::Statement(statement) = entry
                && let Subject::Session(name) = statement.subject()
            {
                planner.plan.settings.push((name, index));
            }
            if index >= from {
                planner.add(index, entry, catalog);
            }
        }
        planner.plan
    }
}

/// Bytes of the rows of each table.
fn weights(entries: &[Entry]) -> BTreeMap<Relation, u64> {
    let mut weights = BTreeMap::new();
    for entry in entries {
        if let Entry::Copy { block, bytes, .. } = entry
            && let Some(table) = table_of(block)
        {
            *weights.entry(table).or_default() += bytes;
        }
    }
    weights
}

/// The table of a COPY block, where its schema is written.
pub fn table_of(block: &CopyBlock) -> Option<Relation> {
    Some(Relation { schema: block.schema.clone()?, name: block.table.clone() })
}

/// Who used a table last.
#[derive(Debug, Default)]
struct Use {
    alone: Option<usize>,
    indexes: Vec<usize>,
    keys: Vec<usize>,
}

/// How a job uses a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum As {
    /// Alone on it.
    Alone,
    /// Beside other indexes.
    Index,
    /// Not at the time of another foreign key.
    Key,
}

#[derive(Debug, Default)]
struct Planner {
    plan: Plan,
    weights: BTreeMap<Relation, u64>,
    uses: BTreeMap<Relation, Use>,
    /// Tables whose rows a job brings.
    loaded: BTreeSet<Relation>,
    barrier: Option<usize>,
    /// Jobs since the last barrier.
    since: Vec<usize>,
    /// Whether a transaction is open on the main connection.
    in_transaction: bool,
}

impl Planner {
    fn add(&mut self, index: usize, entry: &Entry, catalog: &Catalog) {
        match entry {
            Entry::Copy { block, .. } => match table_of(block) {
                // Only the first block of a table finds it empty.
                Some(table)
                    if catalog.clean.contains(&table)
                        && !self.in_transaction
                        && self.loaded.insert(table.clone()) =>
                {
                    self.job(Work::Load(index), &[table], As::Alone);
                }
                _ => self.serial(index),
            },
            Entry::Statement(statement) => match statement.subject() {
                _ if self.in_transaction => {
                    self.in_transaction = !statement.ends_transaction();
                    self.serial(index);
                }
                Subject::Index(table) => self.job(Work::Run(index), &[table], As::Index),
                Subject::Table(table) => self.job(Work::Run(index), &[table], As::Alone),
                Subject::ForeignKey(table, other) => {
                    let tables: BTreeSet<Relation> =
                        [table, other].iter().flat_map(|table| family(table, catalog)).collect();
                    let tables: Vec<_> = tables.into_iter().collect();
                    self.job(Work::Run(index), &tables, As::Key);
                }
                // A sequence is nobody else's, and a setting goes with the jobs after it.
                Subject::Sequence => self.job(Work::Run(index), &[], As::Alone),
                Subject::Session(_) => {}
                Subject::Transaction => {
                    self.in_transaction = !statement.ends_transaction();
                    self.serial(index);
                }
                Subject::Alone | Subject::Other => self.serial(index),
            },
            Entry::Meta(_) => self.serial(index),
        }
    }

    /// A job on some tables.
    fn job(&mut self, work: Work, tables: &[Relation], as_: As) {
        let id = self.plan.jobs.len();
        let mut after: BTreeSet<usize> = self.barrier.into_iter().collect();
        let mut weight = 0;
        for table in tables {
            weight = weight.max(self.weights.get(table).copied().unwrap_or_default());
            let use_ = self.uses.entry(table.clone()).or_default();
            after.extend(use_.alone);
            match as_ {
                As::Alone => {
                    after.extend(use_.indexes.drain(..).chain(use_.keys.drain(..)));
                    use_.alone = Some(id);
                }
                As::Index => {
                    after.extend(&use_.keys);
                    use_.indexes.push(id);
                }
                As::Key => {
                    after.extend(&use_.indexes);
                    use_.keys.push(id);
                }
            }
        }
        let locks = if as_ == As::Key { tables.to_vec() } else { Vec::new() };
        self.push(work, after, weight, locks);
        self.since.push(id);
    }

    /// A barrier; barriers next to each other are one job.
    fn serial(&mut self, index: usize) {
        if self.since.is_empty()
            && let Some(last) = self.plan.jobs.last_mut()
            && let Work::Serial { to, .. } = &mut last.work
        {
            *to = index + 1;
            return;
        }
        let id = self.plan.jobs.len();
        let after = self.since.drain(..).chain(self.barrier).collect();
        self.push(Work::Serial { from: index, to: index + 1 }, after, u64::MAX, Vec::new());
        self.barrier = Some(id);
        self.uses.clear();
    }

    fn push(&mut self, work: Work, after: BTreeSet<usize>, weight: u64, locks: Vec<Relation>) {
        let settings = self.plan.settings.len();
        let after = after.into_iter().collect();
        self.plan.jobs.push(Job { work, after, weight, settings, locks });
    }
}

/// The table and its family.
fn family<'a>(table: &'a Relation, catalog: &'a Catalog) -> impl Iterator<Item = Relation> + 'a {
    let members = catalog.families.get(table).map_or(&[][..], Vec::as_slice);
    members.iter().chain(std::iter::once(table)).cloned()
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
