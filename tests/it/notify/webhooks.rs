//! A webhook is told what it wants to hear, with the report, after the verdict.

use serde_json::Value;

use super::{place, told, verify};
use crate::support::receiver::Receiver;
use crate::support::source::client;
use crate::support::{Place, database};

#[test]
fn a_webhook_is_told_of_a_bad_backup_with_the_report_and_the_headers_of_the_environment() {
    let receiver = Receiver::taking();
    let place = place(
        "[notify.webhook]\nurl = \"env:HOOK\"\n\
                       headers = { Authorization = \"env:TOKEN\", X-Team = \"ops\" }\n",
    );
    let mut command = place.verify_locally();
    command.args(["bad.sql", "--report", "report.json"]);
    command.env("HOOK", receiver.url("/services/s3cret?key=s3cret")).env("TOKEN", "Bearer s3cret");
    let outcome = place.outcome(&mut command);
    outcome.failed("empty");
    told(&outcome, &format!("the webhook at {}", receiver.host()));
    let last = outcome.stdout.lines().last().unwrap();
    assert!(last.starts_with("✓ Told "), "the verdict comes first: {outcome}");

    let received = receiver.received();
    assert_eq!(received.len(), 1, "{received:?}");
    let request = &received[0];
    assert_eq!((&*request.verb, &*request.path), ("POST", "/services/s3cret?key=s3cret"));
    for (name, value) in [
        ("content-type", "application/json"),
        ("authorization", "Bearer s3cret"),
        ("x-team", "ops"),
    ] {
        assert_eq!(request.header(name), Some(value));
    }
    assert!(request.header("user-agent").unwrap().starts_with("ccc-backup/"));
    let body = request.json();
    assert_eq!((&body["schema_version"], &body["command"]), (&1.into(), &"verify".into()));
    assert_eq!((&body["verdict"], &body["exit_code"]), (&"failed".into(), &1.into()));
    assert_eq!(body["backup"], "bad.sql");
    let text = body["text"].as_str().unwrap();
    assert!(
        text.starts_with("ccc-backup verify on ") && text.contains(": FAILED: bad.sql: "),
        "{text}"
    );
    assert!(body["causes"][0].as_str().unwrap().contains("empty"), "{body}");
    assert!(body["hint"].is_string() && body["run_id"].is_string(), "{body}");
    let report = std::fs::read(place.dir().join("report.json")).unwrap();
    assert_eq!(body["report"], serde_json::from_slice::<Value>(&report).unwrap());
}

#[test]
fn each_verdict_is_told_to_those_who_want_it_and_only_to_them() {
    let receiver = Receiver::taking();
    let hook = |path: &str, more: &str| {
        format!("[[notify.webhook]]\nurl = \"{}\"\n{more}\n", receiver.url(path))
    };
    let config = [
        hook("/bad-news", ""),
        hook("/all", "on = [\"passed\", \"failed\", \"not_verified\"]"),
        hook("/not-told", "on = [\"not_verified\"]"),
        hook("/copies", "commands = [\"copy\", \"cleanup\", \"restore\"]"),
    ];
    let place = place(&config.concat());
    let mut seen = 0;
    let mut paths = || {
        let mut new: Vec<String> = receiver.paths().split_off(seen);
        seen += new.len();
        new.sort();
        new
    };
    verify(&place, &[]);
    assert_eq!(paths(), ["/all", "/bad-news"]);
    let missing = place.outcome(place.verify_locally().arg("missing.sql"));
    missing.not_verified("missing.sql");
    assert_eq!(paths(), ["/all", "/bad-news", "/not-told"]);
    let made = place.outcome(place.create(&database()).arg("good.sql"));
    assert_eq!(made.code, 0, "{made}");
    assert_eq!(paths(), ["/all"]);
    let body = receiver.received().last().unwrap().json();
    assert_eq!((&body["command"], &body["verdict"]), (&"create".into(), &"passed".into()));
    assert_eq!((&body["backup"], &body["report"]), (&"good.sql.gz".into(), &Value::Null));
    assert_eq!(body["causes"], serde_json::json!([]));
    let copied = place.outcome(place.ccc().args(["copy", "nowhere", "there", "--missing"]));
    assert_eq!(copied.code, 2, "{copied}");
    assert_eq!(paths(), ["/copies"]);
    let cleaned = place.outcome(place.ccc().args([
        "cleanup",
        "--older-than",
        "1d",
        "--backup-dir",
        "nowhere",
    ]));
    assert_eq!(cleaned.code, 2, "{cleaned}");
    let body = receiver.received().last().unwrap().json();
    assert_eq!((&body["command"], &body["verdict"]), (&"cleanup".into(), &"not_verified".into()));
    assert!(body["causes"][0].as_str().unwrap().contains("nowhere"), "{body}");
    assert_eq!(paths(), ["/copies"]);
    verify(&place, &["--no-notify"]);
    assert_eq!(paths(), Vec::<String>::new());
}

#[test]
fn a_backup_that_could_not_be_made_is_told_with_its_reason_after_it_was_said() {
    let receiver = Receiver::taking();
    let place = place(&format!("[notify.webhook]\nurl = \"{}\"\n", receiver.url("/x")));
    let mut create = place.ccc();
    create.args(["create", "--host", "/nowhere", "--dbname", "ccc", "--pg-dump"]);
    let outcome = place.outcome(create.arg(client("pg_dump")));
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(outcome.stderr.contains("error: no backup was made"), "{outcome}");
    told(&outcome, &format!("the webhook at {}", receiver.host()));
    let body = receiver.received()[0].json();
    let cause = body["causes"][0].as_str().unwrap();
    assert!(outcome.stderr.contains(cause) && cause.starts_with("no backup was made"), "{body}");
}

#[test]
fn a_backup_on_standard_output_has_nothing_else_in_it() {
    let receiver = Receiver::taking();
    let place = Place::without_docker();
    let config = format!(
        "[notify.webhook]\nurl = \"{}\"\non = [\"passed\"]\n\
         [notify.command]\nrun = \"echo noise\"\non = [\"passed\"]\n",
        receiver.url("/x")
    );
    place.file("ccc-backup.toml", config.as_bytes());
    let made = place.outcome(place.create(&database()).args(["-", "--compress", "none"]));
    assert_eq!(made.code, 0, "{made}");
    assert!(!made.stdout.contains("noise") && !made.stdout.contains("Told"), "{made}");
    assert!(made.stderr.contains("✓ Told the webhook at "), "{made}");
    assert_eq!(receiver.paths(), ["/x"]);
}
