//! Podman's service in Docker's place.

use crate::support::docker::image;
use crate::support::podman::Podman;
use crate::support::running::Running;
use crate::support::sidecar::{Sidecar, TELLING, took};
use crate::support::{IMAGE_VARIABLE, Place, clean_environment, database, good_dump};

/// Verifies a plain dump and an archive, from beside the service, and by this way.
fn verify_by(podman: &Podman, place: &Place, way: &str) {
    place.file("a.sql", good_dump());
    place.file("a.dump", &database().dump(&["--format=custom"]));
    let binary = place.own_binary();
    for file in ["a.sql", "a.dump"] {
        let mut command = podman.beside();
        command.env_clear().envs(clean_environment()).envs(TELLING);
        command.env("DOCKER_HOST", podman.host()).env(IMAGE_VARIABLE, image());
        command.arg(&binary).args(["verify", "--engine=docker", "--port=0", "--container-name"]);
        command.args([&place.container, file]).current_dir(place.dir());
        let (outcome, _) = Running::spawn(&mut command).end();
        outcome.passed();
        took(&outcome, way);
        assert_eq!(podman.left(), Vec::<String>::new());
    }
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn podman_of_root_is_taken_as_docker_is() {
        let place = Place::without_docker();
        verify_by(&Podman::of_root(&place), &place, "Own");
    }

    #[test]
    fn podman_of_a_user_is_taken_as_docker_is_and_its_server_reached_by_its_port() {
        let place = Place::without_docker();
        verify_by(&Podman::of_a_user(&place), &place, "Port");
    }

    #[test]
    fn in_a_container_with_the_socket_of_podman_the_server_is_reached_too() {
        let place = Place::without_docker();
        place.file("a.sql", good_dump());
        let podman = Podman::of_root(&place);
        for (network, way) in [("--network=podman", "Own"), ("--network=none", "Relay")] {
            let mut sidecar = Sidecar::new(&place, &[network]);
            sidecar.socket = Some(podman.socket());
            let arguments = sidecar.arguments("a.sql", &[]);
            let (outcome, _) =
                Running::spawn(&mut sidecar.command_of(podman.command(), &arguments)).end();
            outcome.passed();
            took(&outcome, way);
            assert_eq!(podman.left(), Vec::<String>::new());
        }
    }
}
