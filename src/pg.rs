//! A connection to a PostgreSQL server of ours: facts, connecting, quoting, errors in words.
//!
//! Only the sandbox is reached this way; the source is reached by PostgreSQL's own client tools,
//! so that every libpq setting keeps working.

use std::path::PathBuf;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;
use tokio_postgres::error::ErrorPosition;
use tokio_postgres::{Client, Config, NoTls};

pub use crate::model::quoting::{quote_ident, quote_literal, quote_qualified};
use crate::model::secret::Secret;

/// How long an address may take to answer at all.
const REACH_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// After so much silence a machine is asked whether it is there, and again as often.
const KEEPALIVE: Duration = Duration::from_secs(5);
/// So many questions without an answer end the connection. Machines answer them, not servers: a
/// server may be as busy as it likes.
const KEEPALIVES: u32 = 6;

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
    /// The password of this run.
    pub password: Secret,
    /// To which database.
    pub database: String,
    /// Whether event triggers fire for its sessions. That they do not is for superusers to say, from
    /// PostgreSQL 17 on, where one can keep everybody from connecting.
    pub event_triggers: bool,
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
        config
            .user(&self.user)
            .password(self.password.expose())
            .dbname(&self.database)
            .application_name("ccc-backup")
            .connect_timeout(CONNECT_TIMEOUT)
            // A network that is gone says nothing: without these, a statement that takes long would
            // be waited for, for hours.
            .keepalives_idle(KEEPALIVE)
            .keepalives_interval(KEEPALIVE)
            .keepalives_retries(KEEPALIVES);
        if !self.event_triggers {
            config.options("-c event_triggers=off");
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
                Address::Tcp { host, port } => {
                    TcpStream::connect((host.as_str(), *port)).await.map(drop)
                }
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
        let (client, connection) = self.config().connect(NoTls).await?;
        let task = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = describe(&error), "connection ended");
            }
        });
        Ok(Session { client, task })
    }
}

/// A connection and the task that drives it; both end when it is dropped.
#[derive(Debug)]
pub struct Session {
    client: Client,
    task: JoinHandle<()>,
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
