//! The way to the Docker Engine or to the throwaway server hangs or is cut while a backup is
//! verified.

use std::net::TcpListener;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use rustix::process::Signal;

use super::{held_dump, release};
use crate::interruption::{endless_check, endless_restore};
use crate::sandbox::{SWEEPING, labels_of_a_dead_run};
use crate::support::docker::{docker_text, image, left};
use crate::support::dumps::AS_CREATE_DOES;
use crate::support::proxy::Proxy;
use crate::support::source::free_port;
use crate::support::{BINARY, Place, Running, SOON, clean_environment, database, good_dump};

/// An archive whose restore takes longer than anybody waits: an index calls a function that waits,
/// but not where it comes from.
fn endless_archive() -> &'static [u8] {
    static DUMP: OnceLock<Vec<u8>> = OnceLock::new();
    DUMP.get_or_init(|| {
        let database = database();
        database.sql(
            "CREATE FUNCTION public.waits(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
                 'BEGIN IF current_database() = ''restore_test'' THEN PERFORM pg_sleep(600);
                  END IF; RETURN n; END';
             CREATE TABLE public.waiting (n int); INSERT INTO public.waiting VALUES (1);
             CREATE INDEX ON public.waiting (public.waits(n))",
        );
        database.dump(&["--format=custom"])
    })
}

/// An archive whose restore waits in the same way for [`release`].
fn held_archive() -> Vec<u8> {
    let database = database();
    database.sql(
        "CREATE FUNCTION public.waits(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
             'BEGIN WHILE current_database() = ''restore_test''
                    AND (pg_catalog.pg_stat_file(''/tmp/go'', true)).size IS NULL LOOP
                  PERFORM pg_catalog.pg_sleep(0.02);
              END LOOP; RETURN n; END';
         CREATE TABLE public.waiting (n int); INSERT INTO public.waiting VALUES (1);
         CREATE INDEX ON public.waiting (public.waits(n))",
    );
    database.dump(&["--format=custom"])
}

/// Another run by the engine's own socket passes, and nothing is left after it.
fn the_next_run_sweeps(place: &Place) {
    place.file("good.sql", good_dump());
    place.outcome(place.verify().arg("good.sql")).passed();
}

#[test]
fn an_engine_that_is_cut_off_during_the_restore_of_a_dump_changes_no_verdict() {
    let place = Place::new();
    let proxy = Proxy::start(place.dir());
    place.file("a.sql", &held_dump());
    let mut run = Running::verify_at(&proxy.host(), &place, "a.sql", &[]);
    run.wait_for("Restoring backup (");
    proxy.cut();
    // The rows go to the server itself.
    release(&place);
    let (outcome, _) = run.end();
    outcome.passed();
    assert!(outcome.stderr.contains("warning: the sandbox was not cleaned up"), "{outcome}");
    the_next_run_sweeps(&place);
}

#[test]
fn an_engine_that_hangs_during_the_start_is_not_waited_for_when_the_time_is_up() {
    let place = Place::new();
    let proxy = Proxy::start(place.dir());
    place.file("a.sql", good_dump());
    proxy.hang_at("/containers/create");
    let run = Running::verify_at(&proxy.host(), &place, "a.sql", &["--timeout", "10s"]);
    let (outcome, took) = run.end();
    outcome.not_verified("timed out after 10 s (--timeout)");
    assert!(took < Duration::from_secs(60), "{took:?}");
    drop(proxy);
    the_next_run_sweeps(&place);
}

#[test]
fn an_engine_that_says_nothing_at_all_is_given_up() {
    let place = Place::new();
    let proxy = Proxy::start(place.dir());
    place.file("a.sql", good_dump());
    proxy.hang();
    let (outcome, took) = Running::verify_at(&proxy.host(), &place, "a.sql", &[]).end();
    outcome.not_verified("did not answer within 5 s").hints("start Docker");
    assert!(took < SOON, "{took:?}");
}

#[test]
fn a_name_that_is_taken_after_it_was_looked_at_is_freed_of_a_dead_runs_container_only() {
    let _alone = SWEEPING.blocking_lock();
    let place = Place::new();
    place.file("a.sql", good_dump());
    let dead = labels_of_a_dead_run(&format!("0f{}", std::process::id()));
    for labels in [&dead[..], &[]] {
        let proxy = Proxy::start(place.dir());
        proxy.hold("/containers/create");
        let run = Running::verify_at(&proxy.host(), &place, "a.sql", &[]);
        proxy.wait_until_it_hangs();
        let labels = labels.iter().map(String::as_str).collect::<Vec<_>>();
        let create = ["create", "--name", &place.container];
        docker_text(&[&create[..], &labels, &[image(), "true"]].concat());
        proxy.go_on();
        let (outcome, _) = run.end();
        if labels.is_empty() {
            docker_text(&["rm", "-v", &place.container]);
            outcome.not_verified("and ccc-backup did not make it").hints("--container-name");
        } else {
            outcome.passed();
        }
        place.assert_nothing_left();
    }
}

#[test]
fn a_container_that_the_engine_makes_after_the_run_was_interrupted_is_removed() {
    let place = Place::new();
    let proxy = Proxy::start(place.dir());
    place.file("a.sql", good_dump());
    proxy.hold("/containers/create");
    let mut run = Running::verify_at(&proxy.host(), &place, "a.sql", &[]);
    proxy.wait_until_it_hangs();
    run.signal(Signal::INT);
    // The first look for what is left finds no container.
    std::thread::sleep(Duration::from_secs(3));
    proxy.go_on();
    let (outcome, took) = run.end();
    outcome.not_verified("interrupted by SIGINT");
    assert!(took < SOON, "{took:?}");
    place.assert_nothing_left();
}

