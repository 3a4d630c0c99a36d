//! A dead man's switch hears that a run begins, and with which exit code it ended.

use super::{place, told, verify};
use crate::support::receiver::{Answer, Receiver};
use crate::support::{Place, database};

/// What came since the last time: the path, and the id of the run.
fn come(receiver: &Receiver, seen: &mut usize) -> Vec<(String, String)> {
    let new = receiver.received().split_off(*seen);
    *seen += new.len();
    let parts =
        |path: &str| path.split_once("?create=1&rid=").map(|(a, b)| (a.to_owned(), b.to_owned()));
    new.iter().map(|it| parts(&it.path).unwrap_or_else(|| panic!("{}", it.path))).collect()
}

fn config(receiver: &Receiver) -> String {
    format!("[notify.ping]\nurl = \"{}\"\n", receiver.url("/ping/key/slug?create=1"))
}

#[test]
fn a_dead_mans_switch_hears_of_the_beginning_and_of_the_exit_code_of_the_same_run() {
    let receiver = Receiver::taking();
    let place = place(&config(&receiver));
    let mut seen = 0;
    let mut ended_with = |code: &str| {
        let come = come(&receiver, &mut seen);
        let paths: Vec<&str> = come.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["/ping/key/slug/start", &format!("/ping/key/slug/{code}")]);
        assert_eq!(come[0].1, come[1].1, "one run");
        uuid::Uuid::parse_str(&come[0].1).unwrap();
    };
    let bad = verify(&place, &[]);
    told(&bad, &format!("the ping at {}", receiver.host()));
    ended_with("1");
    let text = receiver.received().last().unwrap().body.clone();
    assert!(text.contains("FAILED: bad.sql: ") && text.contains("\nhint: "), "{text}");
    let missing = place.outcome(place.verify_locally().arg("missing.sql"));
    missing.not_verified("missing.sql");
    ended_with("2");
    let made = place.outcome(place.create(&database()).arg("good.sql"));
    assert_eq!(made.code, 0, "{made}");
    ended_with("0");
    // Settings that make no sense end a run before it has begun its work: it is heard of all the same.
    let wrong =
        place.outcome(place.verify_locally().args(["bad.sql", "--metrics-file", "nowhere/x.prom"]));
    assert_eq!(wrong.code, 2, "{wrong}");
    ended_with("2");
    let body = receiver.received().last().unwrap().body.clone();
    assert!(body.contains("nowhere is not a directory"), "{body}");
}

#[test]
fn a_switch_that_takes_no_beginnings_hears_of_the_end_alone() {
    let receiver = Receiver::taking();
    let place = place(&format!("{}start = false\n", config(&receiver)));
    verify(&place, &[]);
    assert_eq!(receiver.paths(), ["/ping/key/slug/1"]);
}

#[test]
fn a_beginning_that_could_not_be_told_is_said_and_the_end_is_told_all_the_same() {
    let receiver = Receiver::start(|request, _| {
        Answer::status(if request.path.contains("/start") { 404 } else { 200 })
    });
    let place = place(&config(&receiver));
    let outcome = verify(&place, &[]);
    super::untold(&outcome, &format!("the ping at {}", receiver.host()), "404 Not Found");
    assert_eq!(receiver.paths(), ["/ping/key/slug/start", "/ping/key/slug/1"]);
}

#[test]
fn each_command_can_have_a_switch_of_its_own() {
    let receiver = Receiver::taking();
    let place = Place::without_docker();
    place.file("bad.sql", b"");
    let switch = |command: &str| {
        format!(
            "[[notify.ping]]\nurl = \"{}\"\ncommands = [\"{command}\"]\n",
            receiver.url(&format!("/{command}"))
        )
    };
    place.file("ccc-backup.toml", [switch("create"), switch("verify")].concat().as_bytes());
    verify(&place, &[]);
    assert_eq!(receiver.paths(), ["/verify/start", "/verify/1"]);
}
