//! The server that a backup is restored into for good: one that others use.
//!
//! Nothing is asked of it that needs a superuser, nothing is changed but what a restore made itself, and
//! what it makes is known by its name and its [`mark`]. Knows nothing of backups.

mod databases;
mod emptying;
mod error;
mod facts;
mod labels;
mod lacking;
mod leftovers;
pub mod mark;
pub mod names;
mod privileges;
mod properties;
mod rights;
mod service;
pub mod sessions;
mod subscriptions;
mod switch;

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use tempfile::TempDir;

use crate::model::secret::Secret;
use crate::pg::{ConnectInfo, Reached, Session, Target};
use crate::process::{Invocation, Program};
use crate::programs::{self, Programs};

pub use databases::{Found, Standing};
pub use emptying::Had;
pub use error::DestinationError;
pub use facts::Facts;
pub use labels::{Label, LabelRefusal};
pub use rights::Rights;
pub use service::Service;
pub use switch::{Switch, Switched};

/// Where the system's own programs are.
const SYSTEM: &str = "/bin";

/// Where a restore is to go.
#[derive(Debug, Clone)]
pub struct Request {
    /// How to connect to the server.
    pub target: Target,
    /// The same for people: `host:port`, as it was given.
    pub place: String,
    /// The database that the restored one is to be called.
    pub name: String,
    /// Whether it may take the name of one that has something in it.
    pub swap: bool,
    /// Whether that is all that is asked for: what would be done.
    pub only_plans: bool,
    /// Whether it is tried also where there seems to be no room.
    pub force: bool,
    /// When the run began.
    pub since: DateTime<Utc>,
}

/// A server that is reached, and held for restores into a database of one name.
#[derive(Debug)]
pub struct Destination {
    /// To the database from which others are made and renamed.
    server: ConnectInfo,
    /// The same for programs of PostgreSQL, by variables of libpq.
    variables: Vec<(&'static str, Secret)>,
    name: String,
    facts: Facts,
    work: TempDir,
    /// Holds the lock, and is asked what others do.
    session: Session,
}

impl Destination {
    /// Connects, and holds the name: no other restore into it runs meanwhile.
    ///
    /// # Errors
    /// When the server cannot be reached or written to, or another run has the name.
    pub async fn reach(request: &Request) -> Result<Self, DestinationError> {
        let Reached { info: server, session, variables } = facts::connect(&request.target).await?;
        let facts = facts::ask(&session).await?;
        if facts.is_read_only {
            return Err(DestinationError::read_only(facts.is_standby));
        }
        names::lock(&session, &request.name).await?;
        let work = tempfile::Builder::new()
            .prefix("ccc-backup-")
            .tempdir()
            .map_err(|error| DestinationError::doing("make a directory to work in", &error))?;
        Ok(Self { server, variables, name: request.name.clone(), facts, work, session })
    }

    /// How to connect to it, to the database from which others are made.
    pub fn connect_info(&self) -> &ConnectInfo {
        &self.server
    }

    /// A connection to the database of the name.
    ///
    /// # Errors
    /// When there is none, or it takes no connection.
    pub async fn connect(&self) -> Result<Session, DestinationError> {
        let session = self.server.database(&self.name).connect().await;
        session.map_err(|error| {
            DestinationError::server(format!("connect to the database {}", self.name), &error)
        })
    }

    /// What is known of it.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The database that the restored one is to be called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A directory of this run's own, which goes with it: where programs run.
    pub fn work(&self) -> &Path {
        self.work.path()
    }

    /// Runs a program of PostgreSQL of this machine that fits the server, with its settings.
    ///
    /// # Errors
    /// When this machine has none, or it cannot be run.
    pub async fn run(
        &self,
        program: Program,
        said: &mut (dyn FnMut(&str) + Send),
    ) -> Result<i64, DestinationError> {
        let name = program.argv.first().cloned().unwrap_or_default();
        let path = self.find(&name).await?;
        let mut invocation =
            Invocation::new(path).directory(self.work()).env("LC_ALL", Secret::new("C"));
        for (variable, value) in &self.variables {
            invocation = invocation.env(*variable, value.clone());
        }
        let ran = program.run(invocation, said).await;
        ran.map_err(|error| DestinationError::doing(format!("run {name}"), &error))
    }

    /// A program of this machine: the system's own, or of PostgreSQL for the server's version or a newer one.
    async fn find(&self, name: &str) -> Result<PathBuf, DestinationError> {
        if !name.starts_with("pg_") {
            return Ok(Path::new(SYSTEM).join(name));
        }
        let found = programs::with(name, &programs::directories().await).await;
        match programs::choose(&found, self.facts.major) {
            Some(Programs { dir, .. }) => Ok(dir.join(name)),
            None => Err(DestinationError::no_program(name, self.facts.major)),
        }
    }
}
