//! What keeps `create` from making a backup: exit 1 when it could not be made, 2 for usage and
//! environment; one sentence, a hint, and no file that looks like a backup.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::mounts::on_a_disk;
use crate::support::source::{connection, free_port, source};
use crate::support::{Outcome, Place, database, text, unchanged_database};

/// Runs `create`, which must fail with this code, cause and hint, and leave nothing but the history.
#[track_caller]
fn refused(
    place: &Place,
    command: &mut assert_cmd::Command,
    code: i32,
    cause: &str,
    hint: &str,
) -> Outcome {
    let outcome = Outcome::of(&command.output().unwrap());
    assert_eq!(outcome.code, code, "{outcome}");
    let error = outcome.stderr.lines().find(|line| line.starts_with("error: "));
    assert!(error.is_some_and(|line| line.contains(cause)), "no {cause:?}: {outcome}");
    outcome.hints(hint);
    assert!(!outcome.stdout.contains('✓'), "{outcome}");
    assert!(!format!("{outcome}").contains(&source().password), "{outcome}");
    assert_no_backup(place.dir());
    outcome
}

/// Neither a backup nor a partial one is in the directory or below it.
#[track_caller]
pub fn assert_no_backup(dir: &Path) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_no_backup(&path);
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let backup =
            name.contains(".partial") || name.contains(".sql") || name.contains("manifest");
        assert!(!backup, "{} is left", path.display());
    }
}

#[test]
fn a_wrong_password_is_said_to_be_one() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    let mut command = place.create(database);
    let outcome = refused(
        &place,
        command.env("DB_PASSWORD", "hunter2"),
        1,
        "does not accept the user or the password",
        "DB_PASSWORD",
    );
    assert!(
        outcome.stderr.contains("password authentication failed for user \"postgres\""),
        "{outcome}"
    );
    assert!(!format!("{outcome}").contains("hunter2"), "{outcome}");
}

#[test]
fn a_password_that_is_missing_is_not_asked_for() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    let mut command = place.create(database);
    command.env_remove("DB_PASSWORD").env("HOME", place.dir());
    refused(&place, &mut command, 1, "asks for a password, and none was given", "DB_PASSWORD");
}

#[test]
fn a_database_that_is_missing_is_named() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    let mut command = place.create(database);
    refused(
        &place,
        command.args(["--dbname", "nosuch"]),
        1,
        "\"nosuch\" does not exist",
        "DB_NAME",
    );
}

#[test]
fn a_role_that_is_missing_is_named() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    let mut command = place.create(database);
    let outcome = refused(&place, command.args(["--username", "nosuch"]), 1, "nosuch", "DB_USER");
    assert!(!outcome.stdout.contains("created"), "{outcome}");
}

#[test]
fn a_server_that_is_down_is_named() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    let port = free_port().to_string();
    let mut command = place.create(database);
    let outcome = refused(
        &place,
        command.args(["--port", &port]),
        1,
        "cannot be reached",
        "--host and --port",
    );
    assert!(
        outcome.stderr.contains(&port) && outcome.stderr.contains("Connection refused"),
        "{outcome}"
    );
}

#[test]
fn a_role_that_may_not_read_everything_makes_no_backup() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    let role = format!("reader_of_{}", database.name);
    database.sql(&format!("CREATE ROLE {role} LOGIN PASSWORD '{}'", source().password));
    let mut command = place.create(database);
    refused(
        &place,
        command.args(["--username", &role]),
        1,
        "may not dump everything",
        "pg_read_all_data",
    );
}

#[test]
fn an_output_that_exists_is_not_touched_without_force() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    let before = place.file("kept/a.txt.gz", b"precious");
    let mut command = place.create(database);
    let outcome = Outcome::of(&command.arg("kept/a.txt.gz").output().unwrap());
    assert_eq!(outcome.code, 2, "{outcome}");
    assert!(outcome.stderr.contains("kept/a.txt.gz exists already"), "{outcome}");
    outcome.hints("--force");
    assert_eq!(std::fs::read(before).unwrap(), b"precious");
    assert!(!place.names("kept").iter().any(|name| name.contains("partial")));
}

#[test]
fn an_output_that_is_a_directory_is_refused_with_force_too() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    std::fs::create_dir(place.dir().join("a.gz")).unwrap();
    for args in [&["a.gz"][..], &["a.gz", "--force"]] {
        let mut command = place.create(database);
        refused(&place, command.args(args), 2, "a.gz is a directory", "name a file");
    }
}

#[test]
fn a_directory_that_may_not_be_written_is_named() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    std::fs::create_dir(place.dir().join("locked")).unwrap();
    std::fs::set_permissions(place.dir().join("locked"), PermissionsExt::from_mode(0o555)).unwrap();
    let mut command = place.ccc_without_privileges();
    command.args(["create", "--backup-dir", "locked"]).envs(connection(database));
    refused(&place, &mut command, 2, "no permission to", "the user that owns the backups");
}

