//! Removes what dead runs left behind, of both engines.

use crate::events::{Event, Events};

use super::error::{NoDocker, SandboxError};
use super::leftovers::{Found, Which, described, liveness, removable};
use super::owner::{Liveness, Owner};
use super::{docker, local};

/// What a sweep did.
#[derive(Debug, Default)]
pub struct Swept {
    /// What was removed, such as `container backup-restore-test`.
    pub removed: Vec<String>,
    /// What was left, and why, such as `container x: process 7 on host y, since …, lives`.
    pub left: Vec<String>,
    /// Why something that should have been removed was not.
    pub refused: Vec<SandboxError>,
}

/// Removes what dead runs left behind, kept sandboxes too; never anything of a live run. Emits
/// [`Event::SandboxSwept`] for each thing. Where there is no Docker but a PostgreSQL of the machine's
/// own, what local servers left is all there can be.
///
/// # Errors
/// [`SandboxError::NoDocker`], [`SandboxError::Engine`], when the engine cannot be asked; what local
/// servers left is gone by then.
pub async fn sweep_leftovers(events: &Events) -> Result<Swept, SandboxError> {
    let here = docker::this_run(false)?;
    let mut swept = Swept::default();
    let found = local::inventory();
    for thing in removable(&found, &here, Which::All) {
        swept.note(thing, local::remove_leftover(&thing.id), events);
    }
    swept.leaves(&found, &here);
    let engine = match docker::Engine::connect().await {
        Err(SandboxError::NoDocker(NoDocker::NoSocket(_))) if local::is_installed().await => {
            return Ok(swept);
        }
        connected => connected?,
    };
    let found = docker::inventory(&engine).await?;
    for thing in removable(&found, &here, Which::All) {
        swept.note(thing, docker::remove(&engine, thing).await, events);
    }
    swept.leaves(&found, &here);
    Ok(swept)
}

/// What runs left behind, of both engines, each with whether its run is dead, such as `container backup-restore-test`.
///
/// # Errors
/// As [`sweep_leftovers`].
pub async fn leftovers() -> Result<Vec<(String, bool)>, SandboxError> {
    let here = docker::this_run(false)?;
    let mut all = local::inventory();
    match docker::Engine::connect().await {
        Err(SandboxError::NoDocker(NoDocker::NoSocket(_))) if local::is_installed().await => {}
        connected => all.extend(docker::inventory(&connected?).await?),
    }
    let is_dead = |thing| liveness(thing, &all, &here) == Liveness::Dead;
    Ok(all.iter().map(|thing| (thing.to_string(), is_dead(thing))).collect())
}

impl Swept {
    fn note(&mut self, thing: &Found, outcome: Result<(), SandboxError>, events: &Events) {
        match outcome {
            Ok(()) => {
                events.emit(Event::SandboxSwept { what: thing.to_string() });
                self.removed.push(thing.to_string());
            }
            Err(error) => self.refused.push(error),
        }
    }

    fn leaves(&mut self, found: &[Found], here: &Owner) {
        for thing in found {
            let why = match liveness(thing, found, here) {
                Liveness::Dead => continue,
                Liveness::Live => "lives",
                Liveness::Elsewhere => "cannot be seen from here",
            };
            self.left.push(format!("{thing}: {}, {why}", described(&thing.owner)));
        }
    }
}
