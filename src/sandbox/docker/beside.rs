//! A second container for what has to connect to the server, which nobody in the server's own may
//! ([`seccomp`](super::seccomp)). It has no network, sees the server's processes, and runs nothing but
//! programs of the image that we ask for.

use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{CreateContainerOptions, StartContainerOptions};
use tokio::sync::OnceCell;

use crate::process::Program;
use crate::sandbox::error::SandboxError;

use super::guard::{Guard, refusing};
use super::inventory::remove_container;
use super::spec::{self, Plan};

/// The server's root directory, as whoever shares its processes sees it: it is the first of them.
const ROOT: &str = "/proc/1/root";

/// See the module. It is made when it is first needed.
#[derive(Debug)]
pub struct Beside {
    name: String,
    body: ContainerCreateBody,
    pgdata: String,
    id: OnceCell<String>,
}

impl Beside {
    /// What is made by `plan` beside the server of the container `server`. It has the network's name.
    pub fn new(plan: &Plan, server: &str) -> Self {
        let (name, body) = (plan.network.to_owned(), spec::beside(plan, server));
        let pgdata = format!("PGDATA={ROOT}{}", spec::pgdata(plan.image));
        Self { name, body, pgdata, id: OnceCell::new() }
    }

    /// Starts it, unless it runs; gives its id.
    ///
    /// # Errors
    /// [`SandboxError::Engine`].
    pub async fn start_once(&self, guard: &Guard) -> Result<&str, SandboxError> {
        let id = self.id.get_or_try_init(|| start(guard, &self.name, &self.body)).await?;
        Ok(id)
    }

    /// A program that finds server and directory where they are seen from here.
    pub fn of(&self, program: Program) -> Program {
        let seen =
            [self.pgdata.clone(), format!("PGHOST={ROOT}/tmp"), "PGUSER=postgres".to_owned()];
        Program { env: seen.into_iter().chain(program.env).collect(), ..program }
    }

    /// Removes it where it was made; a sandbox that is kept needs it no more.
    pub async fn remove(self, guard: &Guard) {
        let Some(id) = self.id.into_inner() else { return };
        if let Err(error) = remove_container(&guard.engine, &id).await {
            tracing::warn!(name = self.name, %error, "a container is left");
        }
    }
}

/// Starts a container that stands beside the server, and gives its id.
///
/// # Errors
/// [`SandboxError::Engine`].
pub async fn start(
    guard: &Guard,
    name: &str,
    body: &ContainerCreateBody,
) -> Result<String, SandboxError> {
    let (docker, body) = (guard.engine.docker.clone(), body.clone());
    let options =
        CreateContainerOptions { name: Some(name.to_owned()), ..CreateContainerOptions::default() };
    let made = guard.requests().run("start a container beside the server", async move {
        let id = docker.create_container(Some(options), body).await?.id;
        docker.start_container(&id, None::<StartContainerOptions>).await.map(|()| id)
    });
    made.await.map_err(refusing(&format!("start the container {name}")))
}
