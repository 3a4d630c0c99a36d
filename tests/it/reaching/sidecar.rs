//! In a container with the engine's socket mounted, as beside a database in Compose.

use crate::interruption::endless_restore;
use crate::sandbox::SWEEPING;
use crate::support::docker::{docker, docker_text, left};
use crate::support::sidecar::{Sidecar, took};
use crate::support::{Place, database, good_dump, wait_until};

/// A network of a test's own, as Compose makes one for each project.
struct Network(String);

impl Network {
    fn new() -> Self {
        // Behind ours in the alphabet, by which an engine chooses the way out of a container.
        let name = format!("zz-project-{}", std::process::id());
        docker_text(&["network", "create", &name]);
        Self(name)
    }

    fn option(&self) -> String {
        format!("--network={}", self.0)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        docker(&["network", "rm", &self.0]);
    }
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn in_a_container_with_the_socket_the_server_is_reached_by_a_network_that_both_share() {
        let place = Place::new();
        let project = Network::new();
        place.file("a.sql", good_dump());
        for option in ["--network=bridge", &project.option()] {
            let outcome = Sidecar::new(&place, &[option]).verify("a.sql", &[]);
            outcome.passed();
            took(&outcome, "Shared");
            place.assert_nothing_left();
        }
    }

    #[test]
    fn in_a_container_in_the_network_of_its_host_the_server_is_reached_by_its_own_address() {
        let place = Place::new();
        place.file("a.sql", good_dump());
        let outcome = Sidecar::new(&place, &["--network=host"]).verify("a.sql", &[]);
        outcome.passed();
        took(&outcome, "Own");
        place.assert_nothing_left();
    }

    #[test]
    fn in_a_container_that_may_join_no_network_the_server_is_reached_through_the_engine() {
        let place = Place::new();
        let database = database();
        // More than any buffer on the way, and every byte.
        database.sql(
        "CREATE TABLE wide AS SELECT i, decode(string_agg(lpad(to_hex((i * 7 + j) % 256), 2, '0'), ''), 'hex') AS bytes
         FROM generate_series(1, 4000) i, generate_series(0, 2047) j GROUP BY i",
    );
        place.file("a.sql", &database.dump(&[]));
        place.file("a.dump", &database.dump(&["--format=custom"]));
        for file in ["a.sql", "a.dump"] {
            let outcome = Sidecar::new(&place, &["--network=none"]).verify(file, &[]);
            outcome.passed();
            took(&outcome, "Relay");
            place.assert_nothing_left();
        }
    }

    #[test]
    fn what_a_container_left_that_was_killed_is_removed_by_a_run_in_another() {
        let (_alone, place) = (SWEEPING.blocking_lock(), Place::new());
        place.file("endless.sql", &endless_restore());
        place.file("a.sql", good_dump());
        let name = format!("{}runner", place.container);
        let killed = Sidecar::new(&place, &["--name", &name]);
        let mut run = crate::support::Running::spawn(
            &mut killed.command(&killed.arguments("endless.sql", &[])),
        );
        run.wait_for("Restoring backup (");
        let there = left(&place.container);
        assert!(there.iter().any(|thing| thing.ends_with("-shared")), "{there:?}");
        docker_text(&["kill", &name]);
        run.leaves();
        let left = ["ps", "--all", "--quiet", "--filter", &format!("name={name}")];
        wait_until("its container is gone", || docker_text(&left).is_empty());
        // Whichever run comes next, this one or one of another test, removes what it left.
        let next = Sidecar::new(&place, &[]).verify("a.sql", &[]);
        next.passed();
        place.assert_nothing_left();
    }

    #[test]
    fn a_sandbox_that_is_kept_is_out_of_the_container_that_made_it() {
        let (_alone, place) = (SWEEPING.blocking_lock(), Place::new());
        place.file("a.sql", good_dump());
        let outcome = Sidecar::new(&place, &[]).verify("a.sql", &["--no-cleanup"]);
        outcome.passed();
        assert!(outcome.stdout.contains("# on the engine's machine"), "{outcome}");
        let there = left(&place.container);
        assert!(!there.iter().any(|thing| thing.ends_with("-shared")), "{there:?}");
        crate::support::docker::remove(&there);
    }
}
