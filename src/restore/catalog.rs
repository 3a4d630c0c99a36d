//! Asks the restored database, once its tables are made, which of them can be loaded at once.

use std::collections::{BTreeMap, BTreeSet};

use super::LoadError;
use super::plan::Catalog;
use super::reading::{self, Routine};
use crate::dump::item::Name;
use crate::dump::subject::Relation;
use crate::pg::Session;

/// Plain tables without triggers, foreign keys, rules or indexes; owned by no extension.
const CLEAN: &str = "\
SELECT n.nspname, c.relname
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND NOT c.relhastriggers AND NOT c.relhasrules AND NOT c.relhasindex
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k
                  WHERE k.contype = 'f' AND c.oid IN (k.conrelid, k.confrelid))
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                  WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
                    AND d.deptype = 'e')
  AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'";

/// Columns that get a value where none is given.
const DEFAULTS: &str = "\
SELECT n.nspname, c.relname, a.attname
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind = 'r'
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE a.attnum > 0 AND NOT a.attisdropped
  AND (a.atthasdef OR coalesce(pg_catalog.to_jsonb(a) ->> 'attidentity', '') <> '')
  AND coalesce(pg_catalog.to_jsonb(a) ->> 'attgenerated', '') = ''
  AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'";

/// Columns of tables, with the length of their values where all have one, and whether they are generated.
const COLUMNS: &str = "\
SELECT n.nspname, c.relname, a.attname, a.attlen, coalesce(pg_catalog.to_jsonb(a) ->> 'attgenerated', '') <> ''
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE a.attnum > 0 AND NOT a.attisdropped
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

/// Functions that are not PostgreSQL's own, nor C code of an extension, which does not read the tables
/// of a dump. Triggers are another matter: tables that have one are not clean.
const ROUTINES: &str = "\
SELECT p.oid, p.proname::text, l.lanname::text,
       pg_catalog.convert_to(coalesce(b.body, ''), pg_catalog.getdatabaseencoding()), b.body IS NULL
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_language l ON l.oid = p.prolang
CROSS JOIN LATERAL (SELECT CASE
    WHEN pg_catalog.to_jsonb(p) ->> 'prosqlbody' IS NULL THEN p.prosrc
    ELSE pg_catalog.substring(pg_catalog.pg_get_functiondef(p.oid),
                              E'\\n((RETURN|BEGIN ATOMIC)\\\\y.*)$') END) b (body)
WHERE p.oid >= 16384
  AND p.prorettype NOT IN ('pg_catalog.trigger'::regtype, 'pg_catalog.event_trigger'::regtype)
  AND NOT (l.lanname IN ('c', 'internal')
           AND EXISTS (SELECT FROM pg_catalog.pg_depend d
                       WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid
                         AND d.deptype = 'e'))";

/// Whether one of these functions is called without being named: by an operator, a cast, a type.
const UNSEEN: &str = "\
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    LEFT JOIN pg_catalog.pg_constraint k
        ON d.classid = 'pg_catalog.pg_constraint'::regclass AND k.oid = d.objid
    WHERE d.refclassid = 'pg_catalog.pg_proc'::regclass AND d.refobjid = ANY ($1)
      AND (k.contypid <> 0
           OR d.classid IN ('pg_catalog.pg_operator'::regclass, 'pg_catalog.pg_cast'::regclass,
                            'pg_catalog.pg_type'::regclass, 'pg_catalog.pg_opclass'::regclass,
                            'pg_catalog.pg_opfamily'::regclass, 'pg_catalog.pg_amop'::regclass,
                            'pg_catalog.pg_amproc'::regclass)))";

