//! Where servers listen, by libpq's settings: names, addresses, ports, sockets.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::Address;
use crate::libpq::error::ParameterError;
use crate::libpq::parameters::{PORT, Parameters, SOCKETS};

/// One of the hosts.
#[derive(Debug, Clone)]
pub(super) struct Host {
    pub address: Address,
    pub hostaddr: Option<IpAddr>,
}

/// The addresses of a host; a socket has none.
pub(super) async fn addresses_of(
    address: &Address,
    hostaddr: Option<IpAddr>,
) -> std::io::Result<Vec<Option<IpAddr>>> {
    match (address, hostaddr) {
        (Address::Socket { .. }, _) => Ok(vec![None]),
        (_, Some(address)) => Ok(vec![Some(address)]),
        (Address::Tcp { host, port }, None) => {
            let found = tokio::net::lookup_host((host.as_str(), *port)).await?;
            let mut addresses: Vec<IpAddr> =
                found.map(|address: SocketAddr| address.ip()).collect();
            addresses.dedup();
            Ok(addresses.into_iter().map(Some).collect())
        }
    }
}

/// The hosts that are named, or the sockets of this machine.
pub(super) fn hosts(parameters: &Parameters) -> Result<Vec<Host>, ParameterError> {
    let (names, addresses) = (parameters.list("host"), parameters.list("hostaddr"));
    let ports = parameters.list("port");
    let count = names.len().max(addresses.len()).max(1);
    for (name, others, least) in
        [("host", names.len(), 1), ("hostaddr", addresses.len(), 1), ("port", ports.len(), 2)]
    {
        if others >= least && others != count {
            return Err(ParameterError::Count { hosts: count, others, name });
        }
    }
    let mut hosts = Vec::new();
    for at in 0..count {
        let name = names.get(at).copied().unwrap_or_default();
        let hostaddr = addresses.get(at).filter(|address| !address.is_empty());
        let hostaddr = hostaddr.map(|address| address.parse()).transpose();
        let hostaddr: Option<IpAddr> = hostaddr.map_err(|_| ParameterError::Address)?;
        let port = ports.get(at).or(ports.first()).filter(|port| !port.is_empty());
        let port = port.map_or(Ok(PORT), |port| port.parse());
        let port = port.ok().filter(|port| *port != 0).ok_or(ParameterError::Port)?;
        hosts.extend(host(name, hostaddr, port)?);
    }
    Ok(hosts)
}

fn host(name: &str, hostaddr: Option<IpAddr>, port: u16) -> Result<Vec<Host>, ParameterError> {
    let socket = |dir: &str| Host {
        address: Address::Socket { dir: PathBuf::from(dir), port },
        hostaddr: None,
    };
    if name.starts_with('@') {
        return Err(ParameterError::Unsupported {
            setting: "a socket in the abstract namespace (host=@…)",
            hint: "name the directory of the server's socket, or its host",
        });
    }
    Ok(match (name, hostaddr) {
        ("", None) => SOCKETS.map(socket).to_vec(),
        (directory, None) if directory.starts_with('/') => vec![socket(directory)],
        (name, hostaddr) => {
            let address = hostaddr.map(|address| address.to_string());
            let host = if name.is_empty() { address.unwrap_or_default() } else { name.to_owned() };
            vec![Host { address: Address::Tcp { host, port }, hostaddr }]
        }
    })
}
