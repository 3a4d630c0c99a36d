//! A server that others use: wherever libpq's settings lead, and only one server, once it was chosen.
//!
//! Source: libpq's `pqConnectOptions2` and `PQconnectPoll`, PostgreSQL 18.

use std::net::IpAddr;
use std::time::Duration;

use tokio_postgres::config::ChannelBinding;

use super::hosts::{Host, addresses_of, hosts};
use super::tls::{FileError, Mode, Tls, TlsSettings};
use super::{Address, ConnectError, ConnectInfo, Keepalive, Refusal, Session, Terms};
use crate::libpq::Environment;
use crate::libpq::error::ParameterError;
use crate::libpq::parameters::Parameters;
use crate::libpq::settings::ConnectSettings;
use crate::model::secret::Secret;

/// How a server is found and connected to.
#[derive(Debug, Clone)]
pub struct Target {
    hosts: Vec<Host>,
    user: String,
    /// The database to connect to.
    database: String,
    /// The one that the settings name.
    named: String,
    tls: TlsSettings,
    terms: Terms,
    wanted: Wanted,
    /// Hosts and addresses are tried in any order, so that many clients spread over them.
    shuffled: bool,
    parameters: Parameters,
}

/// A server that was reached.
#[derive(Debug)]
pub struct Reached {
    /// How to connect again, to this server and no other of those that the settings lead to.
    pub info: ConnectInfo,
    /// The first session.
    pub session: Session,
    /// libpq's variables for client tools that are to connect to the same server in the same way, with the
    /// password among them.
    pub variables: Vec<(&'static str, Secret)>,
}

/// Which kind of server will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

const WANTED: [(&str, Wanted); 6] = [
    ("any", Wanted::Any),
    ("read-write", Wanted::ReadWrite),
    ("read-only", Wanted::ReadOnly),
    ("primary", Wanted::Primary),
    ("standby", Wanted::Standby),
    ("prefer-standby", Wanted::PreferStandby),
];

impl Target {
    /// Resolves settings as libpq does: what they say, then the service file, the environment, the password
    /// file, the defaults. What cannot be followed is refused where to pass over it would connect less securely.
    ///
    /// # Errors
    /// [`ParameterError`].
    pub fn resolve(
        settings: &ConnectSettings,
        environment: Environment,
    ) -> Result<Self, ParameterError> {
        let parameters = Parameters::resolve(settings, environment)?;
        refuse_unsupported(&parameters)?;
        let user = parameters.user()?;
        let named = parameters.get("dbname").unwrap_or(&user).to_owned();
        let shuffled = [("disable", false), ("random", true)];
        Ok(Self {
            hosts: hosts(&parameters)?,
            tls: TlsSettings::of(&parameters)?,
            terms: terms(&parameters)?,
            wanted: parameters.choice("target_session_attrs", &WANTED)?.unwrap_or(Wanted::Any),
            shuffled: parameters.choice("load_balance_hosts", &shuffled)?.unwrap_or(false),
            database: named.clone(),
            named,
            user,
            parameters,
        })
    }

    /// The database that is connected to: by default the one that the settings name.
    pub fn name(&self) -> &str {
        &self.database
    }

    /// The same server, another database. A password for this one does for it, too.
    #[must_use]
    pub fn database(&self, name: &str) -> Self {
        Self { database: name.to_owned(), ..self.clone() }
    }

    /// What is worth a word before the work.
    pub fn warnings(&self) -> &[String] {
        &self.parameters.warnings
    }

    /// Connects to the first host that will do.
    ///
    /// # Errors
    /// What became of each address that was tried.
    pub async fn connect(&self) -> Result<Reached, ConnectError> {
        let tls = match self.tls.mode {
            Mode::Disable => None,
            _ => Some(self.tls.read()),
        };
        // A standby is preferred by looking for one first.
        let rounds = match self.wanted {
            Wanted::PreferStandby => &[Wanted::Standby, Wanted::Any][..],
            _ => std::slice::from_ref(&self.wanted),
        };
        let mut attempts = Vec::new();
        for wanted in rounds {
            match self.first(*wanted, tls.as_ref()).await {
                Ok((info, session)) => {
                    return Ok(Reached { variables: self.variables(&info), info, session });
                }
                Err(tried) => attempts = tried,
            }
            if !attempts.last().is_none_or(|(_, refusal)| refusal.is_of_host()) {
                break;
            }
        }
        Err(ConnectError { attempts })
    }

