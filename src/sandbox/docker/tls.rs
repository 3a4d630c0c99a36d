//! An engine that is spoken to by TLS: `tcp://` with the certificates that the docker command takes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

const PORT: u16 = 2376;

/// Such an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsHost {
    host: String,
    port: u16,
    certificates: PathBuf,
}

impl std::fmt::Display for TlsHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "tcp://{}:{} with TLS", self.host, self.port)
    }
}

impl TlsHost {
    /// Reads `host:port`; `certificates` is the directory of `ca.pem`, `cert.pem` and `key.pem`.
    pub fn parse(address: &str, certificates: PathBuf) -> Option<Self> {
        let address = address.trim_end_matches('/');
        let after = address.rfind(']').unwrap_or(0);
        let (host, port) = match address[after..].rfind(':') {
            Some(at) => (&address[..after + at], address[after + at + 1..].parse().ok()?),
            None => (address, PORT),
        };
        (!host.is_empty()).then(|| Self { host: host.to_owned(), port, certificates })
    }

    /// What the handshakes go by.
    ///
    /// # Errors
    /// Which file is missing or no good, in words.
    pub fn connector(&self) -> Result<TlsConnector, String> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&self.certificates.join("ca.pem"))? {
            roots.add(certificate).map_err(|error| format!("ca.pem: {error}"))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots);
        let (certificate, key) =
            (self.certificates.join("cert.pem"), self.certificates.join("key.pem"));
        // An engine may ask for none, as docker allows.
        let config = if certificate.exists() || key.exists() {
            let read = PrivateKeyDer::from_pem_file(&key).map_err(|error| wrong(&key, &error))?;
            builder
                .with_client_auth_cert(certificates(&certificate)?, read)
                .map_err(|error| wrong(&key, &error))?
        } else {
            builder.with_no_client_auth()
        };
        Ok(TlsConnector::from(Arc::new(config)))
    }

    /// Leads a stream to the engine.
    ///
    /// # Errors
    /// Why not, in words.
    pub async fn lead(
        &self,
        connector: &TlsConnector,
        stream: &mut UnixStream,
    ) -> Result<(), String> {
        let host = self.host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let connecting = TcpStream::connect((host.as_str(), self.port));
        let tcp = connecting.await.map_err(|error| error.to_string())?;
        tcp.set_nodelay(true).map_err(|error| error.to_string())?;
        let name = ServerName::try_from(host).map_err(|error| error.to_string())?;
        let mut engine = connector.connect(name, tcp).await.map_err(|error| error.to_string())?;
        let copied = tokio::io::copy_bidirectional(stream, &mut engine).await;
        copied.map(drop).map_err(|error| error.to_string())
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).map_err(|error| wrong(path, &error))?;
    let found: Vec<_> = read.collect::<Result<_, _>>().map_err(|error| wrong(path, &error))?;
    if found.is_empty() { Err(wrong(path, &"it holds no certificate (PEM)")) } else { Ok(found) }
}

fn wrong(path: &Path, why: &impl ToString) -> String {
    format!("{}: {}", path.display(), why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_are_read_in_every_form() {
        for (address, shown) in [
            ("h", Some("tcp://h:2376 with TLS")),
            ("h:1/", Some("tcp://h:1 with TLS")),
            ("[::1]:7", Some("tcp://[::1]:7 with TLS")),
            ("[::1]", Some("tcp://[::1]:2376 with TLS")),
            (":1", None),
            ("h:x", None),
        ] {
            let parsed = TlsHost::parse(address, "/c".into()).map(|host| host.to_string());
            assert_eq!(parsed.as_deref(), shown, "{address}");
        }
    }

    #[test]
    fn a_missing_or_empty_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let host = TlsHost::parse("h", dir.path().to_owned()).unwrap();
        assert!(host.connector().err().unwrap().contains("ca.pem"));
        std::fs::write(dir.path().join("ca.pem"), "").unwrap();
        assert!(host.connector().err().unwrap().contains("ca.pem: it holds no certificate"));
    }
}
