//! What the source says of itself, asked once with psql.

use serde::Deserialize;

use super::client_tools::{PgDump, asking};
use super::error::{SourceError, ToolFailure};
use crate::libpq::settings::ConnectSettings;
use crate::pg::UNSOUND;
use crate::process::Captured;

/// What the source says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SourceFacts {
    /// Host, or directory of the socket, that libpq chose.
    #[serde(default)]
    pub host: String,
    /// Port that libpq chose.
    #[serde(default)]
    pub port: String,
    /// The database.
    pub database: String,
    /// The role.
    pub user: String,
    /// Version of the server, such as `15.18`.
    pub server_version: String,
    /// The same as a number, such as `150018`.
    pub server_version_num: u32,
    /// Encoding of the database, such as `UTF8`.
    pub encoding: String,
    /// Its collation.
    pub collate: Option<String>,
    /// Its character classes.
    pub ctype: Option<String>,
    /// `libc`, `icu` or `builtin`.
    pub locale_provider: String,
    /// The locale of the providers `icu` and `builtin`.
    pub locale: Option<String>,
    /// Its size on the server in bytes.
    pub database_bytes: Option<u64>,
    /// `TimeZone` of a session like pg_dump's.
    pub time_zone: String,
    /// `bytea_output` of a session like pg_dump's.
    pub bytea_output: String,
    /// What the server's clock says, in milliseconds since 1970; absent where it did not say.
    #[serde(default)]
    pub now_ms: Option<i64>,
    /// Constraints not validated, indexes not valid, materialized views not populated.
    pub unsound: Vec<String>,
    /// Tables that inherit, with their columns in their order: no dump of INSERT statements says it.
    #[serde(default)]
    pub children: Vec<Child>,
}

impl SourceFacts {
    /// The server's major version.
    pub fn major(&self) -> u32 {
        // 90624 is 9.6.24; no pg_dump of today is that old.
        self.server_version_num / 10_000
    }
}

/// A table that inherits columns.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Child {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its columns but for generated ones, in its order.
    pub columns: Vec<String>,
}

/// The answer of a source that was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Facts {
    /// It answered.
    Known(Box<SourceFacts>),
    /// It could not be asked; the backup can be made without.
    Unknown {
        /// Why.
        reason: String,
    },
}

impl Facts {
    /// Size of the database on the server in bytes, where it is known.
    pub fn database_bytes(&self) -> Option<u64> {
        match self {
            Self::Known(known) => known.database_bytes,
            Self::Unknown { .. } => None,
        }
    }
}

/// One row of JSON. The provider came with PostgreSQL 15, its locale with 15 (`daticulocale`) and
/// 17 (`datlocale`); `to_jsonb` of the row knows whichever there is. [`UNSOUND`] is put in.
const QUERY: &str = "
select json_build_object(
    'database', current_database(),
    'user', current_user,
    'server_version', split_part(current_setting('server_version'), ' ', 1),
    'server_version_num', current_setting('server_version_num')::int,
    'encoding', pg_encoding_to_char(d.encoding),
    'collate', d.datcollate,
    'ctype', d.datctype,
    'locale_provider', case coalesce(to_jsonb(d)->>'datlocprovider', 'c')
        when 'i' then 'icu' when 'b' then 'builtin' else 'libc' end,
    'locale', coalesce(to_jsonb(d)->>'datlocale', to_jsonb(d)->>'daticulocale'),
    'database_bytes', case when has_database_privilege(d.oid, 'connect')
        then pg_database_size(d.oid) end,
    'time_zone', current_setting('TimeZone'),
    'bytea_output', current_setting('bytea_output'),
    'now_ms', (extract(epoch from clock_timestamp()) * 1000)::bigint,
    'unsound', (select coalesce(json_agg(u.kind || ' ' || u.name), '[]') from (@UNSOUND@) u (kind, name)),
    'children', (select coalesce(json_agg(t.child), '[]') from (
        select json_build_object('schema', n.nspname, 'name', c.relname,
            'columns', json_agg(a.attname order by a.attnum)) as child
        from pg_catalog.pg_class c
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            and coalesce(to_jsonb(a)->>'attgenerated', '') = ''
        where c.relkind = 'r' and coalesce(to_jsonb(c)->>'relispartition', 'false') = 'false'
          and exists (select from pg_catalog.pg_inherits i where i.inhrelid = c.oid)
        group by n.nspname, c.relname) t))
from pg_catalog.pg_database d
where d.datname = current_database()";

