//! The container's name and port: free, left by a dead run, or somebody's.

use std::net::{Ipv4Addr, TcpListener};

use crate::events::{Event, Events};
use crate::sandbox::error::SandboxError;
use crate::sandbox::leftovers::{Found, Kind, Which, described, liveness, removable};
use crate::sandbox::owner::Liveness;
use crate::sandbox::request::Request;

use super::guard::Guard;
use super::inventory::{exists, inventory, remove};

/// Makes sure that name and port can be had; what dead runs left in their way is removed.
pub async fn free_name_and_port(
    guard: &Guard,
    request: &Request,
    events: &Events,
) -> Result<(), SandboxError> {
    let engine = &guard.engine;
    let name = &request.name;
    let (found, taken) = tokio::try_join!(inventory(engine), exists(engine, name))?;
    let namesake = found.iter().find(|thing| thing.kind == Kind::Container && thing.name == *name);
    match namesake {
        None if taken => return Err(SandboxError::NameTaken { name: name.clone() }),
        None => {}
        Some(thing) => in_use(thing, liveness(thing, &found, &guard.owner))?,
    }
    for thing in removable(&found, &guard.owner, Which::InTheWayOf(name)) {
        events.emit(match remove(engine, thing).await {
            Ok(()) => Event::SandboxSwept { what: thing.to_string() },
            Err(error) if namesake == Some(thing) => return Err(error),
            // Somebody uses it, for example; it is in nobody's way.
            Err(error) => Event::Warning(format!("a leftover of an earlier run stays: {error}")),
        });
    }
    // Asked now because it is quick and its answer is sure; the engine's own is understood, too.
    if request.port != 0
        && engine.endpoint.is_local()
        && let Err(error) = TcpListener::bind((Ipv4Addr::LOCALHOST, request.port))
        && error.kind() == std::io::ErrorKind::AddrInUse
    {
        return Err(port_busy(request.port, &found));
    }
    Ok(())
}

fn in_use(thing: &Found, liveness: Liveness) -> Result<(), SandboxError> {
    if liveness == Liveness::Dead {
        return Ok(());
    }
    Err(SandboxError::NameInUse {
        name: thing.name.clone(),
        owner: described(&thing.owner),
        live: liveness == Liveness::Live,
    })
}

/// The error for a port in use; `found` may tell whose it is.
pub fn port_busy(port: u16, found: &[Found]) -> SandboxError {
    SandboxError::PortBusy {
        port,
        by: found.iter().find(|thing| thing.port == Some(port)).map(|thing| thing.name.clone()),
    }
}

/// Docker's words for a port that something has: "port is already allocated" (by a container),
/// "address already in use" (by anything else).
pub fn is_about_the_port(message: &str) -> bool {
    message.contains("port is already allocated") || message.contains("address already in use")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockers_words_for_a_busy_port_are_understood() {
        assert!(is_about_the_port(
            "driver failed programming external connectivity on endpoint x: Bind for \
             127.0.0.1:5433 failed: port is already allocated"
        ));
        assert!(is_about_the_port("listen tcp4 127.0.0.1:5433: bind: address already in use"));
        assert!(!is_about_the_port("no space left on device"));
    }
}
