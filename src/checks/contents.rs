//! Every restored table holds the rows that the dump holds: read back in pg_dump's own format,
//! counted and fingerprinted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::TryStreamExt;
use tokio::task::JoinSet;
use tokio_postgres::Row;

use super::CheckError;
use super::rendering::Rendering;
use crate::dump::contents::TableContents;
use crate::dump::fingerprint::{Fingerprint, TableFingerprint};
use crate::outcome::{CheckResult, Section, Status, counted, grouped};
use crate::pg::{self, ConnectInfo, ServerError, Session};

/// What was found of a table in the restored database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Its rows.
    Rows(TableFingerprint),
    /// It could not be read: most often it is not there.
    Refused(ServerError),
}

/// Reads `tables` back over `jobs` connections, the biggest first. The result has their order.
///
/// # Errors
/// When the server cannot be asked.
pub async fn read_back(
    target: &ConnectInfo,
    tables: &[TableContents],
    rendering: &Rendering,
    jobs: usize,
    progress: Arc<dyn Fn(usize) + Send + Sync>,
) -> Result<Vec<Found>, CheckError> {
    let mut order: Vec<usize> = (0..tables.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(tables[*index].bytes));
    let work = Arc::new((order, tables.to_vec(), AtomicUsize::new(0)));
    let mut workers = JoinSet::new();
    for _ in 0..jobs.clamp(1, tables.len().max(1)) {
        let (work, target, rendering, progress) =
            (Arc::clone(&work), target.clone(), rendering.clone(), Arc::clone(&progress));
        workers.spawn(async move {
            let session =
                target.connect().await.map_err(|error| CheckError(pg::describe(&error)))?;
            rendering.apply(&session).await?;
            let (order, tables, next) = &*work;
            let mut found = Vec::new();
            while let Some(index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                found.push((
                    *index,
                    answered(copy_out(&session, &tables[*index], &rendering).await)?,
                ));
                progress(next.load(Ordering::Relaxed).min(tables.len()));
            }
            Ok::<_, CheckError>(found)
        });
    }
    let mut all = Vec::with_capacity(tables.len());
    while let Some(found) = workers.join_next().await {
        all.extend(found.map_err(|error| CheckError(error.to_string()))??);
    }
    all.sort_by_key(|(index, _)| *index);
    Ok(all.into_iter().map(|(_, found)| found).collect())
}

/// Counts the rows of `tables` without reading their values; the sums are left zero.
///
/// # Errors
/// When the server cannot be asked.
pub async fn count(session: &Session, tables: &[TableContents]) -> Result<Vec<Found>, CheckError> {
    let mut found = Vec::with_capacity(tables.len());
    for table in tables {
        found.push(answered(count_rows(session, table).await)?);
    }
    Ok(found)
}

/// The server's answer for a table: what it holds, or why it cannot be read.
fn answered(result: Result<TableFingerprint, tokio_postgres::Error>) -> Result<Found, CheckError> {
    match result {
        Ok(fingerprint) => Ok(Found::Rows(fingerprint)),
        Err(error) => match ServerError::of(&error) {
            Some(refusal) if !refusal.is_servers_trouble() => Ok(Found::Refused(refusal)),
            _ => Err(CheckError(pg::describe(&error))),
        },
    }
}

/// Where the rows of a table are that a dump holds.
enum Places {
    /// In the table itself; its children, if any, are dumped by themselves.
    Itself(String),
    /// In its partitions.
    Partitions(String),
    /// In these partitions; others are foreign tables, whose rows are not in the dump and whose
    /// servers are not in the sandbox's reach.
    Local(Vec<String>),
}

impl Places {
    /// What follows `SELECT … FROM` to read these columns; none will do to count the rows.
    fn from(&self, columns: &str) -> String {
        match self {
            Self::Itself(name) => format!("ONLY {name}"),
            Self::Partitions(name) => name.clone(),
            Self::Local(names) => {
                let of = |name: &String| format!("SELECT {columns} FROM ONLY {name}");
                format!(
                    "({}) AS local",
                    names.iter().map(of).collect::<Vec<_>>().join(" UNION ALL ")
                )
            }
        }
    }
}

async fn places(session: &Session, table: &TableContents) -> Result<Places, tokio_postgres::Error> {
    let name = table.quoted();
    let sql = "SELECT relkind = 'p' FROM pg_catalog.pg_class WHERE oid = $1::text::regclass";
    if !session.query_opt(sql, &[&name]).await?.is_some_and(|row| row.get(0)) {
        return Ok(Places::Itself(name));
    }
    let sql = "SELECT n.nspname, c.relname, c.relkind = 'f' \
               FROM pg_catalog.pg_partition_tree($1::text::regclass) t \
               JOIN pg_catalog.pg_class c ON c.oid = t.relid AND c.relkind IN ('r', 'f') \
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace";
    let leaves = session.query(sql, &[&name]).await?;
    let (foreign, local): (Vec<_>, Vec<_>) = leaves.iter().partition(|leaf| leaf.get(2));
    if foreign.is_empty() || local.is_empty() {
        return Ok(Places::Partitions(name));
    }
    let quoted = |leaf: &&Row| pg::quote_qualified(leaf.get(0), leaf.get(1));
    Ok(Places::Local(local.iter().map(quoted).collect()))
}

