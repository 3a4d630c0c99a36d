//! `verify -`, `restore -`, `extract -` and `--from-command`: what comes through a pipe is read as a file is; what does not
//! come is no proof.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{
    at_work, copies_in, done, packed, verified, verified_from, wait_for, wait_for_the_end_of,
};
use crate::support::mounts::on_a_disk;
use crate::support::source::{connection, source};
use crate::support::{
    BINARY, IMAGE_VARIABLE, Outcome, Place, Running, SOON, clean_environment, database, good_dump,
    unchanged_database,
};

/// Where the private copies lie, which nothing is left in.
fn spool(place: &Place) -> String {
    place.dir().join("spool").display().to_string()
}

#[test]
fn what_is_bad_on_stdin_is_failed_and_the_doubt_is_told() {
    let place = Place::on_a_lent_server();
    let bytes = packed(&place);
    let cut = verified_from(&place, &bytes[..bytes.len() / 2], &[]);
    cut.failed("cut off");
    assert!(cut.stderr.contains("set -o pipefail"), "{cut}");
    verified_from(&place, b"no dump at all", &[]).failed("");
}

#[test]
fn a_stream_that_is_cut_is_told_from_a_backup_that_is() {
    let place = Place::on_a_lent_server();
    let manifest = ["--manifest", "a.sql.gz.manifest.json"];
    done(&place, Some(unchanged_database()), "\"$CCC\" create a.sql");
    let bytes = std::fs::read(place.dir().join("a.sql.gz")).unwrap();
    let require = [&manifest[..], &["--require-proof"]].concat();
    verified_from(&place, &bytes, &require).passed();
    let cut = verified_from(&place, &bytes[..bytes.len() - 1], &manifest);
    cut.not_verified("bytes that the manifest names came through the pipe");
    verified_from(&place, b"", &manifest).not_verified("nothing came on standard input");
    verified_from(&place, b"", &[]).not_verified("nothing came on standard input");
    let mut other = bytes.clone();
    let middle = other.len() / 2;
    other[middle] ^= 1;
    verified_from(&place, &other, &manifest).failed("");
    let missing = verified_from(&place, &bytes, &["--manifest", "none-there.json"]);
    missing.not_verified("none-there.json could not be read");
}

#[test]
fn what_makes_no_sense_is_refused_with_the_reason() {
    let place = Place::without_docker();
    place.file("a.sql", b"");
    for (args, words) in [
        (&["verify", "-", "--from-command", "cat"][..], "- is standard input"),
        (
            &["verify", "a.sql", "--manifest", "none"],
            "--manifest is of backups that come through a pipe",
        ),
        (&["extract", "a.sql", "--table=t", "--spool", "x"], "--spool is of backups"),
        (
            &["verify", "$(touch x)", "--from-command", "cat {name}"],
            "a shell may read it otherwise",
        ),
        (&["verify", "a'b", "--from-command", "cat {name}"], "a shell may read it otherwise"),
        (&["verify", "a.sql", "--from-command", ""], "the command is empty"),
        (&["verify", "--latest", "--from-command", "cat"], "cannot be used with"),
        (&["verify", "--from-command", "cat"], "required"),
        (&["restore", "-", "--globals"], "no roles come through a pipe"),
    ] {
        let outcome = Outcome::of(&place.ccc().args(args).output().unwrap());
        assert_eq!(outcome.code, 2, "{outcome}");
        assert!(outcome.stderr.contains(words), "no {words:?}: {outcome}");
    }
    assert_eq!(place.names("."), ["a.sql"]);
}

