//! In which order, and how far at once, a dump is restored. Pure: a list of entries and a few
//! facts in, a graph of jobs out.
//!
//! Two jobs that touch one table keep the dump's order, unless both only build indexes on it, or
//! both only add foreign keys to it; those exclude each other, but any of them may come first.
//! What is not understood is a barrier: it waits for everything before it, and everything after it
//! waits for it. So is what changes the session, and what calls a function that may read tables. A
//! dump that is not understood is restored slower, never wrongly.

use std::collections::{BTreeMap, BTreeSet};

use crate::dump::item::{CopyBlock, Name, Statement};
use crate::dump::reach::{Leaves, Transaction};
use crate::dump::script::Entry;
use crate::dump::subject::{Relation, Subject};

/// What the catalog says of the tables once they are created.
#[derive(Debug, Default, Clone)]
pub struct Catalog {
    /// Plain tables, without triggers, foreign keys, rules or indexes, whose rows call no function that
    /// may read others: they can go in at once with those of others.
    pub clean: BTreeSet<Relation>,
    /// Of those tables, the columns with a default: what it gives can depend on what was done before.
    pub defaults: BTreeMap<Relation, Vec<Name>>,
    /// For tables in a partition tree or with children: all of their family.
    pub families: BTreeMap<Relation, Vec<Relation>>,
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
}

impl Plan {
    /// Plans entries `from..` of the list. What comes before has been run.
    pub fn of(entries: &[Entry], from: usize, catalog: &Catalog) -> Self {
        let mut planner =
            Planner { weights: weights(entries), catalog: catalog.clone(), ..Planner::default() };
        for (index, entry) in entries.iter().enumerate() {
            if index >= from {
                planner.add(index, entry);
            } else if let Entry::Statement(statement) = entry {
                planner.follow(statement);
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
    /// What is known of the tables at this place of the dump.
    catalog: Catalog,
    weights: BTreeMap<Relation, u64>,
    uses: BTreeMap<Relation, Use>,
    /// Tables whose rows a job brings.
    loaded: BTreeSet<Relation>,
    barrier: Option<usize>,
    /// Jobs since the last barrier.
    since: Vec<usize>,
    /// Whether a transaction is open on the main connection.
    in_transaction: bool,
    /// The last `SET default_tablespace`, where the main connection does not have it.
    tablespace: Option<usize>,
}

impl Planner {
    fn add(&mut self, index: usize, entry: &Entry) {
        match entry {
            Entry::Copy { block, .. } => match self.loadable(block) {
                Some(table) => self.job(Work::Load(index), &[table], As::Alone),
                None => self.serial(index),
            },
            Entry::Statement(statement) => {
                let within = self.in_transaction;
                self.follow(statement);
                if within || !self.beside(index, statement) {
                    self.learn(statement);
                    self.serial(index);
                }
            }
            Entry::Meta => self.serial(index),
        }
    }

    /// The table of a block whose rows can go in beside those of others. Only the first of a table
    /// finds it as the catalog says.
    fn loadable(&mut self, block: &CopyBlock) -> Option<Relation> {
        let table = table_of(block).filter(|table| self.catalog.clean.contains(table))?;
        let mut defaults = self.catalog.defaults.get(&table).into_iter().flatten();
        let all_given =
            block.columns.is_empty() || defaults.all(|column| block.columns.contains(column));
        let beside = all_given && !self.in_transaction && self.loaded.insert(table.clone());
        beside.then_some(table)
    }

    /// Whether a transaction is open after a statement.
    fn follow(&mut self, statement: &Statement) {
        match statement.transaction() {
            Some(Transaction::Begins) => self.in_transaction = true,
            Some(Transaction::Ends) => self.in_transaction = false,
            Some(Transaction::GoesOn) | None => {}
        }
    }

    /// Makes a statement a job that others run beside, where that can be.
    fn beside(&mut self, index: usize, statement: &Statement) -> bool {
        let work = Work::Run(index);
        match statement.subject() {
            Subject::Index(_) | Subject::Table(_) | Subject::ForeignKey(..)
                if self.may_read(statement) =>
            {
                return false;
            }
            Subject::Index(table) => self.job(work, &[table], As::Index),
            Subject::Table(table) => self.job(work, &[table], As::Alone),
            Subject::ForeignKey(table, other) => {
                let tables: BTreeSet<Relation> =
                    [table, other].iter().flat_map(|table| family(table, &self.catalog)).collect();
                let tables: Vec<_> = tables.into_iter().collect();
                self.job(work, &tables, As::Key);
            }
            // A sequence is nobody else's.
            Subject::Sequence(sequence) => self.job(work, &[sequence], As::Alone),
            // Where a thing lies is of no account to others, and pg_dump says it between indexes.
            Subject::Session(name)
                if name == "default_tablespace" && statement.starts_with(&["SET"]) =>
            {
                self.job(work, &[], As::Alone);
                self.tablespace = Some(index);
            }
            _ => return false,
        }
        true
    }

    /// Whether building an index, or a constraint, may read other tables.
    fn may_read(&self, statement: &Statement) -> bool {
        let by_name = match statement.subject() {
            Subject::Index(_) => true,
            Subject::Table(_) => statement.uses_any(|name| name == b"exclude"),
            _ => false,
        };
        self.catalog.reads_unseen
            || by_name && statement.uses_any(|name| self.catalog.reading.contains(name))
    }

    /// What is not known any more after a statement.
    fn learn(&mut self, statement: &Statement) {
        let left = statement.leaves();
        if left != Leaves::AllAsItWas {
            self.catalog.clean.clear();
        }
        match left {
            Leaves::AllAsItWas | Leaves::OtherTables => {}
            Leaves::Function(name) => {
                self.catalog.reading.insert(name.as_bytes().to_vec());
            }
            Leaves::Anything => self.catalog.reads_unseen = true,
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
        self.tablespace = None;
    }

    fn push(&mut self, work: Work, after: BTreeSet<usize>, weight: u64, locks: Vec<Relation>) {
        let (after, tablespace) = (after.into_iter().collect(), self.tablespace);
        self.plan.jobs.push(Job { work, after, weight, tablespace, locks });
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
