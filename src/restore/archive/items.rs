//! What a pg_restore of several jobs is at, by what it says when it is asked to: which items of the archive its workers have
//! begun and ended.
//!
//! Source: PostgreSQL 9.3 to 18, `pg_backup_archiver.c` (`restore_toc_entries_parallel`, `mark_restore_job_done`): `launching
//! item 3745 TABLE DATA users`, `finished item 3745 TABLE DATA users`, the latter once its transaction has ended.

/// What its lines begin with.
const PREFIX: &str = "pg_restore: ";

/// See the module. Lines that run into each other are passed over: what is at work is a guess.
#[derive(Debug)]
pub struct Items {
    jobs: usize,
    at_work: usize,
}

/// An item that is done.
#[derive(Debug, PartialEq, Eq)]
pub struct Finished<'a> {
    /// The number of its entry in the table of contents.
    pub entry: i64,
    /// Its kind and its name, without a schema: `TABLE DATA users`.
    pub what: &'a str,
}

impl Items {
    /// Nothing was said yet by a pg_restore with so many jobs.
    pub fn of(jobs: usize) -> Self {
        Self { jobs, at_work: 0 }
    }

    /// Takes the next line.
    pub fn line<'a>(&mut self, line: &'a str) -> Option<Finished<'a>> {
        let said = line.strip_prefix(PREFIX)?;
        if said.starts_with("launching item ") {
            self.at_work = self.jobs.min(self.at_work + 1);
            return None;
        }
        let item = said.strip_prefix("finished item ")?;
        self.at_work = self.at_work.saturating_sub(1);
        let (entry, what) = item.split_once(' ')?;
        Some(Finished { entry: entry.parse().ok()?, what })
    }

    /// Jobs that have nothing to do.
    pub fn idle(&self) -> usize {
        self.jobs - self.at_work
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_begun_is_at_work_until_it_has_ended() {
        let mut items = Items::of(2);
        let said = [
            ("pg_restore: entering main parallel loop", 2),
            ("pg_restore: launching item 3745 TABLE DATA users", 1),
            ("pg_restore: launching item 3746 TABLE DATA a table", 0),
            ("pg_restore: processing data for table \"public.users\"", 0),
        ];
        for (line, idle) in said {
            assert_eq!((items.line(line), items.idle()), (None, idle), "{line}");
        }
        let ended = [(3746, "TABLE DATA a table"), (3900, "INDEX i"), (3745, "TABLE DATA users")];
        assert_eq!(items.line("pg_restore: launching item 3900 INDEX i"), None);
        for (idle, (entry, what)) in (1..).zip(ended) {
            let line = format!("pg_restore: finished item {entry} {what}");
            assert_eq!(items.line(&line), Some(Finished { entry, what }));
            assert_eq!(items.idle(), idle.min(2));
        }
    }

    #[test]
    fn lines_that_run_into_each_other_tell_nothing() {
        let mut items = Items::of(2);
        for torn in [
            "pg_restore: finished item 37pg_restore: launching item 3746 INDEX i",
            "45 TABLE DATA users",
            "pg_restore: finished item TABLE DATA users",
            "pg_restore: finished item 3745",
            "finished item 3745 TABLE DATA users",
        ] {
            assert_eq!(items.line(torn), None, "{torn}");
        }
        assert_eq!(items.idle(), 2);
    }
}
