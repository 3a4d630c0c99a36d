//! Sequences: in the state that the dump says, and ahead of the columns that they feed.

use std::collections::HashMap;

use super::{CheckError, rows};
use crate::model::contents::Sequence;
use crate::model::outcome::{CheckResult, Section, Status};
use crate::pg::{self, Session};

/// The states of all sequences of the restored database, sorted.
///
/// # Errors
/// When the server cannot be asked.
pub async fn states(session: &Session) -> Result<Vec<Sequence>, CheckError> {
    let sql = "SELECT n.nspname, s.relname FROM pg_catalog.pg_class s \
               JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace WHERE s.relkind = 'S'";
    let mut states = Vec::new();
    for row in rows(session, sql).await? {
        let (schema, name): (String, String) = (row.get(0), row.get(1));
        let sql =
            format!("SELECT last_value, is_called FROM {}", pg::quote_qualified(&schema, &name));
        let state = rows(session, &sql).await?;
        states.extend(state.first().map(|state| Sequence {
            schema,
            name,
            last_value: state.get(0),
            is_called: state.get(1),
        }));
    }
    states.sort();
    Ok(states)
}

/// Whether every sequence has the state that the dump sets, and the manifest's where there is one.
pub fn judge_states(
    restored: &[Sequence],
    in_dump: &[Sequence],
    in_manifest: Option<&[Sequence]>,
) -> CheckResult {
    let mut wrong = Vec::new();
    let mut compare = |expected: &[Sequence], found: &[Sequence], by: &str| {
        let key = |of: &Sequence| (of.schema.clone(), of.name.clone());
        let found: HashMap<_, &Sequence> = found.iter().map(|of| (key(of), of)).collect();
        for sequence in expected {
            let found = found.get(&key(sequence));
            if found.is_none_or(|found| *found != sequence) {
                wrong.push(format!(
                    "{}: expected {} by the {by}, found {}",
                    sequence.display_name(),
                    sequence.state(),
                    found.map_or("none".to_owned(), |found| found.state())
                ));
            }
        }
    };
    if let Some(recorded) = in_manifest {
        compare(recorded, in_dump, "manifest");
    }
    compare(in_dump, restored, "dump");
    let id = "contents.sequence_states";
    match wrong.first() {
        None => {
            let title = format!("Sequences match the backup ({})", in_dump.len());
            CheckResult::new(id, Section::Contents, Status::Passed, title)
        }
        Some(first) => {
            let title = format!("Sequences do not match the backup: {first}");
            let mut result = CheckResult::new(id, Section::Contents, Status::Failed, title);
            result.details.extend(wrong.into_iter().skip(1));
            result
        }
    }
}

/// A sequence that feeds a column, and how far both are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// `schema.sequence`.
    pub sequence: String,
    /// `schema.table`.
    pub table: String,
    /// `schema.table.column`.
    pub column: String,
    /// The last value.
    pub last_value: i64,
    /// Whether the next value comes after the last one; if not, it is the last one.
    pub is_called: bool,
    /// What a step adds; negative where it counts down.
    pub increment: i64,
    /// It is in the state in which it was made: nothing was ever taken of it.
    pub is_untouched: bool,
    /// It belongs to an extension.
    pub is_extensions: bool,
    /// The column's furthest value in the sequence's direction; `None` in an empty table.
    pub furthest: Option<i64>,
}

impl Feed {
    /// The value that the next row gets; wide enough for the end of the sequence's range.
    fn next(&self) -> i128 {
        i128::from(self.last_value) + if self.is_called { i128::from(self.increment) } else { 0 }
    }

    /// How far it is behind, in words.
    fn lag(&self) -> String {
        format!(
            "{}: the next value is {}, and {} has reached {}",
            self.sequence,
            self.next(),
            self.column,
            self.furthest.unwrap_or_default()
        )
    }

    /// Whether it is in one of these states.
    pub fn is_in(&self, states: &[Sequence]) -> bool {
        states.iter().any(|state| {
            state.display_name() == self.sequence
                && state.last_value == self.last_value
                && state.is_called == self.is_called
        })
    }

