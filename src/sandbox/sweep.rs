//! What crashed or finished runs left behind, and which of it may be removed. Pure, but for
//! [`sweep_leftovers`], which has the engine do it.

use std::collections::HashSet;

use crate::events::{Event, Events};

use super::error::{NoDocker, SandboxError};
use super::owner::{Liveness, Owner};
use super::{docker, local};

/// What kind of thing an engine holds for us. Removed in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A container.
    Container,
    /// A network.
    Network,
    /// A volume.
    Volume,
    /// A server of this machine's own PostgreSQL, with its directory.
    Server,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Container => "container",
            Self::Network => "network",
            Self::Volume => "volume",
            Self::Server => "local server",
        })
    }
}

/// A thing with our label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What it is.
    pub kind: Kind,
    /// What the engine removes it by: a directory's path for a server.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub owner: Owner,
    /// Whether it is a container or a server that runs.
    pub running: bool,
    /// The port that it has on this machine, if it has one.
    pub port: Option<u16>,
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// Which leftovers are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which<'a> {
    /// Those of dead runs that were not asked to keep them, and of the dead run that has this
    /// container name, kept or not: what a new run of that name removes.
    InTheWayOf(&'a str),
    /// Those of all dead runs: what the operator removes.
    All,
}

/// What is known of the run behind `thing`.
pub fn liveness(thing: &Found, found: &[Found], here: &Owner) -> Liveness {
    let running = found.iter().any(|other| other.running && other.owner.run == thing.owner.run);
    thing.owner.liveness(here, running)
}

/// What may be removed, containers first. Never anything of a run that lives or may live.
pub fn removable<'a>(found: &'a [Found], here: &Owner, which: Which) -> Vec<&'a Found> {
    let of_the_name: HashSet<&str> = match which {
        Which::All => HashSet::new(),
        Which::InTheWayOf(name) => found
            .iter()
            .filter(|thing| matches!(thing.kind, Kind::Container | Kind::Server))
            .filter(|thing| thing.name == name)
            .map(|thing| thing.owner.run.as_str())
            .collect(),
    };
    let mut removable: Vec<&Found> = found
        .iter()
        .filter(|thing| liveness(thing, found, here) == Liveness::Dead)
        .filter(|thing| {
            which == Which::All
                || !thing.owner.kept
                || of_the_name.contains(thing.owner.run.as_str())
        })
        .collect();
    removable.sort_by_key(|thing| thing.kind);
    removable
}

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

/// A run in words.
pub fn described(owner: &Owner) -> String {
    format!(
        "process {} on {}, since {}",
        owner.pid,
        if owner.host.is_empty() { "an unknown host" } else { &owner.host },
        if owner.created.is_empty() { "an unknown time" } else { &owner.created }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(kind: Kind, name: &str, owner: &Owner) -> Found {
        Found {
            kind,
            id: name.into(),
            name: name.into(),
            owner: owner.clone(),
            running: kind == Kind::Container,
            port: None,
        }
    }

    fn dead(run: &str, kept: bool) -> Owner {
        Owner { run: run.into(), pid: 0, ..Owner::of_this_run(kept).unwrap() }
    }

    fn names(removable: Vec<&Found>) -> Vec<&str> {
        removable.iter().map(|thing| thing.name.as_str()).collect()
    }

    #[test]
    fn everything_of_a_dead_run_goes_and_nothing_of_a_live_one() {
        let live = Owner::of_this_run(false).unwrap();
        let things = [
            found(Kind::Volume, "dead-volume", &dead("1", false)),
            found(Kind::Network, "dead-network", &dead("1", false)),
            found(Kind::Container, "dead", &dead("1", false)),
            found(Kind::Container, "live", &live),
            found(Kind::Network, "live-network", &live),
        ];
        assert_eq!(
            names(removable(&things, &live, Which::All)),
            ["dead", "dead-network", "dead-volume"]
        );
    }

    #[test]
    fn a_kept_one_goes_when_its_name_is_needed_or_the_operator_says_so() {
        let here = Owner::of_this_run(false).unwrap();
        let things = [
            found(Kind::Container, "a", &dead("1", true)),
            found(Kind::Network, "a-1", &dead("1", true)),
            found(Kind::Container, "b", &dead("2", true)),
        ];
        let with = |which| names(removable(&things, &here, which)).len();
        assert_eq!(with(Which::All), 3);
        assert_eq!(with(Which::InTheWayOf("a")), 2);
        assert_eq!(with(Which::InTheWayOf("c")), 0);
    }

    #[test]
    fn what_was_started_elsewhere_stays() {
        let here = Owner::of_this_run(false).unwrap();
        let elsewhere = Owner { host: "another".into(), boot: "another".into(), ..here.clone() };
        let things = [found(Kind::Container, "a", &elsewhere)];
        assert!(removable(&things, &here, Which::All).is_empty());
        assert!(removable(&things, &here, Which::InTheWayOf("a")).is_empty());
    }
}
