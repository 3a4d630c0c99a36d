//! What is remembered of a backup that was verified: `list`, `cleanup`, `history` and the metrics ask
//! one memory, by the file's checksum, wherever the run was started. And `--require-proof`, which
//! passes nothing that was not proven.

use std::path::Path;

use chrono::{Duration, Utc};
use serde_json::Value;

use crate::support::{Outcome, Place, good_dump, unchanged_database};

/// The name that `create` gave a backup this long ago.
fn aged(days: i64) -> String {
    (Utc::now() - Duration::days(days)).format("backup_%Y%m%d_%H%M%S.sql.gz").to_string()
}

fn run(place: &Place, args: &[&str]) -> Outcome {
    place.outcome(place.ccc().args(args))
}

fn verified(place: &Place, args: &[&str]) -> Outcome {
    place.outcome(place.verify().args(args))
}

/// Makes a backup in a directory of the place, and gives its name.
fn made(place: &Place, dir: &str) -> String {
    let mut create = place.create(unchanged_database());
    let outcome = place.outcome(create.args(["--backup-dir", dir]));
    assert_eq!(outcome.code, 0, "{outcome}");
    let is_backup = |name: &String| name.starts_with("backup_") && name.ends_with(".gz");
    place.names(dir).into_iter().find(is_backup).unwrap()
}

/// Moves a backup with its manifest.
fn moved(place: &Place, from: &str, to: &str) {
    for suffix in ["", ".manifest.json"] {
        let path = |name: &str| place.dir().join(format!("{name}{suffix}"));
        if let Some(dir) = path(to).parent() {
            std::fs::create_dir_all(dir).unwrap();
        }
        std::fs::rename(path(from), path(to)).unwrap();
    }
}

/// What `list` says of a backup.
fn listed(place: &Place, dir: &str, name: &str) -> Value {
    let outcome = run(place, &["list", "--backup-dir", dir, "--format", "json"]);
    let list: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let backups = list["backups"].as_array().unwrap();
    let found = backups.iter().find(|backup| backup["name"] == *name);
    found.unwrap_or_else(|| panic!("no {name}: {outcome}")).clone()
}

#[track_caller]
fn is_listed_as(place: &Place, dir: &str, name: &str, proven: impl Into<Value>) {
    assert_eq!(listed(place, dir, name)["proven"], proven.into(), "{name} in {dir}");
}

/// A line of a metrics file that begins so, without its beginning.
fn metric(place: &Place, file: &str, line: &str) -> Option<String> {
    let text = std::fs::read_to_string(place.dir().join(file)).unwrap();
    text.lines().find_map(|there| there.strip_prefix(line)).map(|value| value.trim().to_owned())
}

