//! What an empty database has, and removing all that a restore put into it: what was there before stays.
//!
//! A database counts as empty that has extensions, privileges, comments and the like, and no objects of its
//! own. So it is noted what it has before anything is restored ([`Had`]), and afterwards what is new is dropped,
//! and what was changed is put back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::privileges::{self, Privileges};
use super::subscriptions;
use crate::pg::{self, Session, quote_ident, quote_literal};

/// How many objects there are in a database that it was not made with.
pub const COUNT: &str = "\
WITH own AS (
    SELECT n.oid FROM pg_catalog.pg_namespace n
    WHERE n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
)
SELECT (SELECT count(*) FROM own JOIN pg_catalog.pg_namespace n USING (oid) WHERE n.nspname <> 'public'
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                          WHERE d.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
                            AND d.objid = n.oid AND d.deptype = 'e'))
     + (SELECT count(*) FROM pg_catalog.pg_class WHERE relnamespace IN (SELECT oid FROM own)
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                          WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                            AND d.objid = pg_class.oid AND d.deptype IN ('e', 'i'))
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i
                          JOIN pg_catalog.pg_depend d ON d.objid = i.indrelid
                          WHERE i.indexrelid = pg_class.oid AND d.deptype = 'e'
                            AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass))
     + (SELECT count(*) FROM pg_catalog.pg_proc WHERE pronamespace IN (SELECT oid FROM own)
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                          WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                            AND d.objid = pg_proc.oid AND d.deptype = 'e'))
     + (SELECT count(*) FROM pg_catalog.pg_type WHERE typnamespace IN (SELECT oid FROM own)
          AND typrelid = 0 AND typelem = 0
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                          WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
                            AND d.objid = pg_type.oid AND d.deptype IN ('e', 'i')))
     + (SELECT count(*) FROM pg_catalog.pg_largeobject_metadata)";

/// All that can be dropped by itself, in an order in which little stands in another's way: what it is, what it is
/// called, its comment. Members of extensions and parts of others go with those.
const THINGS: &str = "\
WITH own AS (
    SELECT n.oid FROM pg_catalog.pg_namespace n
    WHERE n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
), things (step, class, oid) AS (
    SELECT 1, 'pg_catalog.pg_event_trigger'::pg_catalog.regclass, oid FROM pg_catalog.pg_event_trigger
    UNION ALL SELECT 2, 'pg_catalog.pg_publication', oid FROM pg_catalog.pg_publication
    UNION ALL SELECT 3, 'pg_catalog.pg_class', oid FROM pg_catalog.pg_class
        WHERE relnamespace IN (SELECT oid FROM own) AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
    UNION ALL SELECT 4, 'pg_catalog.pg_extension', oid FROM pg_catalog.pg_extension
    UNION ALL SELECT 5, 'pg_catalog.pg_foreign_server', oid FROM pg_catalog.pg_foreign_server
    UNION ALL SELECT 6, 'pg_catalog.pg_foreign_data_wrapper', oid FROM pg_catalog.pg_foreign_data_wrapper
    UNION ALL SELECT 7, 'pg_catalog.pg_proc', oid FROM pg_catalog.pg_proc
        WHERE pronamespace IN (SELECT oid FROM own)
    UNION ALL SELECT 8, 'pg_catalog.pg_cast', oid FROM pg_catalog.pg_cast
    UNION ALL SELECT 8, 'pg_catalog.pg_transform', oid FROM pg_catalog.pg_transform
    UNION ALL SELECT 9, 'pg_catalog.pg_opclass', oid FROM pg_catalog.pg_opclass
    UNION ALL SELECT 10, 'pg_catalog.pg_opfamily', oid FROM pg_catalog.pg_opfamily
    UNION ALL SELECT 11, 'pg_catalog.pg_operator', oid FROM pg_catalog.pg_operator
    UNION ALL SELECT 12, 'pg_catalog.pg_type', t.oid FROM pg_catalog.pg_type t
        LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
        WHERE typnamespace IN (SELECT oid FROM own) AND (c.oid IS NULL OR c.relkind = 'c')
    UNION ALL SELECT 13, 'pg_catalog.pg_statistic_ext', oid FROM pg_catalog.pg_statistic_ext
    UNION ALL SELECT 13, 'pg_catalog.pg_collation', oid FROM pg_catalog.pg_collation
    UNION ALL SELECT 13, 'pg_catalog.pg_conversion', oid FROM pg_catalog.pg_conversion
    UNION ALL SELECT 13, 'pg_catalog.pg_ts_config', oid FROM pg_catalog.pg_ts_config
    UNION ALL SELECT 14, 'pg_catalog.pg_ts_dict', oid FROM pg_catalog.pg_ts_dict
    UNION ALL SELECT 15, 'pg_catalog.pg_ts_template', oid FROM pg_catalog.pg_ts_template
    UNION ALL SELECT 15, 'pg_catalog.pg_ts_parser', oid FROM pg_catalog.pg_ts_parser
    UNION ALL SELECT 16, 'pg_catalog.pg_language', oid FROM pg_catalog.pg_language
    UNION ALL SELECT 16, 'pg_catalog.pg_am', oid FROM pg_catalog.pg_am
    UNION ALL SELECT 17, 'pg_catalog.pg_namespace', oid FROM own
    UNION ALL SELECT 18, 'pg_catalog.pg_largeobject', oid FROM pg_catalog.pg_largeobject_metadata
)
SELECT named.type, named.identity, pg_catalog.obj_description(t.oid, c.relname)
FROM things t JOIN pg_catalog.pg_class c ON c.oid = t.class
CROSS JOIN LATERAL pg_catalog.pg_identify_object(t.class, t.oid, 0) named
WHERE (t.oid >= 16384 OR t.step IN (4, 17, 18)) AND named.identity IS NOT NULL
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                  WHERE d.classid = t.class AND d.objid = t.oid AND d.deptype IN ('e', 'i'))
ORDER BY t.step, t.oid DESC";

