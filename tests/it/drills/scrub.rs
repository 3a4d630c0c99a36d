//! Drills that read every byte, and restore nothing.

use serde_json::Value;

use super::{create, report, rot, runs, verdicts};
use crate::sealed::key;
use crate::signing;
use crate::support::s3::seaweed;
use crate::support::{Outcome, Place};

/// Reads every byte in these places beside `./backups`. There is no Docker to be asked.
fn scrub(place: &Place, args: &[&str]) -> Outcome {
    let mut command = place.ccc();
    command.args(["drill", "--file-only"]).args(args).envs(seaweed().environment());
    Outcome::of(&command.env("DOCKER_HOST", "tcp://127.0.0.1:1").output().unwrap())
}

/// What `list` says was proven of a backup in a directory.
fn proven(place: &Place, dir: &str, name: &str) -> Value {
    let listed = place.ccc().args(["list", "--format", "json", "--backup-dir", dir]).output();
    let listed: Value = serde_json::from_slice(&listed.unwrap().stdout).unwrap();
    let is_it = |backup: &&Value| backup["name"] == name;
    listed["backups"].as_array().unwrap().iter().find(is_it).unwrap()["proven"].clone()
}

#[test]
fn what_nothing_is_known_of_is_not_verified_and_a_signature_is_asked_for_where_signers_are_named() {
    let place = Place::without_docker();
    signing::key(&place, "s");
    place.file("allowed", signing::line(&place, "", "s").as_bytes());
    create(&place, &["backups/signed.sql.gz", "--sign-key", "s"]);
    create(&place, &["backups/unsigned.sql.gz"]);
    place.file("backups/foreign.sql", b"-- no manifest says what this was\n");
    let outcome = scrub(&place, &[]);
    assert_eq!(outcome.code, 2, "{outcome}");
    outcome.says("Intact: 2").says("Not verified: 1");
    assert!(outcome.stdout.contains("nothing says what its bytes were"), "{outcome}");
    std::fs::remove_file(place.dir().join("backups/foreign.sql")).unwrap();
    let signed = scrub(&place, &["--allowed-signers", "allowed", "--report", "r.json"]);
    assert_eq!(signed.code, 1, "{signed}");
    assert!(signed.stdout.contains("unsigned.sql.gz is unsigned"), "{signed}");
    let proven: Vec<Value> = report(&place, "r.json")["backups"].as_array().unwrap().clone();
    let of_signed = proven.iter().find(|it| it["backup"] == "signed.sql.gz").unwrap();
    let titles = of_signed["result"]["proven"].to_string();
    assert!(titles.contains("Signature: signed by"), "{titles}");
    // A manifest that is damaged is proof.
    rot(&place, "backups/signed.sql.gz.manifest.json");
    let damaged = scrub(&place, &[]);
    assert_eq!(damaged.code, 1, "{damaged}");
    assert!(damaged.stdout.contains("signed.sql.gz in ./backups: DAMAGED"), "{damaged}");
}

#[test]
fn a_sample_is_read_and_the_longest_unread_comes_first() {
    let place = Place::without_docker();
    for day in ["10", "11", "12", "13"] {
        create(&place, &[&format!("backups/backup_202601{day}_020000.sql")]);
    }
    let read = |outcome: &Outcome| -> Vec<String> {
        let day = |line: &str| Some(line.strip_prefix("Reading backup_202601")?[..2].to_owned());
        outcome.stdout.lines().filter_map(day).collect()
    };
    assert_eq!(read(&scrub(&place, &["--sample", "1"])), ["13", "12"]);
    assert_eq!(read(&scrub(&place, &["--sample", "1"])), ["11", "13"]);
    assert_eq!(read(&scrub(&place, &["--sample", "1"])), ["10", "13"]);
    assert_eq!(read(&scrub(&place, &[])), ["12", "11", "10", "13"]);
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn every_byte_of_every_backup_and_copy_is_read_whatever_its_format_sealed_or_not() {
        let place = Place::without_docker();
        let recipient = key(&place, "k");
        let far = format!("s3://{}/p", seaweed().bucket());
        for (name, more) in [
            ("a.sql.gz", &["--globals"][..]),
            ("b.dump", &[]),
            ("c.dir", &[]),
            ("d.sql.gz.age", &["--encrypt-to", &recipient]),
            ("e.dir.age", &["--encrypt-to", &recipient]),
        ] {
            let file = format!("backups/{name}");
            create(&place, &[&[file.as_str()], more].concat());
        }
        let brought = place.ccc().args(["copy", "backups", "copies", "--missing"]).output();
        assert_eq!(Outcome::of(&brought.unwrap()).code, 0);
        let mut brought = place.ccc();
        brought.args(["copy", "backups", &far, "--missing"]).envs(seaweed().environment());
        assert_eq!(Outcome::of(&brought.output().unwrap()).code, 0);

        // Neither keys nor a server are there.
        let places = ["--places", "copies", &far, "--report", "scrub.json"];
        let intact = scrub(&place, &places);
        assert_eq!((intact.code, intact.stderr.as_str()), (0, ""), "{intact}");
        intact.says("✅ ALL BYTES ARE INTACT").says("Intact: 15");
        let found = report(&place, "scrub.json");
        assert!(found["file_only"].as_bool().unwrap());
        let open = found["backups"][0]["result"]["not_proven"].to_string();
        assert!(open.contains("The restore: not run to its end"), "{open}");
        let globals = &found["backups"].as_array().unwrap().iter();
        let titles = globals.clone().map(|backup| backup["result"]["proven"].to_string());
        assert_eq!(
            titles.filter(|titles| titles.contains("Roles and tablespaces match")).count(),
            3
        );
        let passed = runs(&place, "backups");
        assert_eq!(passed.iter().filter(|run| *run == "scrub passed").count(), 5, "{passed:?}");
        assert_eq!(proven(&place, "./backups", "a.sql.gz"), Value::Null, "bytes are no restore");
        let shown = place.outcome(place.ccc().args(["history", "--limit", "1"]));
        assert!(shown.stdout.contains("bytes intact"), "{shown}");

        // A bit rots in each of the copies, and in the roles beside one.
        let toc = std::fs::read_dir(place.dir().join("copies/c.dir")).unwrap();
        let member =
            toc.map(|entry| entry.unwrap().file_name().into_string().unwrap()).min().unwrap();
        for file in ["a.globals.sql", "b.dump", &format!("c.dir/{member}"), "d.sql.gz.age"] {
            rot(&place, &format!("copies/{file}"));
        }
        let damaged = scrub(&place, &["--places", "copies", "--report", "scrub.json"]);
        assert_eq!(damaged.code, 1, "{damaged}");
        damaged.says("❌ DAMAGE WAS FOUND").says("Intact: 6").says("Failed: 4");
        assert!(damaged.stdout.contains(&format!("{member} is not what was written")), "{damaged}");
        assert!(damaged.stdout.contains("Roles and tablespaces do not match"), "{damaged}");
        let bad: Vec<String> = verdicts(&report(&place, "scrub.json"));
        let bad = bad.iter().filter(|line| line.ends_with("failed"));
        let mut bad: Vec<&str> = bad.filter_map(|line| line.split(' ').next()).collect();
        bad.sort_unstable();
        assert_eq!(
            bad,
            ["copies/a.sql.gz", "copies/b.dump", "copies/c.dir", "copies/d.sql.gz.age"]
        );
        assert_eq!(proven(&place, "copies", "b.dump"), Value::Bool(false), "other bytes are proof");
        assert_eq!(proven(&place, "./backups", "b.dump"), Value::Null, "of the copy alone");
    }
}
