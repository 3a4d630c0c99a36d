//! A sandbox that runs, whatever runs it.

use super::error::SandboxError;
use super::{docker, local};
use crate::events::{Event, Events, SandboxKind};
use crate::model::outcome::SandboxFacts;
use crate::pg::ConnectInfo;
use crate::process::Program;

/// A server that runs, and the guard of all that belongs to it.
#[derive(Debug)]
pub struct Sandbox {
    pub(super) engine: Engine,
    pub(super) connect_info: ConnectInfo,
    pub(super) facts: SandboxFacts,
    pub(super) version: u32,
}

/// What runs it.
#[derive(Debug)]
pub(super) enum Engine {
    Docker(Box<docker::Container>),
    Local(Box<local::Server>),
}

impl Sandbox {
    /// How to connect to the database `postgres`, as the role that restores.
    pub fn connect_info(&self) -> &ConnectInfo {
        &self.connect_info
    }

    /// What a report says of it.
    pub fn facts(&self) -> &SandboxFacts {
        &self.facts
    }

    /// The major version of its server.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Its port: on 127.0.0.1, but for a local server that is not kept.
    pub fn port(&self) -> u16 {
        match &self.engine {
            Engine::Docker(container) => container.port,
            Engine::Local(server) => server.port,
        }
    }

    /// What it runs in.
    pub fn kind(&self) -> SandboxKind {
        match self.engine {
            Engine::Docker(_) => SandboxKind::Container,
            Engine::Local(_) => SandboxKind::Server,
        }
    }

    /// Whether the backup is restored as a superuser. It is within a container's walls alone.
    pub fn restores_as_superuser(&self) -> bool {
        match self.engine {
            Engine::Docker(_) => true,
            Engine::Local(_) => false,
        }
    }

    /// Runs a program beside the server, as its user, in a directory that it may write to and that
    /// goes with the sandbox; gives its exit code, 128 and more for a signal. Its lines on stderr
    /// go to `said`.
    ///
    /// # Errors
    /// [`SandboxError::Engine`], also when the sandbox has gone away.
    pub async fn run(
        &self,
        program: Program,
        said: &mut (dyn FnMut(&str) + Send),
    ) -> Result<i64, SandboxError> {
        match &self.engine {
            Engine::Docker(container) => container.run(program, said).await,
            Engine::Local(server) => server.run(program, said).await,
        }
    }

    /// Why the server does not answer any more, when it is its own end that is to blame: that it
    /// was killed for want of memory, how it exited, its last lines. `None` when it runs.
    pub async fn diagnose(&self) -> Option<String> {
        match &self.engine {
            Engine::Docker(container) => container.diagnose().await,
            Engine::Local(server) => server.diagnose().await,
        }
    }

    /// Removes it: container, network, volume; server and directory. The normal way out.
    ///
    /// # Errors
    /// [`SandboxError::Engine`] or [`SandboxError::Local`] when something could not be removed; what it
    /// was is in the text.
    pub async fn close(self, events: &Events) -> Result<(), SandboxError> {
        let kind = self.kind();
        events.emit(Event::SandboxClosing(kind));
        match self.engine {
            Engine::Docker(container) => container.remove().await?,
            Engine::Local(server) => server.remove().await?,
        }
        events.emit(Event::SandboxClosed(kind));
        Ok(())
    }

    /// Leaves it running and says how to connect to `database` and how to remove it.
    ///
    /// The line holds the password: it was made for this server alone, which listens on loopback
    /// alone and holds a copy of what its reader already has; nobody could connect without it.
    pub async fn keep(self, database: &str, events: &Events) {
        let (name, from) = match &self.engine {
            Engine::Docker(container) if container.is_near => (container.name.clone(), ""),
            Engine::Docker(container) => (container.name.clone(), "  # on the engine's machine"),
            Engine::Local(server) => (server.name.clone(), ""),
        };
        events.emit(Event::SandboxKept {
            kind: self.kind(),
            connect: format!(
                "PGPASSWORD={} psql -h 127.0.0.1 -p {} -U {} -d {database}{from}",
                self.connect_info.password.expose(),
                self.port(),
                self.connect_info.user,
            ),
            remove: "ccc-backup cleanup --sandbox".into(),
            name,
        });
        match self.engine {
            Engine::Docker(container) => container.keep().await,
            Engine::Local(server) => server.keep().await,
        }
    }
}
