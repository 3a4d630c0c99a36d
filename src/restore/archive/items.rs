//! Which tables can be read back while a pg_restore of several jobs is at work, by what it says when it is asked to: which items
//! of the archive its workers have begun and ended. Pure.
//!
//! Source: PostgreSQL 9.3 to 18, `pg_backup_archiver.c` (`restore_toc_entries_parallel`, `mark_restore_job_done`): `launching
//! item 3745 TABLE DATA users`, `finished item 3745 TABLE DATA users`, the latter once its transaction has ended.

use std::collections::{BTreeMap, BinaryHeap};

use super::messages::PREFIX;
use crate::archive::pick::Before;

/// The kind of the rows of a table.
const ROWS: &str = "TABLE DATA ";

/// Schema and name of a table.
pub type Name = (String, String);

/// See the module. Lines that run into each other are passed over: what is at work is a guess, and a table whose line is lost
/// is not read early.
#[derive(Debug)]
pub struct Items {
    jobs: usize,
    /// Items that are begun and not ended.
    at_work: usize,
    before: Before,
    /// How many items each table still waits for, by the number of the entry with its rows: that one, and its constraints.
    waits: BTreeMap<i64, usize>,
    /// Tables that can be read: bytes of their rows, and the numbers of the entries with them.
    readable: BinaryHeap<(u64, i64)>,
    /// Tables that are being read.
    readers: usize,
}

impl Items {
    /// Nothing was said yet by a pg_restore with so many jobs.
    pub fn of(jobs: usize, before: Before) -> Self {
        let mut waits: BTreeMap<i64, usize> = before.tables.keys().map(|of| (*of, 1)).collect();
        for table in before.constraints.values() {
            *waits.entry(*table).or_default() += 1;
        }
        Self { jobs, at_work: 0, before, waits, readable: BinaryHeap::new(), readers: 0 }
    }

    /// Takes the next line. `bytes` says how many a table's rows have, where it is to be read.
    pub fn line(&mut self, line: &str, bytes: impl Fn(&Name) -> Option<u64>) {
        let Some(said) = line.strip_prefix(PREFIX) else { return };
        if said.starts_with("launching item ") {
            self.at_work = self.jobs.min(self.at_work + 1);
        } else if let Some(item) = said.strip_prefix("finished item ") {
            self.at_work = self.at_work.saturating_sub(1);
            if let Some((entry, what)) = item.split_once(' ')
                && let Ok(entry) = entry.parse()
            {
                self.finished(entry, what, bytes);
            }
        }
    }

    /// An item of this kind and name is done.
    fn finished(&mut self, entry: i64, what: &str, bytes: impl Fn(&Name) -> Option<u64>) {
        let constrained = self.before.constraints.get(&entry);
        let table = *constrained.unwrap_or(&entry);
        let Some(name) = self.before.tables.get(&table) else { return };
        let is_it = constrained.is_some() || what.strip_prefix(ROWS) == Some(&name.1);
        if let Some(waits) = self.waits.get_mut(&table).filter(|waits| is_it && **waits > 0) {
            *waits -= 1;
            if *waits == 0 {
                self.readable.extend(bytes(name).map(|bytes| (bytes, table)));
            }
        }
    }

    /// The largest table that can be read, where a job has nothing to do: it is being read from now on.
    pub fn take(&mut self) -> Option<Name> {
        if self.jobs - self.at_work <= self.readers {
            return None;
        }
        let (_, table) = self.readable.pop()?;
        self.readers += 1;
        self.before.tables.get(&table).cloned()
    }

    /// A table that was taken has been read.
    pub fn read(&mut self) {
        self.readers = self.readers.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items() -> Items {
        let table = |name: &str| ("public".to_owned(), name.to_owned());
        let tables = BTreeMap::from([
            (3745, table("users")),
            (3746, table("a table")),
            (3747, table("left out")),
        ]);
        Items::of(2, Before { tables, constraints: BTreeMap::from([(3800, 3745)]) })
    }

    fn say(items: &mut Items, what: &str) {
        let bytes = |name: &Name| match name.1.as_str() {
            "users" => Some(7),
            "a table" => Some(90),
            _ => None,
        };
        items.line(what, bytes);
    }

    fn taken(items: &mut Items) -> Option<String> {
        items.take().map(|(_, name)| name)
    }

    #[test]
    fn tables_are_read_when_their_rows_and_constraints_are_there_and_a_job_is_idle() {
        let mut items = items();
        for said in [
            "pg_restore: entering main parallel loop",
            "pg_restore: launching item 3745 TABLE DATA users",
            "pg_restore: launching item 3746 TABLE DATA a table",
            "pg_restore: processing data for table \"public.users\"",
        ] {
            say(&mut items, said);
        }
        assert_eq!(taken(&mut items), None);
        say(&mut items, "pg_restore: finished item 3745 TABLE DATA users");
        assert_eq!(taken(&mut items), None, "a constraint is still to come");
        say(&mut items, "pg_restore: launching item 3800 CONSTRAINT users users_pkey");
        say(&mut items, "pg_restore: finished item 3746 TABLE DATA a table");
        assert_eq!(taken(&mut items).as_deref(), Some("a table"));
        say(&mut items, "pg_restore: launching item 3900 INDEX i");
        say(&mut items, "pg_restore: finished item 3800 CONSTRAINT users users_pkey");
        assert_eq!(taken(&mut items), None, "the only idle job is made up for");
        items.read();
        assert_eq!(taken(&mut items).as_deref(), Some("users"));
        say(&mut items, "pg_restore: finished item 3900 INDEX i");
        assert_eq!(taken(&mut items), None, "nothing is left");
    }

    #[test]
    fn the_largest_comes_first_and_what_is_not_wanted_not_at_all() {
        let mut items = items();
        for said in [
            "3800 CONSTRAINT users users_pkey",
            "3745 TABLE DATA users",
            "3746 TABLE DATA a table",
            "3747 TABLE DATA left out",
        ] {
            say(&mut items, &format!("pg_restore: finished item {said}"));
        }
        assert_eq!(taken(&mut items).as_deref(), Some("a table"));
        assert_eq!(taken(&mut items).as_deref(), Some("users"));
        items.read();
        assert_eq!(taken(&mut items), None);
    }

    #[test]
    fn lines_that_run_into_each_other_tell_of_no_table() {
        let mut items = items();
        for torn in [
            "pg_restore: finished item 37pg_restore: launching item 3746 INDEX i",
            "46 TABLE DATA a table",
            "pg_restore: finished item TABLE DATA a table",
            "pg_restore: finished item 3746",
            "pg_restore: finished item 3746 TABLE DATA a ta",
            "pg_restore: finished item 3746 INDEX a table",
            "finished item 3746 TABLE DATA a table",
        ] {
            say(&mut items, torn);
        }
        assert_eq!(taken(&mut items), None);
    }
}
