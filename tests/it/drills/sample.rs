//! Drills that restore.

use rustix::process::Signal;

use super::{create, report, rot, runs, verdicts};
use crate::interruption::endless_restore;
use crate::support::prometheus::{metrics_in, value};
use crate::support::s3::seaweed;
use crate::support::{Outcome, Place, Running, SOON, good_dump, unchanged_database};

const OLD: &str = "backup_20260110_020000.sql.gz";
const NEW: &str = "backup_20260111_020000.sql.gz";

/// `drill` with this test's container name.
fn drill(place: &Place, args: &[&str]) -> Outcome {
    let mut command = place.ccc();
    command.args(["drill", "--container-name", &place.container]).args(args);
    place.outcome(command.envs(seaweed().environment()))
}

#[test]
fn a_drill_that_is_interrupted_leaves_nothing_and_says_what_it_did_not_come_to() {
    let place = Place::new();
    place.file("backups/backup_20260111_020000.sql", &endless_restore());
    place.file("backups/backup_20260110_020000.sql", good_dump());
    let name = place.container.as_str();
    let args = ["drill", "--container-name", name, "--report", "r.json", "--log-file", "log"];
    let mut run = Running::start(&place, &args);
    run.wait_for("Verifying backup_20260111_020000.sql in ./backups (1 of 2)...");
    run.signal(Signal::INT);
    let (outcome, took) = run.end();
    assert_eq!(outcome.code, 2, "{outcome}");
    assert!(took < SOON, "{took:?}");
    outcome.says("Not verified: 1").says("Not reached: 1");
    assert!(outcome.stdout.contains("was not reached: interrupted by SIGINT"), "{outcome}");
    place.assert_nothing_left();
    assert_eq!(
        verdicts(&report(&place, "r.json")),
        [
            "./backups/backup_20260111_020000.sql not_verified",
            "./backups/backup_20260110_020000.sql not reached"
        ]
    );
    let log = std::fs::read_to_string(place.dir().join("log")).unwrap();
    assert!(log.contains("BACKUP RESTORE VERIFICATION"), "what happened in a turn is in the log");
    // It goes on with what it did not come to: the other was tried, and comes after it.
    let planned = drill(&place, &["--dry-run"]);
    let rows = planned.stdout.lines().filter(|line| line.trim().starts_with("backup_"));
    let order: Vec<&str> = rows.filter_map(|row| row.split_whitespace().next()).collect();
    assert_eq!(order, ["backup_20260110_020000.sql", "backup_20260111_020000.sql"], "{planned}");
}

