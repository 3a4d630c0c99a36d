//! Rows of the dump as values: loaded once more, beside, and read back as the restored table is. So a
//! value that is written otherwise than this server writes it is told from another value.
//!
//! They go into a temporary table without constraints, defaults and triggers, in a transaction that is
//! rolled back. Kinds of values that a column would silently cut to its type (fractions, zones, digits)
//! go there as text first, and are counted where something of them is lost: a dump whose table was
//! altered reads the same way twice.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::{SinkExt, TryStreamExt};
use tokio_postgres::{CopyInSink, Row};

use super::CheckError;
use super::read_back::{Found, stored_columns};
use super::rendering::Rendering;
use crate::dump::fingerprint::RowHasher;
use crate::model::contents::{Table, TableFingerprint};
use crate::pg::{self, ConnectInfo, ServerError, Session};

/// Rows as they are written, and as they are read.
const RAW: &str = "pg_temp.ccc_backup_raw";
const READ: &str = "pg_temp.ccc_backup_read";

/// What became of some rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values {
    /// Rows and values, as this server writes them.
    pub fingerprint: TableFingerprint,
    /// Rows of which a value does not fit its column.
    pub lost: u64,
    /// Why the server does not take them.
    pub refused: Option<String>,
}

impl Values {
    /// Takes in what became of further rows.
    pub fn add(&mut self, part: Self) {
        self.fingerprint += part.fingerprint;
        self.lost += part.lost;
        self.refused = self.refused.take().or(part.refused);
    }
}

/// What was found of a table whose rows the `dump` writes otherwise, now that they were read as `values`,
/// or the `trouble` on the way.
pub fn judge(
    found: &Found,
    dump: TableFingerprint,
    values: &Values,
    trouble: Option<&str>,
) -> Found {
    let untold = |why: &str| {
        let why = format!("its rows differ as text, and could not be compared by value: {why}");
        Found::Untold { counted: true, why }
    };
    match (trouble, &values.refused) {
        (Some(trouble), _) => untold(trouble),
        (None, Some(refused)) => untold(refused),
        (None, None) if values.fingerprint.rows != dump.rows => untold("not all were found again"),
        (None, None) if values.lost == 0 && *found == Found::Rows(values.fingerprint) => {
            Found::Rows(dump)
        }
        _ => found.clone(),
    }
}

/// A connection on which rows are read as values.
pub struct Scratch {
    target: ConnectInfo,
    rendering: Rendering,
    session: Session,
    /// The dump's settings so far: name and statement.
    settings: Vec<(String, String)>,
    table: Option<Loading>,
}

/// A temporary table that is being filled.
struct Loading {
    columns: Vec<Column>,
    sink: Pin<Box<CopyInSink<Bytes>>>,
}

