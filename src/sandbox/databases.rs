//! What a sandbox's superuser does for a backup: databases, roles, extensions.

use super::error::SandboxError;
use super::running::{Engine, Sandbox};
use crate::model::locale::Locale;
use crate::model::role_rights::RoleRights;
use crate::pg::{self, ConnectInfo};

impl Sandbox {
    /// Creates a database. Where the server lacks the locale, C takes its place, and the result
    /// says so in a sentence.
    ///
    /// # Errors
    /// [`SandboxError::Server`].
    pub async fn create_database(
        &self,
        name: &str,
        locale: &Locale,
    ) -> Result<Option<String>, SandboxError> {
        let failed = |error: &tokio_postgres::Error| SandboxError::Server {
            doing: format!("create the database {name}"),
            reason: pg::describe(error),
        };
        let session = self.admin().connect().await.map_err(|error| failed(&error))?;
        let statements = locale.statements(name, self.version);
        let made = pg::first_that_works(&session, statements).await;
        let said = made.map_err(|error| match error {
            Some(error) => failed(&error),
            None => SandboxError::Server {
                doing: format!("create the database {name}"),
                reason: "no way to do it".into(),
            },
        })?;
        match &self.engine {
            Engine::Local(server) => server.hand_over(name).await?,
            Engine::Docker(_) => {}
        }
        Ok(said)
    }

    /// Connects as another superuser from here on: a dump of a whole cluster may change the password of
    /// `postgres`. Where the backup is restored by no superuser, nothing has to change.
    ///
    /// # Errors
    /// [`SandboxError::Server`].
    pub async fn leave_postgres_alone(&mut self) -> Result<(), SandboxError> {
        const USER: &str = "ccc_backup_restore";
        if !self.restores_as_superuser() {
            return Ok(());
        }
        let failed = |error: &tokio_postgres::Error| SandboxError::Server {
            doing: format!("create the role {USER}"),
            reason: pg::describe(error),
        };
        let session = self.admin().connect().await.map_err(|error| failed(&error))?;
        let password = pg::quote_literal(self.connect_info.password.expose());
        let sql = format!("CREATE ROLE {USER} SUPERUSER LOGIN PASSWORD {password}");
        session.batch_execute(&sql).await.map_err(|error| failed(&error))?;
        self.connect_info.user = USER.to_owned();
        Ok(())
    }

    /// Creates roles that may not log in, superusers where it says so and the backup is restored by one,
    /// and gives those that were made. Since nothing says what their own rights were, they may read all
    /// data: a materialized view is filled with the rights of its owner. A restoring role that is no
    /// superuser becomes a member of them.
    ///
    /// # Errors
    /// [`SandboxError::Server`].
    pub async fn create_roles<'a>(
        &self,
        names: impl Iterator<Item = (&'a str, bool)>,
    ) -> Result<Vec<String>, SandboxError> {
        let failed = |error: &tokio_postgres::Error| SandboxError::Server {
            doing: "create the roles of the backup".to_owned(),
            reason: pg::describe(error),
        };
        let mut names = names.peekable();
        let mut made = Vec::new();
        if names.peek().is_none() {
            return Ok(made);
        }
        let session = self.admin().connect().await.map_err(|error| failed(&error))?;
        for (name, superuser) in names {
            let role = pg::quote_ident(name);
            let reads = if self.version >= 14 { " IN ROLE pg_read_all_data" } else { "" };
            let superuser =
                if superuser && self.restores_as_superuser() { " SUPERUSER" } else { "" };
            let mut sql = format!("CREATE ROLE {role} NOLOGIN{superuser}{reads}");
            if !self.restores_as_superuser() {
                sql =
                    format!("{sql}; GRANT {role} TO {}", pg::quote_ident(&self.connect_info.user));
            }
            match session.batch_execute(&sql).await {
                Ok(()) => made.push(name.to_owned()),
                Err(error) if is_about_the_role(&error) => {
                    tracing::debug!(role = name, error = pg::describe(&error), "not made");
                }
                Err(error) => return Err(failed(&error)),
            }
        }
        Ok(made)
    }