async fn count_rows(
    session: &Session,
    table: &TableContents,
) -> Result<TableFingerprint, tokio_postgres::Error> {
    let sql = format!("SELECT count(*) FROM {}", places(session, table).await?.from(""));
    let rows: i64 = session.query_one(&sql, &[]).await?.get(0);
    Ok(TableFingerprint { rows: rows.unsigned_abs(), sum: 0 })
}

async fn copy_out(
    session: &Session,
    table: &TableContents,
    rendering: &Rendering,
) -> Result<TableFingerprint, tokio_postgres::Error> {
    let columns: Vec<String> =
        table.columns.iter().map(|column| pg::quote_ident(&column.text())).collect();
    let columns = columns.join(", ");
    let what = match places(session, table).await? {
        // As pg_dump does, which a table without columns needs.
        Places::Itself(name) if columns.is_empty() => name,
        Places::Itself(name) => format!("{name} ({columns})"),
        places => format!("(SELECT {columns} FROM {})", places.from(&columns)),
    };
    let encoding = pg::quote_literal(&rendering.encoding);
    let sql = format!("COPY {what} TO STDOUT WITH (ENCODING {encoding})");
    let rows = session.copy_out(&sql).await?;
    let mut rows = std::pin::pin!(rows);
    let mut fingerprint = Fingerprint::for_encoding(Some(&rendering.encoding));
    while let Some(data) = rows.try_next().await? {
        fingerprint.update(&data);
    }
    Ok(fingerprint.finish())
}

/// Settles what was found of tables whose rows the dump has in several orders of columns: it loads
/// partitions through their root (`--load-via-partition-root`), and they differ in that. The root
/// can be compared with all of them together, and by their number only. Gives these tables' names.
pub fn settle_mixed(tables: &[TableContents], found: &mut [Found]) -> Vec<String> {
    let mut mixed = Vec::new();
    for (table, found) in tables.iter().zip(found) {
        let same = |other: &&TableContents| {
            other.name == table.name
                && other.schema == table.schema
                && other.columns != table.columns
        };
        if !tables.iter().any(|other| same(&other)) {
            continue;
        }
        let others: u64 = tables.iter().filter(same).map(|other| other.fingerprint.rows).sum();
        if let Found::Rows(rows) = found {
            let rows = rows.rows.saturating_sub(others);
            let good = rows == table.fingerprint.rows;
            let sum = if good { table.fingerprint.sum } else { 0 };
            *found = Found::Rows(TableFingerprint { rows, sum });
        }
        if !mixed.contains(&table.display_name()) {
            mixed.push(table.display_name());
        }
    }
    mixed
}

/// One table, as the backup has it and as it was found.
#[derive(Debug)]
pub struct Compared<'a> {
    /// `schema.table`.
    pub name: String,
    /// In the dump.
    pub dump: TableFingerprint,
    /// In the manifest; `None` without one, or where it does not have the table.
    pub manifest: Option<TableFingerprint>,
    /// In the restored database.
    pub found: &'a Found,
}

/// Whether every table has as many rows as the dump, and as the manifest where there is one.
pub fn judge_rows(tables: &[Compared], not_in_dump: &[String], has_manifest: bool) -> CheckResult {
    let mut wrong: Vec<String> = not_in_dump
        .iter()
        .map(|name| format!("{name}: in the manifest, not in the dump"))
        .collect();
    for table in tables {
        let in_dump = table.dump.rows;
        match (table.found, table.manifest) {
            (Found::Refused(refusal), _) => {
                wrong.push(format!("{}: cannot be read: {}", table.name, refusal.message));
            }
            (_, None) if has_manifest => {
                wrong.push(format!("{}: in the dump, not in the manifest", table.name));
            }
            (_, Some(manifest)) if manifest.rows != in_dump => wrong.push(format!(
                "{}: expected {} rows by the manifest, found {} in the dump",
                table.name,
                grouped(manifest.rows),
                grouped(in_dump)
            )),
            (Found::Rows(found), _) if found.rows != in_dump => wrong.push(format!(
                "{}: expected {} rows, found {}",
                table.name,
                grouped(in_dump),
                grouped(found.rows)
            )),
            _ => {}
        }
    }
    let rows: u64 = tables.iter().map(|table| table.dump.rows).sum();
    let title = format!(
        "Rows match the backup ({}, {})",
        counted(tables.len() as u64, "table"),
        counted(rows, "row")
    );
    verdict("contents.rows", title, "Rows do not match the backup", wrong)
}

