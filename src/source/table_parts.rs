//! The rows of tables, to be read by several connections: what each table is, in which parts it is read, and the statements
//! that read them as pg_dump does.
//!
//! Source: PostgreSQL 15 to 18, `pg_dump.c` (`setup_connection`, `dumpTableData_copy`).

use std::fmt::Write;

/// Bytes of a table, with what lies outside its pages, that are a part.
const PART_BYTES: u64 = 8 << 20;
/// Ranges of row identifiers are read without reading the rest of the table from this version on.
const RANGES_SINCE: u32 = 140_000;

/// A session as pg_dump's, in which parts are read in the order in which they lie there.
const SETTINGS: &str = "SET DateStyle = ISO; SET IntervalStyle = postgres; SET extra_float_digits = 3;
SET synchronize_seqscans = off; SET row_security = off; SET search_path = ''; SET statement_timeout = 0;
SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET jit = off;
SET max_parallel_workers_per_gather = 0; SET enable_seqscan = off; SET enable_indexscan = off;
SET enable_indexonlyscan = off; SET enable_bitmapscan = off;
";

/// A table whose rows are dumped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    oid: u32,
    /// Its pages, where ranges of them can be read; else 0.
    pages: u64,
    /// Its bytes, with what lies outside its pages.
    bytes: u64,
    /// Whether rows of other tables can be read by its name.
    is_relation: bool,
    /// Its name, as a statement has it, in the encoding of the session.
    name: Vec<u8>,
    /// Its columns, with commas between them.
    columns: Vec<u8>,
    /// Which rows, where not all are meant: an extension said so.
    condition: Vec<u8>,
}

/// Begins a transaction that others can share, and says its name.
pub fn export_snapshot() -> String {
    format!("{BEGIN}{SETTINGS}SELECT pg_catalog.pg_export_snapshot();")
}

/// Begins a transaction that sees what that one sees.
pub fn import_snapshot(name: &str) -> String {
    format!("{BEGIN}SET TRANSACTION SNAPSHOT '{name}';\n{SETTINGS}")
}

const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n";

/// Asks what these tables are.
pub fn question(oids: impl Iterator<Item = u32>) -> String {
    let mut list = String::new();
    for oid in oids {
        let comma = if list.is_empty() { "" } else { "," };
        let _ = write!(list, "{comma}{oid}");
    }
    // Names as bytes: they may hold anything. A table of the access method 2, heap, has pages of rows.
    format!(
        "SELECT c.oid,
    CASE WHEN c.relkind = 'r' AND c.relam = 2 AND e.cond IS NULL
          AND pg_catalog.current_setting('server_version_num')::int >= {RANGES_SINCE}
        THEN pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::int ELSE 0 END,
    CASE WHEN c.relkind = 'r' THEN pg_catalog.pg_table_size(c.oid) ELSE 0 END,
    c.relkind = 'r',
    'x' || {name}, 'x' || {columns}, 'x' || {condition}
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN LATERAL (
    SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attnum) AS columns
    FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      AND coalesce(pg_catalog.to_jsonb(a)->>'attgenerated', '') = '') l ON true
LEFT JOIN LATERAL (
    SELECT nullif(x.extcondition[pg_catalog.array_position(x.extconfig, c.oid)], '') AS cond
    FROM pg_catalog.pg_extension x WHERE c.oid = ANY (x.extconfig) LIMIT 1) e ON true
WHERE c.oid IN ({list});",
        name = hexadecimal(
            "pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)"
        ),
        columns = hexadecimal("coalesce(l.columns, '')"),
        condition = hexadecimal("coalesce(e.cond, '')"),
    )
}

fn hexadecimal(text: &str) -> String {
    format!(
        "pg_catalog.encode(pg_catalog.convert_to({text}, pg_catalog.pg_client_encoding()), 'hex')"
    )
}

/// What the server says that these tables are, in their order; `None` where one is missing.
pub fn answer(lines: &[u8], oids: impl Iterator<Item = u32>) -> Option<Vec<Table>> {
    let lines = std::str::from_utf8(lines).ok()?;
    let mut tables = std::collections::HashMap::new();
    for line in lines.lines() {
        let fields: Vec<&str> = line.split('|').collect();
        let [oid, pages, bytes, is_relation, name, columns, condition] = fields[..] else {
            return None;
        };
        let text = |field: &str| hex::decode(field.strip_prefix('x')?).ok();
        let table = Table {
            oid: oid.parse().ok()?,
            pages: pages.parse().ok()?,
            bytes: bytes.parse().ok()?,
            is_relation: is_relation == "t",
            name: text(name)?,
            columns: text(columns)?,
            condition: text(condition)?,
        };
        tables.insert(table.oid, table);
    }
    oids.map(|oid| tables.remove(&oid)).collect()
}

impl Table {
    /// Keeps everybody from taking it away, and its rows, until the transaction ends. Who would have to wait is refused: the
    /// one who is waited for may be waiting for another connection of this dump.
    pub fn lock(&self) -> Vec<u8> {
        if !self.is_relation {
            return Vec::new();
        }
        [b"LOCK TABLE ONLY ", &*self.name, b" IN ACCESS SHARE MODE NOWAIT;\n"].concat()
    }