/// What depends on these functions, or on PostgreSQL's own that look beyond their arguments, however
/// far away: `reading`, and of it the `tables`, by a CHECK, a generated column, a domain, a type, a
/// partition key.
const REACHED: &str = "\
WITH RECURSIVE edges (refclassid, refobjid, classid, objid) AS (
    SELECT refclassid, refobjid, classid, objid FROM pg_catalog.pg_depend
    UNION ALL
    SELECT 'pg_catalog.pg_constraint'::regclass, oid, 'pg_catalog.pg_type'::regclass, contypid
    FROM pg_catalog.pg_constraint WHERE contypid <> 0
    UNION ALL
    SELECT 'pg_catalog.pg_class'::regclass, oid, 'pg_catalog.pg_type'::regclass, reltype
    FROM pg_catalog.pg_class WHERE relkind = 'c'
), reading (classid, objid) AS (
    SELECT 'pg_catalog.pg_proc'::regclass::oid, f FROM pg_catalog.unnest($1::oid[]) f
    UNION ALL
    SELECT 'pg_catalog.pg_constraint'::regclass, oid FROM pg_catalog.pg_constraint
    WHERE contype = 'c' AND pg_catalog.pg_get_constraintdef(oid) ~ $2
    UNION
    SELECT e.classid, e.objid
    FROM reading r JOIN edges e ON e.refclassid = r.classid AND e.refobjid = r.objid
), tables (oid) AS (
    SELECT objid FROM reading WHERE classid = 'pg_catalog.pg_class'::regclass
    UNION
    SELECT k.conrelid FROM reading r JOIN pg_catalog.pg_constraint k ON k.oid = r.objid
    WHERE r.classid = 'pg_catalog.pg_constraint'::regclass AND k.contype = 'c'
    UNION
    SELECT d.adrelid FROM reading r
    JOIN pg_catalog.pg_attrdef d ON d.oid = r.objid
    JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
    WHERE r.classid = 'pg_catalog.pg_attrdef'::regclass
      AND coalesce(pg_catalog.to_jsonb(a) ->> 'attgenerated', '') <> ''
)
";

/// Of what is reached: tables; types; and operators, casts and the like, which have no name.
const READING: &str = "\
SELECT 'table', n.nspname::text, c.relname::text
FROM tables t
JOIN pg_catalog.pg_class c ON c.oid = t.oid AND c.relkind IN ('r', 'p')
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
UNION ALL
SELECT 'type', '', t.typname::text
FROM reading r JOIN pg_catalog.pg_type t ON t.oid = r.objid
LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
WHERE r.classid = 'pg_catalog.pg_type'::regclass AND t.typelem = 0
  AND coalesce(c.relkind, 'c') = 'c'
UNION ALL
SELECT 'unseen', '', ''
WHERE EXISTS (SELECT FROM reading
              WHERE classid IN ('pg_catalog.pg_operator'::regclass, 'pg_catalog.pg_cast'::regclass,
                                'pg_catalog.pg_opclass'::regclass, 'pg_catalog.pg_opfamily'::regclass))
   OR EXISTS (SELECT FROM pg_catalog.pg_event_trigger WHERE evtenabled <> 'D')";

/// Whether what is reached has rows, is built of rows, or has no name.
const MATTERS: &str = "\
SELECT EXISTS (SELECT FROM tables t
               JOIN pg_catalog.pg_class c ON c.oid = t.oid AND c.relkind IN ('r', 'p', 'i', 'I'))
    OR EXISTS (SELECT FROM reading r
               JOIN pg_catalog.pg_rewrite w ON w.oid = r.objid
               JOIN pg_catalog.pg_class c ON c.oid = w.ev_class AND c.relkind = 'm'
               WHERE r.classid = 'pg_catalog.pg_rewrite'::regclass)
    OR EXISTS (SELECT FROM reading
               WHERE classid IN ('pg_catalog.pg_operator'::regclass, 'pg_catalog.pg_cast'::regclass,
                                 'pg_catalog.pg_opclass'::regclass, 'pg_catalog.pg_opfamily'::regclass))";

