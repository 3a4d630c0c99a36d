//! Makes the jobs of a [`Plan`], entry by entry. Pure: a list of entries and a few facts in, a graph of jobs out.

use std::collections::{BTreeMap, BTreeSet};

use super::cost::{self, Cost, Size};
use super::plan::{Catalog, Job, Plan, Work, table_of};
use super::readable::Finder;
use crate::dump::index::IndexShape;
use crate::dump::insert_run::InsertRun;
use crate::dump::item::{CopyBlock, Statement};
use crate::dump::reach::{Leaves, Transaction};
use crate::dump::script::Entry;
use crate::dump::subject::{Object, Relation, Subject};

impl Plan {
    /// Plans entries `from..` of the list. What comes before has been run.
    pub fn of(entries: &[Entry], from: usize, catalog: &Catalog) -> Self {
        let mut planner =
            Planner { sizes: sizes(entries), catalog: catalog.clone(), ..Planner::default() };
        for (index, entry) in entries.iter().enumerate() {
            if index >= from {
                planner.add(index, entry);
            } else if let Entry::Statement(statement) = entry {
                planner.follow(statement);
            }
        }
        planner.plan.find_ways();
        // By what is not seen, any statement may change any rows.
        if !planner.catalog.reads_unseen {
            planner.plan.readable = planner.readable.found(&planner.sizes);
        }
        planner.plan
    }
}

/// How much there is of each table.
fn sizes(entries: &[Entry]) -> BTreeMap<Relation, Size> {
    let mut sizes: BTreeMap<Relation, Size> = BTreeMap::new();
    for entry in entries {
        let (table, size) = match entry {
            Entry::Copy { block, bytes, rows, .. } => {
                (table_of(block), Size { rows: *rows, bytes: *bytes })
            }
            Entry::Inserts(run) => (Some(run.table()), Size { rows: run.rows, bytes: run.bytes }),
            Entry::Statement(_) | Entry::Meta => continue,
        };
        if let Some(table) = table {
            let known = sizes.entry(table).or_default();
            *known = known.and(size);
        }
    }
    sizes
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
    sizes: BTreeMap<Relation, Size>,
    uses: BTreeMap<Relation, Use>,
    /// The jobs since the last barrier that made something of a table, or were the last on it.
    made: BTreeMap<(Object, Relation), usize>,
    /// The tables of indexes that this plan makes.
    indexed: BTreeMap<Relation, Relation>,
    /// Tables whose rows a job brings.
    loaded: BTreeSet<Relation>,
    /// Tables that can be read back early.
    readable: Finder,
    barrier: Option<usize>,
    /// Jobs since the last barrier.
    since: Vec<usize>,
    /// The last of them that made a view.
    view: Option<usize>,
    /// Whether a transaction is open on the main connection.
    in_transaction: bool,
    /// The last `SET default_tablespace`, where the main connection does not have it.
    tablespace: Option<usize>,
}

impl Planner {
    fn add(&mut self, index: usize, entry: &Entry) {
        match entry {
            Entry::Copy { block, bytes, rows, .. } => {
                let cost = cost::load(Size { rows: *rows, bytes: *bytes });
                match self.loadable(block) {
                    Some(table) => {
                        self.readable.loads(self.plan.jobs.len(), &table, index);
                        self.job(Work::Load(index), &[table], As::Alone, cost);
                    }
                    None => self.rows_in_order(index, cost),
                }
            }
            Entry::Inserts(run) => {
                let cost = cost::insert(Size { rows: run.rows, bytes: run.bytes });
                match self.insertable(run) {
                    Some(table) => self.job(Work::Load(index), &[table], As::Alone, cost),
                    None => self.rows_in_order(index, cost),
                }
            }
            Entry::Statement(statement) => {
                let within = self.in_transaction;
                self.follow(statement);
                let is_beside = !within && self.beside(index, statement);
                self.learn(statement);
                if !is_beside {
                    self.serial(index, self.cost(statement));
                    let job = self.plan.jobs.len() - 1;
                    self.readable.runs(job, statement, &self.catalog.reading);
                }
            }
            Entry::Meta => self.serial(index, 0),
        }
    }