    /// The first address of the hosts that will do, or what became of each until one refused for good.
    async fn first(
        &self,
        wanted: Wanted,
        tls: Option<&Result<Tls, FileError>>,
    ) -> Result<(ConnectInfo, Session), Vec<(Address, Refusal)>> {
        let mut attempts = Vec::new();
        for Host { address, hostaddr } in self.in_order(self.hosts.clone()) {
            let found = match addresses_of(&address, hostaddr).await {
                Ok(found) => self.in_order(found),
                Err(error) => {
                    attempts.push((address, Refusal::Name(error.to_string())));
                    continue;
                }
            };
            for hostaddr in found {
                let refusal = match self.attempt(&address, hostaddr, tls, wanted).await {
                    Ok(reached) => return Ok(reached),
                    Err(refusal) => refusal,
                };
                let goes_on = refusal.is_of_host();
                attempts.push((address.clone(), refusal));
                if !goes_on {
                    return Err(attempts);
                }
            }
        }
        Err(attempts)
    }

    /// Connects to one address, with and without encryption as far as the mode leaves that open.
    async fn attempt(
        &self,
        address: &Address,
        hostaddr: Option<IpAddr>,
        tls: Option<&Result<Tls, FileError>>,
        wanted: Wanted,
    ) -> Result<(ConnectInfo, Session), Refusal> {
        // Over a socket of this machine nobody listens: libpq and the server encrypt nothing there.
        let tls = tls.filter(|_| hostaddr.is_some());
        let plain = async || self.session(address, hostaddr, None, wanted).await;
        let Some(tls) = tls else { return plain().await };
        let encrypted = async || match tls {
            Ok(tls) => self.session(address, hostaddr, Some(tls.clone()), wanted).await,
            Err(error) => Err(Refusal::File(error.clone())),
        };
        let is_no_way_on = |refusal: &Refusal| !refusal.is_of_encryption();
        match self.tls.mode {
            Mode::Disable => plain().await,
            Mode::Allow => match plain().await {
                Ok(session) => Ok(session),
                Err(refusal) if is_no_way_on(&refusal) => Err(refusal),
                Err(without) => encrypted().await.map_err(|with| the_clearer(with, without)),
            },
            Mode::Prefer => match encrypted().await {
                Ok(session) => Ok(session),
                Err(refusal) if is_no_way_on(&refusal) => Err(refusal),
                Err(with) => plain().await.map_err(|without| the_clearer(with, without)),
            },
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => encrypted().await,
        }
    }

    async fn session(
        &self,
        address: &Address,
        hostaddr: Option<IpAddr>,
        tls: Option<Tls>,
        wanted: Wanted,
    ) -> Result<(ConnectInfo, Session), Refusal> {
        let info = ConnectInfo {
            address: address.clone(),
            user: self.user.clone(),
            password: self.password(address).unwrap_or_default(),
            database: self.database.clone(),
            event_triggers: true,
            terms: Terms { hostaddr, tls, ..self.terms.clone() },
        };
        let connecting = async {
            let refusal = |error| Refusal::of(&error, self.tls.mode);
            let session = info.connect().await.map_err(refusal)?;
            check_session(&session, wanted).await?;
            Ok(session)
        };
        let session = match self.terms.connect_timeout {
            Some(time) => tokio::time::timeout(time, connecting)
                .await
                .unwrap_or_else(|_| Err(Refusal::Timeout(time))),
            None => connecting.await,
        }?;
        Ok((info, session))
    }

    fn password(&self, address: &Address) -> Option<Secret> {
        let (host, port) = match address {
            Address::Tcp { host, port } => (host.clone(), *port),
            Address::Socket { dir, port } => (dir.display().to_string(), *port),
        };
        let of = |database| self.parameters.password(&host, port, database, &self.user);
        of(&self.database).or_else(|| of(&self.named))
    }

    fn in_order<T>(&self, mut items: Vec<T>) -> Vec<T> {
        if self.shuffled {
            // Which is the first matters, and not how well the others are mixed.
            let by = getrandom::u32().unwrap_or(0) as usize;
            let length = items.len().max(1);
            items.rotate_left(by % length);
        }
        items
    }

