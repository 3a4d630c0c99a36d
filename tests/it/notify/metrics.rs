//! The metrics say whether those were told who were to be.

use super::{place, verify};
use crate::support::prometheus::{has, metrics_in, value};
use crate::support::receiver::{Answer, Receiver};

#[test]
fn a_failure_to_tell_is_counted_until_somebody_is_told_and_forgotten_with_who_was_to_be() {
    let receiver = Receiver::start(|_, before| Answer::status(if before < 2 { 404 } else { 200 }));
    let hook = format!("[notify.webhook]\nurl = \"{}\"\n", receiver.url("/x"));
    let place = place(&hook);
    let run = || {
        verify(&place, &["--metrics-file", "x.prom"]);
        metrics_in(&place.dir().join("x.prom"))
    };
    let labels = format!("{{command=\"verify\",kind=\"webhook\",host=\"{}\"}}", receiver.host());
    let failures = format!("backup_notification_failures_since_success{labels}");
    let last = format!("backup_notification_last_success_timestamp{labels}");
    for count in [1, 2] {
        let metrics = run();
        has(&metrics, &format!("{failures} {count}"));
        has(&metrics, &format!("{last} 0"));
    }
    let metrics = run();
    has(&metrics, &format!("{failures} 0"));
    assert!(value(&metrics, &last).unwrap() > 1_700_000_000, "{metrics}");
    // What other commands write leaves it as it is.
    let history = place.outcome(place.ccc().args([
        "history",
        "--backup-dir",
        ".",
        "--metrics-file",
        "x.prom",
    ]));
    assert_eq!(history.code, 0, "{history}");
    has(&metrics_in(&place.dir().join("x.prom")), &format!("{failures} 0"));
    place.file("ccc-backup.toml", b"");
    let metrics = run();
    assert!(!metrics.contains("backup_notification_"), "{metrics}");
    has(&metrics, r#"backup_verification_attempts_total{database="unknown"} 4"#);
}
