//! Finds the Docker Engine and connects to it, the way the docker command does.

use std::env;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, Docker};
use sha2::{Digest, Sha256};

use crate::sandbox::error::{NoDocker, SandboxError};

const DEFAULT_SOCKET: &str = "/var/run/docker.sock";
/// How long an engine may take to say its version.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long it may take for anything else, in seconds; bollard's own limit for every request.
const REQUEST_TIMEOUT: u64 = 120;

/// Where an engine listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A unix socket.
    Unix(PathBuf),
    /// `tcp://host:port`.
    Tcp(String),
}

impl Endpoint {
    /// Reads an address such as `unix:///var/run/docker.sock`.
    fn parse(address: &str) -> Result<Self, NoDocker> {
        if let Some(path) = address.strip_prefix("unix://") {
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        let plain = address.starts_with("tcp://") || address.starts_with("http://");
        // DOCKER_TLS_VERIFY means TLS when it is set to anything at all, as with docker itself.
        if plain && env::var_os("DOCKER_TLS_VERIFY").is_none_or(|value| value.is_empty()) {
            return Ok(Self::Tcp(address.to_owned()));
        }
        Err(NoDocker::Unsupported(address.to_owned()))
    }

    /// Whether the engine runs on this machine, so that its ports and memory are ours.
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Unix(_))
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(address) => f.write_str(address),
        }
    }
}

/// The settings of the docker command that say which engine is meant.
#[derive(Debug, Default)]
struct Chosen {
    host: Option<String>,
    context: Option<String>,
    config_dir: Option<PathBuf>,
}

impl Chosen {
    fn from_env() -> Self {
        let text = |name| env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            host: text("DOCKER_HOST"),
            context: text("DOCKER_CONTEXT"),
            config_dir: text("DOCKER_CONFIG")
                .map(PathBuf::from)
                .or_else(|| text("HOME").map(|home| Path::new(&home).join(".docker"))),
        }
    }

    /// `DOCKER_HOST`, else the context of `DOCKER_CONTEXT`, else the current one of `config.json`,
    /// else the default socket; the order of docker's own `resolveContextName`.
    fn endpoint(&self) -> Result<Endpoint, NoDocker> {
        if let Some(host) = &self.host {
            return Endpoint::parse(host);
        }
        let context = self.context.clone().or_else(|| self.current_context());
        match context.as_deref() {
            None | Some("default" | "") => Ok(Endpoint::Unix(PathBuf::from(DEFAULT_SOCKET))),
            Some(name) => Endpoint::parse(&self.address_of(name)?),
        }
    }

    fn current_context(&self) -> Option<String> {
        let text = std::fs::read(self.config_dir.as_ref()?.join("config.json")).ok()?;
        let config: serde_json::Value = serde_json::from_slice(&text).ok()?;
        Some(config.get("currentContext")?.as_str()?.to_owned())
    }

    /// The address in a context's file: `contexts/meta/<sha256 of the name>/meta.json`.
    fn address_of(&self, context: &str) -> Result<String, NoDocker> {
        let unreadable = |reason: String| NoDocker::Context { name: context.to_owned(), reason };
        let dir = self
            .config_dir
            .as_ref()
            .ok_or_else(|| unreadable("neither DOCKER_CONFIG nor HOME is set".into()))?;
        let folder = hex::encode(Sha256::digest(context.as_bytes()));
        let path = dir.join("contexts/meta").join(folder).join("meta.json");
        let text = std::fs::read(&path)
            .map_err(|error| unreadable(format!("{}: {error}", path.display())))?;
        let meta: serde_json::Value =
            serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))?;
        meta.pointer("/Endpoints/docker/Host")
            .and_then(serde_json::Value::as_str)
            .map(str::to_owned)
            .ok_or_else(|| unreadable(format!("{} names no Docker host", path.display())))
    }
}

/// A connection to an engine.
#[derive(Debug, Clone)]
pub struct Engine {
    /// The client.
    pub docker: Docker,
    /// Where it is connected to.
    pub endpoint: Endpoint,
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
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, try_connect(&endpoint)).await;
        let docker = connected.map_err(|_| NoDocker::Silent {
            endpoint: endpoint.to_string(),
            within: CONNECT_TIMEOUT,
        })??;
        Ok(Self { docker, endpoint })
    }
}

async fn try_connect(endpoint: &Endpoint) -> Result<Docker, NoDocker> {
    let strange = |reason: String| NoDocker::Strange { endpoint: endpoint.to_string(), reason };
    let connected = match endpoint {
        Endpoint::Unix(path) => {
            // Asked by hand first: the client's errors do not tell these apart.
            tokio::net::UnixStream::connect(path).await.map_err(|error| match error.kind() {
                ErrorKind::NotFound => NoDocker::NoSocket(path.clone()),
                ErrorKind::PermissionDenied => NoDocker::Forbidden(path.clone()),
                ErrorKind::ConnectionRefused => NoDocker::Down(endpoint.to_string()),
                _ => strange(error.to_string()),
            })?;
            Docker::connect_with_unix(&path.to_string_lossy(), REQUEST_TIMEOUT, API_DEFAULT_VERSION)
        }
        Endpoint::Tcp(address) => {
            Docker::connect_with_http(address, REQUEST_TIMEOUT, API_DEFAULT_VERSION)
        }
    };
    let docker = connected.map_err(|error| strange(error.to_string()))?;
    docker.negotiate_version().await.map_err(|error| match error {
        bollard::errors::Error::HyperLegacyError { err } if err.is_connect() => {
            NoDocker::Down(endpoint.to_string())
        }
        other => strange(message_of(&other)),
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

    #[test]
    fn the_host_of_the_environment_comes_before_any_context() {
        let chosen = Chosen {
            host: Some("unix:///run/a.sock".into()),
            context: Some("b".into()),
            config_dir: None,
        };
        assert_eq!(chosen.endpoint(), Ok(Endpoint::Unix(PathBuf::from("/run/a.sock"))));
    }

    #[test]
    fn the_current_context_names_the_engine() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("config.json"), r#"{"currentContext": "desktop"}"#).unwrap();
        // sha256("desktop")
        let folder = hex::encode(Sha256::digest(b"desktop"));
        let meta = dir.path().join("contexts/meta").join(folder);
        std::fs::create_dir_all(&meta).unwrap();
        std::fs::write(
            meta.join("meta.json"),
            r#"{"Name": "desktop", "Endpoints": {"docker": {"Host": "unix:///run/d.sock"}}}"#,
        )
        .unwrap();
        let chosen = Chosen { config_dir: Some(dir.path().to_owned()), ..Chosen::default() };
        assert_eq!(chosen.endpoint(), Ok(Endpoint::Unix(PathBuf::from("/run/d.sock"))));
        let missing = Chosen { context: Some("other".into()), ..chosen };
        assert!(matches!(missing.endpoint(), Err(NoDocker::Context { .. })));
    }

    #[test]
    fn without_any_of_them_it_is_the_default_socket() {
        assert_eq!(Chosen::default().endpoint(), Ok(Endpoint::Unix(PathBuf::from(DEFAULT_SOCKET))));
        assert!(matches!(Endpoint::parse("ssh://host"), Err(NoDocker::Unsupported(_))));
    }

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