/// Asks the source.
///
/// # Errors
/// [`SourceError`] when the source cannot be reached, as pg_dump would find too. Without psql, or
/// when the answer cannot be understood, the facts are [`Facts::Unknown`].
pub async fn source_facts(
    settings: &ConnectSettings,
    pg_dump: &PgDump,
) -> Result<Facts, SourceError> {
    let unknown = |reason: String| Ok(Facts::Unknown { reason });
    let Some(psql) = pg_dump.psql().await else {
        return unknown("psql was not found".to_owned());
    };
    let invocation = asking(&psql, settings)
        .args([
            "-c",
            r"\echo :HOST",
            "-c",
            r"\echo :PORT",
            "-c",
            // As pg_dump does it.
            "SET statement_timeout = 0",
            "-c",
            &QUERY.replace("@UNSOUND@", UNSOUND),
        ])
        .env("PGCLIENTENCODING", crate::model::secret::Secret::new("UTF8"));
    let captured = match invocation.capture().await {
        Ok(captured) => captured,
        Err(error) => return unknown(error.to_string()),
    };
    let Captured { stdout, ended } = captured;
    if !ended.status.success() {
        return match SourceError::from_tool("psql", ended) {
            SourceError::Tool {
                failure: ToolFailure::Failed { .. } | ToolFailure::Permission,
                message,
                ..
            } => unknown(message),
            error => Err(error),
        };
    }
    match parse(&stdout) {
        Some(facts) => Ok(Facts::Known(Box::new(facts))),
        None => unknown("psql's answer could not be understood".to_owned()),
    }
}

/// Host, port, and a line of JSON.
fn parse(stdout: &[u8]) -> Option<SourceFacts> {
    let text = std::str::from_utf8(stdout).ok()?;
    let (host, rest) = text.split_once('\n')?;
    let (port, json) = rest.split_once('\n')?;
    let facts: SourceFacts = serde_json::from_str(json).ok()?;
    Some(SourceFacts { host: host.to_owned(), port: port.to_owned(), ..facts })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::programs::tests::program;

    fn script(path: &Path, text: &str) {
        program(path, &format!("#!/bin/sh\n{text}\n"));
    }

    /// What is known of a source, by a psql that does this.
    async fn facts(psql: &str) -> Result<Facts, SourceError> {
        let dir = tempfile::tempdir().unwrap();
        let pg_dump = dir.path().join("pg_dump");
        script(&pg_dump, "echo 'pg_dump (PostgreSQL) 15.18'");
        script(&dir.path().join("psql"), psql);
        let pg_dump = PgDump::find(Some(&pg_dump)).await.unwrap();
        source_facts(&ConnectSettings::default(), &pg_dump).await
    }

    #[tokio::test]
    async fn a_source_that_does_not_tell_its_facts_can_be_dumped_without() {
        for (psql, expected) in [
            ("echo hello", "psql's answer could not be understood"),
            ("echo 'ERROR:  permission denied for table x' >&2; exit 1", "permission denied"),
            ("echo 'psql: error: something odd' >&2; exit 1", "something odd"),
        ] {
            let Ok(Facts::Unknown { reason }) = facts(psql).await else { panic!("{psql}") };
            assert!(reason.contains(expected), "{psql}: {reason}");
        }
        let dir = tempfile::tempdir().unwrap();
        let (pg_dump, psql) = (dir.path().join("pg_dump"), dir.path().join("psql"));
        script(&pg_dump, "echo 'pg_dump (PostgreSQL) 15.18'");
        script(&psql, "");
        std::fs::write(&psql, "#!/no/such/shell\n").unwrap();
        let pg_dump = PgDump::find(Some(&pg_dump)).await.unwrap();
        let found = source_facts(&ConnectSettings::default(), &pg_dump).await;
        let Ok(Facts::Unknown { reason }) = found else { panic!("{found:?}") };
        assert!(reason.starts_with("could not run "), "{reason}");
    }

    #[tokio::test]
    async fn a_source_that_cannot_be_reached_cannot_be_dumped_either() {
        let psql =
            "echo 'psql: error: connection to server at \"db\" failed: Connection refused' >&2
                    exit 2";
        let found = facts(psql).await;
        assert!(
            matches!(found, Err(SourceError::Tool { failure: ToolFailure::Unreachable, .. })),
            "{found:?}"
        );
    }

    #[test]
    fn the_answer_is_two_lines_and_a_row() {
        let row = r#"{"database":"d","user":"u","server_version":"15.18","server_version_num":150018,
            "encoding":"UTF8","collate":"C","ctype":"C","locale_provider":"libc","locale":null,
            "database_bytes":null,"time_zone":"UTC","bytea_output":"hex","unsound":[]}"#;
        let facts = parse(format!("db\n5432\n{row}\n").as_bytes()).unwrap();
        assert_eq!((facts.host.as_str(), facts.port.as_str()), ("db", "5432"));
        assert_eq!(facts.server_version_num, 150_018);
        assert_eq!(parse(b""), None);
        assert_eq!(parse(b"db\n5432\n{}"), None);
    }
}