/// Asks for what [`Catalog`] holds.
///
/// # Errors
/// When the server is in trouble.
pub async fn ask(session: &Session) -> Result<Catalog, LoadError> {
    let asked = async {
        let mut catalog = Catalog::default();
        for row in session.query(CLEAN, &[]).await? {
            catalog.clean.insert(relation(row.try_get(0)?, row.try_get(1)?));
        }
        for row in session.query(DEFAULTS, &[]).await? {
            let table = relation(row.try_get(0)?, row.try_get(1)?);
            let column: &str = row.try_get(2)?;
            catalog.defaults.entry(table).or_default().push(column.into());
        }
        for row in session.query(COLUMNS, &[]).await? {
            let table = relation(row.try_get(0)?, row.try_get(1)?);
            let (column, length): (&str, i16) = (row.try_get(2)?, row.try_get(3)?);
            let length = u64::try_from(length).ok();
            if row.try_get(4)? {
                *catalog.generated.entry(table.clone()).or_default() += 1;
            }
            catalog.columns.entry(table).or_default().insert(column.into(), length);
        }
        catalog.families = families(session).await?;
        ask_what_reads(session, &mut catalog).await?;
        Ok(catalog)
    };
    asked.await.map_err(|error: tokio_postgres::Error| LoadError::server(&error))
}

async fn families(
    session: &Session,
) -> Result<BTreeMap<Relation, Vec<Relation>>, tokio_postgres::Error> {
    let mut by_root: BTreeMap<i64, Vec<Relation>> = BTreeMap::new();
    for row in session.query(FAMILIES, &[]).await? {
        let member = relation(row.try_get(1)?, row.try_get(2)?);
        by_root.entry(row.try_get(0)?).or_default().push(member);
    }
    let mut families: BTreeMap<Relation, Vec<Relation>> = BTreeMap::new();
    for members in by_root.values() {
        for member in members {
            families.entry(member.clone()).or_default().extend(members.iter().cloned());
        }
    }
    Ok(families)
}

/// Whether rows, indexes or materialized views call a function that may read other tables, so that it
/// matters in which order they come. Asked of a database that has all that the dump makes.
///
/// # Errors
/// When the server is in trouble.
pub async fn order_matters(session: &Session) -> Result<bool, LoadError> {
    let asked = async {
        let oids: Vec<u32> = routines(session).await?.iter().map(|routine| routine.oid).collect();
        let sql = format!("{REACHED}{MATTERS}");
        session.query_one(&sql, &[&oids, &reading::OWN_FUNCTIONS]).await?.try_get(0)
    };
    asked.await.map_err(|error: tokio_postgres::Error| LoadError::server(&error))
}

/// The functions that may read tables.
async fn routines(session: &Session) -> Result<Vec<Routine>, tokio_postgres::Error> {
    let mut routines = Vec::new();
    for row in session.query(ROUTINES, &[]).await? {
        routines.push(Routine {
            oid: row.try_get(0)?,
            name: row.try_get(1)?,
            language: row.try_get(2)?,
            // Its bytes may be in no encoding.
            source: String::from_utf8_lossy(row.try_get(3)?).into_owned(),
            is_parsed: row.try_get(4)?,
        });
    }
    let all: Vec<u32> = routines.iter().map(|routine| routine.oid).collect();
    let unseen: bool = session.query_one(UNSEEN, &[&all]).await?.try_get(0)?;
    if !unseen {
        routines = reading::that_may_read(routines);
    }
    Ok(routines)
}

/// Takes out the tables whose rows call a function that may read others, and notes the names by which a
/// statement calls one.
async fn ask_what_reads(
    session: &Session,
    catalog: &mut Catalog,
) -> Result<(), tokio_postgres::Error> {
    let routines = routines(session).await?;
    let oids: Vec<u32> = routines.iter().map(|routine| routine.oid).collect();
    let mut names: BTreeSet<String> = routines.into_iter().map(|routine| routine.name).collect();
    let sql = format!("{REACHED}{READING}");
    for row in session.query(&sql, &[&oids, &reading::OWN_FUNCTIONS]).await? {
        let (kind, schema, name): (&str, &str, String) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        match kind {
            "table" => {
                catalog.clean.remove(&relation(schema, &name));
            }
            "type" => {
                names.insert(name);
            }
            _ => catalog.reads_unseen = true,
        }
    }
    catalog.reading = names.into_iter().map(String::into_bytes).collect();
    Ok(())
}

fn relation(schema: &str, name: &str) -> Relation {
    Relation { schema: Name::from(schema), name: Name::from(name) }
}