    /// The table of a block whose rows can go in beside those of others. Only the first of a table
    /// finds it as the catalog says.
    fn loadable(&mut self, block: &CopyBlock) -> Option<Relation> {
        let table = table_of(block).filter(|table| self.catalog.clean.contains(table))?;
        let mut defaults = self.catalog.defaults.get(&table).into_iter().flatten();
        let all_given =
            block.columns.is_empty() || defaults.all(|column| block.columns.contains(column));
        self.takes_rows_beside(&table, all_given).then_some(table)
    }

    /// The same of INSERT statements. Without names, the values are of the columns in their order, as far as there are values.
    fn insertable(&mut self, run: &InsertRun) -> Option<Relation> {
        let table = Some(run.table()).filter(|table| self.catalog.clean.contains(table))?;
        let mut defaults = self.catalog.defaults.get(&table).into_iter().flatten();
        let target = &run.target;
        let all_given = match &target.columns {
            Some(named) => defaults.all(|column| named.contains(column)),
            None => {
                let columns = self.catalog.columns.get(&table).map_or(0, BTreeMap::len);
                let generated = self.catalog.generated.get(&table).copied().unwrap_or_default();
                // To generated columns nothing but DEFAULT may be given.
                let all = (target.width, target.defaults) == (columns, generated);
                defaults.next().is_none() || all
            }
        };
        self.takes_rows_beside(&table, all_given).then_some(table)
    }

    fn takes_rows_beside(&mut self, table: &Relation, all_given: bool) -> bool {
        all_given && !self.in_transaction && self.loaded.insert(table.clone())
    }

    /// Rows that go in at their place.
    fn rows_in_order(&mut self, index: usize, cost: Cost) {
        self.serial(index, cost);
        self.readable.changes(self.plan.jobs.len() - 1);
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
        let (work, cost) = (Work::Run(index), self.cost(statement));
        let subject = statement.subject();
        let builds = matches!(
            subject,
            Subject::Attached(_)
                | Subject::Index(_)
                | Subject::Property(..)
                | Subject::IndexPart { .. }
                | Subject::Table(_)
                | Subject::ForeignKey(..)
        );
        if builds && (self.may_read(statement) || !self.is_first_of_its_name(statement, &subject)) {
            return false;
        }
        let id = self.plan.jobs.len();
        match subject {
            Subject::Index(table) => self.job(work, &[table], As::Index, cost),
            Subject::Table(table) => {
                self.readable.locks(id, &table);
                self.job(work, &[table], As::Alone, cost);
                // A view before it does without it.
                self.plan.jobs[id].after.extend(self.view);
            }
            Subject::Attached(table) => {
                self.job(work, &[table], As::Alone, cost);
                // What is done by a rule or a policy may name a view.
                if ["RULE", "POLICY"].iter().any(|what| statement.starts_with(&["CREATE", what])) {
                    self.plan.jobs[id].after.extend(self.view);
                }
            }
            Subject::IndexPart { index, part } => {
                let tables = [self.indexed.get(&index).cloned(), self.indexed.get(&part).cloned()];
                let [Some(whole), Some(part)] = tables else { return false };
                let tables: Vec<_> = BTreeSet::from([whole, part]).into_iter().collect();
                self.job(work, &tables, As::Alone, cost);
            }
            Subject::Refresh(view) => {
                if self.catalog.reads_unseen || !self.catalog.reading.is_empty() {
                    return false;
                }
                self.after_keys(work, view, cost);
            }
            Subject::View(view) => {
                if self.catalog.reads_unseen {
                    return false;
                }
                self.after_keys(work, view, cost);
                self.view = Some(id);
            }
            // What no job makes is there. Of several of a kind, the last one stays.
            Subject::Property(object, name) => {
                let before = self.made.insert((object, name), id);
                let after = before.into_iter().chain(self.barrier).collect();
                self.since.push(id);
                self.push(work, after, cost, Vec::new());
            }
            Subject::ForeignKey(table, other) => {
                let tables: BTreeSet<Relation> =
                    [table, other].iter().flat_map(|table| family(table, &self.catalog)).collect();
                let tables: Vec<_> = tables.into_iter().collect();
                self.job(work, &tables, As::Key, cost);
            }
            // A sequence is nobody else's.
            Subject::Sequence(sequence) => self.job(work, &[sequence], As::Alone, cost),
            // Where a thing lies is of no account to others, and pg_dump says it between indexes.
            Subject::Session(name)
                if name == "default_tablespace" && statement.starts_with(&["SET"]) =>
            {
                self.job(work, &[], As::Alone, cost);
                self.tablespace = Some(index);
            }
            _ => return false,
        }
        true
    }