/// `create` on the disk of [`on_a_disk`].
const CREATE: &str = "create --backup-dir disk";

#[test]
fn a_full_disk_leaves_nothing_and_is_named() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    let outcome = on_a_disk(&place, "size=40k", "", CREATE, &connection(database));
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(
        outcome.stderr.contains("no space left") || outcome.stderr.contains("No space left"),
        "{outcome}"
    );
    outcome.hints("free space");
    let left = std::fs::read_to_string(place.dir().join("left")).unwrap();
    assert!(!left.contains("backup_"), "{left}");
}

#[test]
fn a_read_only_file_system_is_named() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    let outcome = on_a_disk(&place, "ro", "", CREATE, &connection(database));
    assert_eq!(outcome.code, 2, "{outcome}");
    assert!(outcome.stderr.contains("read-only file system"), "{outcome}");
    outcome.hints("can be written");
}

#[test]
fn a_source_that_goes_away_makes_no_backup() {
    let (place, database) = (Place::without_docker(), database());
    let lock = database.locked();
    let run = crate::support::Running::create(&place, &database, &[]);
    database.wait_for_a_dump();
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE application_name = 'pg_dump' AND datname = current_database()";
    database.sql(end);
    let (outcome, _) = run.end();
    drop(lock);
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(outcome.stderr.contains("error: no backup was made"), "{outcome}");
    outcome.hints("server's log");
    assert_no_backup(place.dir());
}

#[test]
fn a_pg_dump_that_is_older_than_the_server_is_said_to_be_so() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    // The words of pg_dump 13 for this server; no machine has every version.
    let old = place.program(
        "old/pg_dump",
        "[ \"$1\" != --version ] || { echo 'pg_dump (PostgreSQL) 13.16'; exit; }\n\
          echo 'pg_dump: error: server version: 15.18; pg_dump version: 13.16' >&2\n\
          echo 'pg_dump: error: aborting because of server version mismatch' >&2\n\
          exit 1",
    );
    let mut command = place.create(database);
    refused(
        &place,
        command.arg("--pg-dump").arg(&old),
        1,
        "pg_dump 13.16 is older than the server, which is PostgreSQL 15.18",
        "postgresql-client-15",
    );
}

#[test]
fn a_pg_dump_that_is_not_there_or_is_none_is_an_error_of_the_environment() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    let mut command = place.create(database);
    refused(
        &place,
        command.args(["--pg-dump", "/nowhere/pg_dump"]),
        2,
        "pg_dump not found: /nowhere/pg_dump",
        "--pg-dump ",
    );
    let mut command = place.create(database);
    refused(
        &place,
        command.args(["--pg-dump", "/bin/true"]),
        2,
        "/bin/true is no pg_dump",
        "--pg-dump ",
    );
}

#[test]
fn arguments_that_would_break_the_backup_are_not_passed_on() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    for argument in ["--file=elsewhere.sql", "--format=custom", "--dbname=other", "-W"] {
        let mut command = place.create(database);
        refused(
            &place,
            command.args(["--", argument]),
            2,
            "cannot be passed on to pg_dump",
            "leave it out",
        );
    }
}

#[test]
fn pg_dumps_own_words_are_shown_when_it_fails() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    let mut command = place.create(database);
    let outcome = Outcome::of(&command.args(["--", "--table=nosuch"]).output().unwrap());
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(outcome.stderr.contains("no matching tables were found"), "{outcome}");
    assert_no_backup(place.dir());
}

#[test]
fn a_setting_that_makes_no_sense_is_refused() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    let mut command = place.create(database);
    refused(&place, command.args(["--compress", "lzma"]), 2, "--compress lzma", "gzip:9");
    let mut command = place.create(database);
    refused(
        &place,
        command.env("DATABASE_URL", "mysql://u:hunter2@h/d"),
        2,
        "DATABASE_URL",
        "postgresql://",
    );
}

#[test]
fn the_history_notes_what_could_not_be_made() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    let output = place.create(database).args(["--dbname", "nosuch"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let history = std::fs::read_to_string(place.dir().join("backups/history.jsonl")).unwrap();
    let record: serde_json::Value = serde_json::from_str(history.trim()).unwrap();
    assert_eq!((&record["work"], &record["verdict"]), (&"create".into(), &"failed".into()));
}

#[test]
fn a_directory_in_the_place_of_a_backup_is_not_taken_for_the_beginning_of_its_name() {
    let place = Place::without_docker();
    std::fs::create_dir(place.dir().join("there")).unwrap();
    let outcome = Outcome::of(&place.create(unchanged_database()).arg("there").output().unwrap());
    assert_eq!(outcome.code, 2, "{outcome}");
    assert!(outcome.stderr.contains("there is a directory"), "{outcome}");
    outcome.hints("--backup-dir");
    assert_no_backup(place.dir());
}
