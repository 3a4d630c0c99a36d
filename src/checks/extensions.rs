//! Rows that an extension brings by itself. pg_dump writes those of its configuration tables that are not
//! its own; what is restored has both. Its own are those that it has when it has just been made.

use super::{CheckError, rows};
use crate::model::contents::Table;
use crate::pg::{self, Session};

/// A table that belongs to an extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    extension: String,
    /// The extension's schema.
    schema: String,
    version: String,
    /// Schema and name of the table.
    table: (String, String),
    /// Which of its rows pg_dump writes, where the extension says so: `WHERE` and a condition.
    condition: Option<String>,
}

impl Member {
    /// Whether it is that table.
    pub fn is(&self, table: &Table) -> bool {
        (&table.schema, &table.name) == (&self.table.0, &self.table.1)
    }

    /// What is true of the rows that pg_dump writes; nothing where it does not say so of each.
    pub fn condition(&self) -> Option<&str> {
        let text = self.condition.as_deref()?.trim_start();
        let (word, condition) = text.split_at_checked(5)?;
        word.eq_ignore_ascii_case("where").then_some(condition)
    }

    /// Its schema and name.
    pub fn table(&self) -> (&str, &str) {
        (&self.table.0, &self.table.1)
    }

    /// Its extension, and the schema that this is in.
    pub fn extension(&self) -> (&str, &str) {
        (&self.extension, &self.schema)
    }
}

const MEMBERS: &str = "\
SELECT e.extname::text, s.nspname::text, e.extversion, n.nspname::text, c.relname::text,
    e.extcondition[pg_catalog.array_position(e.extconfig, c.oid)]
FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_namespace s ON s.oid = e.extnamespace
JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_extension'::regclass
    AND d.refobjid = e.oid AND d.deptype = 'e' AND d.classid = 'pg_catalog.pg_class'::regclass
JOIN pg_catalog.pg_class c ON c.oid = d.objid AND c.relkind IN ('r', 'p')
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
ORDER BY e.oid, c.oid";

/// The tables of a database that belong to extensions, in the order in which these were made.
///
/// # Errors
/// When the server cannot be asked.
pub async fn members(session: &Session) -> Result<Vec<Member>, CheckError> {
    let member = |row: &tokio_postgres::Row| Member {
        extension: row.get(0),
        schema: row.get(1),
        version: row.get(2),
        table: (row.get(3), row.get(4)),
        condition: row.get(5),
    };
    Ok(rows(session, MEMBERS).await?.iter().map(member).collect())
}

/// Makes the extensions of these tables, as they are in the restored database, in an empty one.
///
/// # Errors
/// What the server says where it does not make one.
pub async fn make<'a>(
    session: &Session,
    members: impl Iterator<Item = &'a Member>,
) -> Result<(), String> {
    for Member { extension, schema, version, .. } in members {
        let quoted = pg::quote_ident(schema);
        // Those that every database has are refused.
        let make = if schema.starts_with("pg_") {
            String::new()
        } else {
            format!("CREATE SCHEMA IF NOT EXISTS {quoted}; ")
        };
        let sql = format!(
            "{make}CREATE EXTENSION IF NOT EXISTS {} WITH SCHEMA {quoted} VERSION {} CASCADE",
            pg::quote_ident(extension),
            pg::quote_literal(version),
        );
        session.batch_execute(&sql).await.map_err(|error| pg::describe(&error))?;
    }
    Ok(())
}