    fn variables(&self, info: &ConnectInfo) -> Vec<(&'static str, Secret)> {
        let (host, port) = match &info.address {
            Address::Tcp { host, port } => (host.clone(), *port),
            Address::Socket { dir, port } => (dir.display().to_string(), *port),
        };
        let mut chosen = vec![
            ("host", Secret::new(host)),
            ("port", Secret::new(port.to_string())),
            ("user", Secret::new(&info.user)),
            ("dbname", Secret::new(&info.database)),
        ];
        chosen.extend(info.terms.hostaddr.map(|ip| ("hostaddr", Secret::new(ip.to_string()))));
        if !info.password.expose().is_empty() {
            chosen.push(("password", info.password.clone()));
        }
        self.parameters.variables(&chosen)
    }
}

/// Of two refusals, with TLS and without, the one that says more: that without TLS nobody is let in is no news.
fn the_clearer(with: Refusal, without: Refusal) -> Refusal {
    match with {
        Refusal::NoTls(_) => without,
        with => with,
    }
}

/// Whether it is the kind of server that is wanted.
async fn check_session(session: &Session, wanted: Wanted) -> Result<(), Refusal> {
    if matches!(wanted, Wanted::Any | Wanted::PreferStandby) {
        return Ok(());
    }
    let question = "SELECT pg_catalog.pg_is_in_recovery(), \
                    pg_catalog.current_setting('transaction_read_only') = 'on'";
    let refusal = |error: tokio_postgres::Error| Refusal::of(&error, Mode::Disable);
    let row = session.query_one(question, &[]).await.map_err(refusal)?;
    let standby: bool = row.try_get(0).map_err(refusal)?;
    let read_only: bool = row.try_get(1).map_err(refusal)?;
    let is = match wanted {
        Wanted::ReadWrite if standby || read_only => "takes no writes",
        Wanted::ReadOnly if !standby && !read_only => "takes writes",
        Wanted::Primary if standby => "is a standby",
        Wanted::Standby if !standby => "is no standby",
        _ => return Ok(()),
    };
    let word = WANTED.iter().find(|(_, other)| *other == wanted).map_or("", |(word, _)| word);
    Err(Refusal::Session { is, wanted: word })
}

/// What is not supported, and secures a connection or is needed for one.
fn refuse_unsupported(parameters: &Parameters) -> Result<(), ParameterError> {
    let unsupported = |setting, hint| Err(ParameterError::Unsupported { setting, hint });
    let modes = [("disable", false), ("prefer", false), ("require", true)];
    if parameters.choice("gssencmode", &modes)?.unwrap_or(false) {
        return unsupported(
            "encryption by GSSAPI (gssencmode=require)",
            "set gssencmode=disable, and sslmode=verify-full to encrypt by TLS",
        );
    }
    if parameters.get("require_auth").is_some() {
        return unsupported(
            "the setting require_auth",
            "leave it out, and set channel_binding=require to hold the server to scram-sha-256",
        );
    }
    if parameters.get("requirepeer").is_some() {
        return unsupported(
            "the setting requirepeer",
            "leave it out, and connect to a socket in a directory that only the server can write to",
        );
    }
    let versions = [("3.0", false), ("3.2", true), ("latest", true)];
    if parameters.choice("min_protocol_version", &versions)?.unwrap_or(false) {
        return unsupported(
            "a protocol later than 3.0 (min_protocol_version)",
            "leave it out: every server speaks 3.0",
        );
    }
    Ok(())
}

fn terms(parameters: &Parameters) -> Result<Terms, ParameterError> {
    let bindings = [
        ("disable", ChannelBinding::Disable),
        ("prefer", ChannelBinding::Prefer),
        ("require", ChannelBinding::Require),
    ];
    let positive = |name| {
        let number = parameters.number::<i64>(name)?;
        Ok(number.and_then(|number| u64::try_from(number).ok()).filter(|number| *number > 0))
    };
    let keepalive = Keepalive::default();
    let seconds = |name, default| Ok(positive(name)?.map_or(default, Duration::from_secs));
    let count = positive("keepalives_count")?.and_then(|count| u32::try_from(count).ok());
    let keepalive = Keepalive {
        idle: seconds("keepalives_idle", keepalive.idle)?,
        interval: seconds("keepalives_interval", keepalive.interval)?,
        count: count.unwrap_or(keepalive.count),
    };
    let has_keepalives = parameters.number::<i64>("keepalives")?.is_none_or(|on| on != 0);
    let default = Terms::default();
    Ok(Terms {
        channel_binding: parameters
            .choice("channel_binding", &bindings)?
            .unwrap_or(default.channel_binding),
        connect_timeout: positive("connect_timeout")?.map(Duration::from_secs),
        tcp_user_timeout: positive("tcp_user_timeout")?.map(Duration::from_millis),
        keepalive: Some(keepalive).filter(|_| has_keepalives),
        application_name: parameters
            .get("application_name")
            .map_or(default.application_name, str::to_owned),
        options: parameters.get("options").map(str::to_owned),
        hostaddr: None,
        tls: None,
    })
}
