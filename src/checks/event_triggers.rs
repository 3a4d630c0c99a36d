//! What the backup's own event triggers add while it is restored. They are made when all tables
//! have their rows, and fire at what comes after them, such as `REFRESH MATERIALIZED VIEW`; with
//! psql, too.
//!
//! Knows the rows that were there before by the transaction that made the first event trigger.

use super::sequences::Feed;
use super::{Answer, CheckError, ask};
use crate::model::contents::{Sequence, TableFingerprint};
use crate::model::outcome::counted;
use crate::pg::Session;

/// The dependency of an event trigger on its function is written when the trigger is made, and never
/// changed. Those of extensions are not the dump's.
const FIRST: &str = "\
SELECT d.xmin::text
FROM pg_catalog.pg_depend d
WHERE d.classid = 'pg_catalog.pg_event_trigger'::regclass
  AND d.refclassid = 'pg_catalog.pg_proc'::regclass
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
                  WHERE e.classid = d.classid AND e.objid = d.objid AND e.deptype = 'e')
ORDER BY pg_catalog.age(d.xmin) DESC
LIMIT 1";

/// The transaction that made the first of the backup's event triggers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark(String);

impl Mark {
    /// The condition of rows that an earlier transaction wrote. Transactions are compared by their
    /// age, and a frozen row keeps its own since PostgreSQL 9.4.
    pub fn before(&self) -> String {
        format!("pg_catalog.age(xmin) > pg_catalog.age('{}'::pg_catalog.xid)", self.0)
    }
}

/// When the first event trigger was made; `None` where the database has none.
///
/// # Errors
/// When the server cannot be asked.
pub async fn first_made(session: &Session) -> Result<Option<Mark>, CheckError> {
    match ask(session, FIRST).await? {
        Answer::Rows(rows) => Ok(rows.first().map(|row| Mark(row.get(0)))),
        // A server that knows no event triggers.
        Answer::Refused(_) => Ok(None),
    }
}

/// How many rows were added to a table: it held the dump's number `before` the event triggers, and
/// holds more `now`. `None` where that is not so.
pub fn added(
    dump: TableFingerprint,
    now: TableFingerprint,
    before: TableFingerprint,
) -> Option<u64> {
    let added = now.rows.checked_sub(dump.rows).filter(|added| *added > 0)?;
    (before.rows == dump.rows).then_some(added)
}

/// The warning about rows that were added to a table.
pub fn warning(added: u64, table: &str) -> String {
    format!(
        "{} added to {table} by the backup's own event triggers: not compared",
        counted(added, "row")
    )
}

/// Takes back the steps that sequences took for rows that were `added` to the tables that they feed,
/// and gives their names. One that is behind the dump's state stays as it is.
pub fn take_back(
    restored: &mut [Sequence],
    in_dump: &[Sequence],
    feeds: &[Feed],
    added: &[String],
) -> Vec<String> {
    let mut taken_back = Vec::new();
    for state in restored {
        let name = state.display_name();
        let feeding = |feed: &&Feed| feed.sequence == name && added.contains(&feed.table);
        let same =
            |dumped: &&Sequence| (&dumped.schema, &dumped.name) == (&state.schema, &state.name);
        let dumped = in_dump.iter().find(same);
        let (Some(feed), Some(dumped)) = (feeds.iter().find(feeding), dumped) else { continue };
        let is_ahead = if feed.increment < 0 {
            state.last_value < dumped.last_value
        } else {
            state.last_value > dumped.last_value
        };
        let was_called = state.last_value == dumped.last_value && !dumped.is_called;
        if state.is_called && (is_ahead || was_called) {
            *state = dumped.clone();
            taken_back.push(name);
        }
    }
    taken_back
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: u64) -> TableFingerprint {
        TableFingerprint { rows, ..TableFingerprint::default() }
    }

    #[test]
    fn rows_were_added_where_the_dumps_were_there_before() {
        assert_eq!(added(rows(5), rows(7), rows(5)), Some(2));
        assert_eq!(added(rows(5), rows(7), rows(4)), None);
        assert_eq!(added(rows(5), rows(7), rows(6)), None);
        assert_eq!(added(rows(5), rows(5), rows(4)), None);
        assert_eq!(added(rows(5), rows(4), rows(4)), None);
        assert_eq!(
            warning(1, "public.log").split(" by ").next(),
            Some("1 row added to public.log")
        );
    }

    #[test]
    fn only_a_sequence_that_fed_the_added_rows_may_be_ahead() {
        let state = |last_value, is_called| Sequence {
            schema: "public".into(),
            name: "log_id_seq".into(),
            last_value,
            is_called,
        };
        let feed = |increment| Feed {
            sequence: "public.log_id_seq".into(),
            table: "public.log".into(),
            column: "public.log.id".into(),
            last_value: 0,
            is_called: true,
            increment,
            is_untouched: false,
            is_extensions: false,
            furthest: None,
        };
        let taken = |found: Sequence, dumped: Sequence, increment, table: &str| {
            let mut restored = [found];
            let feeds = [feed(increment)];
            let names =
                take_back(&mut restored, std::slice::from_ref(&dumped), &feeds, &[table.into()]);
            assert_eq!(names.len(), usize::from(restored[0] == dumped));
            !names.is_empty()
        };
        assert!(taken(state(7, true), state(5, true), 1, "public.log"));
        assert!(taken(state(1, true), state(1, false), 1, "public.log"));
        assert!(taken(state(-7, true), state(-5, true), -1, "public.log"));
        assert!(!taken(state(7, true), state(5, true), 1, "public.other"));
        assert!(!taken(state(4, true), state(5, true), 1, "public.log"));
        assert!(!taken(state(-4, true), state(-5, true), -1, "public.log"));
        assert!(!taken(state(5, false), state(5, true), 1, "public.log"));
        assert!(!taken(state(7, false), state(5, true), 1, "public.log"));
    }
}
