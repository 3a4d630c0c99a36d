//! Runs that are interrupted are told of, too; and who does not want to wait for that need not.

use rustix::process::Signal;

use super::place;
use crate::support::receiver::{Answer, Receiver};
use crate::support::{Place, Running, SOON, wait_until};

/// A run that works for longer than anybody waits.
fn endless(place: &Place) -> Running {
    let args = ["x.sql", "--from-command", "touch begun; sleep 600", "--manifest", "none"];
    let mut run = Running::verify_locally(place, &args);
    wait_until("it works", || {
        assert!(!run.has_ended(), "it does not work");
        place.dir().join("begun").exists()
    });
    run
}

/// Interrupts a run again and again until it has ended: what comes right after the first signal is taken for its echo.
fn interrupt_until_it_ends(run: &mut Running) {
    wait_until("it has ended", || {
        run.has_ended() || {
            run.interrupt();
            false
        }
    });
}

#[test]
fn a_run_that_is_interrupted_is_told_of_as_one_that_could_not_tell() {
    let receiver = Receiver::taking();
    let config = format!(
        "[notify.ping]\nurl = \"{}\"\n[notify.webhook]\nurl = \"{}\"\n",
        receiver.url("/ping"),
        receiver.url("/hook")
    );
    let place = place(&config);
    let mut run = endless(&place);
    receiver.wait_for(1);
    run.signal(Signal::TERM);
    let (outcome, took) = run.end();
    outcome.not_verified("interrupted by SIGTERM");
    assert!(took < SOON, "{took:?}");
    let mut paths = receiver.paths();
    paths.sort();
    assert_eq!(paths, ["/hook", "/ping/2", "/ping/start"]);
    let received = receiver.received();
    let body = received.iter().find(|it| it.path == "/hook").unwrap().json();
    assert_eq!((&body["verdict"], &body["exit_code"]), (&"not_verified".into(), &2.into()));
    assert!(body["text"].as_str().unwrap().ends_with("interrupted by SIGTERM"), "{body}");
}

#[test]
fn a_run_whose_time_is_up_is_told_of() {
    let receiver = Receiver::taking();
    let place = place(&format!("[notify.webhook]\nurl = \"{}\"\n", receiver.url("/x")));
    let args = ["x.sql", "--from-command", "sleep 600", "--manifest", "none", "--timeout", "1s"];
    place.outcome(place.verify_locally().args(args)).not_verified("timed out after 1 s");
    let text = receiver.received()[0].json()["text"].to_string();
    assert!(text.contains("NOT VERIFIED") && text.contains("timed out"), "{text}");
}

#[test]
fn a_second_interruption_ends_the_sending_and_nothing_else() {
    let receiver = Receiver::start(|request, _| match request.path.contains("/start") {
        true => Answer::status(200),
        false => Answer::Hang,
    });
    let place = place(&format!(
        "[notify]\ntimeout = \"10m\"\n[notify.ping]\nurl = \"{}\"\n",
        receiver.url("/p")
    ));
    let mut run = endless(&place);
    receiver.wait_for(1);
    run.interrupt();
    receiver.wait_for(2);
    interrupt_until_it_ends(&mut run);
    let (outcome, _) = run.end();
    outcome.not_verified("interrupted by SIGINT");
    let warning = format!("warning: the ping at {} was not told: interrupted", receiver.host());
    assert!(outcome.stderr.contains(&warning), "{outcome}");
    assert!(!outcome.stderr.contains("without cleaning up"), "{outcome}");
}

#[test]
fn an_interruption_of_the_sending_leaves_the_verdict_as_it_is() {
    let receiver = Receiver::start(|_, _| Answer::Hang);
    let config = format!(
        "[notify]\ntimeout = \"10m\"\n[notify.webhook]\nurl = \"{}\"\n[notify.command]\nrun = \"sleep 600\"\n",
        receiver.url("/x")
    );
    let place = place(&config);
    let mut run = Running::verify_locally(&place, &["bad.sql"]);
    receiver.wait_for(1);
    interrupt_until_it_ends(&mut run);
    let (outcome, _) = run.end();
    outcome.failed("empty");
    for who in [&format!("the webhook at {}", receiver.host()), "the command of [notify.command]"] {
        let warning = format!("warning: {who} was not told: interrupted");
        assert!(outcome.stderr.contains(&warning), "{outcome}");
    }
}