    /// Whether the next value has been passed already: the next row would collide.
    pub fn is_behind(&self) -> bool {
        self.furthest.is_some_and(|furthest| {
            let furthest = i128::from(furthest);
            if self.increment < 0 { self.next() >= furthest } else { self.next() <= furthest }
        })
    }
}

/// Serial and identity columns with their sequences: those that the sequence is owned by, and those
/// whose default calls `nextval`. Cycling sequences come around by design and are left out. So is a column
/// whose default makes another value of the sequence's, and a sequence for columns of several names: how far
/// it has to be is not known.
const FEEDS: &str = "\
WITH plain AS (
    SELECT ad.oid, ad.adrelid, ad.adnum, pg_catalog.pg_get_expr(ad.adbin, ad.adrelid)
           ~ '^[(]?nextval[(]''([^'']|'''')*''::regclass[)]([)]?::(smallint|integer|bigint))?$' AS is_plain
    FROM pg_catalog.pg_attrdef ad
), fed AS (
    SELECT d.objid AS sequence, d.refobjid AS relid, d.refobjsubid AS attnum
    FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_class'::regclass
      AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjsubid > 0
      AND d.deptype IN ('a', 'i')
      AND NOT EXISTS (SELECT FROM plain p
                      WHERE p.adrelid = d.refobjid AND p.adnum = d.refobjsubid AND NOT p.is_plain)
    UNION
    SELECT d.refobjid, p.adrelid, p.adnum
    FROM pg_catalog.pg_depend d JOIN plain p ON p.oid = d.objid AND p.is_plain
    WHERE d.classid = 'pg_catalog.pg_attrdef'::regclass
      AND d.refclassid = 'pg_catalog.pg_class'::regclass
), named AS (
    SELECT f.sequence, f.relid, a.attname, a.atttypid
    FROM fed f JOIN pg_catalog.pg_attribute a ON a.attrelid = f.relid AND a.attnum = f.attnum
)
SELECT sn.nspname, s.relname, tn.nspname, t.relname, a.attname, q.seqincrement, q.seqstart,
       EXISTS (SELECT FROM pg_catalog.pg_depend e
               WHERE e.classid = 'pg_catalog.pg_class'::regclass AND e.objid = s.oid
                 AND e.deptype = 'e')
FROM named a
JOIN pg_catalog.pg_class s ON s.oid = a.sequence AND s.relkind = 'S'
JOIN pg_catalog.pg_namespace sn ON sn.oid = s.relnamespace AND sn.nspname NOT LIKE 'pg\\_%'
JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid AND NOT q.seqcycle
JOIN pg_catalog.pg_class t ON t.oid = a.relid AND t.relkind IN ('r', 'p')
JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
WHERE a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
  AND NOT EXISTS (SELECT FROM named o WHERE o.sequence = a.sequence AND o.attname <> a.attname)
ORDER BY 1, 2, 3, 4, 5";

/// Every sequence that feeds a column of the restored database.
///
/// # Errors
/// When the server cannot be asked.
pub async fn feeds(session: &Session) -> Result<Vec<Feed>, CheckError> {
    let mut feeds = Vec::new();
    for row in rows(session, FEEDS).await? {
        let [sequence_schema, sequence, schema, table, column]: [String; 5] =
            std::array::from_fn(|index| row.get(index));
        let (increment, start): (i64, i64) = (row.get(5), row.get(6));
        let direction = if increment < 0 { "min" } else { "max" };
        let sql = format!(
            "SELECT last_value, is_called, (SELECT {direction}({})::int8 FROM {}) FROM {}",
            pg::quote_ident(&column),
            pg::quote_qualified(&schema, &table),
            pg::quote_qualified(&sequence_schema, &sequence),
        );
        feeds.extend(rows(session, &sql).await?.first().map(|state| Feed {
            sequence: format!("{sequence_schema}.{sequence}"),
            column: format!("{schema}.{table}.{column}"),
            table: format!("{schema}.{table}"),
            last_value: state.get(0),
            is_called: state.get(1),
            increment,
            is_untouched: state.get::<_, i64>(0) == start && !state.get::<_, bool>(1),
            is_extensions: row.get(7),
            furthest: state.get(2),
        }));
    }
    Ok(feeds)
}

/// Whether every sequence is ahead of its column. One that is behind fails, unless `was_so` says
/// that the source was in the same state when it was dumped.
pub fn judge_feeds(feeds: &[Feed], was_so: impl Fn(&Feed) -> bool) -> CheckResult {
    let behind: Vec<&Feed> = feeds.iter().filter(|feed| feed.is_behind()).collect();
    let lost = behind.iter().any(|feed| !was_so(feed));
    let (status, title) = match (behind.len(), lost) {
        (0, _) => {
            let title = format!("Sequences are ahead of their columns ({})", feeds.len());
            (Status::Passed, title)
        }
        (count, true) => {
            // The summary shows titles only, so the first sequence is in it.
            let first = behind.iter().find(|feed| !was_so(feed)).map(|feed| feed.lag());
            let title = format!(
                "{count} of {} sequences are behind: {}",
                feeds.len(),
                first.unwrap_or_default()
            );
            (Status::Failed, title)
        }
        (count, false) => (
            Status::Warned,
            format!("{count} of {} sequences are behind, as they were in the source", feeds.len()),
        ),
    };
    let mut result = CheckResult::new("contents.sequences", Section::Contents, status, title);
    if result.status == Status::Warned || behind.len() > 1 {
        result.details = behind.iter().map(|feed| feed.lag()).collect();
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(last_value: i64, is_called: bool, increment: i64, furthest: Option<i64>) -> Feed {
        let [sequence, table, column] =
            ["public.a_id_seq", "public.a", "public.a.id"].map(Into::into);
        let (is_untouched, is_extensions) = (false, false);
        Feed {
            sequence,
            table,
            column,
            last_value,
            is_called,
            increment,
            is_untouched,
            is_extensions,
            furthest,
        }
    }

    #[test]
    fn a_lost_or_altered_setval_fails_and_the_same_states_pass() {
        let state = |last_value, is_called| Sequence {
            schema: "public".to_owned(),
            name: "a_id_seq".to_owned(),
            last_value,
            is_called,
        };
        let (good, other) = ([state(5, true)], [state(5, false)]);
        assert_eq!(judge_states(&good, &good, Some(&good)).status, Status::Passed);
        assert_eq!(judge_states(&good, &[], None).status, Status::Passed);
        assert_eq!(judge_states(&good, &[], Some(&good)).status, Status::Failed);
        assert_eq!(judge_states(&other, &good, None).status, Status::Failed);
        assert_eq!(judge_states(&good, &good, Some(&other)).status, Status::Failed);
        assert_eq!(judge_states(&[], &good, None).status, Status::Failed);
    }

    #[test]
    fn a_sequence_is_behind_when_its_next_value_is_taken() {
        let table = [
            (feed(5, true, 1, Some(5)), false),
            (feed(5, false, 1, Some(5)), true),
            (feed(4, true, 1, Some(5)), true),
            (feed(6, false, 1, Some(5)), false),
            (feed(1, false, 1, None), false),
            (feed(-70, true, -1, Some(-70)), false),
            (feed(-70, false, -1, Some(-70)), true),
            (feed(-60, true, -1, Some(-70)), true),
            (feed(i64::MAX, true, 1, Some(i64::MAX)), false),
        ];
        for (feed, behind) in table {
            assert_eq!(feed.is_behind(), behind, "{feed:?}");
        }
    }

    #[test]
    fn a_sequence_behind_fails_unless_the_source_was_so() {
        let feeds = [feed(4, true, 1, Some(5)), feed(5, true, 1, Some(5))];
        assert_eq!(judge_feeds(&feeds, |_| false).status, Status::Failed);
        assert_eq!(judge_feeds(&feeds, |_| true).status, Status::Warned);
        assert_eq!(judge_feeds(&feeds[1..], |_| false).status, Status::Passed);
        let lag = "public.a_id_seq: the next value is 5, and public.a.id has reached 5";
        assert!(judge_feeds(&feeds, |_| false).title.ends_with(lag));
        assert_eq!(judge_feeds(&feeds, |_| true).details, [lag]);
    }
}
