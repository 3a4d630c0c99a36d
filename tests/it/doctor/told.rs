//! Who is told of runs: reached without being told, and told where that is asked for.

use super::{doctor, looked};
use crate::support::Place;
use crate::support::receiver::{Answer, Receiver};

fn place(config: &str) -> Place {
    let place = Place::without_docker();
    place.file("ccc-backup.toml", config.as_bytes());
    place
}

#[test]
fn hosts_are_reached_and_nobody_is_told() {
    // Whatever it answers to a request for its first page.
    let receiver = Receiver::start(|_, _| Answer::status(404));
    let place = place(&format!(
        "[[notify.ping]]\nurl = \"{0}\"\n[[notify.ping]]\nurl = \"env:NOT_SET\"\n\
         [[notify.ping]]\nurl = \"http://no-such-host.invalid/s3cret\"\n[notify.webhook]\nurl = \"{0}\"\n\
         [notify.command]\nrun = \"touch told\"\n",
        receiver.url("/s3cret?s3cret")
    ));
    let found = looked(&place, &mut doctor(&place));
    found.ends(1).says("notifications.target_1", "works", "its host answers");
    found.says("notifications.target_2", "works", "its host answers");
    found.says("notifications.target_3", "broken", "the variable NOT_SET has, which is not set");
    found.says("notifications.target_4", "broken", "");
    found.says("notifications.target_5", "not_tried", "it was not run");
    let requests: Vec<_> = receiver.received().into_iter().map(|it| (it.verb, it.path)).collect();
    assert_eq!(
        requests,
        [("HEAD".to_owned(), "/".to_owned()), ("HEAD".to_owned(), "/".to_owned())]
    );
    assert!(!found.outcome.stdout.contains("s3cret") && place.names(".") == ["ccc-backup.toml"]);
}

#[test]
fn a_test_is_sent_where_that_is_asked_for_and_a_switch_stays_as_it_is() {
    let receiver = Receiver::start(|request, _| {
        Answer::status(if request.path == "/bad" { 410 } else { 200 })
    });
    let url = |path: &str| receiver.url(path);
    let place = place(&format!(
        "[[notify.webhook]]\nurl = \"{}\"\non = [\"failed\"]\n[[notify.webhook]]\nurl = \"{}\"\n\
         [notify.ping]\nurl = \"{}\"\ncommands = [\"copy\"]\n\
         [[notify.command]]\nrun = \"cat >told\"\n[[notify.command]]\nrun = \"echo no >&2; exit 1\"\n",
        url("/good"),
        url("/bad"),
        url("/ping")
    ));
    let found = looked(&place, doctor(&place).arg("--send-test"));
    found.ends(1).says("notifications.target_1", "works", "a test was sent, and taken");
    found.says("notifications.target_2", "broken", "410 Gone");
    found.says("notifications.target_3", "works", "taken").says(
        "notifications.target_4",
        "works",
        "taken",
    );
    found.says("notifications.target_5", "broken", "exit status: 1: no");
    let mut paths = receiver.paths();
    paths.sort();
    assert_eq!(paths, ["/bad", "/good", "/ping/log"]);
    let received = receiver.received();
    let body = received.iter().find(|it| it.path == "/good").unwrap().json();
    assert_eq!((&body["command"], &body["verdict"]), (&"doctor".into(), &"passed".into()));
    assert!(body["text"].as_str().unwrap().contains(": TEST: no run has ended"), "{body}");
    let told = std::fs::read_to_string(place.dir().join("told")).unwrap();
    assert!(told.contains("\"command\": \"doctor\""), "{told}");
}
