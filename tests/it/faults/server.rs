//! The throwaway server dies while it is in use, by whatever hand: that says nothing of the backup,
//! the reason is named, and nothing is left.

use std::time::Duration;

use crate::interruption::{endless_check, endless_restore};
use crate::support::docker::{docker, docker_text};
use crate::support::dumps::with_sql_last;
use crate::support::{Outcome, Place, Running};

/// Long enough for a run to notice, and shorter than anybody would wait for a hint.
const SOON: Duration = Duration::from_secs(20);

/// Runs a verification of `dump` until it prints `line`, does `harm` to the container of that
/// name, and gives what came of the run.
fn harmed(dump: &[u8], line: &str, harm: impl Fn(&str)) -> Outcome {
    let place = Place::new();
    place.file("a.sql", dump);
    let mut run = Running::verify(&place, "a.sql");
    run.wait_for(line);
    harm(&place.container);
    let (outcome, took) = run.end();
    assert!(took < SOON, "{took:?}: {outcome}");
    place.assert_nothing_left();
    outcome
}

fn harmed_in_restore(harm: impl Fn(&str)) -> Outcome {
    harmed(&endless_restore(), "Restoring backup (", harm)
}

/// Runs a line of shell in the container, once a backend of it runs the statement that takes
/// forever; `$pid` is that backend.
fn at_the_backend(name: &str, line: &str) {
    let wait = "until set -- $(grep -al 'restore_test.*[S]ELECT' /proc/[0-9]*/cmdline) && [ $# -gt 0 ]; \
                do sleep 0.05; done; pid=${1#/proc/}; pid=${pid%/cmdline}";
    docker_text(&["exec", name, "sh", "-c", &format!("{wait}; {line}")]);
}

#[test]
fn a_container_that_is_killed_during_the_restore_is_named_as_killed() {
    let outcome = harmed_in_restore(|name| drop(docker_text(&["kill", name])));
    outcome.not_verified("it was killed (exit code 137)").hints("run it again");
}

#[test]
fn a_container_that_is_killed_during_the_checks_is_named_as_killed() {
    let kill = |name: &str| drop(docker_text(&["kill", name]));
    let outcome = harmed(endless_check(), "Content artifacts count", kill);
    outcome.not_verified("it was killed (exit code 137)");
}

#[test]
fn a_container_that_is_removed_during_the_restore_is_no_verdict() {
    let outcome = harmed_in_restore(|name| drop(docker_text(&["rm", "-f", "-v", name])));
    outcome.not_verified("the restore was cut short").hints("run it again");
}

#[test]
fn a_backend_that_crashes_is_no_verdict_and_its_signal_is_named() {
    let outcome = harmed_in_restore(|name| at_the_backend(name, "kill -9 $pid"));
    outcome.not_verified("was terminated by signal 9");
    let outcome = harmed_in_restore(|name| at_the_backend(name, "kill -SEGV $pid"));
    outcome.not_verified("was terminated by signal 11");
}

#[test]
fn a_server_that_is_shut_down_is_no_verdict() {
    // The immediate shutdown, and the fast one.
    for signal in ["QUIT", "INT"] {
        let stop = |name: &str| drop(docker_text(&["kill", "--signal", signal, name]));
        let outcome = harmed_in_restore(stop);
        outcome.not_verified("the restore was cut short").hints("run it again");
    }
}

/// Pauses a container. On a busy machine, the engine may need several attempts.
fn freeze(container: &str) {
    let frozen = (0..20).any(|_| docker(&["pause", container]).status.success());
    assert!(frozen, "{container} could not be paused");
}

#[test]
fn a_server_that_is_frozen_is_given_up_when_the_time_is_up() {
    // Before it is asked for anything of the restore, and while it restores.
    for reached in ["Creating database:", "Restoring backup ("] {
        let place = Place::new();
        place.file("a.sql", &endless_restore());
        let mut run = Running::verify_with(&place, "a.sql", &["--timeout", "20s"]);
        run.wait_for(reached);
        freeze(&place.container);
        run.end().0.not_verified("timed out after 20 s (--timeout)");
        place.assert_nothing_left();
    }
}

#[test]
fn a_server_that_runs_out_of_memory_is_no_verdict_and_memory_is_named() {
    let place = Place::new();
    let greedy = "SELECT length(array_agg(repeat('x', 1000) || n)::text)
                  FROM generate_series(1, 700000) n;";
    place.file("a.sql", &with_sql_last(greedy));
    let outcome = place.outcome(place.verify().args(["a.sql", "--memory", "256MB"]));
    outcome.not_verified("it ran out of memory").hints("--memory");
}

#[test]
fn a_good_backup_passes_in_the_least_memory() {
    let place = Place::new();
    place.file("a.sql", crate::support::good_dump());
    let limits = ["a.sql", "--memory", "256MB", "--cpus", "0.5"];
    place.outcome(place.verify().args(limits)).passed();
}
