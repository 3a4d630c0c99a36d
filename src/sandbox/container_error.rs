//! Why a database's own container could not be used. None of these says anything about a backup.

use thiserror::Error;

use super::error::{NoDocker, SandboxError};

/// Why client tools could not be run in a container of somebody else's.
#[derive(Debug, Error)]
pub enum ContainerError {
    /// The engine does not answer, or refused what should have worked.
    #[error(transparent)]
    Engine(#[from] SandboxError),
    /// There is neither a container nor a service of that name.
    #[error("there is no container and no Compose service named {name}")]
    Missing {
        /// The name.
        name: String,
        /// What is there and has a name like it.
        nearest: Option<String>,
    },
    /// Several projects of Compose have a service of that name.
    #[error("several Compose projects have a service named {name}: {}", services.join(", "))]
    SeveralProjects {
        /// The name.
        name: String,
        /// Each, as `PROJECT/SERVICE`.
        services: Vec<String>,
    },
    /// Several containers of a service run.
    #[error("several containers of the Compose service {name} run: {}", containers.join(", "))]
    SeveralContainers {
        /// The service.
        name: String,
        /// Their names.
        containers: Vec<String>,
    },
    /// It does not run.
    #[error("the container {name} is not running: it is {state}")]
    NotRunning {
        /// The container.
        name: String,
        /// As the engine calls it, such as `exited`.
        state: String,
    },
    /// It is held still.
    #[error("the container {name} is paused")]
    Paused {
        /// The container.
        name: String,
    },
    /// There is no pg_dump in it.
    #[error("there is no pg_dump in the container {name}{}", because(.why))]
    NoPgDump {
        /// The container.
        name: String,
        /// What the engine said, where it could not even be looked for.
        why: String,
    },
    /// What a tool wrote broke off before its end.
    #[error("its output broke off before its end: {why}")]
    BrokenOff {
        /// What became of the container, or of the connection.
        why: String,
    },
    /// An argument that no container can be given.
    #[error("{argument} cannot be given to a container")]
    NoText {
        /// The argument, as far as it can be shown.
        argument: String,
    },
    /// It was asked to stop.
    #[error("interrupted")]
    Interrupted,
}

fn because(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!(" that can be looked for: {why}") }
}

impl ContainerError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Engine(SandboxError::NoDocker(
                NoDocker::Forbidden(_) | NoDocker::Unsupported(_) | NoDocker::Context { .. },
            )) => {
                let Self::Engine(error) = self else { return None };
                return error.hint();
            }
            Self::Engine(SandboxError::NoDocker(_)) => {
                "start Docker (sudo systemctl start docker), or set DOCKER_HOST to where it listens; a \
                 published port is reached without it, by --host and --port"
                    .to_owned()
            }
            Self::Engine(error) => return error.hint(),
            Self::Missing { nearest: Some(nearest), .. } => {
                format!("did you mean {nearest}? docker ps --all lists all containers")
            }
            Self::Missing { nearest: None, .. } => {
                "docker ps --all lists all containers of this engine; DOCKER_HOST names another one"
                    .to_owned()
            }
            Self::SeveralProjects { services, .. } => {
                format!("name one of them, such as --container {}", first(services))
            }
            Self::SeveralContainers { containers, .. } => {
                format!("name one of them, such as --container {}", first(containers))
            }
            Self::NotRunning { name, .. } => {
                format!("start it (docker start {name}); docker logs {name} says why it ended")
            }
            Self::Paused { name } => format!("docker unpause {name}"),
            Self::NoPgDump { .. } => {
                "name the container that the database itself runs in; where that has no client tools, \
                 reach it by --host and --port"
                    .to_owned()
            }
            Self::BrokenOff { .. } | Self::NoText { .. } | Self::Interrupted => return None,
        };
        Some(hint)
    }
}

fn first(names: &[String]) -> &str {
    names.first().map_or("NAME", String::as_str)
}
