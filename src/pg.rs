//! Our own connections to PostgreSQL servers: facts, connecting, quoting, errors in words.
//!
//! The sandbox is reached by a plain [`ConnectInfo`], a server that others use by a [`Target`], which
//! comes to one. The source is reached by PostgreSQL's own client tools, so that every libpq setting keeps
//! working.

mod creating;
mod hosts;
mod network;
mod refusal;
mod target;
mod terms;
mod tls;

use std::path::PathBuf;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;
use tokio_postgres::error::ErrorPosition;
use tokio_postgres::{Client, Config};

pub use crate::model::quoting::{quote_ident, quote_literal, quote_qualified};
use crate::model::secret::Secret;
pub use creating::first_that_works;
pub use refusal::{ConnectError, Refusal};
pub use target::{Reached, Target};
pub use terms::{Keepalive, Terms};
use tls::Connector;

/// How long an address may take to answer at all.
const REACH_TIMEOUT: Duration = Duration::from_secs(3);

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A TCP address.
    Tcp {
        /// Host name or IP address.
        host: String,
        /// Port.
        port: u16,
    },
    /// The directory of its unix socket, and the port in the socket's name.
    Socket {
        /// The directory.
        dir: PathBuf,
        /// The port in the name `.s.PGSQL.<port>`.
        port: u16,
    },
}

/// As `host:port`, or the file of the socket.
impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Socket { dir, port } => write!(f, "{}/.s.PGSQL.{port}", dir.display()),
        }
    }
}

/// Everything needed to connect.
#[derive(Debug, Clone)]
pub struct ConnectInfo {
    /// Where.
    pub address: Address,
    /// As whom.
    pub user: String,
    /// The password; empty is none.
    pub password: Secret,
    /// To which database.
    pub database: String,
    /// Whether event triggers fire for its sessions. That they do not is for superusers to say, from
    /// PostgreSQL 17 on, where one can keep everybody from connecting.
    pub event_triggers: bool,
    /// On which terms.
    pub terms: Terms,
}

impl ConnectInfo {
    /// The same server, another database.
    #[must_use]
    pub fn database(&self, name: &str) -> Self {
        Self { database: name.to_owned(), ..self.clone() }
    }

    fn config(&self) -> Config {
        let mut config = Config::new();
        match &self.address {
            Address::Tcp { host, port } => config.host(host).port(*port),
            Address::Socket { dir, port } => config.host_path(dir).port(*port),
        };
        config.user(&self.user).dbname(&self.database);
        if !self.password.expose().is_empty() {
            config.password(self.password.expose());
        }
        self.terms.apply(&mut config);
        if !self.event_triggers {
            let options = self.terms.options.as_deref().unwrap_or_default();
            config.options(format!("{options} -c event_triggers=off").trim_start());
        }
        config
    }

    /// Whether somebody listens at its address.
    ///
    /// # Errors
    /// The system's, also when there is no answer for some seconds.
    pub async fn reach(&self) -> std::io::Result<()> {
        let reached = async {
            match &self.address {
                Address::Tcp { host, port } => match self.terms.hostaddr {
                    Some(address) => TcpStream::connect((address, *port)).await.map(drop),
                    None => TcpStream::connect((host.as_str(), *port)).await.map(drop),
                },
                Address::Socket { dir, port } => {
                    UnixStream::connect(dir.join(format!(".s.PGSQL.{port}"))).await.map(drop)
                }
            }
        };
        match tokio::time::timeout(REACH_TIMEOUT, reached).await {
            Ok(reached) => reached,
            Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
        }
    }

    /// Connects.
    ///
    /// # Errors
    /// The driver's error; [`describe`] puts it in words.
    pub async fn connect(&self) -> Result<Session, tokio_postgres::Error> {
        let connector = Connector(self.terms.tls.clone());
        let (client, connection) = self.config().connect(connector.clone()).await?;
        let gone = self.network_is_gone();
        let task = tokio::spawn(async move {
            tokio::select! {
                ended = connection => if let Err(error) = ended {
                    tracing::debug!(error = describe(&error), "connection ended");
                },
                () = gone => tracing::debug!("nothing that was sent is acknowledged, connection ended"),
            }
        });
        Ok(Session { client, task, connector })
    }

    /// Ends when the network to the server is gone, if that is to be noticed.
    fn network_is_gone(&self) -> impl Future<Output = ()> + 'static {
        let at = match &self.address {
            Address::Tcp { host, port } if self.terms.keepalive.is_some() => {
                Some((self.terms.hostaddr.or_else(|| host.parse().ok()), *port))
            }
            _ => None,
        };
        async move {
            match at {
                Some((address, port)) => network::is_gone(address, port).await,
                None => std::future::pending().await,
            }
        }
    }
}

/// A connection and the task that drives it; both end when it is dropped.
#[derive(Debug)]
pub struct Session {
    client: Client,
    task: JoinHandle<()>,
    connector: Connector,
}

