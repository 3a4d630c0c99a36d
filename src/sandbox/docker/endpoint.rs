//! Where the engine listens, as the docker command finds it: by environment, context, or the default.

use std::env;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::ssh::SshHost;
use super::tls::TlsHost;
use crate::sandbox::error::NoDocker;

const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// Where an engine listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A unix socket.
    Unix(PathBuf),
    /// `tcp://host:port`.
    Tcp(String),
    /// The same, with TLS.
    Tls(TlsHost),
    /// `ssh://host`.
    Ssh(SshHost),
}

impl Endpoint {
    /// Reads an address such as `unix:///var/run/docker.sock`. With a directory of certificates, TCP is spoken with TLS.
    pub fn parse(address: &str, certificates: Option<PathBuf>) -> Result<Self, NoDocker> {
        let unsupported = || NoDocker::Unsupported(address.to_owned());
        if let Some(path) = address.strip_prefix("unix://") {
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        if let Some(host) = address.strip_prefix("ssh://") {
            return SshHost::parse(host).map(Self::Ssh).ok_or_else(unsupported);
        }
        match (address.split_once("://"), certificates) {
            (Some(("tcp" | "https", host)), Some(certificates)) => {
                TlsHost::parse(host, certificates).map(Self::Tls).ok_or_else(unsupported)
            }
            (Some(("tcp" | "http", _)), None) => Ok(Self::Tcp(address.to_owned())),
            _ => Err(unsupported()),
        }
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
            Self::Tls(host) => write!(f, "{host}"),
            Self::Ssh(host) => write!(f, "{host}"),
        }
    }
}

/// The settings of the docker command that say which engine is meant.
#[derive(Debug, Default)]
pub struct Chosen {
    host: Option<String>,
    /// Where the certificates are, where TLS is wanted.
    certificates: Option<PathBuf>,
    context: Option<String>,
    config_dir: Option<PathBuf>,
}

impl Chosen {
    /// Those of the environment.
    pub fn from_env() -> Self {
        let text = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let config_dir = text("DOCKER_CONFIG")
            .map(PathBuf::from)
            .or_else(|| text("HOME").map(|home| Path::new(&home).join(".docker")));
        // Set to anything at all, as with docker itself. It can be told not to verify; we cannot.
        let is_tls = text("DOCKER_TLS_VERIFY").or_else(|| text("DOCKER_TLS")).is_some();
        let certificates = text("DOCKER_CERT_PATH").map(PathBuf::from);
        let certificates = certificates.or_else(|| config_dir.clone()).filter(|_| is_tls);
        Self {
            host: text("DOCKER_HOST"),
            certificates,
            context: text("DOCKER_CONTEXT"),
            config_dir,
        }
    }

    /// `DOCKER_HOST`, else the context of `DOCKER_CONTEXT`, else the current one of `config.json`,
    /// else the default socket; the order of docker's own `resolveContextName`.
    ///
    /// # Errors
    /// [`NoDocker::Context`], [`NoDocker::Unsupported`].
    pub fn endpoint(&self) -> Result<Endpoint, NoDocker> {
        if let Some(host) = &self.host {
            return Endpoint::parse(host, self.certificates.clone());
        }
        let context = self.context.clone().or_else(|| self.current_context());
        match context.as_deref() {
            None | Some("default" | "") => Ok(Endpoint::Unix(PathBuf::from(DEFAULT_SOCKET))),
            Some(name) => self.of_context(name),
        }
    }

    fn current_context(&self) -> Option<String> {
        let text = std::fs::read(self.config_dir.as_ref()?.join("config.json")).ok()?;
        let config: serde_json::Value = serde_json::from_slice(&text).ok()?;
        Some(config.get("currentContext")?.as_str()?.to_owned())
    }

