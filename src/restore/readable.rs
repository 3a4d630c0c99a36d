//! Which tables can be read back before the restore has come to its end: those whose rows nothing changes that is
//! still to be done. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::cost::{self, Cost, Size};
use crate::dump::item::Statement;
use crate::dump::row_keeping::Touches;
use crate::dump::subject::{Relation, Subject};

/// A table that can be read back before the end of the restore. Nothing waits for that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readable {
    /// The entry with its rows.
    pub entry: usize,
    /// Jobs that must be done before, by index.
    pub after: Vec<usize>,
    /// How long it takes, guessed.
    pub cost: Cost,
}

/// Finds them while the jobs of a plan are made.
#[derive(Debug, Default)]
pub(super) struct Finder {
    /// The entry with a table's rows, and the jobs that no reader may come before or hold up: the one that brings
    /// them, and those that lock readers out.
    loaded: BTreeMap<Relation, (usize, Vec<usize>)>,
    /// The last job that may change rows which are there.
    changing: Option<usize>,
}

impl Finder {
    /// A job brings the rows of a table, which are those of an entry.
    pub fn loads(&mut self, job: usize, table: &Relation, entry: usize) {
        self.loaded.insert(table.clone(), (entry, vec![job]));
    }

    /// A job locks a table.
    pub fn locks(&mut self, job: usize, table: &Relation) {
        if let Some((_, after)) = self.loaded.get_mut(table) {
            after.push(job);
        }
    }

    /// A job brings rows to a table of which it is not known what they bring about.
    pub fn changes(&mut self, job: usize) {
        self.changing = Some(job);
    }

    /// A job runs a statement in the dump's order, where functions of these names may look elsewhere.
    pub fn runs(&mut self, job: usize, statement: &Statement, reading: &BTreeSet<Vec<u8>>) {
        let may_change = match statement.touches() {
            Touches::NoRows => false,
            // What builds something and runs in its order calls what is not known.
            Touches::WhatFunctionsDo => {
                !matches!(statement.subject(), Subject::Refresh(_)) || !reading.is_empty()
            }
            Touches::AnyRows => true,
        };
        if may_change {
            self.changes(job);
        }
    }

    /// The tables, with how much there is of each.
    pub fn found(self, sizes: &BTreeMap<Relation, Size>) -> Vec<Readable> {
        let of = |(table, (entry, mut after)): (Relation, (usize, Vec<usize>))| {
            after.extend(self.changing);
            let size = sizes.get(&table).copied().unwrap_or_default();
            Readable { entry, after, cost: cost::read_back(size) }
        };
        self.loaded.into_iter().map(of).collect()
    }
}
