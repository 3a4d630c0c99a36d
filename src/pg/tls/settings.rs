//! How TLS is asked for, by libpq's names, and what comes of it. Source: PostgreSQL 18, 32.19 "SSL Support".

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, SupportedProtocolVersion};
use x509_cert::Certificate;
use x509_cert::der::Decode;

use super::files::{self, FileError};
use super::verifier::{Trusted, Verifier};
use super::{PROTOCOL, Tls};
use crate::libpq::error::ParameterError;
use crate::libpq::parameters::Parameters;

/// Whether a connection is encrypted, and what is asked of the server. The later, the more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Never.
    Disable,
    /// If the server does not want it otherwise.
    Allow,
    /// If the server can.
    Prefer,
    /// Always.
    Require,
    /// By a server whose certificate is signed by a trusted one.
    VerifyCa,
    /// And is for its name.
    VerifyFull,
}

const MODES: [(&str, Mode); 6] = [
    ("disable", Mode::Disable),
    ("allow", Mode::Allow),
    ("prefer", Mode::Prefer),
    ("require", Mode::Require),
    ("verify-ca", Mode::VerifyCa),
    ("verify-full", Mode::VerifyFull),
];

impl Mode {
    /// libpq's word for it.
    pub fn word(self) -> &'static str {
        MODES.iter().find(|(_, mode)| *mode == self).map_or("", |(word, _)| word)
    }
}

const BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
const ONLY_13: &[&SupportedProtocolVersion] = &[&TLS13];
const ONLY_12: &[&SupportedProtocolVersion] = &[&TLS12];

/// How TLS is asked for. No file is read yet.
#[derive(Debug, Clone)]
pub struct TlsSettings {
    /// Whether.
    pub mode: Mode,
    direct: bool,
    roots: Roots,
    revoked: Option<PathBuf>,
    revoked_by_default: Option<PathBuf>,
    revoked_dir: Option<PathBuf>,
    /// The certificate and its key.
    client: Option<(PathBuf, PathBuf)>,
    versions: &'static [&'static SupportedProtocolVersion],
    names_itself: bool,
}

#[derive(Debug, Clone)]
enum Roots {
    System,
    File(PathBuf),
    /// No name is given, and nobody has a home.
    Nowhere,
}

impl TlsSettings {
    /// What the parameters of a connection ask for.
    ///
    /// # Errors
    /// When they make no sense, or ask for what is not supported.
    pub fn of(parameters: &Parameters) -> Result<Self, ParameterError> {
        let system = parameters.get("sslrootcert") == Some("system");
        let mode = match parameters.choice("sslmode", &MODES)? {
            Some(mode) if system && mode != Mode::VerifyFull => {
                return Err(ParameterError::Contradiction(
                    format!("sslmode={} is too weak for sslrootcert=system", mode.word()),
                    "set sslmode=verify-full, or name a file with sslrootcert",
                ));
            }
            Some(mode) => mode,
            None if system => Mode::VerifyFull,
            None => Mode::Prefer,
        };
        let negotiations = [("postgres", false), ("direct", true)];
        let direct = parameters.choice("sslnegotiation", &negotiations)?.unwrap_or(false);
        if direct && mode < Mode::Require {
            return Err(ParameterError::Contradiction(
                format!("sslmode={} is too weak for sslnegotiation=direct", mode.word()),
                "set sslmode=require, verify-ca or verify-full",
            ));
        }
        let roots = match parameters.file("sslrootcert", "root.crt") {
            _ if system => Roots::System,
            Some(file) => Roots::File(file),
            None => Roots::Nowhere,
        };
        let named = |name: &str| parameters.get(name).map(PathBuf::from);
        let revoked = named("sslcrl");
        let revoked_dir = named("sslcrldir");
        let default = revoked.is_none() && revoked_dir.is_none();
        Ok(Self {
            mode,
            direct,
            roots,
            revoked_by_default: parameters.file("sslcrl", "root.crl").filter(|_| default),
            revoked,
            revoked_dir,
            client: client(parameters)?,
            versions: versions(parameters)?,
            names_itself: parameters
                .choice("sslsni", &[("0", false), ("1", true)])?
                .unwrap_or(true),
        })
    }

