//! The container's name and port: free, left by a dead run, or somebody's.

use std::net::{Ipv4Addr, TcpListener};

use crate::events::{Event, Events};
use crate::sandbox::error::SandboxError;
use crate::sandbox::leftovers::{Found, Kind, Which, described, liveness, removable};
use crate::sandbox::owner::{Liveness, Owner};
use crate::sandbox::request::Request;

use super::engine::Engine;
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
    let (found, namesake) = look_for_name(engine, &guard.owner, name).await?;
    let namesake = namesake.as_ref();
    let left = removable(&found, &guard.owner, Which::InTheWayOf(name));
    for thing in left.into_iter().filter(|_| request.sweeps) {
        events.emit(match remove(engine, thing).await {
            Ok(()) => Event::SandboxSwept { what: thing.to_string() },
            Err(error) if namesake == Some(thing) => return Err(error),
            // Somebody uses it, for example; it is in nobody's way.
            Err(error) => Event::Warning(format!("a leftover of an earlier run stays: {error}")),
        });
    }
    // Asked now because it is quick and its answer is sure; the engine's own is understood, too.
    look_for_port(engine, request.port, &found)
}

/// Whether name and port can be had, or will be when a dead run's leftovers are removed.
///
/// # Errors
/// Who has them.
pub async fn are_free(
    engine: &Engine,
    owner: &Owner,
    request: &Request,
) -> Result<(), SandboxError> {
    let (found, namesake) = look_for_name(engine, owner, &request.name).await?;
    let has_port = |thing: &Found| thing.port == Some(request.port);
    match namesake {
        Some(dead) if has_port(&dead) => Ok(()),
        _ => look_for_port(engine, request.port, &found),
    }
}

/// All that is ours there, and what of a dead run has the name.
async fn look_for_name(
    engine: &Engine,
    owner: &Owner,
    name: &str,
) -> Result<(Vec<Found>, Option<Found>), SandboxError> {
    let (found, taken) = tokio::try_join!(inventory(engine), exists(engine, name))?;
    let namesake = found.iter().find(|thing| thing.kind == Kind::Container && thing.name == name);
    match namesake {
        None if taken => return Err(SandboxError::NameTaken { name: name.to_owned() }),
        None => {}
        Some(thing) => in_use(thing, liveness(thing, &found, owner))?,
    }
    let namesake = namesake.cloned();
    Ok((found, namesake))
}

fn look_for_port(engine: &Engine, port: u16, found: &[Found]) -> Result<(), SandboxError> {
    if port != 0
        && engine.endpoint.is_local()
        && let Err(error) = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        && error.kind() == std::io::ErrorKind::AddrInUse
    {
        return Err(port_busy(port, found));
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
