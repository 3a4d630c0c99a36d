//! Images that are not here: pulled from a registry, and what becomes of a run when they cannot be.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::docker::{docker, docker_text, image};
use crate::support::engine::Engine;
use crate::support::proxy::Proxy;
use crate::support::registry::{INTO_A_LAYER, Registry};
use crate::support::{Outcome, Place, Running, SOON, good_dump};

const NAME: &str = "some/postgres:15";

/// A place with a good backup.
fn place() -> Place {
    let place = Place::new();
    place.file("a.sql", good_dump());
    place
}

fn verify(place: &Place, image: &str, args: &[&str]) -> Outcome {
    place.outcome(place.verify().args(["a.sql", "--image", image]).args(args))
}

fn is_here(image: &str) -> bool {
    docker(&["image", "inspect", image]).status.success()
}

#[test]
fn an_image_that_the_registry_does_not_have_is_not_verified() {
    let (registry, place) = (Registry::start(), place());
    let name = format!("{}/nosuch/image:1", registry.host());
    let outcome = verify(&place, &name, &[]);
    outcome.not_verified(&format!("there is no image {name}")).hints("--image");
    assert!(outcome.stdout.contains("not found"), "{outcome}");
}

#[test]
fn an_image_of_which_the_registry_lost_a_layer_is_not_verified() {
    let (registry, place) = (Registry::start(), place());
    registry.put_a_layer(NAME);
    registry.lose_a_layer();
    let name = format!("{}/{NAME}", registry.host());
    let outcome = verify(&place, &name, &[]);
    outcome.says(&format!("Pulling image: {name}..."));
    outcome.not_verified(&format!("there is no image {name}")).hints("docker pull");
    assert!(!is_here(&name));
}

#[test]
fn a_registry_that_breaks_off_is_not_verified() {
    let (registry, place) = (Registry::start(), place());
    registry.put_a_layer(NAME);
    let proxy = Proxy::of_port(registry.port());
    proxy.cut_at("GET /v2/");
    let name = format!("{}/{NAME}", proxy.host());
    let outcome = verify(&place, &name, &[]);
    outcome.not_verified(&format!("there is no image {name}")).hints("docker pull");
}

#[test]
fn a_registry_that_hangs_is_not_waited_for_when_the_time_is_up() {
    let (registry, place) = (Registry::start(), place());
    registry.hang();
    let name = format!("{}/{NAME}", registry.host());
    let outcome = verify(&place, &name, &["--timeout", "2s"]);
    outcome.not_verified("timed out after 2 s (--timeout)");
}

fn verify_at(engine: &Engine, place: &Place, args: &[&str]) -> (Outcome, Duration) {
    let ended = engine.verify(place, "a.sql", args).end();
    assert_eq!(engine.left(), Vec::<String>::new());
    ended
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn an_image_that_only_a_registry_has_is_pulled_and_named_with_its_digest() {
        let (registry, place) = (Registry::start(), place());
        registry.put_with_a_layer(image(), NAME);
        let name = format!("{}/{NAME}", registry.host());
        assert!(!is_here(&name));
        let outcome = verify(&place, &name, &["--report", "r.json"]);
        let digest = docker_text(&["image", "inspect", "--format={{index .RepoDigests 0}}", &name]);
        docker_text(&["rmi", &name]);
        outcome.passed().says(&format!("Pulling image: {name}..."));
        assert!(outcome.stdout.contains(&format!("image {name}, pulled, as asked")), "{outcome}");
        let report = std::fs::read(place.dir().join("r.json")).unwrap();
        let report: Value = serde_json::from_slice(&report).unwrap();
        let sandbox = &report["report"]["sandbox"];
        assert_eq!(sandbox["image"], name);
        assert_eq!(digest.trim().split_once('@').unwrap().1, sandbox["image_digest"]);
    }

    #[test]
    fn ctrl_c_while_an_image_is_pulled_leaves_nothing() {
        let (registry, place) = (Registry::start(), place());
        registry.put_a_layer(NAME);
        let proxy = Proxy::of_port(registry.port());
        proxy.hang_after(INTO_A_LAYER);
        let name = format!("{}/{NAME}", proxy.host());
        let mut run = Running::verify_with(&place, "a.sql", &["--image", &name]);
        run.wait_for("Pulling image");
        proxy.wait_until_it_hangs();
        run.signal(Signal::INT);
        let (outcome, took) = run.end();
        outcome.not_verified("interrupted by SIGINT").hints("run it again");
        assert!(took < SOON, "{took:?}");
        place.assert_nothing_left();
        assert!(!is_here(&name));
    }

    #[test]
    fn the_official_image_is_pulled_and_the_one_built_here_serves_where_the_registry_hangs() {
        let registry = Registry::start();
        registry.put(image(), "library/postgres:15");
        let (engine, place) = (Engine::with_mirror(&registry.host()), Place::without_docker());
        let beside = registry.beside(&engine);
        place.file("a.sql", good_dump());
        let (outcome, _) = verify_at(&engine, &place, &[]);
        outcome.passed().says("Pulling image: postgres:15...");
        assert!(outcome.stdout.contains("image postgres:15, pulled"), "{outcome}");
        let (again, _) = verify_at(&engine, &place, &[]);
        assert!(again.passed().stdout.contains("image postgres:15, present"), "{again}");

        engine.docker(&["tag", "postgres:15", "ccc-backup/postgres:15"]);
        engine.docker(&["rmi", "postgres:15"]);
        beside.hang();
        let (outcome, took) = verify_at(&engine, &place, &[]);
        outcome.passed();
        assert!(outcome.stdout.contains("image ccc-backup/postgres:15, built here"), "{outcome}");
        assert!(took < Duration::from_secs(30), "{took:?}");

        drop(beside);
        engine.docker(&["rmi", "ccc-backup/postgres:15"]);
        let (outcome, _) = verify_at(&engine, &place, &[]);
        outcome.not_verified("there is no image postgres:15").hints("docker pull postgres:15");
    }
}
