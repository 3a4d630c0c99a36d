//! The ways to the server, the shortest first: the container's own address, its port on this machine, and, where
//! neither leads there, two that take something to be made: a network that the container in which we run ourselves
//! is taken into, and a stream through the engine.

use bollard::query_parameters::InspectContainerOptions;

use super::door::Refusal;
use super::engine::Engine;
use super::guard::{Guard, refusing};
use super::relay::Relay;
use super::shared::Shared;
use super::spec::{Plan, SERVER_PORT, SERVER_PORT_KEY};
use crate::model::secret::Secret;
use crate::pg::{Address, ConnectInfo, Terms};
use crate::sandbox::error::SandboxError;

/// A way.
#[derive(Debug, Clone)]
pub struct Way {
    /// Which.
    pub kind: Kind,
    /// How to connect by it.
    pub info: ConnectInfo,
    refusal: Refusal,
}

/// The ways that there are, the shortest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The container's own address.
    Own,
    /// Its port on 127.0.0.1.
    Port,
    /// Its address in a network that it shares with our own container.
    Shared,
    /// A stream through the engine.
    Relay,
}

impl std::fmt::Display for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let address = &self.info.address;
        match self.kind {
            Kind::Own => write!(f, "the container's address {address}"),
            Kind::Port => write!(f, "its port {address}"),
            Kind::Shared => write!(f, "{SHARED}, {address}"),
            Kind::Relay => f.write_str(RELAY),
        }
    }
}

const SHARED: &str = "a network shared with the container that ccc-backup runs in";
const RELAY: &str = "a stream through the engine";

impl Way {
    /// The way of this kind, to the server at this address.
    pub(super) fn new(kind: Kind, address: Address, password: &Secret) -> Self {
        let info = ConnectInfo {
            address,
            user: "postgres".into(),
            password: password.clone(),
            database: "postgres".into(),
            event_triggers: true,
            terms: Terms::default(),
        };
        Self { kind, info, refusal: Refusal::default() }
    }

    /// What became of a connection that failed for `reason`: where we led it ourselves, we know more.
    pub fn refused(&self, reason: String) -> String {
        format!("{self}: {}", self.refusal.said().unwrap_or(reason))
    }
}

/// The ways that are there by themselves, the shortest first, and the server's port on 127.0.0.1.
///
/// # Errors
/// [`SandboxError::Engine`].
pub async fn ways(
    engine: &Engine,
    id: &str,
    network: &str,
    password: &Secret,
) -> Result<(Vec<Way>, u16), SandboxError> {
    let inspected = engine.docker.inspect_container(id, None::<InspectContainerOptions>).await;
    let settings = inspected.map_err(refusing("inspect the container"))?.network_settings;
    let settings = settings.unwrap_or_default();
    let port = settings
        .ports
        .and_then(|mut ports| ports.remove(SERVER_PORT_KEY)?)
        .and_then(|bindings| bindings.into_iter().find_map(|binding| binding.host_port))
        .and_then(|port| port.parse().ok())
        .unwrap_or(0);
    let way = |kind, host, port| Way::new(kind, Address::Tcp { host, port }, password);
    let mut ways = Vec::new();
    // Past the engine's port forwarding, where the container's network is this machine's.
    if engine.endpoint.is_local() && cfg!(target_os = "linux") {
        let address = settings
            .networks
            .and_then(|mut networks| networks.remove(network)?.ip_address)
            .filter(|address| !address.is_empty());
        ways.extend(address.map(|address| way(Kind::Own, address, SERVER_PORT)));
    }
    if port != 0 {
        ways.push(way(Kind::Port, "127.0.0.1".into(), port));
    }
    if ways.is_empty() {
        // A container that exited at once has lost its addresses: the wait says how it ended.
        ways.push(way(Kind::Port, "127.0.0.1".into(), SERVER_PORT));
    }
    Ok((ways, port))
}

/// The ways that have to be made, one after the other.
#[derive(Debug)]
pub struct Detours<'a> {
    guard: &'a Guard,
    plan: &'a Plan<'a>,
    server: &'a str,
    password: &'a Secret,
    left: Vec<Kind>,
    standing: Standing,
}

/// What was made for a way, and has to stand as long as it is taken.
#[derive(Debug, Default)]
pub struct Standing {
    shared: Option<Shared>,
    relay: Option<Relay>,
}

impl<'a> Detours<'a> {
    /// None was made yet.
    pub fn new(
        guard: &'a Guard,
        plan: &'a Plan<'a>,
        server: &'a str,
        password: &'a Secret,
    ) -> Self {
        // The last first.
        let left = vec![Kind::Relay, Kind::Shared];
        Self { guard, plan, server, password, left, standing: Standing::default() }
    }

    /// Makes the next one that can be made; why others cannot goes to `barred`.
    pub async fn next_that_can_be_made(&mut self, barred: &mut Vec<String>) -> Option<Way> {
        while let Some(kind) = self.left.pop() {
            let made = match kind {
                // Only where we run in a container of this engine.
                Kind::Shared if self.guard.owner.container.is_empty() => continue,
                Kind::Shared => self.shared().await,
                _ => self.relay().await,
            };
            match made {
                Ok(way) => return Some(way),
                Err(why) => barred.push(why),
            }
        }
        None
    }

    async fn shared(&mut self) -> Result<Way, String> {
        let name = format!("{}-shared", self.plan.network);
        let own = &self.guard.owner.container;
        let made = Shared::make(self.guard, &name, self.server, own).await;
        let shared = made.map_err(|why| format!("{SHARED}: {why}"))?;
        let address = Address::Tcp { host: shared.address.clone(), port: SERVER_PORT };
        self.standing.shared = Some(shared);
        Ok(Way::new(Kind::Shared, address, self.password))
    }

    async fn relay(&mut self) -> Result<Way, String> {
        let made = Relay::start(self.guard, self.plan, self.server).await;
        let relay = made.map_err(|error| format!("{RELAY}: {error}"))?;
        let address = Address::Socket { dir: relay.socket(), port: SERVER_PORT };
        let refusal = relay.refusal();
        self.standing.relay = Some(relay);
        Ok(Way { refusal, ..Way::new(Kind::Relay, address, self.password) })
    }

    /// Removes what was made for other ways than that which is taken.
    pub async fn keep(mut self, taken: Kind) -> Standing {
        let Standing { shared, relay } = &mut self.standing;
        let unused = Standing {
            shared: shared.take_if(|_| taken != Kind::Shared),
            relay: relay.take_if(|_| taken != Kind::Relay),
        };
        unused.remove(self.guard).await;
        self.standing
    }
}

impl Standing {
    /// Removes it.
    pub async fn remove(self, guard: &Guard) {
        if let Some(shared) = self.shared {
            shared.remove(guard).await;
        }
        if let Some(relay) = self.relay {
            relay.remove(guard).await;
        }
    }
}
