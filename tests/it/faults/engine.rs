//! The Docker Engine is stopped, restarted or killed while a backup is verified: with an engine of
//! the test's own.

use std::time::Duration;

use super::held_dump;
use crate::interruption::endless_restore;
use crate::support::docker::image;
use crate::support::engine::{Engine, text_of_root};
use crate::support::registry::Registry;
use crate::support::{Outcome, Place, Running, good_dump};

/// An engine takes ten seconds to stop what does not stop by itself.
const SOON: Duration = Duration::from_secs(60);

/// A verification whose restore is under way.
fn restoring(engine: &Engine, place: &Place, file: &str) -> Running {
    let mut run = engine.verify(place, file, &[]);
    run.wait_for("Restoring backup (");
    run
}

/// Verifies a good backup; nothing of any run is left then.
fn next_run(engine: &Engine, place: &Place) -> Outcome {
    let (outcome, _) = engine.verify(place, "good.sql", &[]).end();
    outcome.passed();
    assert_eq!(engine.left(), Vec::<String>::new());
    outcome
}

/// It stops its containers with it.
fn stopped(engine: &mut Engine, place: &Place) {
    let run = restoring(engine, place, "endless.sql");
    engine.end("TERM");
    let (outcome, took) = run.end();
    outcome.not_verified("").hints("run it again");
    assert!(took < SOON, "{took:?}");
    let none = engine.verify(place, "good.sql", &[]).end().0;
    none.not_verified("no Docker Engine answers").hints("start Docker");
    engine.run();
    assert!(!engine.left().is_empty(), "there is nothing to sweep");
    let swept = next_run(engine, place);
    assert!(swept.stdout.contains("Removed leftover of an earlier run"), "{swept}");
}

/// It ends the containers of the one before.
fn restarted(engine: &mut Engine, place: &Place) {
    let run = restoring(engine, place, "endless.sql");
    engine.end("KILL");
    engine.run();
    let (outcome, took) = run.end();
    outcome.not_verified("").hints("run it again");
    assert!(took < SOON, "{took:?}");
    next_run(engine, place);
}

/// Its containers go on without it, and so does the verification: rows go to the server itself.
fn killed(engine: &mut Engine, place: &Place) {
    let run = restoring(engine, place, "held.sql");
    let pid = engine.docker(&["inspect", "--format", "{{.State.Pid}}", &place.container]);
    engine.end("KILL");
    text_of_root(&["nsenter", "--target", pid.trim(), "--mount", "touch", "/tmp/go"]);
    let (outcome, _) = run.end();
    outcome.passed();
    assert!(outcome.stderr.contains("warning: the sandbox was not cleaned up"), "{outcome}");
    engine.run();
    next_run(engine, place);
}

#[test]
fn an_engine_that_has_no_addresses_left_is_no_verdict() {
    let engine = Engine::without_addresses();
    let place = Place::without_docker();
    place.file("good.sql", good_dump());
    let (outcome, _) = engine.verify(&place, "good.sql", &[]).end();
    outcome.not_verified("Docker could not create the network").hints("docker network prune");
    assert_eq!(engine.left(), Vec::<String>::new());
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn an_engine_that_is_stopped_restarted_or_killed_is_no_verdict_and_the_next_run_sweeps() {
        let mut engine = Engine::start();
        let place = Place::without_docker();
        place.file("endless.sql", &endless_restore());
        place.file("held.sql", &held_dump());
        place.file("good.sql", good_dump());
        stopped(&mut engine, &place);
        restarted(&mut engine, &place);
        killed(&mut engine, &place);
    }

    #[test]
    fn an_engine_whose_disk_is_full_is_no_verdict_and_keeps_nothing() {
        let (registry, place) = (Registry::start(), Place::without_docker());
        registry.put(image(), "some/postgres:15");
        place.file("good.sql", good_dump());
        let engine = Engine::on_a_disk("64m");
        let _beside = registry.beside(&engine);
        let name = format!("{}/some/postgres:15", registry.host());
        let verify = || {
            let (outcome, _) = engine.verify(&place, "good.sql", &["--image", &name]).end();
            assert_eq!(engine.left(), Vec::<String>::new(), "{outcome}");
            outcome
        };
        let pulling = verify();
        pulling.says(&format!("Pulling image: {name}..."));
        pulling.not_verified("no space left on device").hints("docker system df");
        engine.resize("1g");
        verify().passed();
        engine.fill();
        verify().not_verified("no space left on device").hints("docker system df");
        engine.resize("2g");
        verify().passed();
    }
}