#[test]
fn a_drill_has_no_backups_of_its_own_to_make_up_for_none() {
    let place = Place::without_docker();
    let drilled = drill(&place, &["--report", "r.json"]);
    assert_eq!(drilled.code, 2, "{drilled}");
    assert!(drilled.stdout.contains("backup directory not found: ./backups"), "{drilled}");
    assert_eq!(report(&place, "r.json")["verdict"], "not_verified");
    create(&place, &["backups/a.sql.gz"]);
    let conflicting = place.outcome(place.ccc().args(["drill", "--spool", "/tmp"]));
    assert_eq!(conflicting.code, 2, "{conflicting}");
    conflicting.hints("s3://");
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn a_drill_verifies_a_sample_in_every_place_and_goes_on_where_it_was() {
        let place = Place::on_a_lent_server();
        let bucket = seaweed().bucket();
        let far = format!("s3://{bucket}/p");
        let configuration =
            format!("[[copies]]\nplace = \"copies\"\n[[copies]]\nplace = \"{far}\"\n");
        place.file("ccc-backup.toml", configuration.as_bytes());
        for name in [OLD, NEW] {
            let mut create = place.create(unchanged_database());
            create.arg(format!("backups/{name}")).envs(seaweed().environment());
            assert_eq!(Outcome::of(&create.output().unwrap()).code, 0);
        }

        // The plan alone changes nothing.
        let planned = drill(&place, &["--dry-run", "--within", "2h"]);
        assert_eq!((planned.code, planned.stderr.as_str()), (0, ""), "{planned}");
        planned.says("Plan: 6 of 6 backups of 2 h").says("Nothing was verified (--dry-run)");
        planned.says("✓ copies: 2 backups, 0 proven");
        let row = |name: &str, there: &str| {
            let row = |line: &&str| line.trim().starts_with(name) && line.contains(there);
            assert!(planned.stdout.lines().any(|line| row(&line)), "{name} {there}: {planned}");
        };
        row(NEW, &far);
        row(OLD, "copies");
        assert_eq!(runs(&place, "backups"), ["create passed", "create passed"]);

        // One copy has rotted; all that was proven stays on record, and so does how long it took.
        rot(&place, &format!("copies/{OLD}"));
        let files = ["--rto", "45m", "--report", "drill.json", "--metrics-file", "ccc.prom"];
        let drilled = drill(&place, &files);
        assert_eq!(drilled.code, 1, "{drilled}");
        drilled.says("❌ DRILL FAILED").says("Passed: 5").says("Failed: 1");
        assert!(drilled.stdout.contains(&format!("✗ {OLD} in copies: FAILED")), "{drilled}");
        assert!(drilled.stdout.contains("(45 min allowed)"), "{drilled}");
        let found = report(&place, "drill.json");
        let expected = [
            format!("./backups/{NEW} passed"),
            format!("copies/{NEW} passed"),
            format!("{far}/{NEW} passed"),
            format!("./backups/{OLD} passed"),
            format!("copies/{OLD} failed"),
            format!("{far}/{OLD} passed"),
        ];
        assert_eq!(verdicts(&found), expected);
        assert_eq!((&found["exit_code"], &found["rto_seconds"]), (&1.into(), &2700.0.into()));
        let proven = found["backups"][2]["result"]["proven"].to_string();
        assert!(proven.contains("It restores into PostgreSQL 15"), "{proven}");
        assert!(proven.contains("Restore took"), "{proven}");
        assert_eq!(runs(&place, "copies")[2..], ["verify passed", "verify failed"]);
        assert_eq!(runs(&place, "backups").len(), 4);
        let metrics = metrics_in(&place.dir().join("ccc.prom"));
        let name = &unchanged_database().name;
        let of = |metric: &str, labels: &str| {
            value(&metrics, &format!("{metric}{{database=\"{name}\"{labels}}}"))
        };
        assert_eq!(of("backup_verification_attempts_total", ""), Some(2), "those of the home");
        assert_eq!(of("backup_rto_seconds", ""), Some(2700));
        for (place, proven) in [("copies", 1), (&far, 2)] {
            let labels = format!(",place=\"{place}\"");
            assert_eq!(of("backup_copies_proven", &labels), Some(proven), "{place}");
        }

        // What was proven is now expected to take as long, and the oldest proof comes first; what is bad comes last.
        let again = drill(&place, &["--dry-run", "--all"]);
        let rows = again.stdout.lines().filter(|line| line.trim().starts_with("backup_"));
        let order: Vec<&str> = rows.filter_map(|row| row.split_whitespace().nth(1)).collect();
        assert_eq!(order, ["./backups", "copies", &far, "./backups", &far, "copies"], "{again}");
        assert!(again.stdout.contains("BAD") && !again.stdout.contains("not known"), "{again}");
        assert!(again.stdout.contains("Plan: 6 of 6 backups, about "), "{again}");

        // Nothing is begun that would not end in time, and what was not reached has not passed.
        let late = drill(&place, &["--within", "1ms", "--report", "late.json"]);
        assert_eq!(late.code, 2, "{late}");
        late.says("⚠️ NOT VERIFIED").says("Not reached: 6").says("Passed: 0");
        assert!(late.stdout.contains("(--within)"), "{late}");
        assert_eq!(runs(&place, "backups").len(), 4, "nothing was tried");
    }

    #[test]
    fn several_at_once_have_a_server_each_and_a_place_without_backups_is_not_verified() {
        let place = Place::new();
        for (name, dump) in [("a", good_dump()), ("b", b"")] {
            place.file(&format!("backups/{name}.sql"), dump);
        }
        place.file("backups/c.sql", good_dump());
        std::fs::create_dir(place.dir().join("empty")).unwrap();
        let args =
            ["--all", "--at-once", "2", "--places", "empty", "no/such", "--report", "r.json"];
        let drilled = drill(&place, &args);
        assert_eq!(drilled.code, 1, "{drilled}");
        drilled.says("Passed: 2").says("Failed: 1").says("✗ empty: there is no backup");
        assert!(drilled.stdout.contains("no/such: backup directory not found"), "{drilled}");
        let found = report(&place, "r.json");
        assert_eq!(found["places"][1]["obstacle"]["cause"], "there is no backup");
        // Without the bad one, it could not be told of the other places.
        std::fs::remove_file(place.dir().join("backups/b.sql")).unwrap();
        let drilled = drill(&place, &["--sample", "0", "--places", "empty", "--quiet"]);
        assert_eq!((drilled.code, drilled.stdout.lines().count()), (2, 1), "{drilled}");
        assert!(drilled.stdout.starts_with("⚠️ NOT VERIFIED: empty: "), "{drilled}");
    }
}