impl Scratch {
    /// Connects.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn open(target: &ConnectInfo, rendering: &Rendering) -> Result<Self, CheckError> {
        let session = target.connect().await.map_err(|error| CheckError::of(&error))?;
        let (target, rendering) = (target.clone(), rendering.clone());
        Ok(Self { target, rendering, session, settings: Vec::new(), table: None })
    }

    /// Makes a setting of the dump. What the server refuses was noted by the restore.
    ///
    /// # Errors
    /// When the server is in trouble.
    pub async fn set(&mut self, name: String, text: String) -> Result<(), CheckError> {
        self.make(&text).await?;
        self.settings.retain(|(of, _)| *of != name);
        self.settings.push((name, text));
        Ok(())
    }

    async fn make(&self, text: &str) -> Result<(), CheckError> {
        match self.session.batch_execute(text).await {
            Err(error) if ServerError::of(&error).is_none() => Err(CheckError::of(&error)),
            _ => Ok(()),
        }
    }

    /// Takes rows of a table in COPY's text format. `Some` where the server does not, and why.
    ///
    /// # Errors
    /// When the server is in trouble.
    pub async fn rows(&mut self, table: &Table, data: Bytes) -> Result<Option<String>, CheckError> {
        if self.table.is_none() {
            match self.begin(table).await {
                Ok(loading) => self.table = Some(loading),
                Err(error) => return self.refused(&error).await.map(Some),
            }
        }
        if let Some(Loading { sink, .. }) = &mut self.table
            && let Err(error) = sink.as_mut().feed(data).await
        {
            return self.refused(&error).await.map(Some);
        }
        Ok(None)
    }

    /// Ends the rows so far, and gives what they are; `None` where there are none.
    ///
    /// # Errors
    /// When the server is in trouble.
    pub async fn cut(&mut self) -> Result<Option<Values>, CheckError> {
        let Some(loading) = self.table.take() else { return Ok(None) };
        match self.read(loading).await {
            Ok(values) => Ok(Some(values)),
            Err(error) => {
                let refused = Some(self.refused(&error).await?);
                Ok(Some(Values { refused, ..Values::default() }))
            }
        }
    }

    async fn begin(&self, table: &Table) -> Result<Loading, tokio_postgres::Error> {
        let session = &self.session;
        session.batch_execute("BEGIN READ WRITE").await?;
        let sql = "SELECT pg_catalog.current_setting('is_superuser') = 'on'";
        if session.query_one(sql, &[]).await?.get(0) {
            // Event triggers of the backup need not see it.
            session.batch_execute("SET LOCAL session_replication_role = replica").await?;
        }
        let columns = columns(session, table).await?;
        let list: Vec<String> = columns.iter().map(Column::raw).collect();
        session
            .batch_execute(&format!("CREATE TEMP TABLE {} ({})", &RAW[8..], list.join(", ")))
            .await?;
        let encoding = pg::quote_literal(&self.rendering.encoding);
        let sql = format!("COPY {RAW} FROM STDIN WITH (ENCODING {encoding})");
        Ok(Loading { columns, sink: Box::pin(session.copy_in(&sql).await?) })
    }

    async fn read(&self, loading: Loading) -> Result<Values, tokio_postgres::Error> {
        let (session, Loading { columns, mut sink }) = (&self.session, loading);
        sink.as_mut().finish().await?;
        let mut lost: Vec<String> = columns.iter().filter_map(Column::lost).collect();
        lost.push("false".to_owned());
        let sql = format!("SELECT pg_catalog.count(*) FROM {RAW} WHERE {}", lost.join(" OR "));
        let lost: i64 = session.query_one(&sql, &[]).await?.get(0);
        let list: Vec<String> = columns.iter().map(Column::read).collect();
        let sql =
            format!("CREATE TEMP TABLE {} AS SELECT {} FROM {RAW}", &READ[8..], list.join(", "));
        session.batch_execute(&sql).await?;
        session.batch_execute(&self.rendering.sql()).await?;
        let encoding = pg::quote_literal(&self.rendering.encoding);
        let sql = format!("COPY {READ} TO STDOUT WITH (ENCODING {encoding})");
        let mut rows = Box::pin(session.copy_out(&sql).await?);
        let mut hasher = RowHasher::for_encoding(Some(&self.rendering.encoding));
        while let Some(data) = rows.try_next().await? {
            hasher.update(&data);
        }
        session.batch_execute("ROLLBACK").await?;
        Ok(Values { fingerprint: hasher.finish(), lost: lost.unsigned_abs(), refused: None })
    }

    /// What the server said. After a COPY that it refused, a session is of no use any more
    /// (tokio-postgres 0.7).
    async fn refused(&mut self, error: &tokio_postgres::Error) -> Result<String, CheckError> {
        self.table = None;
        let refusal = match ServerError::of(error) {
            Some(refusal) if !refusal.is_servers_trouble() => refusal.message,
            _ => return Err(CheckError::of(error)),
        };
        let session = self.target.connect().await;
        self.session = session.map_err(|error| CheckError::of(&error))?;
        for (_, text) in &self.settings {
            self.make(text).await?;
        }
        Ok(refusal)
    }
}

/// A column of the dump's rows, by its number and its type in the restored table. A domain is the type
/// below it: what it allows was held by the restore.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Column {
    number: usize,
    /// The type's name, where it is PostgreSQL's own: `int4`, and `_int4` for an array.
    name: String,
    /// As SQL, with its length or precision.
    full: String,
    /// The same without.
    bare: String,
}

/// PostgreSQL's types with a precision or length that values are rounded or cut to without an error.
const WITH_PRECISION: [&str; 7] =
    ["numeric", "varchar", "timestamp", "timestamptz", "time", "timetz", "interval"];
/// Digits of a number as it is written, but for zeros at either end: what pg_dump never writes more of.
const DIGITS: &str = "pg_catalog.length(pg_catalog.btrim(pg_catalog.regexp_replace(\
                      pg_catalog.regexp_replace(@, '[eE].*$', ''), '[^0-9]', '', 'g'), '0'))";

impl Column {
    fn has_precision(&self) -> bool {
        self.full != self.bare
            && WITH_PRECISION.contains(&self.name.strip_prefix('_').unwrap_or(&self.name))
    }

    /// Whether it is kept as text before it is read.
    fn is_text(&self) -> bool {
        matches!(
            self.name.as_str(),
            "int2" | "int4" | "int8" | "float4" | "float8" | "date" | "name"
        ) || self.name.starts_with("time")
    }

    /// In the table of rows as they are written.
    fn raw(&self) -> String {
        let kind = match () {
            () if self.is_text() => "pg_catalog.text",
            () if self.has_precision() => &self.bare,
            () => &self.full,
        };
        format!("c{} {kind}", self.number)
    }

    /// As it is read.
    fn read(&self) -> String {
        match self.name.as_str() {
            "int2" | "int4" | "int8" => {
                format!("c{0}::numeric::{1} AS c{0}", self.number, self.full)
            }
            _ => format!("c{0}::{1} AS c{0}", self.number, self.full),
        }
    }

