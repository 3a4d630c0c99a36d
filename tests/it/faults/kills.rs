//! `kill -9` at any instant: a name of a backup holds a whole backup or nothing, and what a killed
//! verification leaves goes with the next one.

use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use ccc_backup::store::naming::manifest_path;
use ccc_backup::store::signature;
use flate2::read::MultiGzDecoder;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{held_dump, release};
use crate::support::docker::{docker_text, image, left};
use crate::support::source::{Database, client, source};
use crate::support::{Outcome, Place, Running, good_dump, length};

/// A database that is dumped quickly.
fn small(name: &str) -> Database {
    let database = Database { name: name.to_owned() };
    source().client("createdb", &["--", name]);
    database.sql(
        "CREATE TABLE notes (id serial PRIMARY KEY, note text);
         INSERT INTO notes (note) SELECT repeat(md5(n::text), 20) FROM generate_series(1, 2000) n",
    );
    database
}

/// How long an undisturbed run takes, roughly; of those with the numbers 1 to 3.
fn measured(run: impl Fn(u32) -> Running) -> Duration {
    let begun = Instant::now();
    for n in 1..=3 {
        let (outcome, _) = run(n).end();
        assert_eq!(outcome.code, 0, "{outcome}");
    }
    begun.elapsed() / 3
}

/// Kills runs at `count` instants that are spread over the time that one takes, and looks at what each left. Where
/// most came to their end first, because runs were slower when they were measured, once more in half of the time.
fn killed(count: u32, mut takes: Duration, run: impl Fn(u32) -> Running, check: impl Fn(u32)) {
    for round in 0..6 {
        let mut in_time = 0;
        for n in 0..count {
            let name = round * count + n;
            let run = run(name);
            std::thread::sleep(takes * n / count);
            in_time += u32::from(run.kill());
            check(name);
        }
        if in_time >= count / 2 {
            return;
        }
        takes /= 2;
    }
    panic!("nearly all runs came to their end: nothing was killed");
}

/// A plain dump, gzipped, that has its beginning and its end.
#[track_caller]
fn assert_whole(path: &Path) {
    let mut dump = String::new();
    let mut decoder = MultiGzDecoder::new(std::fs::File::open(path).unwrap());
    decoder.read_to_string(&mut dump).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(dump.contains("PostgreSQL database dump complete"), "{} is cut", path.display());
}

/// A manifest beside a backup is that backup's.
#[track_caller]
fn assert_manifest_of(path: &Path) {
    let manifest = format!("{}.manifest.json", path.display());
    let Ok(manifest) = std::fs::read(&manifest) else { return };
    assert!(path.exists(), "a manifest without its backup {}", path.display());
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    if path.is_file() {
        let digest = hex::encode(Sha256::digest(std::fs::read(path).unwrap()));
        assert_eq!(manifest["files"][0]["sha256"], digest.as_str(), "{}", path.display());
    }
}

/// The history can be read, whatever happened to it.
#[track_caller]
fn assert_history_is_read(place: &Place) {
    for command in ["history", "list"] {
        let outcome = Outcome::of(&place.ccc().arg(command).output().unwrap());
        assert_eq!(outcome.code, 0, "{outcome}");
    }
}

/// A clean-up removes what is left of dead runs, and no backup.
#[track_caller]
fn assert_cleaned(place: &Place) {
    let backups = |names: Vec<String>| -> Vec<String> {
        names.into_iter().filter(|name| !name.ends_with(".partial")).collect()
    };
    let before = place.names("backups");
    let outcome =
        Outcome::of(&place.ccc().args(["cleanup", "--older-than", "30d"]).output().unwrap());
    assert_eq!(outcome.code, 0, "{outcome}");
    assert_eq!(place.names("backups"), backups(before));
}

#[test]
fn a_create_in_pg_dumps_own_formats_that_is_killed_leaves_a_whole_backup_or_none() {
    let (place, database) = (Place::without_docker(), small("killed_archives"));
    for (ending, options) in [("dump", &[][..]), ("dir", &["--jobs", "2"])] {
        let create = |name: &str| {
            let path = format!("backups/{name}.{ending}");
            Running::create(&place, &database, &[&[path.as_str()], options].concat())
        };
        let takes = measured(|n| create(&format!("whole{n}")));
        killed(
            length(6, 25),
            takes,
            |n| create(&format!("killed{n}")),
            |n| {
                let path = place.dir().join(format!("backups/killed{n}.{ending}"));
                assert_manifest_of(&path);
                if path.exists() {
                    let mut read = Command::new(client("pg_restore"));
                    let read = read.args(["-f", "/dev/null"]).arg(&path).status().unwrap();
                    assert!(read.success(), "{}", path.display());
                }
            },
        );
        assert_history_is_read(&place);
        assert_cleaned(&place);
    }
}