    /// Reads the files.
    ///
    /// # Errors
    /// When one cannot be read or makes no sense, or none says who is trusted and the mode asks for it.
    pub fn read(&self) -> Result<Tls, FileError> {
        let provider = Arc::new(ring::default_provider());
        let names = self.mode == Mode::VerifyFull;
        let client = match &self.client {
            Some((certificate, key)) => files::client(certificate, key, &provider)?,
            None => None,
        };
        let verifier = Verifier {
            trusted: self.trusted(&provider)?,
            names,
            algorithms: provider.signature_verification_algorithms,
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(self.versions)
            // The provider has suites for both versions.
            .unwrap_or_else(|_| unreachable!());
        let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match client {
            Some(client) => {
                builder.with_client_cert_resolver(client as Arc<dyn ResolvesClientCert>)
            }
            None => builder.with_no_client_auth(),
        };
        config.enable_sni = self.names_itself;
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(Tls { config: Arc::new(config), direct: self.direct, names })
    }

    /// Who is trusted. A file of roots that is there counts in every mode; where there is none, only the modes
    /// that verify miss it.
    fn trusted(&self, provider: &Arc<CryptoProvider>) -> Result<Option<Trusted>, FileError> {
        let (store, roots) = match &self.roots {
            Roots::System => (files::system_roots()?, Vec::new()),
            Roots::File(file) => match files::roots(file)? {
                Some(roots) => (files::store(&roots), roots),
                None if self.mode >= Mode::VerifyCa => return Err(files::no_roots(file)),
                None => return Ok(None),
            },
            Roots::Nowhere if self.mode >= Mode::VerifyCa => {
                return Err(files::no_roots("~/.postgresql/root.crt".as_ref()));
            }
            Roots::Nowhere => return Ok(None),
        };
        let by_default = self.revoked_by_default.as_deref().filter(|file| file.exists());
        let file = self.revoked.as_deref().or(by_default);
        let lists = files::revoked(file, self.revoked_dir.as_deref())?;
        let revocations = !lists.is_empty();
        let webpki = WebPkiServerVerifier::builder_with_provider(store.into(), provider.clone())
            .with_crls(lists)
            .enforce_revocation_expiration()
            .build()
            .map_err(|error| files::not_usable(file, &error))?;
        let roots = roots.iter().filter_map(|root| Certificate::from_der(root).ok()).collect();
        Ok(Some(Trusted { webpki, roots, revocations }))
    }
}

/// The client's certificate and key, wherever they are to be.
fn client(parameters: &Parameters) -> Result<Option<(PathBuf, PathBuf)>, ParameterError> {
    let modes = [("disable", Some(false)), ("allow", Some(true)), ("require", None)];
    let sent = match parameters.choice("sslcertmode", &modes)? {
        Some(None) => {
            return Err(ParameterError::Unsupported {
                setting: "sslcertmode=require",
                hint: "leave it out; a server that asks for a certificate gets it all the same",
            });
        }
        Some(Some(sent)) => sent,
        None => true,
    };
    // libpq asks an engine of OpenSSL.
    if parameters.get("sslkey").is_some_and(|key| key.contains(':')) {
        return Err(ParameterError::Unsupported {
            setting: "a key in a device (sslkey=engine:key)",
            hint: "name a file with sslkey (PGSSLKEY)",
        });
    }
    let files =
        (parameters.file("sslcert", "postgresql.crt"), parameters.file("sslkey", "postgresql.key"));
    Ok(match files {
        (Some(certificate), Some(key)) if sent => Some((certificate, key)),
        _ => None,
    })
}

/// Versions of TLS between the two that are named. Of older ones than 1.2, none is spoken.
fn versions(
    parameters: &Parameters,
) -> Result<&'static [&'static SupportedProtocolVersion], ParameterError> {
    const NAMES: [(&str, u8); 4] = [("TLSv1", 0), ("TLSv1.1", 1), ("TLSv1.2", 2), ("TLSv1.3", 3)];
    let least = parameters.choice("ssl_min_protocol_version", &NAMES)?.unwrap_or(2);
    let most = parameters.choice("ssl_max_protocol_version", &NAMES)?.unwrap_or(3);
    match (least, most) {
        (_, 0 | 1) => Err(ParameterError::Unsupported {
            setting: "a version of TLS before 1.2 (ssl_max_protocol_version)",
            hint: "leave it out; servers with OpenSSL 1.0.1 and later speak 1.2",
        }),
        (3, 2) => Err(ParameterError::Contradiction(
            "ssl_min_protocol_version is later than ssl_max_protocol_version".to_owned(),
            "leave one of them out",
        )),
        (3, _) => Ok(ONLY_13),
        (_, 2) => Ok(ONLY_12),
        _ => Ok(BOTH),
    }
}
