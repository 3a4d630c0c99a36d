//! The client of whatever speaks HTTP beside object storage: who is trusted, and what went wrong, in words that hold no
//! address. Addresses may hold secrets.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::Path;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client};

/// How it names itself.
const USER_AGENT: &str = concat!("ccc-backup/", env!("CARGO_PKG_VERSION"));

/// Has TLS done by the library that the rest has; another one may have been chosen before, by a test.
pub fn have_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Who may have signed a server's certificate, in place of those whom the system trusts.
#[derive(Debug, Clone)]
pub struct Roots(Vec<Certificate>);

impl Roots {
    /// Reads a file of certificates (PEM).
    ///
    /// # Errors
    /// When it cannot be read, or holds none.
    pub fn read(path: &Path) -> io::Result<Self> {
        let read = Certificate::from_pem_bundle(&std::fs::read(path)?);
        match read {
            Ok(certificates) if !certificates.is_empty() => Ok(Self(certificates)),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "it holds no certificate (PEM)")),
        }
    }
}

/// A client that follows no redirect: what is sent was meant for one server.
///
/// # Errors
/// Where the system trusts nobody, or the certificates cannot be used.
pub fn client(roots: Option<&Roots>) -> Result<Client, Trouble> {
    have_tls();
    let builder = Client::builder().user_agent(USER_AGENT).redirect(Policy::none()).http1_only();
    // Each try begins anew, also with the connection.
    let builder = builder.referer(false).pool_max_idle_per_host(0);
    let builder = match roots {
        Some(roots) => builder.tls_certs_only(roots.0.iter().cloned()),
        None => builder,
    };
    builder.build().map_err(Trouble::of)
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// It did not come in time.
    Late,
    /// The certificate is not accepted, for this reason.
    Certificate(String),
    /// Anything else, in words.
    Other(String),
}

impl Trouble {
    /// What an error of the client means.
    pub fn of(error: reqwest::Error) -> Self {
        let error = error.without_url();
        if let Some(certificate) = certificate_of(&error) {
            return Self::Certificate(certificate);
        }
        if error.is_timeout() {
            return Self::Late;
        }
        let said = innermost(&error);
        Self::Other(if error.is_dns() { format!("there is no such host: {said}") } else { said })
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late => f.write_str("it does not answer in time"),
            Self::Certificate(why) => write!(f, "its certificate is not accepted: {why}"),
            Self::Other(said) => f.write_str(said),
        }
    }
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}

/// Why a certificate was refused, where it was.
fn certificate_of(error: &(dyn Error + 'static)) -> Option<String> {
    match chain(error).find_map(tls_error)? {
        rustls::Error::InvalidCertificate(why) => Some(why.to_string()),
        _ => None,
    }
}

/// The error of TLS that an error is, or holds: one of the system that holds another does not tell it as its source.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let held = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    held.map_or_else(|| error.downcast_ref(), |held| tls_error(held))
}

/// The words of the error that is the reason for the others.
fn innermost(error: &(dyn Error + 'static)) -> String {
    chain(error).last().unwrap_or(error).to_string()
}
