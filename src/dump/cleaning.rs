//! Where a dump stands that `pg_dump --clean` begins with drops: before anything is made, in each of
//! its databases.

use std::ops::Range;

use super::item::{Item, Meta, Statement};

/// The lines of a dump on which `--clean` writes its drops.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cleaning {
    closed: Vec<Range<u64>>,
    open: Option<u64>,
    begun: bool,
}

impl Cleaning {
    /// Takes the reader's next item.
    pub fn take(&mut self, item: &Item) {
        match item {
            Item::Meta(Meta::Connect { .. }) => {
                // Where the next statement stands is known when it comes.
                (self.begun, self.open) = (false, None);
            }
            Item::Statement(statement) => self.statement(statement),
            Item::CopyStart(block) => self.close(block.statement.line),
            Item::CopyData(_) | Item::CopyEnd | Item::Meta(_) => {}
        }
    }

    fn statement(&mut self, statement: &Statement) {
        let prologue = statement.sets().is_some_and(|name| name == "statement_timeout");
        if !self.begun || prologue && self.open.is_none() {
            (self.begun, self.open) = (true, Some(statement.line));
        }
        if !stands_before_drops(statement) {
            self.close(statement.line);
        }
    }

    fn close(&mut self, line: u64) {
        self.begun = true;
        self.closed.extend(self.open.take().map(|begin| begin..line));
    }

    /// Whether a statement on this line stands there.
    #[must_use]
    pub fn covers(&self, line: u64) -> bool {
        self.open.is_some_and(|begin| begin <= line)
            || self.closed.iter().any(|lines| lines.contains(&line))
    }
}

/// Whether a statement is a drop, or one of those that come before and between drops. Source:
/// PostgreSQL 15, `pg_backup_archiver.c`, `RestoreArchive`; `pg_dumpall.c`.
fn stands_before_drops(statement: &Statement) -> bool {
    statement.drops()
        || statement.is_stub_view()
        || statement.sets().is_some()
        || ["SET", "BEGIN", "START", "UPDATE", "COMMIT"]
            .iter()
            .any(|keyword| statement.starts_with(&[keyword]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::items::Items;

    fn cleaning(dump: &str) -> Cleaning {
        let mut items = Items::new(std::io::Cursor::new(dump.to_owned()));
        let mut cleaning = Cleaning::default();
        while let Ok(Some(item)) = items.pull() {
            cleaning.take(&item);
        }
        cleaning
    }

    fn covered(dump: &str) -> Vec<usize> {
        let cleaning = cleaning(dump);
        let lines = 1..=dump.lines().count();
        lines.filter(|line| cleaning.covers(*line as u64)).collect()
    }

    #[test]
    fn drops_stand_before_anything_is_made() {
        let dump = "SET statement_timeout = 0;\n\
                    SELECT pg_catalog.set_config('search_path', '', false);\n\
                    ALTER TABLE ONLY public.b DROP CONSTRAINT b_fkey;\n\
                    DROP TABLE public.b;\n\
                    CREATE TABLE public.b (id integer);\n\
                    DROP TABLE public.typo;\n";
        assert_eq!(covered(dump), [1, 2, 3, 4]);
        let rows = "COPY public.b (id) FROM stdin;\n1\n\\.\nDROP TABLE public.typo;\n";
        assert_eq!(covered(rows), [0usize; 0]);
    }

    #[test]
    fn every_database_of_a_cluster_has_drops_of_its_own() {
        let dump = "DROP DATABASE shop;\nCREATE ROLE a;\n\\connect template1\n\
                    DROP TABLE public.a;\nCREATE TABLE public.a ();\nSET statement_timeout = 0;\n\
                    DROP DATABASE shop;\nCREATE DATABASE shop;\n";
        assert_eq!(covered(dump), [1, 4, 6, 7]);
    }
}