impl Session {
    /// Ends the statement that the server is busy with, if there is one: over a connection of its own, to the
    /// same address and with the same TLS.
    ///
    /// # Errors
    /// When the server cannot be reached. What becomes of the statement is told where it is waited for.
    pub async fn cancel(&self) -> Result<(), tokio_postgres::Error> {
        self.client.cancel_token().cancel_query(self.connector.clone()).await
    }
}

impl std::ops::Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Constraints that are not validated, indexes that are not valid, materialized views that are
/// not populated, one row each: what it is, and its name.
///
/// PostgreSQL 18 lists NOT NULL constraints among the others, and has constraints that are not
/// enforced; those are never validated, by design.
pub const UNSOUND: &str = "\
SELECT 'constraint', pg_catalog.format('%s on %I.%I', c.conname, n.nspname, t.relname)
FROM pg_catalog.pg_constraint c
JOIN pg_catalog.pg_class t ON t.oid = c.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
WHERE NOT c.convalidated
  AND coalesce((pg_catalog.to_jsonb(c) ->> 'conenforced')::boolean, true)
UNION ALL
SELECT 'index', pg_catalog.format('%I.%I', n.nspname, i.relname)
FROM pg_catalog.pg_index x
JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = i.relnamespace
WHERE NOT x.indisvalid AND n.nspname NOT LIKE 'pg\\_%'
UNION ALL
SELECT 'materialized view', pg_catalog.format('%I.%I', n.nspname, m.relname)
FROM pg_catalog.pg_class m
JOIN pg_catalog.pg_namespace n ON n.oid = m.relnamespace
WHERE m.relkind = 'm' AND NOT m.relispopulated
ORDER BY 1, 2";

/// What the server said of an error, field by field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerError {
    /// SQLSTATE, such as `42P01`.
    pub code: String,
    /// The message.
    pub message: String,
    /// The detail, where there is one.
    pub detail: Option<String>,
    /// The hint, where there is one.
    pub hint: Option<String>,
    /// The context ("COPY users, line 3"), where there is one.
    pub context: Option<String>,
    /// The position in the statement, in characters from 1, where there is one.
    pub position: Option<u32>,
}

impl ServerError {
    /// The server's part of a driver's error; `None` when the error is not the server's.
    pub fn of(error: &tokio_postgres::Error) -> Option<Self> {
        let db = error.as_db_error()?;
        Some(Self {
            code: db.code().code().to_owned(),
            message: db.message().to_owned(),
            detail: db.detail().map(str::to_owned),
            hint: db.hint().map(str::to_owned),
            context: db.where_().map(str::to_owned),
            position: match db.position() {
                Some(ErrorPosition::Original(position)) => Some(*position),
                _ => None,
            },
        })
    }

    /// Whether a locale is meant that the server lacks or that does not fit: `invalid locale name` (42809, or
    /// 22023 since 17), an encoding that does not go with it (42P17, 22023), a provider that was not compiled
    /// in (0A000).
    pub fn is_about_a_locale(error: &tokio_postgres::Error) -> bool {
        Self::of(error).is_some_and(|error| {
            matches!(error.code.as_str(), "42809" | "22023" | "42P17" | "0A000")
        })
    }

    /// Whether the error says that the server is in trouble and nothing of the statement: out of
    /// disk, memory or connections (class 53), shut down or crashed (57P), an I/O error (58).
    /// Source: PostgreSQL 15 documentation, appendix A.
    pub fn is_servers_trouble(&self) -> bool {
        let code = self.code.as_str();
        code.starts_with("53") || code.starts_with("57P") || matches!(code, "58000" | "58030")
    }
}

/// An error of the driver in words: its `Display` says only "db error".
pub fn describe(error: &tokio_postgres::Error) -> String {
    match ServerError::of(error) {
        Some(server) => format!("{} (SQLSTATE {})", server.message, server.code),
        None => {
            let mut text = error.to_string();
            let mut source = std::error::Error::source(error);
            while let Some(cause) = source {
                text = format!("{text}: {cause}");
                source = cause.source();
            }
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connect_info_does_not_show_its_password() {
        let info = ConnectInfo {
            address: Address::Tcp { host: "127.0.0.1".into(), port: 5433 },
            user: "postgres".into(),
            password: Secret::new("hunter2"),
            database: "restore_test".into(),
            event_triggers: true,
            terms: Terms::default(),
        };
        assert!(!format!("{info:?}").contains("hunter2"));
    }

    #[tokio::test]
    async fn a_server_is_reached_where_somebody_listens_and_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = tcp.local_addr().unwrap().port();
        let socket = dir.path().join(format!(".s.PGSQL.{port}"));
        let unix = std::os::unix::net::UnixListener::bind(socket).unwrap();
        let at = |address| ConnectInfo {
            address,
            user: "postgres".into(),
            password: Secret::new("x"),
            database: "x".into(),
            event_triggers: true,
            terms: Terms::default(),
        };
        let servers = [
            at(Address::Tcp { host: "127.0.0.1".into(), port }),
            at(Address::Socket { dir: dir.path().to_owned(), port }),
        ];
        for server in &servers {
            assert!(server.reach().await.is_ok(), "{server:?}");
        }
        drop((tcp, unix));
        for server in &servers {
            assert!(server.reach().await.is_err(), "{server:?}");
        }
    }
}
