//! `verify --wait`: who has the container's name, the port or the backup is waited for and left
//! alone.

use std::fs::File;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use ccc_backup::store::lock;
use rustix::process::Signal;

use crate::support::docker::{docker_text, image};
use crate::support::{Outcome, Place, Running, SOON, good_dump};

/// What of the log says that a run waits.
const WAITS: &str = "waiting: ";

/// Starts `verify` of a file in a place, with the place's container name and these arguments.
fn start(place: &Place, file: &str, args: &[&str]) -> Running {
    let named = ["verify", file, "--container-name", &place.container, "--log-file", "run.log"];
    Running::start(place, &[&named[..], args].concat())
}

/// Waits until the run that was started says that it waits.
fn wait_until_it_waits(place: &Place) {
    wait_until_they_wait(place, 1);
}

fn wait_until_they_wait(place: &Place, runs: usize) {
    let clock = Instant::now();
    let says = || std::fs::read_to_string(place.dir().join("run.log")).unwrap_or_default();
    while says().matches(WAITS).count() < runs {
        assert!(clock.elapsed() < Duration::from_secs(60), "{runs} do not wait: {}", says());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A place with a good backup `a.sql`.
fn place() -> Place {
    let place = Place::new();
    place.file("a.sql", good_dump());
    place
}

/// A container of somebody else's with the name that the place's runs take; gives its id.
fn foreign(place: &Place) -> String {
    docker_text(&["create", "--name", &place.container, image(), "true"]).trim().to_owned()
}

/// Removes that container, which must be there yet.
fn remove(id: &str) {
    docker_text(&["rm", "-v", id]);
}

/// Says once whom it waited for.
#[track_caller]
fn waited_for(outcome: &Outcome, whom: &str) {
    let said: Vec<&str> = outcome.stderr.lines().filter(|line| line.starts_with(WAITS)).collect();
    assert!(said.len() == 1 && said[0].contains(whom), "{said:?}: {outcome}");
}

/// A run as its owner is named.
fn process(run: &Running) -> String {
    format!("process {} on ", run.id())
}

#[test]
fn a_run_that_waits_passes_after_the_other_has_passed() {
    let place = place();
    let mut first = Running::verify(&place, "a.sql");
    let owner = process(&first);
    // Held still, so that the second comes while the first has the name.
    first.wait_for("Container started").signal(Signal::STOP);
    let second = start(&place, "a.sql", &["--port=0", "--wait"]);
    wait_until_it_waits(&place);
    first.signal(Signal::CONT);
    let ((first, _), (second, _)) = (first.end(), second.end());
    first.passed();
    second.passed();
    waited_for(&second, &owner);
    place.assert_nothing_left();
}

#[test]
fn a_run_gives_up_when_the_time_is_up_and_names_the_other_which_goes_on() {
    let place = place();
    let mut first = Running::verify(&place, "a.sql");
    let owner = format!("belongs to another run of ccc-backup ({}", process(&first));
    first.wait_for("Container started").signal(Signal::STOP);
    let clock = Instant::now();
    let (second, _) = start(&place, "a.sql", &["--port=0", "--wait=2s"]).end();
    let took = clock.elapsed();
    first.signal(Signal::CONT);
    first.end().0.passed();
    second.not_verified(&owner).hints("--container-name");
    second.not_verified(", also after 2 s (--wait)");
    waited_for(&second, &owner);
    assert!(took >= Duration::from_secs(2), "{took:?}");
    place.assert_nothing_left();
}

#[test]
fn a_container_of_somebody_else_is_waited_for_and_never_removed() {
    let place = place();
    let id = foreign(&place);
    let run = start(&place, "a.sql", &["--port=0", "--wait"]);
    wait_until_it_waits(&place);
    docker_text(&["rename", &id, &format!("other-than-{}", place.container)]);
    let (outcome, _) = run.end();
    remove(&id);
    outcome.passed();
    waited_for(&outcome, "ccc-backup did not make it");
    place.assert_nothing_left();
}

#[test]
fn several_that_wait_go_one_after_the_other() {
    let place = place();
    let id = foreign(&place);
    let runs = [0, 1, 2].map(|_| start(&place, "a.sql", &["--port=0", "--wait"]));
    wait_until_they_wait(&place, 3);
    // From here on each of them may be the quickest, or see another take the name first.
    remove(&id);
    for run in runs {
        let (outcome, _) = run.end();
        outcome.passed();
        assert!(outcome.stderr.contains("ccc-backup did not make it"), "{outcome}");
    }
    place.assert_nothing_left();
}

#[test]
fn a_busy_port_is_waited_for() {
    let place = place();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let run = start(&place, "a.sql", &["--wait", &format!("--port={port}")]);
    wait_until_it_waits(&place);
    drop(listener);
    let (outcome, _) = run.end();
    outcome.passed();
    waited_for(&outcome, &format!("port {port} on 127.0.0.1 is in use"));
    place.assert_nothing_left();
}

#[test]
fn a_run_that_waits_can_be_interrupted() {
    let place = place();
    let id = foreign(&place);
    let mut run = start(&place, "a.sql", &["--port=0", "--wait"]);
    wait_until_it_waits(&place);
    run.signal(Signal::INT);
    let (outcome, took) = run.end();
    remove(&id);
    outcome.not_verified("interrupted by SIGINT");
    assert!(took < SOON, "{took:?}");
    place.assert_nothing_left();
}

#[test]
fn a_wait_without_a_time_lasts_as_long_as_the_run_may() {
    let place = place();
    let id = foreign(&place);
    let (outcome, _) = start(&place, "a.sql", &["--port=0", "--wait", "--timeout=2s"]).end();
    remove(&id);
    outcome.not_verified("timed out after 2 s (--timeout)");
    waited_for(&outcome, &place.container);
    place.assert_nothing_left();
}

#[test]
fn nobody_is_waited_for_when_the_backup_is_bad() {
    let place = place();
    let id = foreign(&place);
    place.file("cut.sql", &good_dump()[..good_dump().len() / 2]);
    let (outcome, _) = start(&place, "cut.sql", &["--port=0", "--wait"]).end();
    remove(&id);
    assert_eq!(outcome.code, 1, "{outcome}");
    place.assert_nothing_left();
}

#[test]
fn a_backup_that_is_being_written_is_waited_for() {
    let place = Place::without_docker();
    let path = place.file("a.sql", b"");
    let writer = File::options().write(true).open(&path).unwrap();
    assert!(lock::try_exclusive(&writer).unwrap());
    let (refused, _) = start(&place, "a.sql", &[]).end();
    refused.not_verified("a.sql is being written or removed by another run").hints("--wait");
    let (refused, _) = start(&place, "a.sql", &["--wait=1s"]).end();
    refused.not_verified("a.sql is being written or removed by another run");
    std::fs::remove_file(place.dir().join("run.log")).unwrap();
    let run = start(&place, "a.sql", &["--wait"]);
    wait_until_it_waits(&place);
    drop(writer);
    let (outcome, _) = run.end();
    outcome.failed("the backup file is empty");
    waited_for(&outcome, "a.sql is being written or removed");
}

#[test]
fn a_backup_that_is_gone_after_the_wait_is_not_verified() {
    let place = Place::without_docker();
    let path = place.file("a.sql", b"");
    let remover = File::open(&path).unwrap();
    assert!(lock::try_exclusive(&remover).unwrap());
    let run = start(&place, "a.sql", &["--wait"]);
    wait_until_it_waits(&place);
    std::fs::remove_file(path).unwrap();
    drop(remover);
    let (outcome, _) = run.end();
    outcome.not_verified("a.sql was removed or replaced by another run").hints("--latest");
}