    /// Notes the index, or the statistics, that the next job makes, if it makes one. Of two of one name, the server refuses
    /// the second.
    fn is_first_of_its_name(&mut self, statement: &Statement, subject: &Subject) -> bool {
        let made = match subject {
            Subject::Index(table) | Subject::Table(table) => {
                let Some(shape) = IndexShape::of(statement) else { return true };
                let index = Relation { schema: table.schema.clone(), name: shape.name };
                self.indexed.insert(index.clone(), table.clone());
                (Object::Index, index)
            }
            Subject::Attached(_) => match statement.made_statistics() {
                Some(statistics) => (Object::Statistics, statistics),
                None => return true,
            },
            _ => return true,
        };
        self.made.insert(made, self.plan.jobs.len()).is_none()
    }

    /// How long a statement takes, guessed.
    fn cost(&self, statement: &Statement) -> Cost {
        match statement.subject() {
            Subject::Index(table) | Subject::Table(table) => match IndexShape::of(statement) {
                Some(shape) => {
                    let size = self.sizes.get(&table).copied().unwrap_or_default();
                    cost::index(&shape, size, self.catalog.columns.get(&table))
                }
                None => cost::STATEMENT,
            },
            Subject::Refresh(_) => {
                let all = self.sizes.values().copied();
                cost::refresh(all.fold(Size::default(), Size::and))
            }
            Subject::ForeignKey(table, other) => {
                cost::foreign_key(self.family_size(&table), self.family_size(&other))
            }
            _ => cost::STATEMENT,
        }
    }

    /// How much there is of a table and its family, as far as this dump brings it.
    fn family_size(&self, table: &Relation) -> Size {
        let members: BTreeSet<Relation> = family(table, &self.catalog).collect();
        let sizes = members.iter().filter_map(|member| self.sizes.get(member));
        sizes.fold(Size::default(), |all, size| all.and(*size))
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
    fn job(&mut self, work: Work, tables: &[Relation], as_: As, cost: Cost) {
        let id = self.plan.jobs.len();
        let mut after: BTreeSet<usize> = self.barrier.into_iter().collect();
        for table in tables {
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
        self.push(work, after, cost, locks);
        self.since.push(id);
    }

    /// A job that makes a view, or its rows, of tables of which it is not known which: with the indexes that it needs, or that
    /// help it.
    fn after_keys(&mut self, work: Work, view: Relation, cost: Cost) {
        let id = self.plan.jobs.len();
        let is_no_key = |job: &usize| self.plan.jobs[*job].locks.is_empty();
        let after = self.since.iter().copied().filter(is_no_key).chain(self.barrier).collect();
        self.uses.entry(view).or_default().alone = Some(id);
        self.push(work, after, cost, Vec::new());
        self.since.push(id);
    }

    /// A barrier; barriers next to each other are one job.
    fn serial(&mut self, index: usize, cost: Cost) {
        if self.since.is_empty()
            && let Some(last) = self.plan.jobs.last_mut()
            && let Work::Serial { to, .. } = &mut last.work
        {
            *to = index + 1;
            last.cost += cost;
            return;
        }
        let id = self.plan.jobs.len();
        let after = self.since.drain(..).chain(self.barrier).collect();
        self.push(Work::Serial { from: index, to: index + 1 }, after, cost, Vec::new());
        self.barrier = Some(id);
        self.uses.clear();
        self.made.clear();
        self.view = None;
        self.tablespace = None;
    }

    fn push(&mut self, work: Work, after: BTreeSet<usize>, cost: Cost, locks: Vec<Relation>) {
        let (after, tablespace) = (after.into_iter().collect(), self.tablespace);
        self.plan.jobs.push(Job { work, after, cost, way: 0, tablespace, locks });
    }
}

/// The table and its family.
fn family<'a>(table: &'a Relation, catalog: &'a Catalog) -> impl Iterator<Item = Relation> + 'a {
    let members = catalog.families.get(table).map_or(&[][..], Vec::as_slice);
    members.iter().chain(std::iter::once(table)).cloned()
}

#[cfg(test)]
#[path = "planner_tests.rs"]
mod tests;
