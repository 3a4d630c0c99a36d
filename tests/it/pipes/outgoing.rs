//! `create -` and `create --to-command`: exit 0 says that all of it is there, and nothing else does.

use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use super::{bash, done, large, verified, wait_for, wait_for_the_end_of};
use crate::support::{Database, Outcome, Place, Running, SOON, database, text, unchanged_database};

fn created(place: &Place, database: &Database, args: &[&str]) -> Outcome {
    let mut create = place.create(database);
    Outcome::of(&create.args(args).output().unwrap())
}

#[track_caller]
fn refused(outcome: &Outcome, exit: i32, words: &str) {
    assert_eq!(outcome.code, exit, "{outcome}");
    assert!(outcome.stderr.contains(words), "no {words:?}: {outcome}");
}

#[test]
fn the_backup_goes_to_stdout_and_nothing_else_does() {
    let place = Place::on_a_lent_server();
    let create = "\"$CCC\" create - --manifest got.sql.gz.manifest.json >got.sql.gz";
    let output = done(&place, Some(unchanged_database()), create);
    let said = text(&output.stderr);
    assert!(
        said.contains("✓ Backup created successfully") && said.contains("File: stdout"),
        "{said}"
    );
    assert!(!said.contains("warning"), "{said}");
    assert_eq!(place.names("."), ["got.sql.gz", "got.sql.gz.manifest.json"]);
    verified(&place, &["got.sql.gz", "--require-proof"]).passed();
}

#[test]
fn a_reader_that_goes_away_ends_it_as_not_made() {
    let (place, database) = (Place::without_docker(), large());
    for options in ["--compress none", "", "--format custom"] {
        let script = format!(
            "\"$CCC\" create - --manifest m.json {options} | head -c 1000 >begin; exit ${{PIPESTATUS[0]}}"
        );
        let outcome = Outcome::of(&bash(&place, Some(&database), &script));
        refused(&outcome, 1, "standard output was closed before all of it was written");
        assert_eq!(place.names("."), ["begin"], "{options}");
    }
}

#[test]
fn a_terminal_is_no_place_for_a_backup() {
    let place = Place::without_docker();
    let script = "script --quiet --return --command '\"$CCC\" create -' /dev/null";
    let output = bash(&place, Some(unchanged_database()), script);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(text(&output.stdout).contains("standard output is a terminal"), "{output:?}");
}

#[test]
fn what_makes_no_sense_is_refused_with_the_reason() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    place.file("there.json", b"{}");
    done(&place, None, "ssh-keygen -q -t ed25519 -N '' -f signer");
    for (args, words) in [
        (&["-", "--format", "directory"][..], "a pipe holds one"),
        (&["-", "--format", "tar"], "the format tar does not go through a pipe"),
        (&["-", "--globals"], "--globals writes a second file"),
        (&["-", "--sign-key", "signer"], "--manifest FILE"),
        (&["-", "--to-command", "cat"], "- is standard output"),
        (&["-", "--manifest", "there.json"], "there.json"),
        (&["a.sql", "--manifest", "m.json"], "it stands beside the backup"),
        (&["a.sql", "--to-command", " "], "the command is empty"),
        (&["a b.sql", "--to-command", "cat"], "a shell may read it otherwise"),
        (&["$(touch x).sql", "--to-command", "cat"], "a shell may read it otherwise"),
    ] {
        let outcome = created(&place, database, args);
        refused(&outcome, 2, words);
        assert_eq!(outcome.stdout, "", "{outcome}");
    }
    assert_eq!(place.names("."), ["signer", "signer.pub", "there.json"]);
}

/// What little there is fits into a pipe, where nobody notices that it is not read.
#[test]
fn a_command_that_reads_nothing_of_a_small_backup_has_stored_none() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    let only = ["--to-command", "true", "--", "--schema-only", "--table=alembic_version"];
    refused(&created(&place, database, &only), 1, "ended before it had read all of it");
    let slow = "sleep 1; cat >\"$PWD\"/kept";
    let only = ["--to-command", slow, "--", "--schema-only", "--table=alembic_version"];
    assert_eq!(created(&place, database, &only).code, 0);
    assert_eq!(place.names("."), ["kept"]);
}

#[test]
fn a_manifest_that_is_not_stored_is_told() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    let command = "case {name} in *.json) echo no >&2; exit 3;; *) cat >{name};; esac";
    let outcome = created(&place, database, &["a.sql", "--to-command", command]);
    refused(&outcome, 1, "the backup was made, but not its manifest");
    assert_eq!(place.names("."), ["a.sql.gz"]);
}

/// A storage that has a file only when all has come, as object storage has.
fn storing(place: &Place) -> String {
    let dir = place.dir().display();
    format!("cat >{dir}/part && mv {dir}/part {dir}/stored")
}

#[test]
fn a_dump_that_fails_is_not_stored_as_if_it_were_whole() {
    let (place, database) = (Place::without_docker(), large());
    for options in [&[][..], &["--format=custom"]] {
        let lock = database.locked();
        let storing = storing(&place);
        let args = [&["--to-command", &storing][..], options].concat();
        let run = Running::create(&place, &database, &args);
        database.wait_for_a_dump();
        database.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE application_name = 'pg_dump' AND datname = current_database()",
        );
        drop(lock);
        let (outcome, _) = run.end();
        refused(&outcome, 1, "no backup was made");
        assert!(!Path::new(&place.dir().join("stored")).exists(), "{outcome}");
    }
}