#[test]
fn a_manifest_that_names_the_servers_roles_has_them_whenever_create_is_killed() {
    let (place, database) = (Place::without_docker(), small("killed_globals"));
    let create = |name: &str| {
        Running::create(&place, &database, &[&format!("backups/{name}.sql"), "--globals"])
    };
    let takes = measured(|n| create(&format!("whole{n}")));
    killed(
        length(10, 40),
        takes,
        |n| create(&format!("killed{n}")),
        |n| {
            let path = place.dir().join(format!("backups/killed{n}.sql.gz"));
            assert_manifest_of(&path);
            let globals = place.dir().join(format!("backups/killed{n}.globals.sql"));
            assert!(globals.exists() || !path.exists(), "killed{n} came before its roles");
            if let Ok(globals) = std::fs::read_to_string(globals) {
                assert!(globals.contains("cluster dump complete"), "{globals}");
            }
        },
    );
    assert_history_is_read(&place);
    assert_cleaned(&place);
}

#[test]
fn a_manifest_of_a_signed_backup_has_its_signature_whenever_create_is_killed() {
    let (place, database) = (Place::without_docker(), small("killed_signed"));
    let mut key = Command::new("ssh-keygen");
    key.args(["-q", "-t", "ed25519", "-N", "", "-f", "k"]).current_dir(place.dir());
    assert!(key.status().unwrap().success());
    let create = |name: &str| {
        let name = format!("backups/{name}.sql");
        Running::create(&place, &database, &[&name, "--sign-key", "k"])
    };
    let takes = measured(|n| create(&format!("whole{n}")));
    killed(
        length(10, 40),
        takes,
        |n| create(&format!("killed{n}")),
        |n| {
            let path = place.dir().join(format!("backups/killed{n}.sql.gz"));
            assert_manifest_of(&path);
            let signed = signature::at_rest(&path);
            assert!(!manifest_path(&path).exists() || signed.is_some_and(|signed| signed.fits));
        },
    );
    assert_history_is_read(&place);
    assert_cleaned(&place);
}

#[test]
fn a_backup_that_is_being_replaced_is_never_lost_to_a_kill() {
    let (place, database) = (Place::without_docker(), small("killed_replacing"));
    let create = || Running::create(&place, &database, &["backups/a.sql", "--force"]);
    let takes = measured(|_| create());
    let path = place.dir().join("backups/a.sql.gz");
    killed(
        length(12, 50),
        takes,
        |_| create(),
        |_| {
            assert_whole(&path);
            assert_manifest_of(&path);
        },
    );
    assert_cleaned(&place);
    assert_whole(&path);
}

#[test]
fn what_a_killed_run_had_written_of_its_reports_and_metrics_goes_with_the_next() {
    let place = Place::without_docker();
    place.file("bad.sql", b"");
    let files = ["m.prom", "r.json", "r.xml"];
    for name in files {
        place.file(&format!(".{name}.partial"), b"half of it, and longer than the whole");
    }
    let reports = ["--report", "r.json", "--junit", "r.xml", "--metrics-file", "m.prom"];
    place.outcome(place.verify().arg("bad.sql").args(reports)).failed("empty");
    assert_eq!(place.names("."), [&["bad.sql", "history.jsonl"][..], &files].concat());
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn a_create_that_is_killed_at_any_instant_leaves_a_whole_backup_or_none() {
        let (place, database) = (Place::without_docker(), small("killed_plain"));
        let create =
            |name: &str| Running::create(&place, &database, &[&format!("backups/{name}.sql")]);
        let whole = |name: &str| {
            let path = place.dir().join(format!("backups/{name}.sql.gz"));
            assert_manifest_of(&path);
            path.exists().then(|| assert_whole(&path)).is_some()
        };
        let takes = measured(|n| create(&format!("whole{n}")));
        killed(
            length(20, 100),
            takes,
            |n| create(&format!("killed{n}")),
            |n| {
                whole(&format!("killed{n}"));
                assert_history_is_read(&place);
            },
        );
        assert_cleaned(&place);
        assert!((1..=3).all(|n| whole(&format!("whole{n}"))));
    }

    #[test]
    fn what_killed_verifications_leave_goes_with_the_next_run_and_nothing_else_does() {
        let place = Place::new();
        place.file("a.sql", good_dump());
        place.file("held.sql", &held_dump());
        let named = |name: &str| format!("{}{name}", place.container);
        let verify = |name: &str, file: &str| {
            let name = named(name);
            let files = ["--report", "r.json", "--junit", "r.xml", "--metrics-file", "m.prom"];
            let verify = ["verify", "--port", "0", "--container-name", &name, file];
            Running::start(&place, &[&verify[..], &files].concat())
        };
        docker_text(&["create", "--name", &named("foreign"), image(), "true"]);
        // The place's own name is the live run's, for `release`.
        let mut live = Running::verify(&place, "held.sql");
        live.wait_for("Restoring backup (");
        let others = left(&place.container);

        let takes = measured(|_| verify("whole", "a.sql"));
        killed(length(6, 20), takes, |n| verify(&format!("killed{n}"), "a.sql"), |_| ());
        verify("last", "a.sql").end().0.passed();
        let after = left(&place.container);

        release(&place);
        live.end().0.passed();
        docker_text(&["rm", "-v", &named("foreign")]);
        assert_eq!(after, others);
        assert!(others.len() >= 3, "{others:?}");
        place.assert_nothing_left();
        // Nor a file of theirs.
        let files = ["a.sql", "held.sql", "history.jsonl"];
        assert_eq!(place.names("."), [&files[..], &["m.prom", "r.json", "r.xml"]].concat());
    }
}
