//! Why a server could not be connected to, in words, with what to do next.

use std::error::Error as _;
use std::fmt;
use std::io;
use std::time::Duration;

use chrono::DateTime;
use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error as TlsError};
use thiserror::Error;

use super::tls::{FileError, Mode};
use super::{Address, ServerError, describe};

/// Why one address could not be connected to.
#[derive(Debug, Clone, Error)]
pub enum Refusal {
    /// Its name is not known.
    #[error("the name of the host cannot be looked up: {0}")]
    Name(String),
    /// Nobody answers, or the connection broke.
    #[error("the server cannot be reached: {0}")]
    Unreachable(String),
    /// No connection within the time that there is for it.
    #[error("the server did not accept the connection within {} s", .0.as_secs())]
    Timeout(Duration),
    /// The server speaks no TLS, and has to.
    #[error("the server does not support SSL, but sslmode is {}", .0.word())]
    NoTls(Mode),
    /// What TLS needs is not in the files.
    #[error(transparent)]
    File(#[from] FileError),
    /// The server's certificate is not accepted here.
    #[error("{0}")]
    Certificate(String, &'static str),
    /// The client's certificate is not accepted there.
    #[error("the server does not accept the client certificate: {0}")]
    ClientCertificate(String),
    /// Any other trouble with TLS.
    #[error("TLS could not be agreed on: {0}")]
    Tls(String),
    /// The server wants a password, and there is none.
    #[error("the server asks for a password, and none was given")]
    NoPassword,
    /// The exchange of the password is not bound to the server's certificate, and has to be.
    #[error("the server did not use channel binding, but channel_binding is require")]
    ChannelBinding,
    /// The server wants to know who connects in a way that is not spoken here.
    #[error(
        "the server asks for a way of authentication that is not supported, such as GSSAPI or SSPI"
    )]
    Method,
    /// What the server itself said.
    #[error("{}", .0.message)]
    Server(Box<ServerError>),
    /// It is not the kind of server that was asked for.
    #[error("the server {is}, but target_session_attrs is {wanted}")]
    Session {
        /// What it is instead.
        is: &'static str,
        /// What was asked for.
        wanted: &'static str,
    },
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl Refusal {
    /// What an error of the driver comes to, which met when connecting in this mode.
    pub(super) fn of(error: &tokio_postgres::Error, mode: Mode) -> Self {
        if let Some(server) = ServerError::of(error) {
            return Self::Server(Box::new(server));
        }
        let mut cause = error.source();
        let mut last = error.to_string();
        while let Some(error) = cause {
            last = error.to_string();
            if let Some(io) = error.downcast_ref::<io::Error>() {
                let inner = io.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>());
                return match inner {
                    Some(tls) => of_tls(tls),
                    None if is_of_tls(io) => Self::Tls(io.to_string()),
                    None => Self::Unreachable(io.to_string()),
                };
            }
            cause = error.source();
        }
        // The driver's own words, which are no types of its.
        match last.as_str() {
            "server does not support TLS" => Self::NoTls(mode),
            "password missing" => Self::NoPassword,
            "server did not use channel binding" => Self::ChannelBinding,
            "unsupported authentication method" | "unsupported SASL mechanism" => Self::Method,
            "connection closed" => Self::Unreachable("it closed the connection".to_owned()),
            _ => Self::Other(describe(error)),
        }
    }

    /// Whether another way of encryption may do better: TLS was no good, or the server refused who came.
    pub(super) fn is_of_encryption(&self) -> bool {
        match self {
            Self::NoTls(_) | Self::File(_) | Self::Certificate(..) | Self::Tls(_) => true,
            Self::Server(server) => server.code.starts_with("28"),
            _ => false,
        }
    }

    /// Whether another host may do better.
    pub(super) fn is_of_host(&self) -> bool {
        match self {
            Self::Name(_) | Self::Unreachable(_) | Self::Timeout(_) | Self::Session { .. } => true,
            Self::Server(server) => server.code == "57P03",
            _ => false,
        }
    }

    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Name(_) => "check the host's spelling, and that this machine can look it up",
            Self::Unreachable(_) => {
                "is the server running there, and does a firewall let this machine in? check host and port"
            }
            Self::Timeout(_) => "check host and port, or give it more time by connect_timeout",
            Self::NoTls(_) => {
                "turn ssl on at the server, or set sslmode=prefer if the way to it is safe without"
            }
            Self::File(error) => error.hint,
            Self::Certificate(_, hint) => hint,
            Self::ClientCertificate(_) => {
                "check sslcert (PGSSLCERT): it has to be in its time, and signed by whom the server trusts \
                 (ssl_ca_file)"
            }
            Self::Tls(_) => {
                "check that the server speaks TLS 1.2 or later, and 17 or later with sslnegotiation=direct"
            }
            Self::NoPassword => "put it into the URL, DB_PASSWORD, PGPASSWORD or ~/.pgpass",
            Self::ChannelBinding => {
                "it needs TLS and a password stored for scram-sha-256; else set channel_binding=prefer"
            }
            Self::Method => {
                "have pg_hba.conf ask for scram-sha-256 or a client certificate, or restore with pg_restore"
            }
            Self::Server(server) => of_server(server),
            Self::Session { .. } => {
                "name the host that is, or several and target_session_attrs picks the one that fits"
            }
            Self::Other(_) => "check the connection's settings, and look into the server's log",
        }
    }
}

