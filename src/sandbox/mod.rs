//! The throwaway PostgreSQL that a backup is restored into.
//!
//! A [`Sandbox`] is a guard: whatever happens to it, nothing of it is left behind, unless
//! [`Sandbox::keep`] says so. Knows nothing of backups.

mod databases;
mod docker;
mod error;
mod feed;
mod limits;
mod lines;
mod local;
mod locale;
mod owner;
mod patience;
pub mod sweep;
pub mod tuning;

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::events::{Event, Events, SandboxKind};
use crate::model::outcome::SandboxFacts;
use crate::pg::{Address, ConnectInfo};

pub use error::{OUT_OF_MEMORY, SandboxError};
pub use limits::Limits;
pub use locale::Locale;
pub use owner::labels_of_this_run;
pub use sweep::sweep_leftovers;

/// How long a server may take to answer.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// What runs the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// Docker where it answers, else this machine's own PostgreSQL.
    #[default]
    Auto,
    /// A container.
    Docker,
    /// This machine's own PostgreSQL.
    Local,
}

/// What is wanted.
#[derive(Debug, Clone)]
pub struct Request {
    /// What runs the server.
    pub choice: Choice,
    /// Major version of PostgreSQL.
    pub version: u32,
    /// The image to take; without one, it is chosen by version.
    pub image: Option<String>,
    /// Port on 127.0.0.1; 0 takes any that is free. A local server listens there only when it is kept.
    pub port: u16,
    /// Name of the container, or of the local server.
    pub name: String,
    /// Whether the sandbox will be kept; it is labelled so that only its own name's next run, or
    /// the operator, removes it.
    pub keep: bool,
    /// How long to wait for a name or port that somebody has; without one, not at all.
    pub wait: Option<Duration>,
    /// Connections that will be wanted at a time.
    pub connections: usize,
    /// Expected size of the data as a plain dump, in bytes. What fits well is kept in memory; an
    /// unknown size goes to the disk.
    pub data_bytes: Option<u64>,
    /// Server settings beside ours and in their place.
    pub settings: Vec<(String, String)>,
    /// Whether whoever runs it vouches for the settings, also for those that make a local server run
    /// programs, load libraries or open files of this machine.
    pub settings_are_trusted: bool,
    /// What it may take of its machine at the most.
    pub limits: Limits,
    /// Whether programs that connect will be run beside the server.
    pub programs: bool,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            choice: Choice::Auto,
            version: 15,
            image: None,
            port: 5433,
            name: "backup-restore-test".into(),
            keep: false,
            wait: None,
            connections: 1,
            data_bytes: None,
            settings: Vec::new(),
            settings_are_trusted: false,
            limits: Limits::default(),
            programs: false,
        }
    }
}

/// A program that is run beside the server: one of PostgreSQL's own, or of the image's system.
#[derive(Debug, Default)]
pub struct Program {
    /// The program and its arguments. None of them is a secret.
    pub argv: Vec<String>,
    /// Variables in the form `NAME=value`.
    pub env: Vec<String>,
    /// What it reads; nothing where there is none.
    pub stdin: Option<mpsc::Receiver<Bytes>>,
    /// Where its output goes; nowhere where there is none.
    pub stdout: Option<mpsc::Sender<Bytes>>,
    /// Whether it connects to the server.
    pub connects: bool,
}

/// A server that runs, and the guard of all that belongs to it.
#[derive(Debug)]
pub struct Sandbox {
    engine: Engine,
    connect_info: ConnectInfo,
    facts: SandboxFacts,
    version: u32,
}

/// What runs it.
#[derive(Debug)]
enum Engine {
    Docker(Box<docker::Container>),
    Local(Box<local::Server>),
}

/// Starts a sandbox. Emits `SandboxChecking`, `SandboxSwept` for each leftover in the way, `Waiting`
/// where somebody has name or port and is waited for, `ImagePulling` and `Progress` where an image is
/// pulled, `SandboxStarting`, `SandboxStarted`, `SandboxWaiting`, `SandboxReady`. When it fails, is
/// cancelled or is dropped, whatever it made is removed again.
///
/// # Errors
/// Any [`SandboxError`]; none of them says anything about a backup.
pub async fn start(
    request: &Request,
    events: &Events,
    cancel: &CancellationToken,
) -> Result<Sandbox, SandboxError> {
    if request.choice == Choice::Local {
        return start_local(request, "as --engine says", events, cancel).await;
    }
    events.emit(Event::SandboxChecking { name: request.name.clone() });
    match start_container(request, events, cancel).await {
        Err(SandboxError::NoDocker(reason))
            if request.choice == Choice::Auto && local::is_installed().await =>
        {
            start_local(request, &format!("no Docker Engine answers ({reason})"), events, cancel)
                .await
        }
        started => started,
    }
}

async fn start_container(
    request: &Request,
    events: &Events,
    cancel: &CancellationToken,
) -> Result<Sandbox, SandboxError> {
    let (container, ready, image, in_memory) = docker::start(request, events, cancel).await?;
    events.emit(Event::SandboxReady { attempts: ready.attempts });
    let version = major_of(&ready.server_version).unwrap_or(request.version);
    Ok(Sandbox {
        engine: Engine::Docker(Box::new(container)),
        version,
        facts: SandboxFacts {
            engine: "docker".to_owned(),
            image: Some(image.name),
            image_digest: Some(image.digest),
            server_version: ready.server_version,
            in_memory,
        },
        // The backup's own triggers are not to keep us out, nor to write into what is compared.
        connect_info: ConnectInfo { event_triggers: version < 17, ..ready.connect_info },
    })
}

async fn start_local(
    request: &Request,
    why: &str,
    events: &Events,
    cancel: &CancellationToken,
) -> Result<Sandbox, SandboxError> {
    let server = local::start(request, why, events, cancel).await?;
    events.emit(Event::SandboxReady { attempts: server.attempts });
    Ok(Sandbox {
        version: major_of(&server.server_version).unwrap_or(request.version),
        facts: SandboxFacts {
            engine: "local".to_owned(),
            image: None,
            image_digest: None,
            server_version: server.server_version.clone(),
            in_memory: server.in_memory,
        },
        connect_info: server.restorer.clone(),
        engine: Engine::Local(Box::new(server)),
    })
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
        matches!(self.engine, Engine::Docker(_))
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
        let name = match &self.engine {
            Engine::Docker(container) => container.name.clone(),
            Engine::Local(server) => server.name.clone(),
        };
        events.emit(Event::SandboxKept {
            kind: self.kind(),
            connect: format!(
                "PGPASSWORD={} psql -h 127.0.0.1 -p {} -U {} -d {database}",
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

/// The major version in a server's version, such as 15 in `15.18 (Debian 15.18-0+deb12u1)`.
fn major_of(version: &str) -> Option<u32> {
    let digits = version.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// The address as `host:port`, for messages.
fn shown(address: &Address) -> String {
    match address {
        Address::Tcp { host, port } => format!("{host}:{port}"),
        Address::Socket { dir, port } => format!("{}/.s.PGSQL.{port}", dir.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_any_servers_version() {
        assert_eq!(major_of("15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(major_of("18beta1"), Some(18));
        assert_eq!(major_of("devel"), None);
    }
}