    /// Whether something of it is lost when it is read; `None` where nothing can be.
    fn lost(&self) -> Option<String> {
        let (column, full, bare) = (format!("c{}", self.number), &self.full, &self.bare);
        let digits = |most| format!("{} > {most}", DIGITS.replace('@', &column));
        // A zone after a time, and a day before one.
        let zone = format!("{column} ~ ':[0-9]+([.][0-9]+)? *([-+][0-9]|[zZ])'");
        let day = format!("{column} ~ '[0-9]-[0-9].*:'");
        let mut lost = match self.name.as_str() {
            "int2" | "int4" | "int8" => {
                vec![format!("{column}::numeric <> pg_catalog.trunc({column}::numeric)")]
            }
            "float4" => vec![digits(9)],
            "float8" => vec![digits(17)],
            "name" => vec![format!("{column} <> ({column}::name)::text")],
            "date" => vec![format!(
                "CASE WHEN {column} ~ ':' THEN {column}::timestamp <> {column}::date ELSE false END"
            )],
            "timestamp" => vec![zone],
            "time" => vec![zone, day],
            "timetz" => vec![day],
            _ => Vec::new(),
        };
        if self.has_precision() {
            lost.push(format!("({column}::{bare}) <> ({column}::{full})"));
        }
        (!lost.is_empty()).then(|| lost.join(" OR "))
    }
}

/// The columns of a table, with the types below its domains.
const COLUMNS: &str = "\
WITH RECURSIVE base (place, typid, typmod) AS (
    SELECT w.place, a.atttypid, a.atttypmod
    FROM unnest($2::text[]) WITH ORDINALITY w (name, place)
    JOIN pg_catalog.pg_attribute a
      ON a.attrelid = $1::text::regclass AND a.attname = w.name AND NOT a.attisdropped
    UNION ALL
    SELECT b.place, t.typbasetype, CASE WHEN t.typtypmod >= 0 THEN t.typtypmod ELSE b.typmod END
    FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.typid AND t.typtype = 'd'
)
SELECT CASE WHEN t.typnamespace = 'pg_catalog'::regnamespace THEN t.typname::text ELSE '' END,
       pg_catalog.format_type(b.typid, b.typmod), pg_catalog.format_type(b.typid, NULL)
FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.typid AND t.typtype <> 'd'
ORDER BY b.place";

async fn columns(session: &Session, table: &Table) -> Result<Vec<Column>, tokio_postgres::Error> {
    let names: Vec<String> = match table.columns.named() {
        [] => stored_columns(session, table).await?,
        named => named.to_vec(),
    };
    // So that types have their schemas.
    session.batch_execute("SAVEPOINT ccc_backup; SET LOCAL search_path = ''").await?;
    let rows = session.query(COLUMNS, &[&table.quoted(), &names]).await?;
    session.batch_execute("ROLLBACK TO SAVEPOINT ccc_backup").await?;
    let column = |(number, row): (usize, &Row)| Column {
        number: number + 1,
        name: row.get(0),
        full: row.get(1),
        bare: row.get(2),
    };
    Ok(rows.iter().enumerate().map(column).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fingerprint::Fingerprint;

    fn column(name: &str, full: &str, bare: &str) -> Column {
        Column { number: 1, name: name.into(), full: full.into(), bare: bare.into() }
    }

    #[test]
    fn only_another_value_is_a_difference_and_what_cannot_be_read_is_untold() {
        let print = |sum| TableFingerprint { rows: 2, sum: Fingerprint(sum) };
        let values = |sum, lost| Values { fingerprint: print(sum), lost, refused: None };
        let (found, dump) = (Found::Rows(print(7)), print(9));
        assert_eq!(judge(&found, dump, &values(7, 0), None), Found::Rows(dump));
        assert_eq!(judge(&found, dump, &values(8, 0), None), found);
        assert_eq!(judge(&found, dump, &values(7, 1), None), found);
        let refused = Values { refused: Some("no".into()), ..values(7, 0) };
        for (values, trouble) in
            [(&refused, None), (&values(7, 0), Some("gone")), (&Values::default(), None)]
        {
            assert!(matches!(judge(&found, dump, values, trouble), Found::Untold { .. }));
        }
    }

    #[test]
    fn what_a_type_would_cut_off_is_looked_for_and_other_types_read_by_themselves() {
        let number = column("numeric", "numeric(10,2)", "numeric");
        assert_eq!(number.raw(), "c1 numeric");
        assert_eq!(number.lost().unwrap(), "(c1::numeric) <> (c1::numeric(10,2))");
        let whole = column("int4", "integer", "integer");
        assert_eq!(whole.raw(), "c1 pg_catalog.text");
        assert_eq!(whole.read(), "c1::numeric::integer AS c1");
        let ours = column("", "public.mood", "public.mood");
        assert_eq!((ours.raw(), ours.lost()), ("c1 public.mood".to_owned(), None));
        let padded = column("bpchar", "character(3)", "character");
        assert_eq!((padded.raw(), padded.lost()), ("c1 character(3)".to_owned(), None));
        assert!(column("_numeric", "numeric(4,1)[]", "numeric[]").lost().is_some());
        assert!(column("float8", "double precision", "double precision").lost().is_some());
    }
}