const EXTENSIONS: &str = "\
SELECT e.extname::text, n.nspname::text, e.extversion
FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace ORDER BY e.oid";

/// The tables of extensions of which a dump has the rows that are not the extension's own, and which those are.
const CONFIGURATION: &str = "\
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), of.condition
FROM pg_catalog.pg_extension e
CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(e.extconfig), pg_catalog.unnest(e.extcondition))
    AS of(relation, condition)
JOIN pg_catalog.pg_class c ON c.oid = of.relation AND c.relkind IN ('r', 'p')
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
ORDER BY 1";

/// How often what is left is dropped: what others need is passed over at first.
const ROUNDS: usize = 3;

/// What a database had before a restore.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Had {
    /// What it is called, as `COMMENT ON` takes it, and its comment.
    things: BTreeMap<String, Option<String>>,
    /// Extensions: name, schema, version.
    extensions: Vec<(String, String, String)>,
    subscriptions: Vec<String>,
    /// Rows in the tables of extensions that are not the extension's own.
    configuration: BTreeMap<String, i64>,
    /// Owners and privileges.
    privileges: Privileges,
}

impl Had {
    /// Whether it had an extension.
    pub fn has_extension(&self, name: &str) -> bool {
        self.extensions.iter().any(|(of, ..)| of == name)
    }
}

/// Something in a database.
struct Thing {
    /// What `DROP` and `COMMENT ON` call it.
    kind: String,
    identity: String,
    comment: Option<String>,
}

impl Thing {
    fn key(&self) -> String {
        format!("{} {}", self.kind, self.identity)
    }

    fn drop(&self) -> String {
        let Self { kind, identity, .. } = self;
        match kind.as_str() {
            "LARGE OBJECT" => format!("SELECT pg_catalog.lo_unlink({identity})"),
            // Whether a function is an aggregate need not be known to drop it.
            "FUNCTION" | "PROCEDURE" | "AGGREGATE" => {
                format!("DROP ROUTINE IF EXISTS {identity} CASCADE")
            }
            _ => format!("DROP {kind} IF EXISTS {identity} CASCADE"),
        }
    }
}

/// What PostgreSQL's name of a kind of object is in its statements.
fn kind_of(described: &str) -> String {
    match described {
        "foreign-data wrapper" => "FOREIGN DATA WRAPPER".to_owned(),
        "statistics object" => "STATISTICS".to_owned(),
        other => other.to_uppercase(),
    }
}

async fn things(session: &Session) -> Result<Vec<Thing>, tokio_postgres::Error> {
    let rows = session.query(THINGS, &[]).await?;
    let thing = |row: &tokio_postgres::Row| {
        let (described, identity): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let identity = match described.as_str() {
            "transform" => identity.replacen(" on language ", " LANGUAGE ", 1),
            _ => identity,
        };
        Ok(Thing { kind: kind_of(&described), identity, comment: row.try_get(2)? })
    };
    rows.iter().map(thing).collect()
}

/// The rows of extensions' tables that are not their own; `None` where that is not ours to read.
async fn configuration(
    session: &Session,
) -> Result<BTreeMap<String, (String, Option<i64>)>, tokio_postgres::Error> {
    let mut found = BTreeMap::new();
    for row in session.query(CONFIGURATION, &[]).await? {
        let (table, condition): (String, Option<String>) = (row.try_get(0)?, row.try_get(1)?);
        let condition = condition.unwrap_or_default();
        let sql = format!("SELECT count(*) FROM {table} {condition}");
        let count = session.query_one(&sql, &[]).await.and_then(|row| row.try_get(0)).ok();
        found.insert(table, (condition, count));
    }
    Ok(found)
}

