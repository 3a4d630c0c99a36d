//! `cleanup --sandbox`: what it removes, what it leaves, and what it says where it cannot tell.

use std::os::unix::net::UnixListener;

use super::{SWEEPING, docker_text, docker_with, labels_of_a_dead_run, labels_of_a_run, left};
use crate::support::docker::image;
use crate::support::{Outcome, Place, good_dump, local};

fn swept(place: &Place, engine: Option<&str>) -> Outcome {
    let mut command = place.ccc();
    command.args(["cleanup", "--sandbox"]);
    if let Some(engine) = engine {
        command.env("DOCKER_HOST", engine);
    }
    Outcome::of(&command.output().unwrap())
}

/// Keeps a local server, which is a dead run's then.
fn keep_a_local_server(place: &Place) {
    place.file("a.sql", good_dump());
    let kept = place.verify_locally().args(["a.sql", "--no-cleanup"]).output().unwrap();
    Outcome::of(&kept).passed();
}

fn gone(place: &Place) -> String {
    format!("✓ Removed leftover of an earlier run: local server {}", place.container)
}

#[test]
fn what_a_run_on_another_host_made_is_left_and_named() {
    let (_alone, place) = (SWEEPING.blocking_lock(), Place::new());
    let labels = labels_of_a_run(&format!("0d{}", std::process::id()), "another-boot");
    docker_with(&["create", "--name", &place.container], &labels, &[image()]);
    let outcome = swept(&place, None);
    let there = left(&place.container);
    docker_text(&["rm", "-v", &place.container]);
    assert_eq!(outcome.code, 0, "{outcome}");
    let warned = |line: &str| {
        line.starts_with(&format!("warning: left alone: container {}: ", place.container))
            && line.ends_with("cannot be seen from here")
    };
    assert!(outcome.stderr.lines().any(warned), "{outcome}");
    assert!(!outcome.stdout.contains("No sandbox was left behind"), "{outcome}");
    assert_eq!(there, std::slice::from_ref(&place.container));
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn without_docker_what_local_servers_left_is_all_there_can_be() {
        let _alone = SWEEPING.blocking_lock();
        let place = Place::without_docker();
        keep_a_local_server(&place);
        let nowhere = format!("unix://{}/no.sock", place.dir().display());
        let outcome = swept(&place, Some(&nowhere));
        assert_eq!(outcome.code, 0, "{outcome}");
        outcome.says(&gone(&place));
        place.assert_nothing_left();
        let outcome = swept(&place, Some(&nowhere));
        assert_eq!(outcome.code, 0, "{outcome}");
        assert!(!outcome.to_string().contains(&place.container), "{outcome}");
    }

    #[test]
    fn an_engine_that_does_not_answer_may_have_something_left() {
        let _alone = SWEEPING.blocking_lock();
        let place = Place::without_docker();
        keep_a_local_server(&place);
        let socket = place.dir().join("dead.sock");
        drop(UnixListener::bind(&socket).unwrap());
        let outcome = swept(&place, Some(&format!("unix://{}", socket.display())));
        assert_eq!(outcome.code, 2, "{outcome}");
        outcome.says(&gone(&place)).hints("start Docker");
        assert_eq!(local::left(&place.container), Vec::<std::path::PathBuf>::new());
        let told = "error: it cannot be told whether a sandbox is left: no Docker Engine answers";
        assert!(outcome.stderr.contains(told), "{outcome}");
    }

    #[test]
    fn a_leftover_that_somebody_uses_stays_and_stops_neither_a_verification_nor_the_rest() {
        let (_alone, place) = (SWEEPING.blocking_lock(), Place::new());
        place.file("a.sql", good_dump());
        let used = format!("ccc-used-{}", std::process::id());
        let (network, volume) = (format!("{used}-network"), format!("{used}-volume"));
        let labels = labels_of_a_dead_run(&format!("0e{}", std::process::id()));
        docker_with(&["create", "--name", &place.container], &labels, &[image()]);
        docker_with(&["network", "create"], &labels, &[&network]);
        let sleep = ["--entrypoint=sleep", image(), "600"];
        docker_text(&[&["run", "-d", "--name", &used, "--network", &network][..], &sleep].concat());
        let verified = Outcome::of(&place.verify().arg("a.sql").output().unwrap());
        docker_with(&["volume", "create"], &labels, &[&volume]);
        let outcome = swept(&place, None);
        let there = left(&used);
        docker_text(&["rm", "-f", "-v", &used]);
        docker_text(&["network", "rm", &network]);
        let refused = format!("Docker could not remove the network {network}: ");
        verified.passed();
        let warning = format!("warning: a leftover of an earlier run stays: {refused}");
        assert!(verified.stderr.contains(&warning), "{verified}");
        assert_eq!(outcome.code, 2, "{outcome}");
        assert!(outcome.stderr.contains(&format!("error: not removed: {refused}")), "{outcome}");
        outcome.hints("docker network inspect");
        outcome.says(&format!("✓ Removed leftover of an earlier run: volume {volume}"));
        assert_eq!(there, [used, network]);
    }
}
