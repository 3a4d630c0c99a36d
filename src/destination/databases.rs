//! The databases of the server: found, made, dropped.

use super::emptying::{self, COUNT, Had};
use super::mark::{Mark, State};
use super::{Destination, DestinationError, subscriptions};
use crate::model::locale::Locale;
use crate::pg::{self, ServerError};

const LIST: &str = "\
SELECT d.datname::text, pg_catalog.shobj_description(d.oid, 'pg_database'), d.datistemplate,
       d.datallowconn, pg_catalog.pg_has_role(d.datdba, 'USAGE')
FROM pg_catalog.pg_database d ORDER BY d.datname";

const SIZE: &str = "\
SELECT CASE WHEN pg_catalog.has_database_privilege($1::text, 'CONNECT')
            THEN pg_catalog.pg_database_size($1::text::name) END";

/// `object_in_use`: sessions, or a subscription.
const IN_USE: &str = "55006";

/// A database of the server.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// Its comment.
    pub comment: Option<String>,
    /// It is a template.
    pub is_template: bool,
    /// It takes connections.
    pub takes_connections: bool,
    /// We own it, or are a member of its owner.
    pub is_ours: bool,
}

impl Found {
    /// The mark of a restore.
    pub fn mark(&self) -> Option<Mark> {
        Mark::read(self.comment.as_deref()?)
    }

    /// The mark of a restore into it, empty as it was, that did not come to its end.
    pub fn half_filled(&self) -> Option<Mark> {
        self.mark().filter(|mark| mark.state == State::Filling && mark.name == self.name)
    }

    /// The comment that its owner gave it, which a mark keeps.
    pub fn own_comment(&self) -> Option<String> {
        match self.mark() {
            Some(mark) => mark.comment,
            None => self.comment.clone(),
        }
    }
}

/// What there is under the name that a restore is to have.
#[derive(Debug)]
pub enum Standing {
    /// No database.
    Missing,
    /// A database with nothing in it.
    Empty(Found),
    /// A database with so many objects in it.
    Filled(Found, i64),
}

