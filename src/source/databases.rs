//! The databases of a server, asked with psql.

use sha2::{Digest, Sha256};

use super::client_tools::{PgDump, Tool, asking};
use super::error::{SourceError, ToolFailure};
use crate::libpq::settings::ConnectSettings;
use crate::model::secret::Secret;
use crate::process::Captured;

/// Those that take connections and are no templates.
const DATABASES: &str = "select json_build_object('databases',
    coalesce(json_agg(datname order by datname), '[]'))
    from pg_catalog.pg_database where datallowconn and not datistemplate";
/// Whether nobody has made anything in a database that rows could be in, or a function.
const IS_EMPTY: &str = "select not exists (select from pg_catalog.pg_class where oid >= 16384)
    and not exists (select from pg_catalog.pg_proc where oid >= 16384)";
/// What a cluster has had since initdb made it, and nobody outside knows.
const IDENTIFIER: &str = "select system_identifier from pg_catalog.pg_control_system()";
/// Digits of what stands for a database in the names of its sealed backups.
const DIGITS: usize = 12;

/// The database that every server has for whoever has none to connect to.
pub const FOR_CONNECTING: &str = "postgres";
/// Databases that a server has as a rule, by which it can be asked what is not of a database.
pub const EVERYWHERE: [&str; 2] = [FOR_CONNECTING, "template1"];

/// The databases of the server, by name. It is asked over a connection to the database of these settings, or, where that
/// does not let us in, to one that every server has as a rule.
///
/// # Errors
/// [`SourceError`], of the first of them where none does.
pub async fn databases(
    settings: &ConnectSettings,
    psql: &Tool,
) -> Result<Vec<String>, SourceError> {
    let stdout = ask_server(settings, psql, DATABASES).await?;
    parse(&stdout).ok_or_else(not_understood)
}

/// Whether nothing is in a database; not where it cannot be asked.
pub async fn is_empty(settings: &ConnectSettings, psql: &Tool) -> bool {
    ask(settings, psql, IS_EMPTY).await.is_ok_and(|answer| answer.trim_ascii() == b"t")
}

/// The psql that asks.
///
/// # Errors
/// Where there is none.
pub async fn psql(pg_dump: &PgDump) -> Result<Tool, SourceError> {
    pg_dump.psql().await.ok_or(SourceError::PsqlNotFound)
}

/// What stands for a database in the names of its sealed backups: the same each time, another one for each database, and
/// nobody can tell the name from it, or find it by trying names, who may not connect to the server.
///
/// # Errors
/// [`SourceError`].
pub async fn alias(settings: &ConnectSettings, psql: &Tool) -> Result<String, SourceError> {
    let cluster = ask_server(settings, psql, IDENTIFIER).await?;
    Ok(alias_of(cluster.trim_ascii(), settings.dbname.as_deref().unwrap_or_default()))
}

fn alias_of(cluster: &[u8], database: &str) -> String {
    let mut hash = Sha256::new();
    for part in [b"ccc-backup: a database", cluster, database.as_bytes()] {
        hash.update(part);
        hash.update([0]);
    }
    let mut digits = hex::encode(hash.finalize());
    digits.truncate(DIGITS);
    digits
}

/// Whether another database of the server may let us in that this one does not.
fn is_of_database(error: &SourceError) -> bool {
    let SourceError::Tool { failure, .. } = error else { return false };
    matches!(failure, ToolFailure::NoDatabase | ToolFailure::Authentication | ToolFailure::Refused)
}

/// Asks what is not of a database, over the first of them that lets us in.
async fn ask_server(
    settings: &ConnectSettings,
    psql: &Tool,
    query: &str,
) -> Result<Vec<u8>, SourceError> {
    let first = match ask(settings, psql, query).await {
        Err(error) if is_of_database(&error) => error,
        answer => return answer,
    };
    for database in EVERYWHERE {
        let settings = ConnectSettings { dbname: Some(database.to_owned()), ..settings.clone() };
        if let Ok(answer) = ask(&settings, psql, query).await {
            return Ok(answer);
        }
    }
    Err(first)
}

async fn ask(settings: &ConnectSettings, psql: &Tool, query: &str) -> Result<Vec<u8>, SourceError> {
    let tool = asking(psql, settings).args(["-c", query]);
    let Captured { stdout, ended } =
        tool.env("PGCLIENTENCODING", Secret::new("UTF8")).capture().await?;
    if ended.status.success() { Ok(stdout) } else { Err(SourceError::from_tool("psql", ended)) }
}

fn parse(stdout: &[u8]) -> Option<Vec<String>> {
    #[derive(serde::Deserialize)]
    struct Answer {
        databases: Vec<String>,
    }
    serde_json::from_slice::<Answer>(stdout).ok().map(|answer| answer.databases)
}

fn not_understood() -> SourceError {
    let message = "psql's answer could not be understood".to_owned();
    let failure = ToolFailure::Failed { tool: "psql", status: "exit status: 0".to_owned() };
    SourceError::Tool { failure, message, stderr: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs::tests::program;

    /// What a psql says that does this, asked by this database.
    async fn asked(psql: &str, database: &str) -> Result<Vec<String>, SourceError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("psql");
        program(&path, &format!("#!/bin/sh\n{psql}\n"));
        let dbname = Some(database.to_owned());
        let settings = ConnectSettings { dbname, ..ConnectSettings::default() };
        databases(&settings, &Tool::Here(path)).await
    }

    #[tokio::test]
    async fn a_server_is_asked_by_another_database_where_one_is_missing() {
        let psql = |there: &str| {
            format!(
                "[ $PGDATABASE = {there} ] || {{
            echo \"psql: error: connection to server at \\\"h\\\" failed: FATAL:  database \\\"$PGDATABASE\\\" does not exist\" >&2
            exit 2; }}
            echo '{{\"databases\" : [\"a b\", \"ü\"]}}'"
            )
        };
        for there in ["ccc", "postgres", "template1"] {
            assert_eq!(asked(&psql(there), "ccc").await.unwrap(), ["a b", "ü"]);
        }
        let error = asked(&psql("other"), "ccc").await.unwrap_err();
        assert!(error.to_string().contains("\"ccc\" does not exist"), "{error}");
    }

    #[tokio::test]
    async fn a_server_that_does_not_answer_is_asked_once() {
        let psql = "[ -e $0.asked ] && exit 9; : >$0.asked
            echo 'psql: error: connection to server at \"h\" failed: Connection refused' >&2; exit 2";
        let error = asked(psql, "ccc").await.unwrap_err();
        assert!(error.to_string().contains("cannot be reached"), "{error}");
        let error = asked("echo hello", "postgres").await.unwrap_err();
        assert!(error.to_string().contains("could not be understood"), "{error}");
    }

    #[test]
    fn each_database_of_each_server_has_another_alias_which_does_not_tell_its_name() {
        let aliases: std::collections::BTreeSet<String> =
            [("1", "shop"), ("1", "shop2"), ("2", "shop"), ("1s", "hop"), ("", "1shop")]
                .map(|(cluster, database)| alias_of(cluster.as_bytes(), database))
                .into();
        assert_eq!(aliases.len(), 5);
        assert!(aliases.iter().all(|alias| alias.len() == DIGITS));
        assert_eq!(alias_of(b"1", "shop"), alias_of(b"1", "shop"));
    }
}
