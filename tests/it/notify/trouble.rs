//! What can go wrong on the way: it is tried again where that may help, and never for ever.

use std::net::SocketAddr;

use super::{place, told, untold, verify};
use crate::support::receiver::{Answer, Receiver};

fn hook(url: &str) -> String {
    format!("[notify.webhook]\nurl = \"{url}\"\n")
}

#[test]
fn what_may_pass_is_tried_again_and_what_will_not_is_not() {
    let soon = || Answer::Status(429, vec![("Retry-After", "1".to_owned())]);
    let later = || Answer::Status(503, vec![("Retry-After", "3600".to_owned())]);
    let status = Answer::status;
    type Case = (Vec<Answer>, usize, Option<&'static str>);
    let cases: [Case; 8] = [
        (vec![status(500), status(503), status(204)], 3, None),
        (vec![soon(), status(200)], 2, None),
        (vec![Answer::Close, status(201)], 2, None),
        (
            vec![status(500), status(502), status(500), status(503)],
            4,
            Some("it answers 503 Service Unavailable"),
        ),
        (vec![later()], 1, Some("wants 1 h to pass first")),
        (vec![status(404)], 1, Some("it answers 404 Not Found: check its URL")),
        (vec![status(401)], 1, Some("it answers 401 Unauthorized: check its URL")),
        (vec![status(400)], 1, Some("it answers 400 Bad Request")),
    ];
    std::thread::scope(|scope| {
        for (answers, requests, why) in cases {
            scope.spawn(move || {
                let said = answers.clone();
                let receiver = Receiver::start(move |_, before| said.get(before).unwrap().clone());
                let place = place(&hook(&receiver.url("/x")));
                let outcome = verify(&place, &[]);
                let who = format!("the webhook at {}", receiver.host());
                match why {
                    None => told(&outcome, &who),
                    Some(why) => untold(&outcome, &who, why),
                }
                let received = receiver.received();
                assert_eq!(received.len(), requests, "{answers:?}");
                assert!(received.iter().all(|it| it.json()["exit_code"] == 1), "each has the body");
            });
        }
    });
}

#[test]
fn a_redirect_is_not_followed_and_where_it_leads_is_named_without_its_path() {
    let other = Receiver::taking();
    for status in [301, 302, 307, 308] {
        let location = other.url_of("localhost", "/s3cret");
        let answer = Answer::Status(status, vec![("Location", location)]);
        let receiver = Receiver::start(move |_, _| answer.clone());
        let place = place(&format!(
            "{}headers = {{ Authorization = \"s3cret\" }}\n",
            hook(&receiver.url("/x"))
        ));
        let outcome = verify(&place, &[]);
        let who = format!("the webhook at {}", receiver.host());
        untold(&outcome, &who, "it redirects to localhost, where nothing is sent");
        assert!(!format!("{outcome}").contains("s3cret"), "{outcome}");
        assert_eq!((receiver.connections(), other.connections()), (1, 0));
    }
}

#[test]
fn one_that_hangs_holds_nothing_up_for_longer_than_it_may() {
    let (hangs, takes) = (Receiver::start(|_, _| Answer::Hang), Receiver::taking());
    let config = format!(
        "[notify]\ntimeout = \"1s\"\n[[notify.webhook]]\nurl = \"{}\"\n[[notify.webhook]]\nurl = \"{}\"\n",
        hangs.url("/x"),
        takes.url("/x")
    );
    let place = place(&config);
    let outcome = verify(&place, &[]);
    outcome.says(&format!("✓ Told the webhook at {}", takes.host()));
    let warning =
        format!("the webhook at {} was not told: it does not answer in time", hangs.host());
    assert!(outcome.stderr.contains(&warning), "{outcome}");
}

#[test]
fn one_that_is_not_there_is_named_and_changes_nothing() {
    // Bound, so that nobody else listens there, and not listening.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let port = socket.local_addr().unwrap().port();
    let place = place(&hook(&format!("http://127.0.0.1:{port}/s3cret")));
    let outcome = verify(&place, &[]);
    untold(&outcome, &format!("the webhook at 127.0.0.1:{port}"), "Connection refused");

    place.file(
        "ccc-backup.toml",
        format!("[notify]\ntimeout = \"2s\"\n{}", hook("https://no-such-host.invalid/s3cret"))
            .as_bytes(),
    );
    let outcome = verify(&place, &[]);
    // A resolver without a network may not even say no in time.
    untold(&outcome, "the webhook at no-such-host.invalid", "");
    assert!(!format!("{outcome}").contains("s3cret"), "{outcome}");
}

#[test]
fn what_cannot_work_is_said_before_the_work_and_nothing_is_done() {
    for (config, words, hint) in [
        (
            "[notify.webhook]\nurl = \"env:NO_SUCH_VARIABLE\"\n",
            "notify.webhook.url is to be what the variable NO_SUCH_VARIABLE has, which is not set",
            "--no-notify",
        ),
        (
            "[notify.webhook]\nurl = \"https://h/x\"\non = [\"fail\"]\n",
            "ccc-backup.toml, line 3: unknown variant `fail`",
            "did you mean failed?",
        ),
        ("[notify.command]\nrunn = \"x\"\n", "line 2: unknown field `runn`", "did you mean run?"),
        (
            "[notify]\nwebhook = \"https://h/s3cret\"\n",
            "line 2: a table is expected here",
            "configuration.md",
        ),
        (
            "[notify.ping]\nurl = \"https://h/x\"\nca_file = \"bad.sql\"\n",
            "bad.sql cannot be used: it holds no certificate",
            "PEM",
        ),
    ] {
        let place = place(config);
        for args in [&["verify", "bad.sql"][..], &["create", "x.sql"]] {
            let outcome = place.outcome(place.ccc().args(args));
            assert_eq!((outcome.code, &*outcome.stdout), (2, ""), "{outcome}");
            assert!(outcome.stderr.contains(words), "{outcome}");
            assert!(!outcome.stderr.contains("s3cret"), "{outcome}");
            outcome.hints(hint);
        }
        assert_eq!(place.names("."), ["bad.sql", "ccc-backup.toml"], "nothing was done");
    }
}
