//! The checks of a restored database, one kind a file; each returns `CheckResult`s.
//!
//! A check that finds the backup bad is a failed result. An `Err` means that it could not be told.

pub mod age;
pub mod by_value;
pub mod change;
pub mod checksum;
pub mod column_order;
pub mod contents;
pub mod coverage;
pub mod data;
pub mod event_triggers;
pub mod extensions;
pub mod large_objects;
pub mod migrations;
pub mod presence;
pub mod read_back;
pub mod rendering;
pub mod restore_time;
pub mod schema;
pub mod sequences;
pub mod soundness;
pub mod sql;
pub mod statements;

use thiserror::Error;
use tokio_postgres::Row;

use crate::model::outcome::{CheckResult, Section, Status};
use crate::pg::{self, ServerError, Session};

/// A check could not be run: the connection or the server is in trouble.
#[derive(Debug, Error)]
#[error("the restored database could not be asked: {0}")]
pub struct CheckError(String);

impl CheckError {
    /// The server is gone, for this reason.
    pub fn lost(reason: String) -> Self {
        Self(reason)
    }

    /// The error behind a driver's error.
    pub fn of(error: &tokio_postgres::Error) -> Self {
        Self(pg::describe(error))
    }
}

/// A table the application needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppTable {
    /// Its schema, where it is said; else any, and the search path's where it is counted.
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
    /// Its name for people, such as `Content jobs`.
    pub label: String,
    /// Whether its rows are counted.
    pub counted: bool,
    /// How many rows there must be at the least, where that is demanded.
    pub least: Option<u64>,
}

impl AppTable {
    /// The table of a name, `table` or `schema.table`, as a configuration says it.
    pub fn named(text: &str) -> Self {
        let (schema, name) = match text.split_once('.') {
            Some((schema, name)) => (Some(schema.to_owned()), name),
            None => (None, text),
        };
        let (name, label) = (name.to_owned(), text.to_owned());
        Self { schema, name, label, counted: true, least: None }
    }

    /// Its name as the configuration says it.
    pub fn full_name(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{schema}.{}", self.name),
            None => self.name.clone(),
        }
    }
}

/// The tables of the Content Creation Crew application.
pub fn ccc_tables() -> Vec<AppTable> {
    [
        ("alembic_version", "Alembic version", false),
        ("users", "Users", true),
        ("organizations", "Organizations", true),
        ("content_jobs", "Content jobs", true),
        ("content_artifacts", "Content artifacts", true),
        ("subscriptions", "Subscriptions", true),
    ]
    .map(|(name, label, counted)| AppTable {
        schema: None,
        name: name.into(),
        label: label.into(),
        counted,
        least: None,
    })
    .into()
}

/// What a query gave: a row or more, or the server's refusal, which is an answer too.
enum Answer {
    Rows(Vec<Row>),
    Refused(ServerError),
}

/// Asks the restored database. A refusal (no such table, permission, …) is an answer; trouble of
/// the server or the connection is an error.
async fn ask(session: &Session, sql: &str) -> Result<Answer, CheckError> {
    match session.query(sql, &[]).await {
        Ok(rows) => Ok(Answer::Rows(rows)),
        Err(error) => match ServerError::of(&error) {
            Some(refusal) if !refusal.is_servers_trouble() => Ok(Answer::Refused(refusal)),
            _ => Err(CheckError(pg::describe(&error))),
        },
    }
}

/// The rows of a question that every sound server answers: that it refuses is trouble, too.
async fn rows(session: &Session, sql: &str) -> Result<Vec<Row>, CheckError> {
    match ask(session, sql).await? {
        Answer::Rows(rows) => Ok(rows),
        Answer::Refused(refusal) => Err(CheckError(refusal.message)),
    }
}

/// The result of a check whose query was refused.
fn refused(id: String, section: Section, what: &str, refusal: &ServerError) -> CheckResult {
    CheckResult::new(id, section, Status::Failed, format!("{what}: {}", refusal.message))
}
