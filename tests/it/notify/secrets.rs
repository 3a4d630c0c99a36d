//! What a URL or a header holds is seen by whoever it is for, and by nobody else.

use super::{place, untold};
use crate::support::receiver::{Answer, Receiver};

const SECRET: &str = "s3cret-0f-a-hook";

#[test]
fn secrets_of_urls_and_headers_are_in_no_output_log_report_metric_or_history() {
    let receiver = Receiver::start(|_, _| Answer::status(500));
    let url = receiver.url(&format!("/{SECRET}?{SECRET}={SECRET}"));
    let with_user = url.replace("http://", &format!("http://{SECRET}:{SECRET}@"));
    let config = format!(
        "[notify.webhook]\nurl = \"env:HOOK\"\nheaders = {{ X-Key = \"{SECRET}\" }}\n\
         [notify.ping]\nurl = \"{with_user}\"\n"
    );
    let place = place("");
    let etc = tempfile::tempdir().unwrap();
    let file = etc.path().join("own.toml");
    std::fs::write(&file, config).unwrap();
    let mut command = place.verify_locally();
    command.args(["bad.sql", "--verbose", "--log-file", "log", "--report", "report.json"]);
    command.args(["--junit", "junit.xml", "--metrics-file", "x.prom", "--config"]).arg(&file);
    let outcome = place.outcome(command.env("HOOK", &url).env("RUST_LOG", "trace"));
    outcome.failed("empty");
    untold(&outcome, &format!("the webhook at {}", receiver.host()), "500");
    assert!(receiver.received().iter().all(|it| it.path.contains(SECRET)));
    assert!(receiver.received().iter().any(|it| it.header("authorization").is_some()));
    assert!(outcome.stderr.contains("TRACE"), "it is as chatty as it can be: {outcome}");
    assert!(!format!("{outcome}").contains(SECRET), "{outcome}");
    let names = place.names(".");
    for name in ["history.jsonl", "junit.xml", "log", "report.json", "x.prom"] {
        assert!(names.contains(&name.to_owned()), "{names:?}");
    }
    for name in names {
        let text =
            String::from_utf8_lossy(&std::fs::read(place.dir().join(&name)).unwrap()).into_owned();
        assert!(!text.contains(SECRET), "{name}: {text}");
    }
}