/// Notes what a database has.
pub(super) async fn note(session: &Session) -> Result<Had, tokio_postgres::Error> {
    let things = things(session).await?;
    let mut extensions = Vec::new();
    for row in session.query(EXTENSIONS, &[]).await? {
        extensions.push((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
    }
    let configuration = configuration(session).await?.into_iter();
    Ok(Had {
        things: things.into_iter().map(|thing| (thing.key(), thing.comment)).collect(),
        extensions,
        subscriptions: subscriptions::names(session).await,
        configuration: configuration
            .filter_map(|(table, (_, count))| Some((table, count?)))
            .collect(),
        privileges: privileges::of(session).await?,
    })
}

/// Drops what is new in a database, and puts back what was changed of what it had. Gives what could not be, one
/// sentence each.
pub(super) async fn empty(
    session: &Session,
    had: &Had,
) -> Result<Vec<String>, tokio_postgres::Error> {
    session.batch_execute("SET lock_timeout = '30s'").await?;
    subscriptions::drop_others(session, &had.subscriptions).await;
    let mut refused = Vec::new();
    for _ in 0..ROUNDS {
        refused.clear();
        for thing in new(session, had).await? {
            run(session, &thing.drop(), &mut refused).await;
        }
        if new(session, had).await?.is_empty() {
            refused.clear();
            break;
        }
    }
    put_back(session, had, &mut refused).await?;
    Ok(refused)
}

/// What is there and was not.
async fn new(session: &Session, had: &Had) -> Result<Vec<Thing>, tokio_postgres::Error> {
    let mut new = things(session).await?;
    new.retain(|thing| !had.things.contains_key(&thing.key()));
    Ok(new)
}

/// Puts back what was changed.
async fn put_back(
    session: &Session,
    had: &Had,
    refused: &mut Vec<String>,
) -> Result<(), tokio_postgres::Error> {
    let there = things(session).await?;
    let is_there = |key: &str| there.iter().any(|thing| thing.key() == key);
    // A dump with --clean drops them before it makes them.
    if !is_there("SCHEMA public") && had.things.contains_key("SCHEMA public") {
        run(session, "CREATE SCHEMA public", refused).await;
    }
    for (name, schema, version) in &had.extensions {
        let name = quote_ident(name);
        if !there.iter().any(|thing| thing.kind == "EXTENSION" && thing.identity == unquoted(&name))
        {
            let (schema, version) = (quote_ident(schema), quote_literal(version));
            let sql = format!("CREATE EXTENSION {name} SCHEMA {schema} VERSION {version}");
            run(session, &sql, refused).await;
        }
    }
    let there = things(session).await?;
    for (key, comment) in &had.things {
        match there.iter().find(|thing| thing.key() == *key) {
            Some(thing) if thing.comment == *comment => {}
            Some(_) => {
                let comment = comment.as_deref().map_or_else(|| "NULL".to_owned(), quote_literal);
                run(session, &format!("COMMENT ON {key} IS {comment}"), refused).await;
            }
            None => refused.push(format!("{key} was there before, and the backup dropped it")),
        }
    }
    for (table, (condition, count)) in configuration(session).await? {
        match (had.configuration.get(&table), count) {
            (Some(0), Some(1..)) => {
                run(session, &format!("DELETE FROM {table} {condition}"), refused).await;
            }
            (Some(before), Some(count)) if *before != count => {
                refused.push(format!("{table} had {before} rows of its own, and has {count}"));
            }
            _ => {}
        }
    }
    for statement in privileges::put_back(session, &had.privileges).await? {
        run(session, &statement, refused).await;
    }
    Ok(())
}

/// As `pg_identify_object` writes a name: in quotes only where it needs them.
fn unquoted(quoted: &str) -> String {
    let name = quoted.trim_matches('"');
    let plain = name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    if plain { name.to_owned() } else { quoted.to_owned() }
}

async fn run(session: &Session, statement: &str, refused: &mut Vec<String>) {
    if let Err(error) = session.batch_execute(statement).await {
        tracing::debug!(statement, error = pg::describe(&error), "not done");
        refused.push(format!("{statement}: {}", pg::describe(&error)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_called_as_the_statement_wants_it() {
        let thing = |described: &str, identity: &str| {
            let identity = identity.to_owned();
            Thing { kind: kind_of(described), identity, comment: None }.drop()
        };
        for (described, identity, expected) in [
            ("table", "public.t", "DROP TABLE IF EXISTS public.t CASCADE"),
            ("aggregate", "public.a(integer)", "DROP ROUTINE IF EXISTS public.a(integer) CASCADE"),
            ("foreign-data wrapper", "w", "DROP FOREIGN DATA WRAPPER IF EXISTS w CASCADE"),
            ("statistics object", "s.x", "DROP STATISTICS IF EXISTS s.x CASCADE"),
            ("large object", "17", "SELECT pg_catalog.lo_unlink(17)"),
        ] {
            assert_eq!(thing(described, identity), expected);
        }
        assert_eq!(unquoted("\"pgcrypto\""), "pgcrypto");
        assert_eq!(unquoted("\"uuid-ossp\""), "\"uuid-ossp\"");
    }
}