impl Destination {
    /// The databases of the server.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn databases(&self) -> Result<Vec<Found>, DestinationError> {
        let rows = self.session.query(LIST, &[]).await;
        let rows = rows.map_err(|error| DestinationError::server("list its databases", &error))?;
        let found = rows.iter().map(|row| Found {
            name: row.get(0),
            comment: row.get(1),
            is_template: row.get(2),
            takes_connections: row.get(3),
            is_ours: row.get(4),
        });
        Ok(found.collect())
    }

    /// The size of a database in bytes, where we may ask. The server looks at each of its files for that.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn size_of(&self, name: &str) -> Result<Option<i64>, DestinationError> {
        let row = self.session.query_one(SIZE, &[&name]).await;
        let row = row.map_err(|error| DestinationError::server("ask how large it is", &error))?;
        Ok(row.get(0))
    }

    /// What there is under the name.
    ///
    /// # Errors
    /// When the server cannot be asked, or the database is none to restore into.
    pub async fn standing(&self) -> Result<Standing, DestinationError> {
        let databases = self.databases().await?;
        let Some(found) = databases.into_iter().find(|of| of.name == self.name) else {
            return Ok(Standing::Missing);
        };
        if found.is_template {
            let cause = format!("{} is a template, from which others are made", self.name);
            return Err(DestinationError::new(cause, "name another database: --as NAME"));
        }
        if !found.takes_connections {
            let cause = format!("the database {} takes no connections", self.name);
            let hint = format!(
                "let it: ALTER DATABASE {} ALLOW_CONNECTIONS true; or name another: --as NAME",
                pg::quote_ident(&self.name)
            );
            return Err(DestinationError::new(cause, hint));
        }
        let objects = self.count_objects(&self.name).await?;
        Ok(if objects == 0 { Standing::Empty(found) } else { Standing::Filled(found, objects) })
    }

    /// How many objects there are in a database that it was not made with.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub(super) async fn count_objects(&self, name: &str) -> Result<i64, DestinationError> {
        let failed = |error| {
            DestinationError::server(format!("be asked what is in the database {name}"), &error)
        };
        let session = self.server.database(name).connect().await.map_err(failed)?;
        Ok(session.query_one(COUNT, &[]).await.map_err(failed)?.get(0))
    }

    /// Makes a database that bears a mark. Where the server lacks the locale, C takes its place, and the
    /// result says so in a sentence.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn create(
        &self,
        name: &str,
        locale: &Locale,
        mark: &Mark,
    ) -> Result<Option<String>, DestinationError> {
        let statements = locale.statements(name, self.facts.major);
        let made = pg::first_that_works(&self.session, statements).await;
        let said = made.map_err(|error| match error {
            Some(error) => DestinationError::server(format!("create the database {name}"), &error),
            None => DestinationError::doing("create the database", &"no way to do it"),
        })?;
        self.mark(name, mark).await?;
        Ok(said)
    }

    /// Drops roles that this run made. Gives what the server refused, one sentence each.
    pub async fn drop_roles<'a>(&self, roles: impl Iterator<Item = &'a String>) -> Vec<String> {
        let drops: Vec<String> =
            roles.map(|role| format!("DROP ROLE IF EXISTS {}", pg::quote_ident(role))).collect();
        self.try_each(&drops).await
    }

    /// Writes a mark on a database.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn mark(&self, name: &str, mark: &Mark) -> Result<(), DestinationError> {
        let sql = comment(name, Some(&mark.text()));
        let marked = self.session.batch_execute(&sql).await;
        marked.map_err(|error| {
            DestinationError::server(format!("comment on the database {name}"), &error)
        })
    }

    /// Waits until all that was committed on the server is on its disk: by a message in its log, which is all that a
    /// role needs no right to write. A server that refuses it has it there in a moment by itself.
    pub async fn settle(&self) {
        let sql = "SELECT pg_catalog.pg_logical_emit_message(true, 'ccc-backup', 'restored')";
        if let Err(error) = self.session.batch_execute(sql).await {
            tracing::debug!(error = pg::describe(&error), "not waited for the disk");
        }
    }

    /// Takes the mark off a database that was restored into, or emptied again.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn unmark(&self, name: &str, mark: &Mark) -> Result<(), DestinationError> {
        let unmarked = self.session.batch_execute(&comment(name, mark.comment.as_deref())).await;
        unmarked.map_err(|error| {
            DestinationError::server(format!("comment on the database {name}"), &error)
        })
    }

    /// Drops a database that this or an earlier run made.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn drop(&self, name: &str) -> Result<(), DestinationError> {
        let force = if self.facts.major >= 13 { " WITH (FORCE)" } else { "" };
        let sql = format!("DROP DATABASE IF EXISTS {}{force}", pg::quote_ident(name));
        let mut dropped = self.session.batch_execute(&sql).await;
        if dropped.as_ref().is_err_and(|error| code_of(error).as_deref() == Some(IN_USE))
            && let Ok(session) = self.server.database(name).connect().await
        {
            subscriptions::drop_others(&session, &[]).await;
            drop(session);
            dropped = self.session.batch_execute(&sql).await;
        }
        dropped
            .map_err(|error| DestinationError::server(format!("drop the database {name}"), &error))
    }

    /// Notes what an empty database has.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn note(&self, name: &str) -> Result<Had, DestinationError> {
        let failed = |error| {
            DestinationError::server(format!("be asked what the database {name} has"), &error)
        };
        let session = self.server.database(name).connect().await.map_err(failed)?;
        emptying::note(&session).await.map_err(failed)
    }

    /// Removes what a restore put into a database that was empty, and that had this before.
    ///
    /// # Errors
    /// When the server refuses, or something of it is left.
    pub async fn empty(&self, name: &str, had: &Had) -> Result<(), DestinationError> {
        let failed =
            |error| DestinationError::server(format!("empty the database {name} again"), &error);
        self.end_own_sessions(name).await?;
        let session = self.server.database(name).connect().await.map_err(failed)?;
        let left = emptying::empty(&session, had).await.map_err(failed)?;
        let Some(first) = left.first() else { return Ok(()) };
        let more = match left.len() {
            1 => String::new(),
            count => format!(" (and {} more)", count - 1),
        };
        let cause = format!("the database {name} is not what it was before: {first}{more}");
        Err(DestinationError::new(
            cause,
            "have its owner put that right, or make the database anew",
        ))
    }
}

/// The statement that comments on a database.
pub(super) fn comment(name: &str, text: Option<&str>) -> String {
    let text = text.map_or_else(|| "NULL".to_owned(), pg::quote_literal);
    format!("COMMENT ON DATABASE {} IS {text}", pg::quote_ident(name))
}

fn code_of(error: &tokio_postgres::Error) -> Option<String> {
    ServerError::of(error).map(|error| error.code)
}
