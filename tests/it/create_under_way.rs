//! A `create` that is under way: what other users of the machine can see of it, and what is left
//! of it when it is interrupted or killed. The source is slow: a lock holds pg_dump up.

use rustix::process::Signal;

use crate::support::source::source;
use crate::support::{Outcome, Place, Running, SOON, database};

/// The arguments of every process, as every user of the machine can read them.
fn arguments_of_all_processes() -> Vec<String> {
    let processes = std::fs::read_dir("/proc").unwrap();
    let arguments = processes.filter_map(|process| {
        let arguments = std::fs::read(process.unwrap().path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&arguments).replace('\0', " "))
    });
    arguments.collect()
}

#[test]
fn the_password_is_in_no_arguments_file_or_output() {
    let (place, database) = (Place::without_docker(), database());
    let password = &source().password;
    let lock = database.locked();
    let run = Running::create(&place, &database, &["a.sql", "--verbose", "--log-file", "run.log"]);
    database.wait_for_a_dump();
    let arguments = arguments_of_all_processes();
    drop(lock);
    let (outcome, _) = run.end();
    assert_eq!(outcome.code, 0, "{outcome}");
    let dumps: Vec<_> = arguments.iter().filter(|line| line.contains("pg_dump")).collect();
    assert!(!dumps.is_empty(), "{arguments:?}");
    assert!(!arguments.iter().any(|line| line.contains(password)), "{dumps:?}");
    assert!(!format!("{outcome}").contains(password), "{outcome}");
    for name in ["a.sql.gz.manifest.json", "history.jsonl", "run.log"] {
        let text = std::fs::read_to_string(place.dir().join(name)).unwrap();
        assert!(!text.contains(password), "{name}: {text}");
    }
}

#[test]
fn a_password_in_a_url_stays_out_of_pg_dumps_arguments_and_every_file() {
    let (place, database) = (Place::without_docker(), database());
    let (password, port) = (&source().password, source().port);
    let url = format!("postgresql://postgres:{password}@127.0.0.1:{port}/{}", database.name);
    let mut command = place.ccc();
    command.args(["create", "a.sql", "--verbose"]).env("DATABASE_URL", url);
    let outcome = Outcome::of(&command.output().unwrap());
    assert_eq!(outcome.code, 0, "{outcome}");
    assert!(!format!("{outcome}").contains(password), "{outcome}");
    let manifest = std::fs::read_to_string(place.dir().join("a.sql.gz.manifest.json")).unwrap();
    assert!(!manifest.contains(password), "{manifest}");
}

/// Interrupts a `create` that waits for its source.
fn interrupted(signal: Signal, name: &str, whole_group: bool) {
    let (place, database) = (Place::without_docker(), database());
    let _lock = database.locked();
    let mut run = Running::create(&place, &database, &[]);
    database.wait_for_a_dump();
    if whole_group {
        run.signal_group(signal);
    } else {
        run.signal(signal);
    }
    let (outcome, took) = run.end();
    assert_eq!(outcome.code, 2, "{outcome}");
    assert!(outcome.stderr.contains(&format!("error: interrupted by {name}")), "{outcome}");
    assert!(took < SOON, "{took:?}");
    assert_eq!(place.names("backups"), ["history.jsonl"]);
    database.wait_for(
        "SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_stat_activity
                                    WHERE application_name = 'pg_dump' AND datname = current_database())",
    );
}

#[test]
fn sigint_leaves_neither_a_partial_file_nor_a_pg_dump() {
    interrupted(Signal::INT, "SIGINT", false);
}

#[test]
fn sigterm_leaves_neither_a_partial_file_nor_a_pg_dump() {
    interrupted(Signal::TERM, "SIGTERM", false);
}

#[test]
fn ctrl_c_at_a_terminal_reaches_pg_dump_too_and_is_no_failure_of_pg_dump() {
    interrupted(Signal::INT, "SIGINT", true);
}

#[test]
fn what_a_killed_run_left_is_no_backup_and_the_next_clean_up_removes_it() {
    let (place, database) = (Place::without_docker(), database());
    let lock = database.locked();
    let run = Running::create(&place, &database, &[]);
    database.wait_for_a_dump();
    run.kill();
    drop(lock);
    let names = place.names("backups");
    assert!(names.len() == 1 && names[0].ends_with(".partial"), "{names:?}");
    let latest = Outcome::of(&place.ccc().args(["verify", "--latest"]).output().unwrap());
    latest.not_verified("No backup found in ./backups");
    let cleaned = place.ccc().args(["cleanup", "--older-than", "30d"]).output().unwrap();
    let outcome = Outcome::of(&cleaned);
    assert_eq!(outcome.code, 0, "{outcome}");
    assert_eq!(place.names("backups"), Vec::<String>::new(), "{outcome}");
}

#[test]
fn a_backup_in_the_making_survives_a_clean_up_and_a_second_writer() {
    let (place, database) = (Place::without_docker(), database());
    let lock = database.locked();
    let run = Running::create(&place, &database, &["backups/a.sql"]);
    database.wait_for_a_dump();
    let cleaned = place.ccc().args(["cleanup", "--older-than", "1d"]).output().unwrap();
    let cleaned = Outcome::of(&cleaned);
    let second = Outcome::of(&place.create(&database).arg("backups/a.sql").output().unwrap());
    drop(lock);
    let (outcome, _) = run.end();
    assert_eq!((outcome.code, cleaned.code, second.code), (0, 0, 2), "{outcome}{cleaned}{second}");
    assert!(second.stderr.contains("is being written by another run"), "{second}");
    second.hints("wait for the other run");
    assert!(cleaned.stdout.contains("(being written or verified)"), "{cleaned}");
}