/// Whether every table has the contents of the dump, and of the manifest where there is one.
/// Tables with a wrong number of rows are left to [`judge_rows`].
pub fn judge_contents(tables: &[Compared]) -> CheckResult {
    let mut wrong = Vec::new();
    for table in tables {
        match (table.manifest, table.found) {
            (Some(manifest), _)
                if manifest.rows == table.dump.rows && manifest.sum != table.dump.sum =>
            {
                wrong.push(format!(
                    "{}: the dump is not what was written: expected fingerprint {manifest}, \
                     found {}",
                    table.name, table.dump
                ));
            }
            (_, Found::Rows(found))
                if found.rows == table.dump.rows && found.sum != table.dump.sum =>
            {
                wrong.push(format!(
                    "{}: restored values differ from the dump: expected fingerprint {}, \
                     found {found}",
                    table.name, table.dump
                ));
            }
            _ => {}
        }
    }
    let title = format!("Contents match the backup ({})", counted(tables.len() as u64, "table"));
    verdict("contents.values", title, "Contents do not match the backup", wrong)
}

/// A check over tables: passed with `title`, or failed with the tables that are wrong.
fn verdict(id: &str, title: String, failed: &str, wrong: Vec<String>) -> CheckResult {
    if wrong.is_empty() {
        return CheckResult::new(id, Section::Contents, Status::Passed, title);
    }
    let s = if wrong.len() == 1 { "" } else { "s" };
    // The summary shows titles only, so the first table is in it.
    let title = match wrong.as_slice() {
        [only] => format!("{failed}: {only}"),
        [first, ..] => format!("{failed} in {} table{s}, the first: {first}", wrong.len()),
        [] => title,
    };
    let mut result = CheckResult::new(id, Section::Contents, Status::Failed, title);
    if wrong.len() > 1 {
        result.details = wrong;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(rows: u64, sum: u128) -> TableFingerprint {
        TableFingerprint { rows, sum }
    }

    fn compared(
        dump: TableFingerprint,
        manifest: Option<TableFingerprint>,
        found: &Found,
    ) -> Compared<'_> {
        Compared { name: "public.users".into(), dump, manifest, found }
    }

    #[test]
    fn equal_rows_and_values_pass() {
        let found = Found::Rows(print(2, 9));
        let tables = [compared(print(2, 9), Some(print(2, 9)), &found)];
        assert_eq!(judge_rows(&tables, &[], true).status, Status::Passed);
        assert_eq!(judge_contents(&tables).status, Status::Passed);
    }

    #[test]
    fn partitions_with_other_orders_of_columns_are_compared_by_their_number_of_rows() {
        let part = |columns: &[&str], rows| TableContents {
            schema: Some("public".into()),
            name: "events".into(),
            columns: columns.iter().map(|name| (*name).into()).collect(),
            fingerprint: print(rows, u128::from(rows)),
            bytes: 0,
        };
        let tables = [part(&["a", "b"], 30), part(&["b", "a"], 10)];
        let all = |rows| vec![Found::Rows(print(rows, 5)), Found::Rows(print(rows, 6))];
        let mut found = all(40);
        assert_eq!(settle_mixed(&tables, &mut found), ["public.events"]);
        assert_eq!(found, [Found::Rows(print(30, 30)), Found::Rows(print(10, 10))]);
        let mut lost = all(39);
        settle_mixed(&tables, &mut lost);
        assert_eq!(lost[0], Found::Rows(print(29, 0)));
        let mut alone = all(30);
        assert_eq!(settle_mixed(&tables[..1], &mut alone[..1]), [""; 0]);
        assert_eq!(alone, all(30));
    }

    #[test]
    fn a_lost_row_fails_with_table_expected_and_found() {
        let found = Found::Rows(print(1_999, 9));
        let tables = [compared(print(2_000, 9), None, &found)];
        let rows = judge_rows(&tables, &[], false);
        assert_eq!(rows.status, Status::Failed);
        let expected =
            "Rows do not match the backup: public.users: expected 2,000 rows, found 1,999";
        assert_eq!(rows.title, expected);
        assert_eq!(judge_contents(&tables).status, Status::Passed);
    }

    #[test]
    fn a_changed_value_fails_the_contents_and_not_the_rows() {
        let found = Found::Rows(print(2, 8));
        let tables = [compared(print(2, 9), None, &found)];
        assert_eq!(judge_rows(&tables, &[], false).status, Status::Passed);
        assert_eq!(judge_contents(&tables).status, Status::Failed);
        let same = Found::Rows(print(2, 9));
        let tables = [compared(print(2, 9), Some(print(2, 7)), &same)];
        assert_eq!(judge_contents(&tables).status, Status::Failed);
    }

    #[test]
    fn a_table_that_only_one_side_has_fails() {
        let found = Found::Rows(print(2, 9));
        let tables = [compared(print(2, 9), None, &found)];
        assert_eq!(judge_rows(&tables, &[], true).status, Status::Failed);
        assert_eq!(judge_rows(&tables, &["public.gone".into()], true).status, Status::Failed);
    }
}
