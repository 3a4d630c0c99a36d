//! Finds the Docker Engine and connects to it, the way the docker command does.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, Docker};

use super::door::Door;
use super::endpoint::{Chosen, Endpoint};
use crate::sandbox::error::{NoDocker, SandboxError};

/// How long an engine may take to say its version.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long it may take for anything else, in seconds; bollard's own limit for every request.
const REQUEST_TIMEOUT: u64 = 120;
/// The name of the socket that leads to an engine which has none here.
const SOCKET: &str = "engine.sock";

/// A connection to an engine.
#[derive(Debug, Clone)]
pub struct Engine {
    /// The client.
    pub docker: Docker,
    /// Where it is connected to.
    pub endpoint: Endpoint,
    /// What leads there, where the client cannot go by itself.
    pub(super) _door: Option<Arc<Door>>,
}

impl Engine {
    /// Connects to the engine that the environment names.
    ///
    /// # Errors
    /// [`SandboxError::NoDocker`], each way of it told apart.
    pub async fn connect() -> Result<Self, SandboxError> {
        Ok(Self::connect_to(Chosen::from_env().endpoint()?).await?)
    }

    /// Connects to one engine.
    ///
    /// # Errors
    /// As [`Engine::connect`].
    pub async fn connect_to(endpoint: Endpoint) -> Result<Self, NoDocker> {
        let door = door_to(&endpoint)?.map(Arc::new);
        let connecting = try_connect(&endpoint, door.as_deref());
        // A handshake by SSH takes its time, and has a limit of its own.
        let within = CONNECT_TIMEOUT * if matches!(endpoint, Endpoint::Ssh(_)) { 3 } else { 1 };
        let connected = tokio::time::timeout(within, connecting).await;
        let endpoint_named = || endpoint.to_string();
        let docker =
            connected.map_err(|_| NoDocker::Silent { endpoint: endpoint_named(), within })??;
        Ok(Self { docker, endpoint, _door: door })
    }
}

/// Opens what leads to an engine that the client does not speak to by itself.
fn door_to(endpoint: &Endpoint) -> Result<Option<Door>, NoDocker> {
    let strange = |reason: String| NoDocker::Strange { endpoint: endpoint.to_string(), reason };
    let opened = match endpoint.clone() {
        Endpoint::Unix(_) | Endpoint::Tcp(_) => return Ok(None),
        Endpoint::Tls(host) => {
            let connector = host.connector().map_err(strange)?;
            Door::open(SOCKET, move |mut stream, _| {
                let (host, connector) = (host.clone(), connector.clone());
                async move {
                    let outcome = host.lead(&connector, &mut stream).await;
                    (stream, outcome)
                }
            })
        }
        Endpoint::Ssh(host) => Door::open(SOCKET, move |mut stream, dir| {
            let host = host.clone();
            async move {
                let outcome = host.lead(&mut stream, &dir).await;
                (stream, outcome)
            }
        }),
    };
    opened.map(Some).map_err(|error| strange(format!("no socket could be made: {error}")))
}

async fn try_connect(endpoint: &Endpoint, door: Option<&Door>) -> Result<Docker, NoDocker> {
    let strange = |reason: String| NoDocker::Strange { endpoint: endpoint.to_string(), reason };
    let by_socket = |path: &Path| {
        Docker::connect_with_unix(&path.to_string_lossy(), REQUEST_TIMEOUT, API_DEFAULT_VERSION)
    };
    let connected = match (endpoint, door) {
        (_, Some(door)) => by_socket(&door.dir().join(SOCKET)),
        (Endpoint::Unix(path), _) => {
            // Asked by hand first: the client's errors do not tell these apart.
            tokio::net::UnixStream::connect(path).await.map_err(|error| match error.kind() {
                ErrorKind::NotFound => NoDocker::NoSocket(path.clone()),
                ErrorKind::PermissionDenied => NoDocker::Forbidden(path.clone()),
                ErrorKind::ConnectionRefused => NoDocker::Down(endpoint.to_string()),
                _ => strange(error.to_string()),
            })?;
            by_socket(path)
        }
        _ => Docker::connect_with_http(&endpoint.to_string(), REQUEST_TIMEOUT, API_DEFAULT_VERSION),
    };
    let docker = connected.map_err(|error| strange(error.to_string()))?;
    let negotiated = docker.negotiate_version().await;
    negotiated.map_err(|error| match (error, door.and_then(|door| door.refusal().said())) {
        (_, Some(said)) => strange(said),
        (bollard::errors::Error::HyperLegacyError { err }, _) if err.is_connect() => {
            NoDocker::Down(endpoint.to_string())
        }
        (other, _) => strange(message_of(&other)),
    })
}

/// An engine's refusal, in its own words.
pub fn refused(doing: &str, error: &bollard::errors::Error) -> SandboxError {
    SandboxError::Engine { doing: doing.to_owned(), reason: message_of(error) }
}

/// The engine's own words, without the client's around them.
pub fn message_of(error: &bollard::errors::Error) -> String {
    use bollard::errors::Error;
    match error {
        Error::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        Error::DockerStreamError { error } => error.trim().to_owned(),
        Error::HyperLegacyError { .. }
        | Error::HyperResponseError { .. }
        | Error::IOError { .. } => {
            format!("the connection to the engine was lost ({error})")
        }
        other => other.to_string(),
    }
}

/// The HTTP status of an engine's refusal.
pub fn status_of(error: &bollard::errors::Error) -> Option<u16> {
    match error {
        bollard::errors::Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_missing_socket_and_a_dead_one_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("docker.sock");
        let connect = || Engine::connect_to(Endpoint::Unix(path.clone()));
        assert_eq!(connect().await.err(), Some(NoDocker::NoSocket(path.clone())));
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(matches!(connect().await.err(), Some(NoDocker::Down(_))));
    }

    #[test]
    fn the_engine_is_quoted_and_a_lost_connection_is_called_one() {
        use bollard::errors::Error;
        let refusal = Error::DockerResponseServerError { status_code: 409, message: "no\n".into() };
        assert_eq!(message_of(&refusal), "no");
        assert_eq!(status_of(&refusal), Some(409));
        let lost = Error::IOError { err: ErrorKind::BrokenPipe.into() };
        assert!(message_of(&lost).starts_with("the connection to the engine was lost ("));
        let other = Error::RequestTimeoutError;
        assert_eq!(message_of(&other), other.to_string());
        assert_eq!((status_of(&lost), status_of(&other)), (None, None));
    }
}