#[test]
fn extract_and_restore_take_what_comes_through_a_pipe() {
    let place = Place::without_docker();
    let database = database();
    database.sql("CREATE TABLE t (a int); INSERT INTO t SELECT generate_series(1, 1000)");
    let dump = database.dump(&[]);
    place.file("a.sql", &dump);
    let by_command = ["a.sql", "--from-command", "cat {name}", "--manifest=none"];
    for (backup, bytes) in [(&["-"][..], &dump[..]), (&by_command, b"")] {
        let spool = spool(&place);
        let more = ["--spool", &spool];
        let mut extract = place.ccc();
        extract.args(["extract", "--table=t"]).args(backup).args(more).write_stdin(bytes);
        let rows = Outcome::of(&extract.output().unwrap());
        assert_eq!((rows.code, rows.stdout.lines().count()), (0, 1000), "{rows}");
        let name = format!("by_pipe_{}_{}", std::process::id(), backup.len());
        let mut restore = place.ccc();
        restore.arg("restore").args(backup).args(more).args(["--as", &name]).write_stdin(bytes);
        restore.envs(source().connection("postgres"));
        let restored = Outcome::of(&restore.output().unwrap());
        assert_eq!(restored.code, 0, "{restored}");
        let rows = source().client("psql", &["-XqAtd", &name, "-c", "SELECT count(*) FROM t"]);
        assert_eq!(rows, b"1000\n");
        source().client("psql", &["-Xqc", &format!("DROP DATABASE \"{name}\"")]);
        let into = format!("piped_{}", backup.len());
        let mut tables = place.ccc();
        tables.arg("restore").args(backup).args(more).args(["--table=t", "--into-schema", &into]);
        tables.envs(connection(&database)).write_stdin(bytes);
        let brought = Outcome::of(&tables.output().unwrap());
        assert_eq!(brought.code, 0, "{brought}");
        assert_eq!(database.sql(&format!("SELECT count(*) FROM {into}.t")), "1000");
        assert_eq!(place.names("spool"), [""; 0]);
    }
    let mut empty = place.ccc();
    empty.args(["extract", "--table=t", "-"]).write_stdin("");
    let nothing = Outcome::of(&empty.output().unwrap());
    assert_eq!((nothing.code, nothing.stdout.as_str()), (2, ""), "{nothing}");
}

#[test]
fn a_run_that_is_interrupted_ends_the_command_and_removes_the_copy() {
    let place = Place::without_docker();
    place.file("a.sql", good_dump());
    let command = "cat a.sql; sh -c 'sleep 98771; true'; true";
    let args = ["a.sql", "--from-command", command, "--spool", "spool"];
    let mut run = Running::verify_locally(&place, &args);
    wait_for("sleep 98771");
    assert_eq!(copies_in(&place.dir().join("spool")).len(), 1);
    run.signal(Signal::INT);
    let (outcome, took) = run.end();
    assert!(took < SOON, "{took:?}");
    outcome.not_verified("interrupted by SIGINT");
    wait_for_the_end_of("sleep 98771");
    assert_eq!(place.names("spool"), [""; 0]);
}

