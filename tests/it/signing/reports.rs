//! A report is signed as a backup is, and its signature passes for nothing else.

use super::{MANIFEST, Told as _, key, keygen_verify, line};
use crate::support::{Place, text};

const REPORT: &str = "ccc-backup-report";

#[test]
fn a_signed_report_is_taken_by_ssh_keygen_as_a_report_and_as_nothing_else() {
    let place = Place::without_docker();
    key(&place, "k");
    place.file("allowed", line(&place, "", "k").as_bytes());
    place.file("x.sql", b"no dump");
    let args = ["x.sql", "--report", "r.json", "--sign-report", "--sign-key", "k"];
    for _ in 0..2 {
        let outcome = place.outcome(place.verify().args(args));
        assert_eq!(outcome.code, 1, "{outcome}");
        let output = keygen_verify(&place, "r.json", REPORT, &[]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(!keygen_verify(&place, "r.json", MANIFEST, &[]).status.success());
    }
    // A report without a signature does not stand beside that of an earlier one: it would not fit.
    place.outcome(place.verify().args(&args[..3]));
    assert!(!keygen_verify(&place, "r.json", REPORT, &[]).status.success());
}

#[test]
fn a_report_is_signed_only_where_there_is_one_and_a_key() {
    let place = Place::without_docker();
    place.file("x.sql", b"no dump");
    key(&place, "k");
    for (args, cause) in [
        (&["--sign-report"][..], "--report"),
        (&["--sign-report", "--report", "r.json"], "--sign-report needs a key"),
        (&["--sign-report", "--report", "r.json", "--sign-key", "nothing"], "the key nothing"),
    ] {
        let outcome = place.outcome(place.verify().arg("x.sql").args(args));
        assert_eq!(outcome.code, 2, "{outcome}");
        assert!(outcome.stderr.contains(cause), "{outcome}");
    }
    place.file("r.json.sig", b"something else");
    let args = ["x.sql", "--sign-report", "--report", "r.json", "--sign-key", "k"];
    let outcome = place.outcome(place.verify().args(args));
    assert_eq!(outcome.code, 2, "{outcome}");
    outcome.blames("r.json.sig is there and is no earlier report");
}
