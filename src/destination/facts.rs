//! What is known of the server before anything is done.

use std::collections::BTreeSet;

use super::DestinationError;
use super::service::{self, Service};
use crate::model::version::major_of;
use crate::pg::{ConnectError, Reached, Session, Target};

/// Databases that every server has, to connect to while others are made and renamed.
const MAINTENANCE: [&str; 2] = ["postgres", "template1"];

/// One row of facts.
const ASK: &str = "\
SELECT pg_catalog.current_setting('server_version'),
       pg_catalog.pg_is_in_recovery(),
       pg_catalog.current_setting('default_transaction_read_only') = 'on',
       r.rolname::text, r.rolsuper, r.rolcreatedb OR r.rolsuper
FROM pg_catalog.pg_roles r WHERE r.rolname = current_user";

const ROLES: &str = "SELECT rolname::text FROM pg_catalog.pg_roles";

/// What is known of a server.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Such as `15.18 (Debian 15.18-0+deb12u1)`.
    pub version: String,
    /// Its major version.
    pub major: u32,
    /// It replays another server's log.
    pub is_standby: bool,
    /// Nothing can be written.
    pub is_read_only: bool,
    /// As whom we are connected.
    pub user: String,
    /// Whether that is a superuser.
    pub is_superuser: bool,
    /// Whether it may create databases.
    pub may_create: bool,
    /// The roles that there are.
    pub roles: BTreeSet<String>,
    /// Whose service it is, where it is a well-known one.
    pub service: Option<Service>,
}

impl Facts {
    /// Those of `needed` that are no roles here.
    pub fn roles_missing<'a>(&self, needed: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
        needed.filter(|role| !self.roles.contains(*role)).map(str::to_owned).collect()
    }
}

/// Connects to a database from which others are made: a well-known one, else the one that was named.
pub(super) async fn connect(target: &Target) -> Result<Reached, DestinationError> {
    let mut refused = None;
    for name in MAINTENANCE.into_iter().chain([target.name()]) {
        match target.database(name).connect().await {
            Ok(reached) => return Ok(reached),
            // Another database of the same server would say the same.
            Err(error) if error.sqlstate().is_none() => return Err(unreached(&error)),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    let why = refused.map(|error| unreached(&error));
    Err(why.unwrap_or_else(|| DestinationError::doing("connect", &"no database to connect to")))
}

fn unreached(error: &ConnectError) -> DestinationError {
    DestinationError::new(error.to_string(), error.hint())
}

/// Asks.
pub(super) async fn ask(session: &Session) -> Result<Facts, DestinationError> {
    let asked = async {
        let row = session.query_one(ASK, &[]).await?;
        let roles = session.query(ROLES, &[]).await?;
        let roles: BTreeSet<String> = roles.iter().map(|row| row.get(0)).collect();
        let version: String = row.try_get(0)?;
        let (is_standby, is_set_read_only): (bool, bool) = (row.try_get(1)?, row.try_get(2)?);
        Ok(Facts {
            major: major_of(&version).unwrap_or_default(),
            version,
            is_standby,
            is_read_only: is_standby || is_set_read_only,
            user: row.try_get(3)?,
            is_superuser: row.try_get(4)?,
            may_create: row.try_get(5)?,
            service: service::by_roles(&roles),
            roles,
        })
    };
    asked
        .await
        .map_err(|error: tokio_postgres::Error| DestinationError::server("say what it is", &error))
}