    /// What a context's file names, `contexts/meta/<sha256 of the name>/meta.json`; its certificates are in
    /// `contexts/tls/<the same>/docker`.
    fn of_context(&self, context: &str) -> Result<Endpoint, NoDocker> {
        let unreadable = |reason: String| NoDocker::Context { name: context.to_owned(), reason };
        let dir = self
            .config_dir
            .as_ref()
            .ok_or_else(|| unreadable("neither DOCKER_CONFIG nor HOME is set".into()))?;
        let folder = hex::encode(Sha256::digest(context.as_bytes()));
        let path = dir.join("contexts/meta").join(&folder).join("meta.json");
        let text = std::fs::read(&path)
            .map_err(|error| unreadable(format!("{}: {error}", path.display())))?;
        let meta: serde_json::Value =
            serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))?;
        let host = meta
            .pointer("/Endpoints/docker/Host")
            .and_then(serde_json::Value::as_str)
            .ok_or_else(|| unreadable(format!("{} names no Docker host", path.display())))?;
        let certificates = dir.join("contexts/tls").join(folder).join("docker");
        Endpoint::parse(host, Some(certificates).filter(|dir| dir.is_dir()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A context's files, with certificates or without.
    fn context(dir: &Path, name: &str, host: &str, certificates: bool) {
        let folder = hex::encode(Sha256::digest(name.as_bytes()));
        let meta = dir.join("contexts/meta").join(&folder);
        std::fs::create_dir_all(&meta).unwrap();
        let text = serde_json::json!({ "Name": name, "Endpoints": { "docker": { "Host": host } } });
        std::fs::write(meta.join("meta.json"), text.to_string()).unwrap();
        if certificates {
            std::fs::create_dir_all(dir.join("contexts/tls").join(folder).join("docker")).unwrap();
        }
    }

    #[test]
    fn the_host_of_the_environment_comes_before_any_context() {
        let chosen = Chosen {
            host: Some("unix:///run/a.sock".into()),
            context: Some("b".into()),
            ..Chosen::default()
        };
        assert_eq!(chosen.endpoint(), Ok(Endpoint::Unix(PathBuf::from("/run/a.sock"))));
    }

    #[test]
    fn the_current_context_names_the_engine() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("config.json"), r#"{"currentContext": "desktop"}"#).unwrap();
        context(dir.path(), "desktop", "unix:///run/d.sock", false);
        let chosen = Chosen { config_dir: Some(dir.path().to_owned()), ..Chosen::default() };
        assert_eq!(chosen.endpoint(), Ok(Endpoint::Unix(PathBuf::from("/run/d.sock"))));
        let missing = Chosen { context: Some("other".into()), ..chosen };
        assert!(matches!(missing.endpoint(), Err(NoDocker::Context { .. })));
    }

    #[test]
    fn a_context_with_certificates_is_spoken_to_by_tls() {
        let dir = tempfile::tempdir().unwrap();
        context(dir.path(), "far", "tcp://far:2376", true);
        context(dir.path(), "near", "tcp://near:2375", false);
        let of = |name: &str| {
            let config_dir = Some(dir.path().to_owned());
            Chosen { context: Some(name.into()), config_dir, ..Chosen::default() }.endpoint()
        };
        assert!(matches!(of("far"), Ok(Endpoint::Tls(_))), "{:?}", of("far"));
        assert_eq!(of("near"), Ok(Endpoint::Tcp("tcp://near:2375".into())));
    }

    #[test]
    fn without_any_of_them_it_is_the_default_socket() {
        assert_eq!(Chosen::default().endpoint(), Ok(Endpoint::Unix(PathBuf::from(DEFAULT_SOCKET))));
    }

    #[test]
    fn each_kind_of_address_is_told_from_what_is_none() {
        let parse = |address: &str| Endpoint::parse(address, None);
        assert_eq!(parse("tcp://h:1"), Ok(Endpoint::Tcp("tcp://h:1".into())));
        assert!(matches!(parse("ssh://u@h"), Ok(Endpoint::Ssh(_))));
        for address in ["npipe:////./pipe/x", "https://h:1", "h:1", "", "ssh://"] {
            assert_eq!(parse(address), Err(NoDocker::Unsupported(address.into())));
        }
        let tls = Endpoint::parse("tcp://h", Some("/certificates".into())).unwrap();
        assert_eq!(tls.to_string(), "tcp://h:2376 with TLS");
        assert!(!tls.is_local());
    }
}
