//! Reads restored tables back in pg_dump's own format, and counts and fingerprints their rows.

mod parts;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::TryStreamExt;
use tokio::task::JoinSet;
use tokio_postgres::Row;

use super::CheckError;
use super::event_triggers::Mark;
use super::rendering::Rendering;
use crate::dump::fingerprint::RowHasher;
use crate::model::contents::{Columns, Table, TableFingerprint};
use crate::pg::{self, ConnectInfo, ServerError, Session};
use parts::Part;

/// What was found of a table in the restored database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Its rows.
    Rows(TableFingerprint),
    /// It could not be read: most often it is not there.
    Refused(ServerError),
    /// It could not be told.
    Untold {
        /// It has as many rows as the dump.
        counted: bool,
        /// Why.
        why: String,
    },
    /// Its values are in other columns than in the source.
    Misplaced {
        /// The columns of the source, in its order.
        source: String,
        /// Those of the restored table.
        restored: String,
    },
}

impl Found {
    /// What was found of a table in two parts of it.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Rows(some), Self::Rows(others)) => Self::Rows(some + others),
            (Self::Rows(_), other) => other,
            (found, _) => found,
        }
    }
}

/// What is read back of a table.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The table, as the dump has it.
    pub table: Table,
    /// Its rows without those that were added since; all of them where there is nothing to tell.
    pub before: Option<Mark>,
    /// What its rows are held to, in SQL; nothing where all are meant.
    pub only: Option<String>,
    /// Some of them; all where there is nothing to tell.
    pub part: Option<Part>,
}

impl Wanted {
    /// All rows of a table.
    pub fn all(table: Table) -> Self {
        Self { table, before: None, only: None, part: None }
    }

    /// Only the rows that were there before.
    #[must_use]
    pub fn before(self, mark: &Mark) -> Self {
        Self { before: Some(mark.clone()), ..self }
    }

    /// Only the rows of which this is true.
    #[must_use]
    pub fn only(self, condition: &str) -> Self {
        Self { only: Some(format!("({condition})")), ..self }
    }

    /// What is asked of a row, where something is.
    fn condition(&self) -> Option<String> {
        let before = self.before.as_ref().map(Mark::before);
        let part = self.part.as_ref().map(Part::condition);
        let asked: Vec<String> = before.into_iter().chain(self.only.clone()).chain(part).collect();
        (!asked.is_empty()).then(|| asked.join(" AND "))
    }
}

/// Reads `tables` back over `jobs` connections, the biggest first, and those that are much bigger than others in
/// parts. The result has their order.
///
/// # Errors
/// When the server cannot be asked.
pub async fn read_back(
    target: &ConnectInfo,
    tables: Vec<Wanted>,
    rendering: &Rendering,
    jobs: usize,
    progress: Arc<dyn Fn(usize) + Send + Sync>,
) -> Result<Vec<Found>, CheckError> {
    let total = tables.len();
    let (mut pieces, snapshot) = parts::of(target, tables, jobs).await?;
    pieces.sort_by_key(|piece| Reverse(piece.bytes));
    let snapshot_id = snapshot.as_ref().map(|snapshot| snapshot.id.clone());
    let work = Arc::new((pieces, snapshot_id, AtomicUsize::new(0)));
    let mut workers = JoinSet::new();
    for _ in 0..jobs.clamp(1, work.0.len().max(1)) {
        let (work, target, rendering, progress) =
            (Arc::clone(&work), target.clone(), rendering.clone(), Arc::clone(&progress));
        workers.spawn(async move {
            let session = target.connect().await.map_err(|error| CheckError::of(&error))?;
            rendering.apply(&session).await?;
            let (pieces, snapshot, next) = &*work;
            let mut found = Vec::new();
            while let Some(piece) = pieces.get(next.fetch_add(1, Ordering::Relaxed)) {
                let read = async {
                    match (&piece.wanted.part, snapshot) {
                        (Some(_), Some(snapshot)) => {
                            parts::copy_out(&session, &piece.wanted, &rendering, snapshot).await
                        }
                        _ => copy_out(&session, &piece.wanted, &rendering).await,
                    }
                };
                found.push((piece.table, answered(read.await)?));
                progress(next.load(Ordering::Relaxed).min(pieces.len()) * total / pieces.len());
            }
            Ok::<_, CheckError>(found)
        });
    }
    let mut all: BTreeMap<usize, Found> = BTreeMap::new();
    while let Some(found) = workers.join_next().await {
        for (table, found) in found.map_err(|error| CheckError(error.to_string()))?? {
            let together = match all.remove(&table) {
                Some(before) => before.and(found),
                None => found,
            };
            all.insert(table, together);
        }
    }
    Ok(all.into_values().collect())
}

