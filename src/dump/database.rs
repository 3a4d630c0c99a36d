//! What a dump holds of one database: its tables, the states of its sequences, its large objects, and
//! what changed them afterwards.

use std::collections::{HashMap, HashSet};

use super::changes::{Change, Changed};
use super::item::{Name, Statement};
use super::large_objects::Written;
use super::times::Samples;
use crate::model::contents::{Columns, Sequence, Table};

/// The kind of pg_dump's comment above a table's rows.
const ROWS: &str = "TABLE DATA";

/// What a dump holds of one database.
#[derive(Debug, Default)]
pub struct DatabaseContents {
    /// Its name where the dump connects to it; `None` where it is left to whoever restores it.
    pub name: Option<String>,
    /// Tables in dump order.
    pub tables: Vec<Table>,
    /// Sequence states in dump order.
    pub sequences: Vec<Sequence>,
    /// Large objects.
    pub large_objects: Written,
    /// The client encoding that its rows are in, where the dump names one. In a dump of a cluster, each
    /// database has its own.
    pub encoding: Option<String>,
    /// Some of the values with a time zone, as they are written. In a dump of a cluster, each database
    /// may have a zone of its own.
    pub times: Samples,
    /// Tables that are gone when the restore is, whose rows are not held against anything.
    pub temporary: HashSet<String>,
    /// Where the tables of a name are in the list.
    places: HashMap<(String, String), Place>,
    /// How many of the sequences were set before the last statement that may have moved them, and it.
    moved: Option<(usize, Changed)>,
}

/// The tables of a name.
#[derive(Debug)]
struct Place {
    /// One for each order of the columns.
    at: Vec<usize>,
    how: How,
    /// Its rows are below a comment of pg_dump.
    announced: bool,
    changed: Option<Changed>,
}

/// How the rows of a table are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Copied,
    Inserted,
    /// In statements that are not understood.
    Unknown,
}

impl DatabaseContents {
    pub(super) fn named(name: String) -> Self {
        Self { name: Some(name), ..Self::default() }
    }

    /// The statement that changed a table after its rows, where there is one.
    pub fn changed(&self, table: &Table) -> Option<&Changed> {
        self.places.get(&(table.schema.clone(), table.name.clone()))?.changed.as_ref()
    }

    /// The statement after which a sequence may be in another state than was set, where there is one.
    pub fn moved(&self, sequence: usize) -> Option<&Changed> {
        self.moved.as_ref().filter(|(before, _)| sequence < *before).map(|(_, by)| by)
    }

    /// The client encoding of the rows so far, where there are any.
    pub(super) fn encoding_so_far(&self) -> Option<Option<&str>> {
        (!self.tables.is_empty()).then_some(self.encoding.as_deref())
    }

    /// How the rows of a table are written that has some.
    pub(super) fn how(&self, key: &(String, String)) -> Option<How> {
        self.places.get(key).map(|place| place.how)
    }

    /// Whether a table has rows with these columns.
    pub(super) fn has(&self, key: &(String, String), columns: &Columns) -> bool {
        let mut at = self.places.get(key).into_iter().flat_map(|place| &place.at);
        at.any(|at| self.tables[*at].columns == *columns)
    }

    /// Whether a name is that of a table which the dump makes for itself alone.
    pub(super) fn is_temporary(&self, schema: Option<&Name>, table: &str) -> bool {
        schema.is_none_or(|schema| *schema == "pg_temp") && self.temporary.contains(table)
    }

    /// Whether a statement among what pg_dump wrote finds rows that pg_dump wrote: it is no part of a
    /// dump by hand, and what it changes is damage.
    pub(super) fn is_damage(&self, key: &(String, String), statement: &Statement) -> bool {
        statement.toc.is_some() && self.places.get(key).is_some_and(|place| place.announced)
    }

    /// Takes rows of a table that `statement` writes.
    pub(super) fn add(&mut self, found: Table, how: How, statement: &Statement) {
        let Self { tables, places, .. } = self;
        let key = (found.schema.clone(), found.name.clone());
        let place = places.entry(key).or_insert_with(|| Place {
            at: Vec::new(),
            how,
            announced: statement.toc.as_ref().is_some_and(|entry| entry.kind == ROWS),
            changed: None,
        });
        match place.at.iter().find(|at| tables[**at].columns == found.columns) {
            Some(at) => {
                tables[*at].fingerprint += found.fingerprint;
                tables[*at].bytes += found.bytes;
                tables[*at].spans.extend(found.spans);
            }
            None => {
                place.at.push(tables.len());
                tables.push(found);
            }
        }
    }

    /// Leaves out a table of which a row is inserted that is not known.
    pub(super) fn forget(&mut self, key: (String, String)) {
        let unknown = Place { at: Vec::new(), how: How::Unknown, announced: false, changed: None };
        let place = self.places.entry(key).or_insert(unknown);
        if place.how != How::Inserted {
            return;
        }
        let gone = std::mem::take(&mut place.at);
        place.how = How::Unknown;
        for at in gone.into_iter().rev() {
            self.tables.remove(at);
            let others = self.places.values_mut().flat_map(|place| &mut place.at);
            others.filter(|other| **other > at).for_each(|other| *other -= 1);
        }
    }

    /// Notes that a statement changes what was written before it.
    pub(super) fn changes(
        &mut self,
        change: &Change,
        statement: &Statement,
        key: impl Fn(Option<&Name>, &Name) -> (String, String),
    ) {
        self.moves_sequences(statement);
        match change {
            Change::OfAny => {
                let all: Vec<(String, String)> = self.places.keys().cloned().collect();
                all.iter().for_each(|key| self.changes_table(key, statement));
            }
            Change::Of(tables) => {
                for (schema, name) in tables {
                    self.changes_table(&key(schema.as_ref(), name), statement);
                }
            }
        }
    }

    pub(super) fn changes_table(&mut self, key: &(String, String), statement: &Statement) {
        if !self.is_damage(key, statement)
            && let Some(place) = self.places.get_mut(key)
        {
            place.changed.get_or_insert_with(|| changed(statement));
        }
    }

    /// Notes that a statement that pg_dump did not write may move the sequences that were set before it.
    pub(super) fn moves_sequences(&mut self, statement: &Statement) {
        if statement.toc.is_none() && !self.sequences.is_empty() {
            self.moved = Some((self.sequences.len(), changed(statement)));
        }
    }

    /// Takes the state of a sequence. One that is set once more by hand has its last state.
    pub(super) fn set(&mut self, state: Sequence, statement: &Statement) {
        let same = |of: &&mut Sequence| (&of.schema, &of.name) == (&state.schema, &state.name);
        match self.sequences.iter_mut().find(same).filter(|_| statement.toc.is_none()) {
            Some(before) => *before = state,
            None => self.sequences.push(state),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tables.is_empty()
            && self.sequences.is_empty()
            && self.large_objects.objects().count == 0
    }
}

fn changed(statement: &Statement) -> Changed {
    let mut words = statement.leading_words(2);
    if let Some((first, _)) = words.split_once(' ').filter(|_| !words.ends_with("TABLE")) {
        words = first.to_owned();
    }
    Changed { by: words, line: statement.line }
}
