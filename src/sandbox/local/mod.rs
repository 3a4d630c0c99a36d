//! The sandbox as a server of this machine's own PostgreSQL, in a directory of its own.
//!
//! There are no walls around it but those of PostgreSQL and of the system's users. So the server
//! runs as a user without rights, and the backup is restored as a role that is no superuser
//! ([`role`]): nothing in a dump can reach the machine's files, programs or network.

mod cluster;
mod directory;
mod guard;
mod languages;
mod name;
mod reaching;
mod role;
mod run;
mod user;

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::error::SandboxError;
use super::leftovers::{Which, removable};
use super::owner::{Owner, random_password};
use super::request::{READY_TIMEOUT, Request};
use super::tuning;
use super::waiting::Waiting;
use crate::events::{Event, Events, SandboxKind};
use crate::model::version::major_of;
use crate::pg::{Address, ConnectInfo, Terms};
use crate::process::Program;
use crate::process::{Invocation, User};
use crate::programs::{self, Programs};
use directory::{RunDirectory, SOCKET_PORT};
use guard::Guard;

pub use directory::{inventory, remove_leftover};

/// The superuser, who has no name that a dump may know.
const ADMIN: &str = "ccc_backup_admin";
/// How long a server that was lost may take to end.
const END_TIMEOUT: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(10);

/// A server that runs, and the guard of its directory.
#[derive(Debug)]
pub struct Server {
    /// The name that it was asked for.
    pub name: String,
    /// Its port, on 127.0.0.1 if it was to be kept; else in the name of its socket alone.
    pub port: u16,
    /// How its superuser connects.
    pub admin: ConnectInfo,
    /// How the backup is restored.
    pub restorer: ConnectInfo,
    /// What it calls its version.
    pub server_version: String,
    /// Whether its data is in memory.
    pub in_memory: bool,
    /// How often it was asked until it answered.
    pub attempts: u32,
    programs: Programs,
    user: Option<User>,
    guard: Guard,
}

/// Whether this machine has a server's programs at all.
pub async fn is_installed() -> bool {
    !installed().await.is_empty()
}

/// The servers of this machine. Packages of client programs alone have no initdb.
pub async fn installed() -> Vec<Programs> {
    let mut dirs = programs::directories().await;
    dirs.retain(|dir| dir.join("initdb").is_file());
    programs::with("postgres", &dirs).await
}

/// Starts a server; what it made is removed when that fails. `why` says why it is this engine.
pub async fn start(
    request: &Request,
    why: &str,
    events: &Events,
    cancel: &CancellationToken,
) -> Result<Server, SandboxError> {
    let failed = |doing: &str, error: &dyn std::fmt::Display| SandboxError::Local {
        doing: doing.to_owned(),
        reason: error.to_string(),
    };
    let found = installed().await;
    let Some(programs) = programs::choose(&found, request.version) else {
        let others = found.iter().map(|programs| programs.major).collect();
        return Err(SandboxError::NoServer { version: request.version, others });
    };
    if !request.settings_are_trusted
        && let Some(name) = reaching::first_reaching(&request.settings)
    {
        return Err(SandboxError::ReachingSetting { name: name.to_owned() });
    }
    let user = user::unprivileged()
        .map_err(|reason| failed("find a user to run PostgreSQL as", &reason))?;
    let owner =
        Owner::of_this_run(request.keep).map_err(|error| failed("be given a run id", &error))?;
    sweep(request, &owner, events)?;
    events.emit(Event::SandboxStarting {
        kind: SandboxKind::Server,
        version: programs.major.to_string(),
        why: described(programs, user.as_ref().map(|(_, name)| name.as_str()), why),
    });
    let mut waiting = Waiting::new(request.wait);
    let port = loop {
        match if request.keep { free_port(request.port) } else { Ok(SOCKET_PORT) } {
            Ok(port) => break port,
            Err(busy) => waiting.pause(busy, events, cancel).await?,
        }
    };
    let user = user.map(|(user, _)| user);
    let memory = request.limits.memory_of(tuning::available_memory().unwrap_or(0));
    let in_memory = tuning::fits_in_memory(request.data_bytes, memory)
        && directory::free_in_memory()
            .is_some_and(|free| tuning::fits_in_memory(request.data_bytes, free));
    let [shared, disk] = directory::bases();
    let base = if in_memory { shared } else { disk };
    let directory = RunDirectory::make(&base, &owner, &request.name, port, user)
        .map_err(|error| failed(&format!("make a directory in {}", base.display()), &error))?;
    let mut guard = Guard::over(directory).map_err(|error| failed("be watched over", &error))?;
    let password = || random_password().map_err(|error| failed("be given a password", &error));
    let (admin_password, password) = (password()?, password()?);
    let making = cluster::make(&guard.directory, programs, user, &admin_password);
    tokio::select! {
        biased;
        () = cancel.cancelled() => return Err(SandboxError::Interrupted),
        made = making => made?,
    }
    let settings =
        cluster::settings(request, programs.major, memory, in_memory, port, &guard.directory);
    guard.launch(programs, user, &settings)?;
    events.emit(Event::SandboxStarted {
        kind: SandboxKind::Server,
        name: guard.directory.path().display().to_string(),
    });
    events.emit(Event::SandboxWaiting);
    let admin = ConnectInfo {
        address: Address::Socket { dir: guard.directory.work(), port },
        user: ADMIN.into(),
        password: admin_password,
        database: "postgres".into(),
        event_triggers: true,
        terms: Terms::default(),
    };
    let (attempts, server_version) =
        guard.wait_until_ready(&admin, &request.name, READY_TIMEOUT, cancel).await?;
    let major = major_of(&server_version).unwrap_or(programs.major);
    role::make(&admin, &password, major).await?;
    languages::refuse(&admin).await?;
    Ok(Server {
        name: request.name.clone(),
        port,
        restorer: ConnectInfo { user: role::RESTORER.into(), password, ..admin.clone() },
        admin,
        server_version,
        in_memory,
        attempts,
        programs: programs.clone(),
        user,
        guard,
    })
}

