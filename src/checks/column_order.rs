//! Which column a value belongs to, where INSERT statements do not name the columns (`pg_dump --inserts`):
//! they are in the source's order, and a table that inherits columns can be made in another one.
//!
//! pg_dump makes every other table with its columns in the source's order, partitions too. A child's
//! inherited columns come first, whenever its parents got them.

use super::read_back::{Found, stored_columns};
use super::{CheckError, rows};
use crate::model::contents::{Columns, Table};
use crate::pg::Session;

/// Tables that can be in another order than in the source: those that inherit and have columns of their
/// own or several parents, and their children; and roots of partitions that are in another order than they.
const DOUBTFUL: &str = "\
WITH RECURSIVE columns AS (
    SELECT a.attrelid, pg_catalog.array_agg(a.attname::text ORDER BY a.attnum) AS names,
           pg_catalog.bool_or(a.attislocal) AS own
    FROM pg_catalog.pg_attribute a WHERE a.attnum > 0 AND NOT a.attisdropped GROUP BY 1
), children AS (
    SELECT c.oid, pg_catalog.count(*) AS parents
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid
    WHERE c.relkind = 'r' AND NOT c.relispartition GROUP BY 1
), doubtful (oid) AS (
    SELECT c.oid FROM children c JOIN columns l ON l.attrelid = c.oid
    WHERE pg_catalog.cardinality(l.names) > 1 AND (l.own OR c.parents > 1)
    UNION
    SELECT c.oid FROM doubtful d JOIN pg_catalog.pg_inherits i ON i.inhparent = d.oid
    JOIN children c ON c.oid = i.inhrelid
), parts (root, oid) AS (
    SELECT c.oid, c.oid FROM pg_catalog.pg_class c WHERE c.relkind = 'p' AND NOT c.relispartition
    UNION
    SELECT p.root, i.inhrelid FROM parts p JOIN pg_catalog.pg_inherits i ON i.inhparent = p.oid
)
SELECT n.nspname::text, c.relname::text
FROM (SELECT oid FROM doubtful
      UNION
      SELECT p.root FROM parts p JOIN columns l ON l.attrelid = p.oid
      JOIN columns r ON r.attrelid = p.root WHERE l.names <> r.names) d
JOIN pg_catalog.pg_class c ON c.oid = d.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace";

const WHY: &str = "INSERT statements without column names do not say which column a value belongs to, and \
                   this table may have had its columns in another order (pg_dump --column-inserts says it)";

/// Settles what was found of tables whose values can be in other columns than in the source. `recorded`
/// gives the columns of a table in the source, where they are known.
///
/// # Errors
/// When the server cannot be asked.
pub async fn settle(
    session: &Session,
    tables: &[Table],
    recorded: impl Fn(&Table) -> Vec<String>,
    found: &mut [Found],
) -> Result<(), CheckError> {
    let open = |(table, found): (&Table, &Found)| {
        table.columns == Columns::Stored && *found == Found::Rows(table.fingerprint)
    };
    if !tables.iter().zip(&*found).any(open) {
        return Ok(());
    }
    let doubtful: Vec<(String, String)> =
        rows(session, DOUBTFUL).await?.iter().map(|row| (row.get(0), row.get(1))).collect();
    for (table, found) in tables.iter().zip(found).filter(|(table, found)| open((*table, &**found)))
    {
        let source = recorded(table);
        if !source.is_empty() {
            let restored = stored_columns(session, table).await;
            let restored = restored.map_err(|error| CheckError::of(&error))?;
            if restored != source {
                *found =
                    Found::Misplaced { source: source.join(", "), restored: restored.join(", ") };
            }
        } else if doubtful
            .iter()
            .any(|(schema, name)| (schema, name) == (&table.schema, &table.name))
        {
            *found = Found::Untold { counted: true, why: WHY.to_owned() };
        }
    }
    Ok(())
}