#[test]
fn a_writer_that_hangs_does_not_hold_a_run_that_is_interrupted() {
    let place = Place::without_docker();
    let mut command = Command::new(BINARY);
    command.env_clear().envs(clean_environment()).env(IMAGE_VARIABLE, "");
    command.current_dir(place.dir()).args(["verify", "-", "--engine=local", "--spool=spool"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.as_mut().unwrap().write_all(&good_dump()[..1000]).unwrap();
    let begun = Instant::now();
    while !place.dir().join("spool").exists() || copies_in(&place.dir().join("spool")).is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it was not begun");
        std::thread::sleep(Duration::from_millis(10));
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, Signal::INT).unwrap();
    let asked = Instant::now();
    let stdin = child.stdin.take();
    let outcome = Outcome::of(&child.wait_with_output().unwrap());
    drop(stdin);
    assert!(asked.elapsed() < SOON);
    outcome.not_verified("interrupted by SIGINT");
    assert_eq!(place.names("spool"), [""; 0]);
}

#[test]
fn what_a_killed_run_left_is_removed_by_the_next_one_and_is_no_backup_meanwhile() {
    let place = Place::on_a_lent_server();
    place.file("a.sql", good_dump());
    let command = "cat a.sql; sleep 98772";
    let args = ["a.sql", "--from-command", command, "--manifest=none", "--spool=backups"];
    let run = Running::verify_locally(&place, &args);
    wait_for("sleep 98772");
    assert!(run.kill());
    // Whoever kills us so does not end what we started.
    for process in at_work("sleep 98772") {
        let _ = rustix::process::kill_process(process, Signal::KILL);
    }
    assert_eq!(copies_in(&place.dir().join("backups")).len(), 1);
    verified(&place, &["--latest"]).not_verified("No backup found");
    verified(&place, &["a.sql", "--from-command", "cat a.sql", "--spool=backups"]).passed();
    assert_eq!(copies_in(&place.dir().join("backups")), [""; 0]);
}

#[test]
fn a_copy_that_has_no_room_is_not_held_against_the_backup() {
    let place = Place::without_docker();
    place.file("a.sql", good_dump());
    let no_image = [(IMAGE_VARIABLE, String::new())];
    let words = "verify - --engine=local --spool=disk <a.sql";
    let outcome = on_a_disk(&place, "size=60m", "", words, &no_image);
    outcome.not_verified("there is no room for what comes through the pipe").hints("--spool DIR");
    let left = std::fs::read_to_string(place.dir().join("left")).unwrap();
    assert_eq!(left, "");
    let words = "verify a.sql --from-command 'cat /dev/zero' --engine=local --spool=disk";
    let outcome = on_a_disk(&place, "size=200m", "", words, &no_image);
    outcome.not_verified("there is no room for what comes through the pipe");
    assert_eq!(std::fs::read_to_string(place.dir().join("left")).unwrap(), "");
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn a_command_that_fails_says_nothing_of_the_backup_whatever_it_wrote() {
        let place = Place::on_a_lent_server();
        place.file("a.sql", good_dump());
        for (command, words) in [
            (
                "cat a.sql; echo the token has expired >&2; exit 3",
                "exit status: 3: the token has expired",
            ),
            ("head -c 1000 a.sql; exit 1", "exit status: 1: it said nothing"),
            ("cat {name}.not-there", "No such file"),
            ("no-such-program", "exit status: 127"),
            ("true", "brought nothing"),
            ("kill -9 $$", "signal: 9"),
        ] {
            let args =
                ["a.sql", "--from-command", command, "--manifest", "none", "--spool", "spool"];
            verified(&place, &args).not_verified(words);
            assert_eq!(place.names("spool"), [""; 0]);
        }
        let args = ["a.sql", "--from-command", "cat {name}"];
        let outcome = verified(&place, &args);
        outcome.not_verified("run for a.sql.manifest.json, ended with").hints("--manifest none");
        // As some programs do where there is no such file.
        let nothing = "case {name} in *.json) ;; *) cat {name};; esac";
        let outcome = verified(&place, &["a.sql", "--from-command", nothing]);
        outcome.not_verified("brought nothing for a.sql.manifest.json").hints("--manifest none");
        let args = ["a.sql", "--from-command", "cat {name}", "--manifest", "none"];
        verified(&place, &args).passed().says("Backup file: a.sql");
        verified(&place, &["a.sql", "--from-command", "cat a.sql"]).passed();
    }

    #[test]
    fn what_comes_on_stdin_is_verified_as_a_file_is_and_nothing_of_it_stays() {
        let place = Place::on_a_lent_server();
        let bytes = packed(&place);
        let archive = unchanged_database().dump(&["--format=custom", "--no-owner", "--no-acl"]);
        let tar = unchanged_database().dump(&["--format=tar", "--no-owner", "--no-acl"]);
        let before = place.names(".");
        for bytes in [good_dump(), &bytes, &archive, &tar] {
            let outcome = verified_from(&place, bytes, &["--spool", "spool"]);
            outcome.passed().says("Backup file: stdin");
            assert!(!outcome.stderr.contains("set -o pipefail"), "{outcome}");
            assert_eq!(place.names("spool"), [""; 0]);
        }
        let mut after = place.names(".");
        after.retain(|name| name != "spool");
        assert_eq!(after, before, "nothing is put on record");
    }
}
