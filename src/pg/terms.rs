//! On which terms a server is connected to: TLS, time limits, and what a session is begun with.

use std::net::IpAddr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{ChannelBinding, SslMode, SslNegotiation};

use super::tls::Tls;

/// How long a server of our own may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// After so much silence a machine is asked whether it is there, and again as often.
const KEEPALIVE: Duration = Duration::from_secs(5);
/// So many questions without an answer end the connection. Machines answer them, not servers: a
/// server may be as busy as it likes.
const KEEPALIVES: u32 = 6;

/// The terms of a connection. The default is what our own servers are connected to with: no TLS.
#[derive(Debug, Clone)]
pub struct Terms {
    /// The address of the host, where its name is not to be looked up again.
    pub hostaddr: Option<IpAddr>,
    /// With this TLS; `None` is without.
    pub tls: Option<Tls>,
    /// Whether the password's exchange is bound to the server's certificate.
    pub channel_binding: ChannelBinding,
    /// How long a server may take to accept a connection; `None` is the system's time.
    pub connect_timeout: Option<Duration>,
    /// How long what was sent may wait for its acknowledgement.
    pub tcp_user_timeout: Option<Duration>,
    /// How a machine that is gone is noticed; `None` is not at all.
    pub keepalive: Option<Keepalive>,
    /// What the server's lists of sessions call it.
    pub application_name: String,
    /// Options of the command line that the session is begun with.
    pub options: Option<String>,
}

/// Questions whether a machine is there.
#[derive(Debug, Clone, Copy)]
pub struct Keepalive {
    /// After so much silence.
    pub idle: Duration,
    /// Again after so much.
    pub interval: Duration,
    /// So many without an answer end the connection.
    pub count: u32,
}

impl Default for Keepalive {
    // A network that is gone says nothing: without these, a statement that takes long would be waited for, for
    // hours.
    fn default() -> Self {
        Self { idle: KEEPALIVE, interval: KEEPALIVE, count: KEEPALIVES }
    }
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            hostaddr: None,
            tls: None,
            channel_binding: ChannelBinding::Prefer,
            connect_timeout: Some(CONNECT_TIMEOUT),
            tcp_user_timeout: None,
            keepalive: Some(Keepalive::default()),
            application_name: "ccc-backup".to_owned(),
            options: None,
        }
    }
}

impl Terms {
    /// Sets what they say.
    pub(super) fn apply(&self, config: &mut Config) {
        if let Some(address) = self.hostaddr {
            config.hostaddr(address);
        }
        config
            .ssl_mode(if self.tls.is_some() { SslMode::Require } else { SslMode::Disable })
            .channel_binding(self.channel_binding)
            .application_name(&self.application_name)
            .keepalives(self.keepalive.is_some());
        if self.tls.as_ref().is_some_and(|tls| tls.direct) {
            config.ssl_negotiation(SslNegotiation::Direct);
        }
        if let Some(Keepalive { idle, interval, count }) = self.keepalive {
            config.keepalives_idle(idle).keepalives_interval(interval).keepalives_retries(count);
        }
        if let Some(timeout) = self.connect_timeout {
            config.connect_timeout(timeout);
        }
        if let Some(timeout) = self.tcp_user_timeout {
            config.tcp_user_timeout(timeout);
        }
        if let Some(options) = &self.options {
            config.options(options);
        }
    }
}
