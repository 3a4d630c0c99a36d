//! Questions of the operator's own, each put to a restored database in a transaction that can only read, and within a
//! time.

mod answer;
mod judging;

use std::time::Duration;

use super::CheckError;
use crate::pg::{self, ServerError, Session};
pub use answer::{Answer, NotAsked};
pub use judging::{judge, not_asked, of_another};

/// What the server ends itself a little before we end it.
const GRACE: Duration = Duration::from_secs(5);
/// The cursor that a query is asked by: of a million rows, two are fetched.
const CURSOR: &str = "ccc_backup_check";

/// A question.
#[derive(Debug, Clone, PartialEq)]
pub struct SqlCheck {
    /// What it is called.
    pub name: String,
    /// One query.
    pub query: String,
    /// What it should give.
    pub expected: Expected,
    /// The database that is asked, where a backup holds several.
    pub database: Option<String>,
    /// The role that asks.
    pub role: Option<String>,
    /// How long it may take.
    pub timeout: Duration,
}

/// What a query should give.
#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// One row with these values.
    Row(Vec<Value>),
    /// One number, not below this.
    AtLeast(f64),
    /// One number, not above this.
    AtMost(f64),
    /// No row.
    Nothing,
    /// A row or more.
    Something,
}

/// A value that is expected.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Whole(i64),
    /// A number with a fraction.
    Fraction(f64),
    /// A text.
    Text(String),
}

/// Asks.
///
/// # Errors
/// When the server is in trouble.
pub async fn ask(session: &Session, check: &SqlCheck) -> Result<Answer, CheckError> {
    let limit = check.timeout + GRACE;
    match tokio::time::timeout(limit, asked(session, check)).await {
        Ok(answer) => answer,
        Err(_) => {
            // A function in C need not hear of a limit, and a query may take it off.
            let _ = tokio::time::timeout(GRACE, session.cancel()).await;
            Ok(Answer::Not(NotAsked::TooSlow))
        }
    }
}

async fn asked(session: &Session, check: &SqlCheck) -> Result<Answer, CheckError> {
    // As many as the server takes.
    let limit = check.timeout.as_millis().clamp(1, i32::MAX as u128);
    let mut begin = format!("BEGIN READ ONLY; SET LOCAL statement_timeout = {limit}");
    if let Some(role) = &check.role {
        begin = format!("{begin}; SET LOCAL ROLE {}", pg::quote_ident(role));
    }
    if let Err(error) = session.batch_execute(&begin).await {
        return refused(&error, |refusal| Answer::Not(NotAsked::Role(refusal)));
    }
    // By itself first: what is said of it is then about it, and it is one statement.
    let prepared = match session.prepare(&check.query).await {
        Ok(prepared) => prepared,
        Err(error) => return refused(&error, Answer::Refused),
    };
    if !prepared.params().is_empty() {
        return Ok(Answer::Unusable(
            "it has parameters, such as $1, and nothing says what they are",
        ));
    }
    if prepared.columns().is_empty() {
        return Ok(Answer::Unusable(
            "it gives no columns: only a query that reads can be asked, such as a SELECT",
        ));
    }
    let declare = format!("DECLARE {CURSOR} NO SCROLL CURSOR FOR {}", check.query);
    if let Err(error) = session.execute(&declare, &[]).await {
        let is_no_select = |refusal: &ServerError| refusal.code == "42601";
        return refused(&error, |refusal| match is_no_select(&refusal) {
            true => Answer::Unusable(
                "only a query that reads can be asked: a SELECT, VALUES, TABLE or WITH",
            ),
            false => Answer::Refused(refusal),
        });
    }
    match session.simple_query(&format!("FETCH 2 FROM {CURSOR}")).await {
        Ok(messages) => Ok(Answer::rows(prepared.columns().len(), &messages)),
        Err(error) => refused(&error, Answer::Refused),
    }
}

/// The answer that a refusal is.
fn refused(
    error: &tokio_postgres::Error,
    answer: impl FnOnce(ServerError) -> Answer,
) -> Result<Answer, CheckError> {
    match ServerError::of(error) {
        None => Err(CheckError::of(error)),
        // It was ended for its time, or by whoever runs the server.
        Some(refusal) if refusal.code == "57014" => Ok(Answer::Not(NotAsked::TooSlow)),
        // The rest of the server may be well.
        Some(refusal) if refusal.code.starts_with("53") => {
            Ok(Answer::Not(NotAsked::Wanting(refusal.message)))
        }
        Some(refusal) if refusal.is_servers_trouble() => Err(CheckError::of(error)),
        Some(refusal) => Ok(answer(refusal)),
    }
}