    /// Makes roles members of others: each role, and its member. What cannot be is left.
    ///
    /// # Errors
    /// [`SandboxError::Server`].
    pub async fn grant_roles(&self, memberships: &[(String, String)]) -> Result<(), SandboxError> {
        if memberships.is_empty() {
            return Ok(());
        }
        let failed = |error: &tokio_postgres::Error| SandboxError::Server {
            doing: "make roles of the backup members of others".to_owned(),
            reason: pg::describe(error),
        };
        let session = self.admin().connect().await.map_err(|error| failed(&error))?;
        for (role, member) in memberships {
            let sql = format!("GRANT {} TO {}", pg::quote_ident(role), pg::quote_ident(member));
            match session.batch_execute(&sql).await {
                Ok(()) => {}
                Err(error) if pg::ServerError::of(&error).is_some() => {
                    tracing::debug!(role, member, error = pg::describe(&error), "no member");
                }
                Err(error) => return Err(failed(&error)),
            }
        }
        Ok(())
    }

    /// Leaves roles that were made here to what they may by themselves, so that a question can be asked as one of them.
    ///
    /// # Errors
    /// [`SandboxError::Server`].
    pub async fn leave_to_own_rights(
        &self,
        roles: &[(String, RoleRights)],
    ) -> Result<(), SandboxError> {
        let failed = |error: &tokio_postgres::Error| SandboxError::Server {
            doing: "give roles of the backup their own rights".to_owned(),
            reason: pg::describe(error),
        };
        if roles.is_empty() {
            return Ok(());
        }
        let session = self.admin().connect().await.map_err(|error| failed(&error))?;
        for (name, rights) in roles {
            let role = pg::quote_ident(name);
            let rows = if rights.passes_row_security { "BYPASSRLS" } else { "NOBYPASSRLS" };
            let inherits = if rights.inherits { "INHERIT" } else { "NOINHERIT" };
            let mut sql = format!("ALTER ROLE {role} {rows} {inherits}");
            if !rights.reads_all && self.version >= 14 {
                sql = format!("{sql}; REVOKE pg_read_all_data FROM {role}");
            }
            session.batch_execute(&sql).await.map_err(|error| failed(&error))?;
        }
        Ok(())
    }

    /// Drops a database that nobody needs any more.
    ///
    /// # Errors
    /// [`SandboxError::Server`].
    pub async fn drop_database(&self, name: &str) -> Result<(), SandboxError> {
        let failed = |error: &tokio_postgres::Error| SandboxError::Server {
            doing: format!("drop the database {name}"),
            reason: pg::describe(error),
        };
        let force = if self.version >= 13 { " WITH (FORCE)" } else { "" };
        let session = self.admin().connect().await.map_err(|error| failed(&error))?;
        let sql = format!("DROP DATABASE {}{force}", pg::quote_ident(name));
        session.batch_execute(&sql).await.map_err(|error| failed(&error))
    }

    /// Creates, by the superuser, the extensions of the backup that the restoring role may not create and
    /// that are known to be harmless; gives those that cannot be had here for want of a superuser.
    /// Each has its name and, where the backup says so, its schema.
    ///
    /// # Errors
    /// [`SandboxError::Server`].
    pub async fn create_extensions(
        &self,
        database: &str,
        needed: &[(&str, Option<&str>)],
    ) -> Result<Vec<String>, SandboxError> {
        match &self.engine {
            Engine::Docker(_) => Ok(Vec::new()),
            Engine::Local(server) => server.create_extensions(database, needed).await,
        }
    }

    /// How a superuser connects.
    fn admin(&self) -> &ConnectInfo {
        match &self.engine {
            Engine::Docker(_) => &self.connect_info,
            Engine::Local(server) => &server.admin,
        }
    }
}

/// It exists (42710), or its name is reserved (42939) or none (42602, 42622).
fn is_about_the_role(error: &tokio_postgres::Error) -> bool {
    pg::ServerError::of(error)
        .is_some_and(|error| matches!(error.code.as_str(), "42710" | "42939" | "42602" | "42622"))
}