#[test]
fn a_port_that_is_taken_after_it_was_looked_at_is_named() {
    let place = Place::new();
    let proxy = Proxy::start(place.dir());
    place.file("a.sql", good_dump());
    proxy.hold("/start HTTP");
    let port = free_port();
    let (at, name) = (port.to_string(), place.container.as_str());
    let args = ["verify", "a.sql", "--engine=docker", "--container-name", name, "--port", &at];
    let mut command = Command::new(BINARY);
    command.env_clear().envs(clean_environment()).current_dir(place.dir()).args(args);
    let run = Running::spawn(command.env("DOCKER_HOST", proxy.host()));
    proxy.wait_until_it_hangs();
    let _listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    proxy.go_on();
    let (outcome, _) = run.end();
    outcome.not_verified(&format!("port {port} on 127.0.0.1 is in use")).hints("--port 0");
    place.assert_nothing_left();
}

#[test]
fn a_second_ctrl_c_leaves_at_once_and_says_what_is_left() {
    let place = Place::new();
    let proxy = Proxy::start(place.dir());
    place.file("a.sql", &endless_restore());
    let mut run = Running::verify_at(&proxy.host(), &place, "a.sql", &[]);
    run.wait_for("Restoring backup (");
    // The clean-up has to wait for the engine.
    proxy.hang();
    run.signal(Signal::INT).wait_for("NOT VERIFIED");
    // What comes at once is taken for the echo of the first.
    std::thread::sleep(Duration::from_millis(400));
    run.signal(Signal::INT);
    let (outcome, took) = run.end();
    outcome.not_verified("interrupted by SIGINT");
    assert!(took < SOON, "{took:?}");
    assert!(outcome.stderr.contains("error: interrupted twice"), "{outcome}");
    outcome.hints("the throwaway server is left").hints("ccc-backup cleanup --sandbox");
    the_next_run_sweeps(&place);
}

/// A dump of many rows, of which the server is busy with the first for so long. It acknowledges what is
/// sent after it until it can hold no more, and from then on that it takes in nothing.
fn dump_with_a_slow_row(seconds: u32) -> Vec<u8> {
    let database = database();
    database.sql(&format!(
        "CREATE FUNCTION public.takes_long(n int) RETURNS bool LANGUAGE plpgsql AS
             'BEGIN IF n = 1 AND current_database() = ''restore_test''
                    THEN PERFORM pg_sleep({seconds}); END IF; RETURN true; END';
         CREATE TABLE public.slow (n int CHECK (public.takes_long(n)), filler text);
         INSERT INTO public.slow SELECT n, repeat('x', 1000) FROM generate_series(1, 30000) n"
    ));
    database.dump(&AS_CREATE_DOES)
}

#[test]
fn a_server_whose_network_is_gone_is_no_verdict() {
    for (dump, line) in [
        (endless_restore(), "Restoring backup ("),
        (endless_check().to_vec(), "Content artifacts count"),
        (dump_with_a_slow_row(600), "Restoring backup ("),
    ] {
        let place = Place::new();
        place.file("a.sql", &dump);
        let mut run = Running::verify(&place, "a.sql");
        run.wait_for(line);
        let network = left(&place.container);
        let network = network.iter().find_map(|thing| thing.strip_prefix("network ")).unwrap();
        // Until the statement is there that it waits in.
        std::thread::sleep(Duration::from_secs(3));
        docker_text(&["network", "disconnect", "--force", network, &place.container]);
        let (outcome, took) = run.end();
        outcome.not_verified("").hints("run it again");
        assert!(took < Duration::from_secs(60), "{took:?}");
        place.assert_nothing_left();
    }
}

#[test]
fn a_server_that_takes_in_nothing_for_a_while_is_waited_for() {
    let place = Place::new();
    place.file("a.sql", &dump_with_a_slow_row(60));
    place.outcome(place.verify().arg("a.sql")).passed();
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn an_engine_that_does_not_say_how_pg_restore_ended_is_no_verdict() {
        let place = Place::new();
        let proxy = Proxy::start(place.dir());
        place.file("a.dump", &held_archive());
        let mut run = Running::verify_at(&proxy.host(), &place, "a.dump", &[]);
        run.wait_for("Restoring backup (");
        // What asks for a single thing.
        proxy.hold("/json HTTP");
        release(&place);
        let (outcome, took) = run.end();
        outcome.not_verified("no answer within 10 s").hints("run it again");
        assert!(took < Duration::from_secs(30), "{took:?}");
        place.assert_nothing_left();
    }

    #[test]
    fn an_engine_that_is_cut_off_during_the_restore_of_an_archive_is_no_verdict() {
        let place = Place::new();
        let proxy = Proxy::start(place.dir());
        place.file("a.dump", endless_archive());
        let mut run = Running::verify_at(&proxy.host(), &place, "a.dump", &[]);
        run.wait_for("Restoring backup (");
        proxy.cut();
        run.end().0.not_verified("the connection to the engine was lost").hints("run it again");
        the_next_run_sweeps(&place);
    }
}
