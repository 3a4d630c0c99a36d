//! A command of the operator's: the document on its standard input, the facts in its environment.

use serde_json::Value;

use super::{place, told, untold, verify};

const WHO: &str = "the command of [notify.command]";

#[test]
fn a_command_reads_the_document_and_has_the_facts_in_its_environment() {
    let place =
        place("[notify.command]\nrun = \"cat >document; env | grep ^CCC_BACKUP_ | sort >facts\"\n");
    told(&verify(&place, &[]), WHO);
    let read = |name: &str| std::fs::read_to_string(place.dir().join(name)).unwrap();
    let document: Value = serde_json::from_str(&read("document")).unwrap();
    assert_eq!((&document["command"], &document["exit_code"]), (&"verify".into(), &1.into()));
    assert_eq!(document["report"]["verdict"], "failed");
    let facts = read("facts");
    let text = document["text"].as_str().unwrap();
    let run = document["run_id"].as_str().unwrap();
    let cause = document["causes"][0].as_str().unwrap();
    for fact in [
        "COMMAND=verify",
        "VERDICT=failed",
        "EXIT_CODE=1",
        "FILE=bad.sql",
        &format!("TEXT={text}"),
        &format!("RUN_ID={run}"),
        &format!("CAUSE={cause}"),
    ] {
        assert!(
            facts.lines().any(|line| line == format!("CCC_BACKUP_{fact}")),
            "no {fact}: {facts}"
        );
    }
}

#[test]
fn a_command_that_fails_hangs_writes_a_lot_or_does_not_read_changes_nothing() {
    for (run, why) in [
        ("exit 0", None),
        ("head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2", None),
        ("echo no route >&2; exit 3", Some("it ended with exit status: 3: no route")),
        ("no-such-program", Some("exit status: 127")),
        ("kill -9 $$", Some("signal: 9")),
        ("sleep 600", Some("it did not end within 2.0 s")),
    ] {
        let place =
            place(&format!("[notify]\ntimeout = \"2s\"\n[notify.command]\nrun = \"{run}\"\n"));
        let outcome = verify(&place, &[]);
        match why {
            None => told(&outcome, WHO),
            Some(why) => untold(&outcome, WHO, why),
        }
    }
}

#[test]
fn the_words_of_a_command_are_not_shown() {
    let place = place("[notify.command]\nrun = \"env:TELL\"\n");
    let mut command = place.verify_locally();
    command.args(["bad.sql", "--log-file", "log"]).env("TELL", "exit 1 # s3cret");
    let outcome = place.outcome(&mut command);
    outcome.failed("empty");
    untold(&outcome, WHO, "exit status: 1");
    let log = std::fs::read_to_string(place.dir().join("log")).unwrap();
    assert!(!format!("{outcome}{log}").contains("s3cret"), "{outcome}{log}");
}