impl Server {
    /// Runs a program beside the server, as its user; gives its exit code.
    pub async fn run(
        &self,
        program: Program,
        said: &mut (dyn FnMut(&str) + Send),
    ) -> Result<i64, SandboxError> {
        let place = self.guard.directory.work();
        let here = |file| Invocation::new(file).user(self.user).directory(&place);
        run::run(here, &self.programs.dir, &self.restorer, program, said).await
    }

    /// Gives the restoring role what it needs to own a database.
    pub async fn hand_over(&self, database: &str) -> Result<(), SandboxError> {
        role::hand_over(&self.admin, database, major_of(&self.server_version)).await
    }

    /// Has the superuser create extensions that are known to be harmless and that only a superuser
    /// may create; gives those that it may not.
    pub async fn create_extensions(
        &self,
        database: &str,
        needed: &[(&str, Option<&str>)],
    ) -> Result<Vec<String>, SandboxError> {
        role::create_extensions(&self.admin.database(database), needed).await
    }

    /// How it ended, with its last lines; `None` when it runs.
    pub async fn diagnose(&self) -> Option<String> {
        let deadline = tokio::time::Instant::now() + END_TIMEOUT;
        while self.guard.runs() {
            if tokio::time::Instant::now() > deadline {
                return None;
            }
            tokio::time::sleep(PAUSE).await;
        }
        let lines = self.guard.last_lines();
        let end = "the server ended".to_owned();
        Some(std::iter::once(end).chain(lines).collect::<Vec<_>>().join("\n    "))
    }

    /// Ends it and removes its directory.
    pub async fn remove(mut self) -> Result<(), SandboxError> {
        let removed = tokio::task::spawn_blocking(move || self.guard.remove()).await;
        let failed =
            |reason: String| SandboxError::Local { doing: "remove the server".into(), reason };
        match removed {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(error) => Err(failed(error.to_string())),
        }
    }

    /// Leaves it running.
    pub async fn keep(mut self) {
        self.guard.dismiss().await;
    }
}

/// Removes what dead runs left.
fn sweep(request: &Request, owner: &Owner, events: &Events) -> Result<(), SandboxError> {
    if !request.sweeps {
        return Ok(());
    }
    let found = inventory();
    for thing in removable(&found, owner, Which::InTheWayOf(&request.name)) {
        remove_leftover(&thing.id)?;
        events.emit(Event::SandboxSwept { what: thing.to_string() });
    }
    Ok(())
}

fn described(programs: &Programs, user: Option<&str>, why: &str) -> String {
    let user = user.map_or_else(String::new, |user| format!(", as the user {user}"));
    format!("local programs in {}{user}: {why}", programs.dir.display())
}

/// The port for a server that will be kept.
fn free_port(port: u16) -> Result<u16, SandboxError> {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).and_then(|on| on.local_addr());
    match free {
        Ok(address) => Ok(address.port()),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            Err(SandboxError::PortBusy { port, by: None })
        }
        Err(error) => Err(SandboxError::Local {
            doing: format!("listen on port {port}"),
            reason: error.to_string(),
        }),
    }
}
