//! The throwaway PostgreSQL that a backup is restored into.
//!
//! A [`Sandbox`] is a guard: whatever happens to it, nothing of it is left behind, unless
//! [`Sandbox::keep`] says so. Knows nothing of backups.

mod docker;
mod error;
mod limits;
mod locale;
mod owner;
pub mod sweep;
pub mod tuning;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::events::{Event, Events};
use crate::outcome::SandboxFacts;
use crate::pg::{self, Address, ConnectInfo};

pub use error::{NoDocker, OUT_OF_MEMORY, SandboxError};
pub use limits::Limits;
pub use locale::Locale;
pub use sweep::{Swept, sweep_leftovers};

/// What is wanted.
#[derive(Debug, Clone)]
pub struct Request {
    /// Major version of PostgreSQL.
    pub version: u32,
    /// The image to take; without one, it is chosen by version.
    pub image: Option<String>,
    /// Port on 127.0.0.1; 0 takes any that is free.
    pub port: u16,
    /// Name of the container.
    pub name: String,
    /// Whether the sandbox will be kept; it is labelled so that only its own name's next run, or
    /// the operator, removes it.
    pub keep: bool,
    /// Expected size of the data as a plain dump, in bytes. What fits well is kept in memory; an
    /// unknown size goes to the disk.
    pub data_bytes: Option<u64>,
    /// Server settings beside ours and in their place.
    pub settings: Vec<(String, String)>,
    /// What it may take of its machine at the most.
    pub limits: Limits,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            version: 15,
            image: None,
            port: 5433,
            name: "backup-restore-test".into(),
            keep: false,
            data_bytes: None,
            settings: Vec::new(),
            limits: Limits::default(),
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
}

/// A server that runs, and the guard of all that belongs to it.
#[derive(Debug)]
pub struct Sandbox {
    container: docker::Container,
    connect_info: ConnectInfo,
    facts: SandboxFacts,
    version: u32,
}

/// Starts a sandbox. Emits `SandboxChecking`, `SandboxSwept` for each leftover in the way,
/// `ImagePulling` and `Progress` where an image is pulled, `SandboxStarting`, `SandboxStarted`,
/// `SandboxWaiting`, `SandboxReady`. When it fails, is cancelled or is dropped, whatever it made is
/// removed again.
///
/// # Errors
/// Any [`SandboxError`]; none of them says anything about a backup.
pub async fn start(
    request: &Request,
    events: &Events,
    cancel: &CancellationToken,
) -> Result<Sandbox, SandboxError> {
    let (container, ready, image, in_memory) = docker::start(request, events, cancel).await?;
    events.emit(Event::SandboxReady { attempts: ready.attempts });
    Ok(Sandbox {
        container,
        version: major_of(&ready.server_version).unwrap_or(request.version),
        facts: SandboxFacts {
            engine: "docker".to_owned(),
            image: Some(image.name),
            image_digest: Some(image.digest),
            server_version: ready.server_version,
            in_memory,
        },
        connect_info: ready.connect_info,
    })
}

impl Sandbox {
    /// How to connect, as a superuser to the database `postgres`.
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

    /// The port that it has on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.container.port
    }

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
        let session = self.connect_info.connect().await.map_err(|error| failed(&error))?;
        let mut last = None;
        for (statement, said) in locale.statements(name, self.version) {
            match session.batch_execute(&statement).await {
                Ok(()) => return Ok(said),
                // Other errors than a missing or unfit locale would only come again.
                Err(error) if !is_about_the_locale(&error) => return Err(failed(&error)),
                Err(error) => last = Some(failed(&error)),
            }
        }
        Err(last.unwrap_or_else(|| SandboxError::Server {
            doing: format!("create the database {name}"),
            reason: "no way to do it".into(),
        }))
    }

    /// Connects as another superuser from here on: a dump of a whole cluster may change the password of
    /// `postgres`.
    ///
    /// # Errors
    /// [`SandboxError::Server`].
    pub async fn leave_postgres_alone(&mut self) -> Result<(), SandboxError> {
        const USER: &str = "ccc_backup_restore";
        let failed = |error: &tokio_postgres::Error| SandboxError::Server {
            doing: format!("create the role {USER}"),
            reason: pg::describe(error),
        };
        let session = self.connect_info.connect().await.map_err(|error| failed(&error))?;
        let password = pg::quote_literal(self.connect_info.password.expose());
        let sql = format!("CREATE ROLE {USER} SUPERUSER LOGIN PASSWORD {password}");
        session.batch_execute(&sql).await.map_err(|error| failed(&error))?;
        self.connect_info.user = USER.to_owned();
        Ok(())
    }

    /// Creates roles that may not log in, superusers where it says so, and gives those that were made.
    /// Since nothing says what their own rights were, they may read all data: a materialized view is
    /// filled with the rights of its owner.
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
        let session = self.connect_info.connect().await.map_err(|error| failed(&error))?;
        for (name, superuser) in names {
            let role = pg::quote_ident(name);
            let reads = if self.version >= 14 { " IN ROLE pg_read_all_data" } else { "" };
            let superuser = if superuser { " SUPERUSER" } else { "" };
            let sql = format!("CREATE ROLE {role} NOLOGIN{superuser}{reads}");
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
        let session = self.connect_info.connect().await.map_err(|error| failed(&error))?;
        let sql = format!("DROP DATABASE {}{force}", pg::quote_ident(name));
        session.batch_execute(&sql).await.map_err(|error| failed(&error))
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
        self.container.run(program, said).await
    }

    /// Why the server does not answer any more, when it is its own end that is to blame: that it
    /// was killed for want of memory, how it exited, its last lines. `None` when it runs.
    pub async fn diagnose(&self) -> Option<String> {
        self.container.diagnose().await
    }

    /// Removes it: container, network, volume. The normal way out.
    ///
    /// # Errors
    /// [`SandboxError::Engine`] when something could not be removed; what it was is in the text.
    pub async fn close(self, events: &Events) -> Result<(), SandboxError> {
        events.emit(Event::SandboxClosing);
        self.container.remove().await?;
        events.emit(Event::SandboxClosed);
        Ok(())
    }

    /// Leaves it running and says how to connect to `database` and how to remove it.
    ///
    /// The line holds the password: it was made for this server alone, which listens on loopback
    /// alone and holds a copy of what its reader already has; nobody could connect without it.
    pub fn keep(self, database: &str, events: &Events) {
        let name = self.container.name.clone();
        events.emit(Event::SandboxKept {
            connect: format!(
                "PGPASSWORD={} psql -h 127.0.0.1 -p {} -U {} -d {database}",
                self.connect_info.password.expose(),
                self.container.port,
                self.connect_info.user,
            ),
            remove: "ccc-backup cleanup --sandbox".into(),
            name,
        });
        self.container.keep();
    }
}

/// `invalid locale name` (42809, or 22023 since 17), an encoding that does not go with the locale
/// (42P17, 22023), a provider that was not compiled in (0A000).
fn is_about_the_locale(error: &tokio_postgres::Error) -> bool {
    pg::ServerError::of(error)
        .is_some_and(|error| matches!(error.code.as_str(), "42809" | "22023" | "42P17" | "0A000"))
}

/// It exists (42710), or its name is reserved (42939) or none (42602, 42622).
fn is_about_the_role(error: &tokio_postgres::Error) -> bool {
    pg::ServerError::of(error)
        .is_some_and(|error| matches!(error.code.as_str(), "42710" | "42939" | "42602" | "42622"))
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
