//! The throwaway PostgreSQL that a backup is restored into.
//!
//! A [`Sandbox`] is a guard: whatever happens to it, nothing of it is left behind, unless
//! [`Sandbox::keep`] says so. Knows nothing of backups. This file starts one; what the others share is
//! in files of its own, below both engines.

mod container_error;
mod databases;
mod docker;
mod error;
mod leftovers;
mod limits;
mod local;
mod outlook;
mod owner;
mod request;
mod running;
mod server_log;
pub mod sweep;
pub mod tuning;
mod waiting;

use tokio_util::sync::CancellationToken;

use crate::events::{Event, Events};
use crate::model::outcome::SandboxFacts;
use crate::model::version::major_of;
use crate::pg::ConnectInfo;
use running::Engine;

pub use container_error::ContainerError;
pub use docker::inside::DatabaseContainer;
pub use docker::tools;
pub use error::{OUT_OF_MEMORY, SandboxError};
pub use limits::Limits;
pub use outlook::{ImageHere, Outlook, outlook};
pub use request::{Choice, Request};
pub use running::Sandbox;
pub use sweep::{leftovers as leftovers_of_runs, sweep_leftovers};

/// Removes the images that were built with extensions. Gives those that are gone, and what kept others.
///
/// # Errors
/// [`SandboxError::NoDocker`], [`SandboxError::Engine`], when the engine cannot be asked.
pub async fn remove_built_images() -> Result<Vec<(String, Result<(), SandboxError>)>, SandboxError>
{
    docker::remove_built(&docker::Engine::connect().await?).await
}

/// Starts a sandbox. Emits `SandboxChecking`, `SandboxSwept` for each leftover in the way, `Waiting`
/// where somebody has name or port and is waited for, `ImagePulling` and `Progress` where an image is
/// pulled, `ImageBuilding` where one is built, `SandboxStarting`, `SandboxStarted`, `SandboxWaiting`, `SandboxReady`. When it fails, is
/// cancelled or is dropped, whatever it made is removed again.
///
/// # Errors
/// Any [`SandboxError`]; none of them says anything about a backup.
pub async fn start(
    request: &Request,
    events: &Events,
    cancel: &CancellationToken,
) -> Result<Sandbox, SandboxError> {
    match request.choice {
        Choice::Local => return start_local(request, "as --engine says", events, cancel).await,
        Choice::Auto | Choice::Docker => {}
    }
    events.emit(Event::SandboxChecking { name: request.name.clone() });
    match start_container(request, events, cancel).await {
        Err(error) => match instead(request, error).await {
            Ok(why) => start_local(request, &why, events, cancel).await,
            Err(error) => Err(error),
        },
        started => started,
    }
}

/// Why this machine's own PostgreSQL is taken where there is no container; the error where it is not.
async fn instead(request: &Request, error: SandboxError) -> Result<String, SandboxError> {
    match error {
        SandboxError::NoDocker(reason)
            if request.choice == Choice::Auto && local::is_installed().await =>
        {
            Ok(format!("no Docker Engine answers ({reason})"))
        }
        error => Err(error),
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
