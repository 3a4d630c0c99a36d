//! What crashed or finished runs left behind, and which of it may be removed. Pure.

use std::collections::HashSet;

use super::owner::{Liveness, Owner};

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
    /// Whether the container in which its run was at work has ended.
    pub ended: bool,
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
    /// Those of dead runs that were not asked to keep them.
    NotKept,
    /// Those of all dead runs: what the operator removes.
    All,
}

/// What is known of the run behind `thing`.
pub fn liveness(thing: &Found, found: &[Found], here: &Owner) -> Liveness {
    if thing.ended {
        return Liveness::Dead;
    }
    let running = found.iter().any(|other| other.running && other.owner.run == thing.owner.run);
    thing.owner.liveness(here, running)
}

/// What may be removed, containers first. Never anything of a run that lives or may live.
pub fn removable<'a>(found: &'a [Found], here: &Owner, which: Which) -> Vec<&'a Found> {
    let of_the_name: HashSet<&str> = match which {
        Which::All | Which::NotKept => HashSet::new(),
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
            ended: false,
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
        assert_eq!(with(Which::NotKept), 0);
    }

    #[test]
    fn what_was_started_elsewhere_stays() {
        let here = Owner::of_this_run(false).unwrap();
        let elsewhere = Owner { host: "another".into(), boot: "another".into(), ..here.clone() };
        let things = [found(Kind::Container, "a", &elsewhere)];
        assert!(removable(&things, &here, Which::All).is_empty());
        assert!(removable(&things, &here, Which::InTheWayOf("a")).is_empty());
        let ended = things.map(|thing| Found { ended: true, ..thing });
        assert_eq!(names(removable(&ended, &here, Which::InTheWayOf("a"))), ["a"]);
    }
}