/// Reads one table back, in a session that writes values in this way.
///
/// # Errors
/// When the server cannot be asked.
pub async fn read_one(
    session: &Session,
    wanted: &Wanted,
    rendering: &Rendering,
) -> Result<Found, CheckError> {
    answered(copy_out(session, wanted, rendering).await)
}

/// Counts the rows of `tables` without reading their values; the sums are left zero.
///
/// # Errors
/// When the server cannot be asked.
pub async fn count(session: &Session, tables: &[Wanted]) -> Result<Vec<Found>, CheckError> {
    let mut found = Vec::with_capacity(tables.len());
    for wanted in tables {
        found.push(answered(count_rows(session, wanted).await)?);
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
    fn from(&self, columns: &str, condition: Option<&str>) -> String {
        let condition = condition.map(|of| format!(" WHERE {of}")).unwrap_or_default();
        match self {
            Self::Itself(name) => format!("ONLY {name}{condition}"),
            Self::Partitions(name) => format!("{name}{condition}"),
            Self::Local(names) => {
                let of = |name: &String| format!("SELECT {columns} FROM ONLY {name}{condition}");
                format!(
                    "({}) AS local",
                    names.iter().map(of).collect::<Vec<_>>().join(" UNION ALL ")
                )
            }
        }
    }
}

async fn places(session: &Session, table: &Table) -> Result<Places, tokio_postgres::Error> {
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
    wanted: &Wanted,
) -> Result<TableFingerprint, tokio_postgres::Error> {
    let from = places(session, &wanted.table).await?.from("", wanted.condition().as_deref());
    let sql = format!("SELECT count(*) FROM {from}");
    let rows: i64 = session.query_one(&sql, &[]).await?.get(0);
    Ok(TableFingerprint { rows: rows.unsigned_abs(), ..TableFingerprint::default() })
}

/// The columns of a table that are not generated, in its order. Servers before 12 know none that are.
pub(super) async fn stored_columns(
    session: &Session,
    table: &Table,
) -> Result<Vec<String>, tokio_postgres::Error> {
    let sql = "SELECT attname::text FROM pg_catalog.pg_attribute a \
               WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped \
               AND coalesce(pg_catalog.to_jsonb(a) ->> 'attgenerated', '') = '' ORDER BY attnum";
    let columns = session.query(sql, &[&table.quoted()]).await?;
    Ok(columns.iter().map(|column| column.get(0)).collect())
}

async fn copy_out(
    session: &Session,
    wanted: &Wanted,
    rendering: &Rendering,
) -> Result<TableFingerprint, tokio_postgres::Error> {
    let (table, condition) = (&wanted.table, wanted.condition());
    let named: Vec<String> =
        table.columns.named().iter().map(|column| pg::quote_ident(column)).collect();
    let what = match places(session, table).await? {
        // As pg_dump does, which a table without columns needs; all but the generated ones.
        Places::Itself(name) if condition.is_none() && named.is_empty() => name,
        Places::Itself(name) if condition.is_none() => format!("{name} ({})", named.join(", ")),
        places => {
            let columns = match table.columns {
                Columns::Named(_) => named,
                Columns::Stored => {
                    let stored = stored_columns(session, table).await?;
                    stored.iter().map(|column| pg::quote_ident(column)).collect()
                }
            };
            let columns = columns.join(", ");
            format!("(SELECT {columns} FROM {})", places.from(&columns, condition.as_deref()))
        }
    };
    let encoding = pg::quote_literal(&rendering.encoding);
    let sql = format!("COPY {what} TO STDOUT WITH (ENCODING {encoding})");
    let rows = session.copy_out(&sql).await?;
    let mut rows = std::pin::pin!(rows);
    let mut hasher = RowHasher::for_encoding(Some(&rendering.encoding));
    while let Some(data) = rows.try_next().await? {
        hasher.update(&data);
    }
    Ok(hasher.finish())
}
