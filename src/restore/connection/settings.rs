//! What a session is set to, carried from the connection that runs the dump in its order to the others.
//!
//! The server is asked for it. So it makes no difference how a setting came to be, by SET, RESET,
//! DISCARD or a function, or whether a ROLLBACK took it back.

use std::sync::Arc;

use super::{Connection, LoadError, refusal};
use crate::dump::item::Statement;
use crate::pg;

/// Settings of the session alone. Those of a transaction end with it, and the encoding of our own
/// statements is UTF-8, whatever the dump's.
const SETTINGS: &str = "\
SELECT name, setting FROM pg_catalog.pg_settings
WHERE source OPERATOR(pg_catalog.=) 'session'
  AND NOT name OPERATOR(pg_catalog.=) ANY (ARRAY[
      'client_encoding', 'transaction_isolation', 'transaction_read_only', 'transaction_deferrable'])
ORDER BY name";

/// Whose session it is, and in which role.
const ROLES: &str = "\
SELECT pg_catalog.current_setting('session_authorization'), pg_catalog.current_setting('role')";

/// What a session is set to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Settings {
    values: Vec<(String, String)>,
    user: String,
    role: String,
    encoding: Option<String>,
}

impl Connection {
    /// Whether a transaction of the dump is under way, whose settings nobody else has.
    pub fn is_in_transaction(&self) -> bool {
        self.in_transaction
    }

    /// What the session is set to, for others to take over.
    ///
    /// # Errors
    /// When the server is in trouble.
    pub async fn settings(&mut self) -> Result<Arc<Settings>, LoadError> {
        let asked = async {
            let rows = self.session.query(SETTINGS, &[]).await?;
            let values = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
            let values = values.collect::<Result<_, tokio_postgres::Error>>()?;
            let row = self.session.query_one(ROLES, &[]).await?;
            let encoding = self.encoding.clone();
            Ok(Settings { values, user: row.try_get(0)?, role: row.try_get(1)?, encoding })
        };
        let settings =
            asked.await.map_err(|error: tokio_postgres::Error| LoadError::server(&error))?;
        let settings = Arc::new(settings);
        self.adopted = Some(Arc::clone(&settings));
        Ok(settings)
    }

    /// Takes over what another session is set to, unless it has. What the server refuses is noted as at
    /// the `statement` before which it happens.
    ///
    /// # Errors
    /// When the server is in trouble.
    pub async fn adopt(
        &mut self,
        settings: Arc<Settings>,
        statement: &Statement,
    ) -> Result<(), LoadError> {
        if self.adopted.as_ref().is_some_and(|adopted| Arc::ptr_eq(adopted, &settings)) {
            return Ok(());
        }
        self.encoding.clone_from(&settings.encoding);
        self.workers = None;
        if let Err(error) = self.session.batch_execute(&settings.sql(&self.target.user)).await {
            // psql has one session, and asks for nothing of the kind.
            self.leave_order();
            self.note(statement, refusal(&error)?)?;
        }
        self.adopted = Some(settings);
        Ok(())
    }

    /// Sets something for the next job alone. What the server refuses was noted where it stands.
    ///
    /// # Errors
    /// When the server is in trouble.
    pub async fn set_for_a_while(&mut self, statement: &Statement) -> Result<(), LoadError> {
        self.forget_settings();
        if let Ok(text) = self.text(statement).await?
            && let Err(error) = self.session.batch_execute(&text).await
        {
            refusal(&error)?;
        }
        Ok(())
    }

    /// Lets the server take so many processes of its own beside the session's to build an index. Servers before 11
    /// know nothing of it.
    ///
    /// # Errors
    /// When the server is in trouble.
    pub async fn lend_workers(&mut self, workers: usize) -> Result<(), LoadError> {
        if self.workers == Some(workers) {
            return Ok(());
        }
        let sql = format!(
            "SELECT pg_catalog.set_config(name, '{workers}', false) FROM pg_catalog.pg_settings \
             WHERE name OPERATOR(pg_catalog.=) 'max_parallel_maintenance_workers'"
        );
        // Refused, it is only slower.
        if let Err(error) = self.session.batch_execute(&sql).await {
            refusal(&error)?;
        }
        self.workers = Some(workers);
        Ok(())
    }

    /// The session is set otherwise than what it took over.
    pub fn forget_settings(&mut self) {
        self.adopted = None;
    }
}

impl Settings {
    /// Makes a session of this user what these settings say, whatever it is.
    fn sql(&self, user: &str) -> String {
        let mut sql = "RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL".to_owned();
        for (name, value) in &self.values {
            let (name, value) = (pg::quote_literal(name), pg::quote_literal(value));
            sql += &format!("; SELECT pg_catalog.set_config({name}, {value}, false)");
        }
        // Last, because they can take away the right to the others.
        if self.user != user {
            sql += &format!("; SET SESSION AUTHORIZATION {}", pg::quote_ident(&self.user));
        }
        if self.role != "none" {
            sql += &format!("; SET ROLE {}", pg::quote_ident(&self.role));
        }
        sql
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_made_anew_and_the_role_comes_last() {
        let settings = Settings {
            values: vec![("app.x".into(), "it's".into())],
            user: "u".into(),
            role: "r".into(),
            encoding: None,
        };
        let anew = "RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL";
        let set = "SELECT pg_catalog.set_config('app.x', 'it''s', false)";
        let as_other = format!("{anew}; {set}; SET SESSION AUTHORIZATION \"u\"; SET ROLE \"r\"");
        assert_eq!(settings.sql("postgres"), as_other);
        assert_eq!(settings.sql("u"), format!("{anew}; {set}; SET ROLE \"r\""));
        let none = Settings { user: "u".into(), role: "none".into(), ..Settings::default() };
        assert_eq!(none.sql("u"), anew);
    }
}