#[test]
fn a_backup_that_passed_by_way_of_another_directory_is_kept_by_a_clean_up_of_its_own() {
    let place = Place::on_a_lent_server();
    let name = made(&place, "backups/database");
    let latest = ["--latest", "--backup-dir", "backups", "--require-proof"];
    verified(&place, &[&latest[..], &["--metrics-file", "verify.prom"]].concat()).passed();
    is_listed_as(&place, "backups", &format!("database/{name}"), true);
    is_listed_as(&place, "backups/database", &name, true);

    // The run is on record in both, numbered in each, and counted in one.
    let history = |dir: &str| place.dir().join(dir).join("history.jsonl");
    let lines = |dir: &str| {
        let text = std::fs::read_to_string(history(dir)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    let (above, beside) = (lines("backups"), lines("backups/database"));
    assert_eq!((above.len(), beside.len()), (1, 2));
    assert_eq!((&above[0]["run"], &above[0]["directory"]), (&1.into(), &"database".into()));
    assert_eq!((&beside[1]["run"], &beside[1]["copy"]), (&2.into(), &true.into()));
    assert_eq!(above[0]["sha256"], beside[0]["sha256"]);
    let of = format!("{{database=\"{}\"}}", unchanged_database().name);
    let attempts = format!("backup_verification_attempts_total{of}");
    assert_eq!(metric(&place, "verify.prom", &attempts).as_deref(), Some("1"));
    let shown = run(&place, &["history", "--backup-dir=backups"]);
    shown.says("More runs are on record in backups/database: --backup-dir");
    run(&place, &["history", "--backup-dir=backups/database", "--metrics-file=create.prom"]);
    assert_eq!(metric(&place, "create.prom", &attempts), None);

    // Months later, by either history alone.
    for lost in ["backups", "backups/database"] {
        let (old, newer) = (aged(40), aged(35));
        let dir = format!("{lost}-lost/database");
        moved(&place, &format!("backups/database/{name}"), &format!("{dir}/{old}"));
        place.file(&format!("{dir}/{newer}"), b"not verified");
        for near in ["backups", "backups/database"] {
            if near != lost {
                let to = near.replacen("backups", &format!("{lost}-lost"), 1);
                std::fs::copy(history(near), history(&to)).unwrap();
            }
        }
        let outcome = run(&place, &["cleanup", "--older-than=30d", "--backup-dir", &dir]);
        outcome.says(&format!("keep    {old}  (the newest that passed verification)"));
        outcome.says("Removed: 0 (0 bytes), kept: 2");
        // And by no history, it goes.
        for near in [format!("{lost}-lost"), dir.clone()] {
            let _ = std::fs::remove_file(history(&near));
        }
        let outcome =
            run(&place, &["cleanup", "--older-than=30d", "--dry-run", "--backup-dir", &dir]);
        outcome.says(&format!("would remove  {old}  (40 days old)"));
        moved(&place, &format!("{dir}/{old}"), &format!("backups/database/{name}"));
    }
}

#[test]
fn a_verdict_follows_the_bytes_through_copies_renames_links_and_rot() {
    let place = Place::on_a_lent_server();
    let name = made(&place, "backups");
    let backup = format!("backups/{name}");
    verified(&place, &[&backup]).passed();

    // A copy with its manifest is proven by any name that a backup has; without one it may be anything.
    for suffix in ["", ".manifest.json"] {
        let copy = |to: &str| {
            let path = place.file(&format!("{to}{suffix}"), b"");
            std::fs::copy(place.dir().join(format!("{backup}{suffix}")), path).unwrap();
        };
        copy("backups/copy.sql.gz");
        copy(&format!("backups/archive/{name}"));
        if suffix.is_empty() {
            copy("backups/bare.sql.gz");
        }
    }
    std::os::unix::fs::symlink(&name, place.dir().join("backups/newest.sql.gz")).unwrap();
    is_listed_as(&place, "backups", "copy.sql.gz", true);
    is_listed_as(&place, "backups", &format!("archive/{name}"), true);
    is_listed_as(&place, "backups", "newest.sql.gz", true);
    is_listed_as(&place, "backups", "bare.sql.gz", Value::Null);

    // Through a link, the run is on record where the file is.
    std::fs::create_dir(place.dir().join("links")).unwrap();
    let link = place.dir().join("links/today.sql.gz");
    std::os::unix::fs::symlink(place.dir().join("backups/bare.sql.gz"), link).unwrap();
    verified(&place, &["links/today.sql.gz"]).passed();
    is_listed_as(&place, "backups", "bare.sql.gz", true);
    is_listed_as(&place, "links", "today.sql.gz", true);

    // The disk changes a byte: of the same size, with the same manifest, and proven bad.
    let path = place.dir().join(&backup);
    let sound = std::fs::read(&path).unwrap();
    let mut rotten = sound.clone();
    let middle = rotten.len() / 2;
    rotten[middle] ^= 1;
    std::fs::write(&path, &rotten).unwrap();
    verified(&place, &[&backup]).failed("Checksum does not match the manifest");
    is_listed_as(&place, "backups", &name, false);
    is_listed_as(&place, "backups", "copy.sql.gz", true);
    is_listed_as(&place, "backups", &format!("archive/{name}"), true);
    let shown = run(&place, &["list"]);
    let line = shown.stdout.lines().find(|line| line.starts_with(&name)).unwrap();
    assert!(line.contains("FAILED"), "{shown}");
    // Put back it may be what it was, and verified it is.
    std::thread::sleep(std::time::Duration::from_secs(2));
    std::fs::write(&path, sound).unwrap();
    is_listed_as(&place, "backups", &name, Value::Null);
    verified(&place, &[&backup]).passed();
    is_listed_as(&place, "backups", &name, true);
}

#[test]
fn a_missed_rto_fails_the_run_and_leaves_the_backup_proven() {
    let place = Place::on_a_lent_server();
    let name = aged(40);
    place.file(&format!("backups/{name}"), good_dump());
    place.file(&format!("backups/{}", aged(35)), b"not verified");
    let backup = format!("backups/{name}");
    let args = [&backup, "--rto", "0s", "--metrics-file", "x.prom", "--report", "x.json"];
    let outcome = verified(&place, &args);
    outcome.failed("longer than the 0 ms allowed (--rto)").hints("the backup is sound");
    outcome.says("Backup can be restored successfully, but not in the time allowed");
    let report = std::fs::read(place.dir().join("x.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    assert_eq!((&report["verdict"], &report["soundness"]), (&"failed".into(), &"passed".into()));
    assert_eq!(
        (&report["disproven"], report["missed"].as_array().unwrap().len()),
        (&Value::Array(vec![]), 1)
    );
    let of = "{database=\"unknown\"";
    let metric = |line: String| metric(&place, "x.prom", &line).unwrap();
    let status = format!("backup_verification_success_total{of},status=\"failed\"}}");
    assert_eq!(metric(status), "1");
    assert_eq!(metric(format!("backup_verification_failures_since_success{of}}}")), "0");
    assert_ne!(metric(format!("backup_verification_last_success_timestamp{of}}}")), "0");
    is_listed_as(&place, "backups", &name, true);
    let shown = run(&place, &["list"]);
    assert!(shown.stdout.contains("passed (RTO missed) "), "{shown}");
    let shown = run(&place, &["history"]);
    assert!(shown.stdout.contains("verify too slow"), "{shown}");
    let outcome = run(&place, &["cleanup", "--older-than=30d"]);
    outcome.says(&format!("keep    {name}  (the newest that passed verification)"));
}

#[test]
fn what_is_not_proven_does_not_pass_where_proof_is_required() {
    let place = Place::on_a_lent_server();
    place.file("backups/a.sql", good_dump());
    let cause = "not proven, and --require-proof wants it: no manifest";
    let outcome = verified(&place, &["backups/a.sql", "--require-proof"]);
    outcome.not_verified(cause).hints("its manifest beside it");
    outcome.says("Backup can be restored successfully, but not all of it was proven");
    is_listed_as(&place, "backups", "a.sql", Value::Null);
    // The same by the configuration; without either it passes, and says what is open.
    place.file("ccc-backup.toml", b"[verify]\nrequire_proof = true\n");
    let args = ["backups/a.sql", "--quiet"];
    let outcome = verified(&place, &args);
    assert_eq!(outcome.code, 2, "{outcome}");
    assert!(outcome.stdout.contains(cause), "{outcome}");
    std::fs::remove_file(place.dir().join("ccc-backup.toml")).unwrap();
    let outcome = verified(&place, &["backups/a.sql"]);
    outcome.passed();
    assert!(outcome.stdout.contains("Not proven: no manifest"), "{outcome}");
    is_listed_as(&place, "backups", "a.sql", true);
}

#[test]
fn what_is_bad_is_bad_whether_or_not_proof_is_required() {
    let place = Place::without_docker();
    place.file("empty.sql", b"");
    verified(&place, &["empty.sql", "--require-proof"]).failed("empty");
}

#[test]
fn proof_of_contents_that_are_left_out_cannot_be_required() {
    let place = Place::without_docker();
    place.file("a.sql", good_dump());
    place.file("proof.toml", b"[verify]\nrequire_proof = true\n");
    for more in [&["--require-proof"][..], &["--config", "proof.toml"]] {
        let outcome = verified(&place, &[&["a.sql", "--no-content"], more].concat());
        assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{outcome}");
        assert!(outcome.stderr.contains("--no-content"), "{outcome}");
    }
}

#[test]
fn a_bad_backup_leaves_its_place_to_the_good_one_of_the_day() {
    let place = Place::without_docker();
    let day = |time: &str| format!("backup_202401{time}0000.sql.gz");
    let (bad, good) = ([day("15_14"), day("14_14"), day("13_14")], [day("15_02"), day("14_02")]);
    for name in &good {
        place.file(&format!("backups/{name}"), b"ten bytes!");
    }
    for name in &bad {
        // Nothing in it: bad at the first look.
        place.file(&format!("backups/{name}"), b"");
        verified(&place, &[&format!("backups/{name}")]).failed("empty");
    }
    let rules = ["cleanup", "--keep-daily=2", "--dry-run"];
    // Nothing was ever proven sound here: the fault may be elsewhere, and what is bad stays beside.
    let outcome = run(&place, &rules);
    outcome.says(&format!("keep    {}  (the newest backup; proven bad)", bad[0]));
    outcome.says(&format!("keep    {}  (the newest of its day; proven bad)", bad[1]));
    outcome.says(&format!("would remove  {}  (proven bad, fills no place)", bad[2]));
    for name in &good {
        assert!(outcome.stdout.contains(&format!("keep    {name}  (")), "{outcome}");
    }
    // As an older version wrote it.
    let passed = serde_json::json!({
        "version": 1, "work": "verify", "started_at": "2024-01-15T03:00:00Z", "seconds": 1.0,
        "verdict": "passed", "backup": good[1], "file_bytes": 10, "tool_version": "0.1.0",
    });
    let history = place.dir().join("backups/history.jsonl");
    let lines = std::fs::read_to_string(&history).unwrap();
    std::fs::write(&history, format!("{passed}\n{lines}")).unwrap();
    let outcome = run(&place, &rules);
    outcome.says(&format!("keep    {}  (the newest backup; proven bad)", bad[0]));
    outcome.says(&format!("would remove  {}  (proven bad, fills no place)", bad[1]));
    outcome.says(&format!("would remove  {}  (proven bad, fills no place)", bad[2]));
    outcome.says(&format!("keep    {}  (the newest that is not proven bad)", good[0]));
    outcome.says(&format!("keep    {}  (the newest that passed verification)", good[1]));
    assert_eq!(listed(&place, "backups", &good[1])["proven"], Value::Bool(true));
}

#[test]
fn a_history_around_that_cannot_be_read_is_said_and_stops_nothing() {
    let place = Place::without_docker();
    place.file(&format!("backups/{}", aged(1)), b"x");
    let history = place.file("history.jsonl", b"");
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&history, PermissionsExt::from_mode(0o000)).unwrap();
    for args in [&["list"][..], &["cleanup", "--older-than=30d"]] {
        let outcome = Outcome::of(&place.ccc_without_privileges().args(args).output().unwrap());
        assert_eq!(outcome.code, 0, "{outcome}");
        let said =
            "warning: verdicts that are on record there are not known: no permission to read ";
        assert!(outcome.stderr.contains(said), "{outcome}");
    }
    assert!(Path::new(&history).exists());
}