    /// The statements that read its rows, part by part.
    pub fn parts(&self) -> Vec<Vec<u8>> {
        let whole = || vec![self.read_all()];
        let Some(pages) = self.pages_of_a_part().filter(|pages| *pages < self.pages) else {
            return whole();
        };
        let count = self.pages.div_ceil(pages);
        let parts = (0..count).map(|part| {
            let from = format!("ctid >= '({},0)'", part * pages);
            let to = format!(" AND ctid < '({},0)'", (part + 1) * pages);
            // The last has no end: others may have made the table longer meanwhile.
            let to = if part + 1 < count { &*to } else { "" };
            self.read_where(format!("WHERE {from}{to}").as_bytes())
        });
        parts.collect()
    }

    /// Pages of the size of a part; `None` where it is read as a whole.
    fn pages_of_a_part(&self) -> Option<u64> {
        let parts = self.bytes.div_ceil(PART_BYTES);
        (self.pages > 0 && !self.columns.is_empty()).then(|| self.pages.div_ceil(parts).max(1))
    }

    fn read_all(&self) -> Vec<u8> {
        if !self.is_relation || !self.condition.is_empty() {
            return self.read_where(&self.condition);
        }
        let columns = match &*self.columns {
            b"" => Vec::new(),
            columns => [b" (", columns, b")"].concat(),
        };
        [&*self.lock(), b"COPY ", &self.name, &columns, b" TO STDOUT;"].concat()
    }

    fn read_where(&self, condition: &[u8]) -> Vec<u8> {
        let from = if self.is_relation { &b" FROM ONLY "[..] } else { b" FROM " };
        let select = [b"SELECT ", &*self.columns, from, &self.name, b" ", condition].concat();
        [&*self.lock(), b"COPY (", &select, b") TO STDOUT;"].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(line: &str) -> Table {
        answer(line.as_bytes(), [7].into_iter()).unwrap().remove(0)
    }

    fn line(pages: u64, bytes: u64, relation: &str, columns: &str, condition: &str) -> String {
        let [name, columns, condition] = ["public.t", columns, condition].map(hex::encode);
        format!("7|{pages}|{bytes}|{relation}|x{name}|x{columns}|x{condition}\n")
    }

    fn parts(table: &Table) -> Vec<String> {
        table.parts().into_iter().map(|part| String::from_utf8(part).unwrap()).collect()
    }

    const LOCK: &str = "LOCK TABLE ONLY public.t IN ACCESS SHARE MODE NOWAIT;\n";

    #[test]
    fn a_small_table_is_read_as_a_whole() {
        let small = table(&line(3, 24_576, "t", "a, b", ""));
        assert_eq!(parts(&small), [format!("{LOCK}COPY public.t (a, b) TO STDOUT;")]);
        let without_columns = table(&line(3, 24_576, "t", "", ""));
        assert_eq!(parts(&without_columns), [format!("{LOCK}COPY public.t TO STDOUT;")]);
    }

    #[test]
    fn a_large_one_is_read_in_parts_that_leave_nothing_out() {
        let of = |range: &str| {
            format!("{LOCK}COPY (SELECT a FROM ONLY public.t WHERE {range}) TO STDOUT;")
        };
        let large = table(&line(2_500, 20 << 20, "t", "a", ""));
        assert_eq!(
            parts(&large),
            [
                of("ctid >= '(0,0)' AND ctid < '(834,0)'"),
                of("ctid >= '(834,0)' AND ctid < '(1668,0)'"),
                of("ctid >= '(1668,0)'"),
            ]
        );
        // Most of it lies outside its pages.
        assert_eq!(parts(&table(&line(2, 1 << 30, "t", "a", ""))).len(), 2);
    }

    #[test]
    fn what_has_no_pages_is_read_as_a_whole() {
        let old = table(&line(0, 1 << 30, "t", "a", ""));
        assert_eq!(parts(&old), [format!("{LOCK}COPY public.t (a) TO STDOUT;")]);
        let foreign = table(&line(0, 0, "f", "a", ""));
        assert_eq!(parts(&foreign), ["COPY (SELECT a FROM public.t ) TO STDOUT;"]);
    }

    #[test]
    fn of_an_extensions_table_only_what_it_says_is_read() {
        let some = table(&line(0, 1 << 30, "t", "a", "WHERE a > 9"));
        let read = "COPY (SELECT a FROM ONLY public.t WHERE a > 9) TO STDOUT;";
        assert_eq!(parts(&some), [format!("{LOCK}{read}")]);
    }

    #[test]
    fn a_table_of_which_nothing_is_said_is_missed() {
        let lines = line(3, 24_576, "t", "a", "");
        assert_eq!(answer(lines.as_bytes(), [7, 8].into_iter()), None);
        assert_eq!(answer(b"7|1|2\n", [7].into_iter()), None);
    }
}
