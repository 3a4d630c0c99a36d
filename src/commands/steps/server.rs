//! The server that a backup is restored into, whosever it is.

use std::fmt;
use std::path::Path;

use super::destined::Destined;
use crate::destination::DestinationError;
use crate::events::SandboxKind;
use crate::model::locale::Locale;
use crate::model::outcome::SandboxFacts;
use crate::model::role_rights::RoleRights;
use crate::pg::ConnectInfo;
use crate::process::Program;
use crate::restore::known::{self, Whose};
use crate::sandbox::{Sandbox, SandboxError};

/// A server that is there.
#[derive(Debug)]
pub(in crate::commands) enum Server {
    /// A throwaway one.
    Sandbox(Box<Sandbox>),
    /// One that others use, with the database on it that is restored into.
    Destination(Box<Destined>),
}

/// Why a server could not be had or does not do what it has to. None of these says anything about the
/// backup.
#[derive(Debug)]
pub(in crate::commands) enum ServerError {
    /// Of a throwaway one.
    Sandbox(SandboxError),
    /// Of one that others use.
    Destination(DestinationError),
}

impl From<SandboxError> for ServerError {
    fn from(error: SandboxError) -> Self {
        Self::Sandbox(error)
    }
}

impl From<DestinationError> for ServerError {
    fn from(error: DestinationError) -> Self {
        Self::Destination(error)
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sandbox(error) => error.fmt(f),
            Self::Destination(error) => error.fmt(f),
        }
    }
}

impl ServerError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Sandbox(error) => error.hint(),
            Self::Destination(error) => Some(error.hint().to_owned()),
        }
    }
}

impl Server {
    /// How to connect to a database of it that is not restored into.
    pub fn connect_info(&self) -> &ConnectInfo {
        match self {
            Self::Sandbox(sandbox) => sandbox.connect_info(),
            Self::Destination(destined) => destined.destination.connect_info(),
        }
    }

    /// What a report says of it.
    pub fn facts(&self) -> SandboxFacts {
        match self {
            Self::Sandbox(sandbox) => sandbox.facts().clone(),
            Self::Destination(destined) => SandboxFacts {
                engine: "server".to_owned(),
                image: None,
                image_digest: None,
                server_version: destined.destination.facts().version.clone(),
                in_memory: false,
            },
        }
    }

    /// Its major version.
    pub fn version(&self) -> u32 {
        match self {
            Self::Sandbox(sandbox) => sandbox.version(),
            Self::Destination(destined) => destined.destination.facts().major,
        }
    }

    /// What it is like, for a hint.
    pub fn described(&self) -> known::Server {
        let whose = match self {
            Self::Destination(_) => Whose::Others,
            Self::Sandbox(sandbox) if sandbox.restores_as_superuser() => Whose::Image,
            Self::Sandbox(_) => Whose::Machine,
        };
        known::Server { major: self.version(), whose }
    }

    /// What it runs in.
    pub fn kind(&self) -> SandboxKind {
        match self {
            Self::Sandbox(sandbox) => sandbox.kind(),
            Self::Destination(_) => SandboxKind::Server,
        }
    }

    /// Whether the backup is restored as a superuser.
    pub fn restores_as_superuser(&self) -> bool {
        match self {
            Self::Sandbox(sandbox) => sandbox.restores_as_superuser(),
            Self::Destination(destined) => destined.destination.facts().is_superuser,
        }
    }

    /// Whether nobody else works there, so that all that is new in it is the restore's.
    pub fn is_ours_alone(&self) -> bool {
        matches!(self, Self::Sandbox(_))
    }

    /// The database that is restored into, where that was decided before the backup was read.
    pub fn database(&self) -> Option<&str> {
        match self {
            Self::Sandbox(_) => None,
            Self::Destination(destined) => Some(destined.database()),
        }
    }

    /// The directory of this machine that programs run in, where it is one.
    pub fn work(&self) -> Option<&Path> {
        match self {
            Self::Sandbox(_) => None,
            Self::Destination(destined) => Some(destined.destination.work()),
        }
    }

    /// Runs a program beside it, in a directory that goes with it; gives its exit code, 128 and more for
    /// a signal. Its lines on stderr go to `said`.
    pub async fn run(
        &self,
        program: Program,
        said: &mut (dyn FnMut(&str) + Send),
    ) -> Result<i64, ServerError> {
        Ok(match self {
            Self::Sandbox(sandbox) => sandbox.run(program, said).await?,
            Self::Destination(destined) => destined.destination.run(program, said).await?,
        })
    }

    /// Why it does not answer any more, where that can be told.
    pub async fn diagnose(&self) -> Option<String> {
        match self {
            Self::Sandbox(sandbox) => sandbox.diagnose().await,
            Self::Destination(_) => None,
        }
    }

    /// Makes the database to restore into. Where the locale had to be replaced, the result says so.
    pub async fn create_database(
        &self,
        name: &str,
        locale: &Locale,
    ) -> Result<Option<String>, ServerError> {
        Ok(match self {
            Self::Sandbox(sandbox) => sandbox.create_database(name, locale).await?,
            Self::Destination(destined) => destined.create_database(name, locale).await?,
        })
    }

    /// Removes a database that this run made, or what it put into one that was empty.
    pub async fn drop_database(&self, name: &str) -> Result<(), ServerError> {
        match self {
            Self::Sandbox(sandbox) => Ok(sandbox.drop_database(name).await?),
            Self::Destination(destined) => Ok(destined.drop_database(name).await?),
        }
    }

    /// Makes roles that a throwaway server lacks; one that others use has those that it has.
    pub async fn create_roles<'a>(
        &self,
        names: impl Iterator<Item = (&'a str, bool)>,
    ) -> Result<Vec<String>, ServerError> {
        Ok(match self {
            Self::Sandbox(sandbox) => sandbox.create_roles(names).await?,
            Self::Destination(_) => Vec::new(),
        })
    }

    /// Leaves roles that were made in a throwaway server to what they may by themselves.
    pub async fn leave_to_own_rights(
        &self,
        roles: &[(String, RoleRights)],
    ) -> Result<(), ServerError> {
        match self {
            Self::Sandbox(sandbox) => Ok(sandbox.leave_to_own_rights(roles).await?),
            Self::Destination(_) => Ok(()),
        }
    }

    /// Makes roles members of others, of those that were made.
    pub async fn grant_roles(&self, memberships: &[(String, String)]) -> Result<(), ServerError> {
        match self {
            Self::Sandbox(sandbox) => Ok(sandbox.grant_roles(memberships).await?),
            Self::Destination(_) => Ok(()),
        }
    }

    /// Creates the extensions that a restoring role of a throwaway server may not; gives those that cannot
    /// be had.
    pub async fn create_extensions(
        &self,
        database: &str,
        needed: &[(&str, Option<&str>)],
    ) -> Result<Vec<String>, ServerError> {
        match self {
            Self::Sandbox(sandbox) => Ok(sandbox.create_extensions(database, needed).await?),
            Self::Destination(_) => Ok(Vec::new()),
        }
    }

    /// Has a throwaway server's `postgres` to the backup alone.
    pub async fn leave_postgres_alone(&mut self) -> Result<(), ServerError> {
        match self {
            Self::Sandbox(sandbox) => Ok(sandbox.leave_postgres_alone().await?),
            Self::Destination(_) => Ok(()),
        }
    }
}
