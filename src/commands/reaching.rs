//! Where PostgreSQL's client tools are: on this machine, or in the container that the database runs in.

use std::path::Path;
use std::sync::Arc;

use crate::libpq::settings::ConnectSettings;
use crate::process::Elsewhere;
use crate::sandbox::{ContainerError, DatabaseContainer};
use crate::source::client_tools::PgDump;
use crate::source::error::SourceError;

/// The role that PostgreSQL's images make unless they are told another.
const DEFAULT_ROLE: &str = "postgres";

/// See the module.
#[derive(Debug, Clone)]
pub(super) enum Client {
    /// On this machine.
    Here,
    /// In a container.
    Inside(Arc<dyn Elsewhere>),
}

impl Client {
    /// The pg_dump to take, with the others beside it; `named` is one of this machine.
    ///
    /// # Errors
    /// [`SourceError`].
    pub(super) async fn pg_dump(&self, named: Option<&Path>) -> Result<PgDump, SourceError> {
        match self {
            Self::Here => PgDump::find(named).await,
            Self::Inside(host) => PgDump::elsewhere(Arc::clone(host)).await,
        }
    }
}

/// Finds the container, where there is one to find, and completes the settings by what it says of its database.
///
/// # Errors
/// [`ContainerError`].
pub(super) async fn reach(
    container: Option<&str>,
    source: &ConnectSettings,
) -> Result<(ConnectSettings, Client), ContainerError> {
    let Some(name) = container else { return Ok((source.clone(), Client::Here)) };
    let found = DatabaseContainer::find(name).await?;
    // As the image makes them: a database by the role's name, unless it is told another.
    let role = found.role.clone().unwrap_or_else(|| DEFAULT_ROLE.to_owned());
    let database = found.database.clone().unwrap_or_else(|| role.clone());
    let told = ConnectSettings {
        dbname: Some(database),
        username: Some(role),
        ..ConnectSettings::default()
    };
    Ok((source.clone().or(told), Client::Inside(Arc::new(found))))
}
