//! Tables that are much bigger than others, read back in parts over several connections: ranges of pages, the last of
//! which has no end, so that together they are the table; all in one snapshot.

use super::Wanted;
use crate::checks::CheckError;
use crate::checks::rendering::Rendering;
use crate::model::contents::TableFingerprint;
use crate::pg::{ConnectInfo, Session};

/// Bytes of rows in a part, about.
const PART_BYTES: u64 = 32 << 20;
/// The first server that reads a range of pages and not all of the table for it.
const SINCE: i32 = 140_000;

/// A range of a table's pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    from: u64,
    /// `None` to the end of the table.
    to: Option<u64>,
}

impl Part {
    /// What is asked of a row.
    pub(super) fn condition(&self) -> String {
        let from = format!("ctid >= '({},0)'::pg_catalog.tid", self.from);
        match self.to {
            Some(to) => format!("{from} AND ctid < '({to},0)'::pg_catalog.tid"),
            None => from,
        }
    }
}

/// What one connection reads at a time.
pub(super) struct Piece {
    /// The table's place in the list.
    pub table: usize,
    /// What is read of it.
    pub wanted: Wanted,
    /// Bytes of its rows, about.
    pub bytes: u64,
}

/// A state of the database that several connections see as long as this is there.
pub(super) struct Snapshot {
    /// Its name.
    pub id: String,
    session: Session,
}

/// Parts the tables that `jobs` connections had better share, where the server can read a part of one.
pub(super) async fn of(
    target: &ConnectInfo,
    tables: Vec<Wanted>,
    jobs: usize,
) -> Result<(Vec<Piece>, Option<Snapshot>), CheckError> {
    let all: u64 = tables.iter().map(|wanted| wanted.table.bytes).sum();
    let is_big = |bytes: u64| jobs > 1 && bytes > 2 * PART_BYTES && bytes > all / (4 * jobs as u64);
    let (mut pieces, mut snapshot) = (Vec::new(), None);
    for (place, wanted) in tables.into_iter().enumerate() {
        let bytes = wanted.table.bytes;
        if !is_big(bytes) {
            pieces.push(Piece { table: place, wanted, bytes });
            continue;
        }
        if snapshot.is_none() {
            snapshot = Some(Snapshot::take(target).await?);
        }
        let parts = match &snapshot {
            Some(Snapshot { session, .. }) => parts(session, &wanted).await?,
            None => Vec::new(),
        };
        if parts.is_empty() {
            pieces.push(Piece { table: place, wanted, bytes });
            continue;
        }
        let bytes = bytes / parts.len() as u64;
        pieces.extend(parts.into_iter().map(|part| {
            let wanted = Wanted { part: Some(part), ..wanted.clone() };
            Piece { table: place, wanted, bytes }
        }));
    }
    Ok((pieces, snapshot))
}

impl Snapshot {
    async fn take(target: &ConnectInfo) -> Result<Self, CheckError> {
        let session = target.connect().await.map_err(|error| CheckError::of(&error))?;
        let begun = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        session.batch_execute(begun).await.map_err(|error| CheckError::of(&error))?;
        let sql = "SELECT pg_catalog.pg_export_snapshot()";
        let row = session.query_one(sql, &[]).await.map_err(|error| CheckError::of(&error))?;
        Ok(Self { id: row.get(0), session })
    }
}

/// The parts of a table; none where it is read as a whole.
async fn parts(session: &Session, wanted: &Wanted) -> Result<Vec<Part>, CheckError> {
    let sql = "SELECT (pg_catalog.pg_relation_size(c.oid) \
                       / pg_catalog.current_setting('block_size')::bigint)::bigint \
               FROM pg_catalog.pg_class c JOIN pg_catalog.pg_am a ON a.oid = c.relam \
               WHERE c.oid = pg_catalog.to_regclass($1) AND c.relkind = 'r' AND a.amname = 'heap' \
                 AND pg_catalog.current_setting('server_version_num')::int >= $2";
    let found = session.query_opt(sql, &[&wanted.table.quoted(), &SINCE]).await;
    let row = found.map_err(|error| CheckError::of(&error))?;
    let pages: i64 = row.map_or(0, |row| row.get(0));
    Ok(ranges(pages.unsigned_abs(), wanted.table.bytes.div_ceil(PART_BYTES)))
}

/// So many ranges of so many pages.
fn ranges(pages: u64, parts: u64) -> Vec<Part> {
    let each = pages.div_ceil(parts.max(1)).max(1);
    let starts = (0..pages).step_by(usize::try_from(each).unwrap_or(usize::MAX));
    starts.map(|from| Part { from, to: Some(from + each).filter(|to| *to < pages) }).collect()
}

/// Reads a part of a table as it is in a snapshot.
pub(super) async fn copy_out(
    session: &Session,
    wanted: &Wanted,
    rendering: &Rendering,
    snapshot: &str,
) -> Result<TableFingerprint, tokio_postgres::Error> {
    let begun = format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT {}",
        crate::pg::quote_literal(snapshot)
    );
    session.batch_execute(&begun).await?;
    let found = super::copy_out(session, wanted, rendering).await;
    session.batch_execute("ROLLBACK").await?;
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_the_table_and_the_last_has_no_end() {
        let part = |from, to| Part { from, to };
        assert_eq!(ranges(10, 3), [part(0, Some(4)), part(4, Some(8)), part(8, None)]);
        assert_eq!(ranges(3, 9), [part(0, Some(1)), part(1, Some(2)), part(2, None)]);
        assert_eq!(ranges(1, 1), [part(0, None)]);
        assert_eq!(ranges(0, 4), []);
        for (pages, parts) in [(100, 7), (101, 7), (8, 8), (9, 2)] {
            let found = ranges(pages, parts);
            assert!(found.len() as u64 <= parts, "{pages} {parts}");
            let next = found[1..].iter().map(|part| Some(part.from));
            let ends: Vec<_> = found.iter().map(|part| part.to).collect();
            assert_eq!(ends, next.chain([None]).collect::<Vec<_>>(), "{pages} {parts}");
        }
    }

    #[test]
    fn a_range_is_asked_for_by_its_pages() {
        let condition = Part { from: 0, to: Some(4) }.condition();
        assert_eq!(condition, "ctid >= '(0,0)'::pg_catalog.tid AND ctid < '(4,0)'::pg_catalog.tid");
    }
}