/// The class 28 and the others that end a connection before it begins. Source: PostgreSQL 15 documentation,
/// appendix A.
fn of_server(server: &ServerError) -> &'static str {
    match server.code.as_str() {
        "28P01" => {
            "check the user and the password: in the URL, DB_PASSWORD, PGPASSWORD or ~/.pgpass"
        }
        "28000" if server.message.contains("pg_hba.conf") => {
            "have the server's pg_hba.conf let this user in from this machine (hostssl lines need TLS: sslmode)"
        }
        "28000" if server.message.contains("certificate") => {
            "give one by sslcert and sslkey (PGSSLCERT, PGSSLKEY)"
        }
        "28000" => "check the user, and that it may log in",
        "3D000" => "check the name of the database; psql -l lists those that there are",
        "42501" => "have its owner grant CONNECT on the database to the user",
        "53300" => "wait until other sessions end, or raise max_connections",
        code if code.starts_with("57P") => "wait until the server is ready, then run it again",
        _ => "check the connection's settings, and look into the server's log",
    }
}

/// Whether an error that is not rustls' own is one of the handshake.
fn is_of_tls(error: &io::Error) -> bool {
    let message = error.to_string();
    message.contains("tls handshake")
        || message.contains("agree to speak")
        || message.contains("DNS name")
}

const LISTS: &str =
    "check sslcrl (PGSSLCRL) and sslcrldir: each authority needs a list that is in its time";

fn of_tls(error: &TlsError) -> Refusal {
    use AlertDescription as Alert;
    match error {
        TlsError::InvalidCertificate(error) => {
            let (words, hint) = of_certificate(error);
            Refusal::Certificate(words, hint)
        }
        TlsError::InvalidCertRevocationList(error) => {
            let words = format!("the list of revoked certificates is not accepted: {error:?}");
            Refusal::Certificate(words, LISTS)
        }
        TlsError::AlertReceived(
            alert @ (Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::CertificateRequired
            | Alert::UnknownCA),
        ) => Refusal::ClientCertificate(format!("{alert:?}")),
        TlsError::AlertReceived(alert) => Refusal::Tls(format!("the server said {alert:?}")),
        error => Refusal::Tls(error.to_string()),
    }
}

fn of_certificate(error: &CertificateError) -> (String, &'static str) {
    use CertificateError as Certificate;
    const CLOCK: &str = "have it renewed, or check this machine's clock";
    match error {
        Certificate::Expired => ("the server's certificate has expired".to_owned(), CLOCK),
        Certificate::ExpiredContext { not_after, .. } => {
            (format!("the server's certificate expired on {}", day(*not_after)), CLOCK)
        }
        Certificate::NotValidYet => ("the server's certificate is not valid yet".to_owned(), CLOCK),
        Certificate::NotValidYetContext { not_before, .. } => {
            (format!("the server's certificate is not valid before {}", day(*not_before)), CLOCK)
        }
        // The second where a trusted one has the name of who signed it, and another key.
        Certificate::UnknownIssuer | Certificate::BadSignature => (
            "the server's certificate is not signed by anyone who is trusted".to_owned(),
            "name the certificate of who signed it with sslrootcert (PGSSLROOTCERT), or take sslrootcert=system \
             for a public authority",
        ),
        Certificate::NotValidForNameContext { expected, presented } => {
            let names =
                if presented.is_empty() { "nobody".to_owned() } else { presented.join(", ") };
            (
                format!(
                    "the server's certificate is for {names}, and not for {}",
                    expected.to_str()
                ),
                "connect to a name that it is for (hostaddr may say where that is), or set sslmode=verify-ca",
            )
        }
        Certificate::Revoked => (
            "the server's certificate has been revoked".to_owned(),
            "have a new one made, and ask why this one was revoked",
        ),
        Certificate::UnknownRevocationStatus => {
            ("it is not known whether the server's certificate has been revoked".to_owned(), LISTS)
        }
        Certificate::ExpiredRevocationList | Certificate::ExpiredRevocationListContext { .. } => {
            ("the list of revoked certificates is out of date".to_owned(), LISTS)
        }
        other => (
            format!("the server's certificate is not accepted: {other}"),
            "have one made for a server (RSA of 2048 bits and more, ECDSA on P-256 or P-384, Ed25519)",
        ),
    }
}

fn day(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).ok();
    let time = seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    time.map_or_else(|| "a day".to_owned(), |time| time.format("%Y-%m-%d %H:%M UTC").to_string())
}

/// No server could be connected to: what became of each address that was tried.
#[derive(Debug)]
pub struct ConnectError {
    /// In their order; there is at least one.
    pub(super) attempts: Vec<(Address, Refusal)>,
}

impl ConnectError {
    /// Why the last address that was tried could not be connected to.
    pub fn refusal(&self) -> Option<&Refusal> {
        self.attempts.last().map(|(_, refusal)| refusal)
    }

    /// The server's own code, where it refused by itself: `3D000` is a database that is not there.
    pub fn sqlstate(&self) -> Option<&str> {
        match self.refusal()? {
            Refusal::Server(server) => Some(&server.code),
            _ => None,
        }
    }

    /// What to do next.
    pub fn hint(&self) -> &'static str {
        self.refusal().map_or("name a host", Refusal::hint)
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said: Vec<String> = Vec::new();
        for (address, refusal) in &self.attempts {
            let attempt = format!("{address}: {refusal}");
            // A name may have several addresses, of which the same is to be said.
            if !said.contains(&attempt) {
                said.push(attempt);
            }
        }
        write!(f, "cannot connect to {}", said.join("; to "))
    }
}

impl std::error::Error for ConnectError {}