#[test]
fn a_run_that_is_interrupted_ends_its_command_and_stores_nothing() {
    for (signal, name) in [(Signal::INT, "SIGINT"), (Signal::TERM, "SIGTERM")] {
        let (place, database) = (Place::without_docker(), large());
        let lock = database.locked();
        let storing = storing(&place);
        let mut run = Running::create(&place, &database, &["--to-command", &storing]);
        database.wait_for_a_dump();
        run.signal(signal);
        let (outcome, took) = run.end();
        drop(lock);
        assert!(took < SOON, "{took:?}");
        refused(&outcome, 2, &format!("interrupted by {name}"));
        assert!(outcome.stderr.contains("is not whole, and no backup"), "{outcome}");
        assert!(!Path::new(&place.dir().join("stored")).exists(), "{outcome}");
    }
}

#[test]
fn a_command_that_hangs_ends_with_the_run_and_so_does_what_it_started() {
    for (at, (command, marker)) in [
        // It reads nothing, or all of it and does not end.
        ("sleep 98761; true", "sleep 98761"),
        ("cat >/dev/null; sleep 98762; true", "sleep 98762"),
        ("exec <&-; sh -c 'sleep 98763; true'; true", "sleep 98763"),
    ]
    .into_iter()
    .enumerate()
    {
        let (place, database) = (Place::without_docker(), large());
        let mut run = Running::create(&place, &database, &["--to-command", command]);
        run.wait_for("Creating backup");
        wait_for(marker);
        std::thread::sleep(Duration::from_millis(500));
        run.signal(Signal::INT);
        let (outcome, took) = run.end();
        assert!(took < SOON, "{at}: {took:?}");
        refused(&outcome, 2, "interrupted by SIGINT");
        wait_for_the_end_of(marker);
    }
}

#[test]
fn a_limit_of_time_ends_a_command_that_hangs() {
    let (place, database) = (Place::without_docker(), database());
    let args = ["--to-command", "cat >/dev/null; sleep 98764", "--timeout", "3s"];
    refused(&created(&place, &database, &args), 2, "timed out after 3 s");
    wait_for_the_end_of("sleep 98764");
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn archives_and_sealed_and_signed_backups_go_through_pipes() {
        let place = Place::on_a_lent_server();
        done(&place, None, "age-keygen -o key 2>age && ssh-keygen -q -t ed25519 -N '' -f signer");
        let signer = text(&done(&place, None, "cut -d' ' -f1,2 signer.pub").stdout);
        place.file("allowed", format!("* namespaces=\"ccc-backup-*\" {signer}").as_bytes());
        for (name, options) in [
            ("a.dump", "--format custom"),
            ("b.sql.gz.age", "--encrypt-to \"$(age-keygen -y key)\""),
            (
                "c.dump.age",
                "--format custom --encrypt-to \"$(age-keygen -y key)\" --sign-key signer",
            ),
        ] {
            let script =
                format!("\"$CCC\" create - {options} --manifest {name}.manifest.json >{name}");
            done(&place, Some(unchanged_database()), &script);
            verified(&place, &[name, "--require-proof", "--identity", "key"]).passed();
        }
        let signed = ["c.dump.age", "--identity", "key", "--allowed-signers", "allowed"];
        verified(&place, &signed).passed();
        let unsigned = ["a.dump", "--allowed-signers", "allowed"];
        verified(&place, &unsigned).failed("is unsigned");
    }

    #[test]
    fn a_command_that_fails_or_does_not_read_all_of_it_has_stored_no_backup() {
        let (place, database) = (Place::without_docker(), large());
        for (command, words) in [
            ("cat >/dev/null; echo quota exceeded >&2; exit 3", "exit status: 3: quota exceeded"),
            ("head -c 1000 >/dev/null", "ended before it had read all of it"),
            ("head -c 1000 >/dev/null; exit 4", "exit status: 4: it said nothing"),
            ("true", "ended before it had read all of it"),
            ("no-such-program", "exit status: 127"),
            ("kill -9 $$", "signal: 9"),
        ] {
            for options in [&["--format=custom"][..], &[], &["--compress=none"]] {
                let args = [&["--to-command", command][..], options].concat();
                refused(&created(&place, &database, &args), 1, words);
            }
        }
        assert_eq!(place.names("."), [""; 0]);
    }

    #[test]
    fn without_a_manifest_that_is_said_and_the_backup_is_good_all_the_same() {
        let place = Place::on_a_lent_server();
        let output =
            done(&place, Some(unchanged_database()), "\"$CCC\" create - --compress none >a.sql");
        let said = text(&output.stderr);
        assert!(said.contains("there is no manifest of this backup"), "{said}");
        assert_eq!(place.names("."), ["a.sql"]);
        verified(&place, &["a.sql"]).passed();
    }
}
