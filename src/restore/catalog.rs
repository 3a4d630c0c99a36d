//! Asks the restored database, once its tables are made, which of them can be loaded at once.

use std::collections::BTreeMap;

use super::LoadError;
use super::plan::Catalog;
use crate::dump::subject::Relation;
use crate::pg::Session;

/// Plain tables without triggers, foreign keys, rules, indexes or rows; owned by no extension.
const CLEAN: &str = "\
SELECT n.nspname, c.relname
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND NOT c.relhastriggers AND NOT c.relhasrules AND NOT c.relhasindex
  AND pg_catalog.pg_relation_size(c.oid) = 0
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k
                  WHERE k.contype = 'f' AND c.oid IN (k.conrelid, k.confrelid))
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                  WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
                    AND d.deptype = 'e')
  AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'";

/// Every table in a partition tree or with children, with the root of its family.
const FAMILIES: &str = "\
WITH RECURSIVE line (root, member) AS (
    SELECT i.inhparent, i.inhparent FROM pg_catalog.pg_inherits i
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_inherits up WHERE up.inhrelid = i.inhparent)
    UNION
    SELECT line.root, i.inhrelid
    FROM line JOIN pg_catalog.pg_inherits i ON i.inhparent = line.member
)
SELECT line.root::bigint, n.nspname, c.relname
FROM line
JOIN pg_catalog.pg_class c ON c.oid = line.member AND c.relkind IN ('r', 'p', 'f')
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace";

/// Asks for what [`Catalog`] holds.
///
/// # Errors
/// When the server is in trouble.
pub async fn ask(session: &Session) -> Result<Catalog, LoadError> {
    let mut catalog = Catalog::default();
    let rows = session.query(CLEAN, &[]).await.map_err(|error| LoadError::server(&error))?;
    catalog.clean.extend(rows.iter().map(|row| relation(row.get(0), row.get(1))));
    let rows = session.query(FAMILIES, &[]).await.map_err(|error| LoadError::server(&error))?;
    let mut families: BTreeMap<i64, Vec<Relation>> = BTreeMap::new();
    for row in &rows {
        families.entry(row.get(0)).or_default().push(relation(row.get(1), row.get(2)));
    }
    for members in families.values() {
        for member in members {
            let relatives: &mut Vec<Relation> = catalog.families.entry(member.clone()).or_default();
            relatives.extend(members.iter().cloned());
        }
    }
    Ok(catalog)
}

fn relation(schema: &str, name: &str) -> Relation {
    Relation { schema: schema.into(), name: name.into() }
}
