//! The switch: a proven database takes the name of another, which keeps its contents under a new one.
//!
//! Both renames are one transaction. The first of them locks the old database: who connects waits until
//! the end, and then gets the new one. Whatever ends this run, there is a whole database of the name.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::databases::{Found, comment};
use super::mark::{Mark, State};
use super::{Destination, DestinationError, names};
use crate::pg::{self, ServerError, Session, quote_ident};

/// How often sessions that are to go are asked to.
const PERIOD: Duration = Duration::from_millis(50);
/// How often the renames are tried: the server itself waits five seconds for sessions to go.
const TRIES: usize = 6;
/// `object_in_use`: sessions are left.
const IN_USE: &str = "55006";
/// As long may a lock be waited for.
const LOCK_TIMEOUT: &str = "SET lock_timeout = '30s'; SET statement_timeout = 0";

/// The processes in a database.
const PROCESSES: &str = "\
SELECT pid FROM pg_catalog.pg_stat_activity
WHERE datname = $1 AND pid <> pg_catalog.pg_backend_pid()";
const TERMINATE: &str = "SELECT pg_catalog.pg_terminate_backend($1)";

/// One database takes another's name.
#[derive(Debug)]
pub struct Switch<'a> {
    /// The one that takes it.
    pub from: &'a str,
    /// Its comment from then on.
    pub comment: Option<&'a str>,
    /// The one that has the name and gives it away, where there is one.
    pub gives_way: Option<&'a Found>,
    /// What the one that gives way is called from then on: `before` in `shop_before_20260114_020000`.
    pub aside: &'a str,
    /// The backup of which the one that takes the name was made.
    pub backup: &'a str,
    /// When.
    pub at: DateTime<Utc>,
}

/// What came of it.
#[derive(Debug)]
pub struct Switched {
    /// The name of the one that gave way.
    pub aside: Option<String>,
}

impl Destination {
    /// Switches. Sessions of the one that gives way are ended.
    ///
    /// # Errors
    /// When it could not be: then all is as before.
    pub async fn switch(&self, switch: &Switch<'_>) -> Result<Switched, DestinationError> {
        let name = self.name();
        let aside = match switch.gives_way {
            Some(_) => Some(self.free_name(switch.aside, switch.at).await?),
            None => None,
        };
        let mut sql = "BEGIN;\n".to_owned();
        if let (Some(found), Some(aside)) = (switch.gives_way, &aside) {
            let mark = Mark {
                state: State::Before,
                name: name.to_owned(),
                since: switch.at,
                backup: switch.backup.to_owned(),
                comment: found.own_comment(),
                had: None,
            };
            sql += &format!(
                "ALTER DATABASE {} RENAME TO {};\n",
                quote_ident(name),
                quote_ident(aside)
            );
            sql += &format!("{};\n", comment(aside, Some(&mark.text())));
        }
        sql += &format!(
            "ALTER DATABASE {} RENAME TO {};\n",
            quote_ident(switch.from),
            quote_ident(name)
        );
        sql += &format!("{};\nCOMMIT", comment(name, switch.comment));
        let failed = |error| {
            DestinationError::server(format!("give {} the name {name}", switch.from), &error)
        };
        let session = self.server.connect().await.map_err(failed)?;
        session.batch_execute(LOCK_TIMEOUT).await.map_err(failed)?;
        let mut last = None;
        for _ in 0..TRIES {
            let databases = [name, switch.from];
            let renamed = tokio::select! {
                renamed = session.batch_execute(&sql) => renamed,
                never = self.end_sessions(&databases) => match never {},
            };
            match renamed {
                Ok(()) => return Ok(Switched { aside }),
                Err(error) => {
                    rollback(&session).await;
                    let code = ServerError::of(&error).map(|error| error.code);
                    if code.as_deref() != Some(IN_USE) {
                        return Err(failed(error));
                    }
                    last = Some(error);
                }
            }
        }
        let left = self.sessions(name).await?;
        let Some(other) = left.first() else {
            return Err(
                last.map_or_else(|| DestinationError::doing("switch", &"no reason"), failed)
            );
        };
        Err(DestinationError::new(
            format!("the database {name} keeps its name: {other} cannot be ended"),
            "have an administrator end it (pg_terminate_backend), and run restore --complete",
        ))
    }

    /// A name beside the one at hand that no database has. One of the same second may have it.
    async fn free_name(&self, what: &str, at: DateTime<Utc>) -> Result<String, DestinationError> {
        let databases = self.databases().await?;
        let mut names = (0..).map(|second| {
            names::beside(self.name(), what, at + chrono::TimeDelta::seconds(second))
        });
        let free = names.find(|name| !databases.iter().any(|found| found.name == *name));
        free.ok_or_else(|| DestinationError::doing("name the old database", &"no name is free"))
    }

    /// Ends the sessions of databases, again and again.
    async fn end_sessions(&self, databases: &[&str]) -> std::convert::Infallible {
        loop {
            tokio::time::sleep(PERIOD).await;
            for database in databases {
                let found = self.session.query(PROCESSES, &[database]).await.unwrap_or_default();
                for row in found {
                    let pid: i32 = row.get(0);
                    if let Err(error) = self.session.execute(TERMINATE, &[&pid]).await {
                        tracing::debug!(pid, error = pg::describe(&error), "not ended");
                    }
                }
            }
        }
    }
}

async fn rollback(session: &Session) {
    if let Err(error) = session.batch_execute("ROLLBACK").await {
        tracing::debug!(error = pg::describe(&error), "no rollback");
    }
}
