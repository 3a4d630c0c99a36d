//! What says nothing about the backup is exit 2, NOT VERIFIED: never passed, never failed.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;

use crate::support::docker::{docker, docker_text, image};
use crate::support::dumps::{gzipped, with_sql_last};
use crate::support::registry::Registry;
use crate::support::{Outcome, Place, SOON, defaults, good_dump};

#[test]
fn verify_backup_file_not_found_is_not_verified() {
    let place = Place::new();
    let outcome = place.outcome(place.verify().arg("nowhere/a.sql"));
    outcome.not_verified("Backup file not found: nowhere/a.sql").hints("check the path");
}

#[test]
fn a_directory_is_not_verified() {
    let place = Place::new();
    std::fs::create_dir(place.dir().join("backups")).unwrap();
    let outcome = place.outcome(place.verify().arg("backups"));
    outcome.not_verified("backups is a directory, not a backup file").hints("--latest");
}

#[test]
fn a_pipe_is_not_verified_and_not_waited_for() {
    let place = Place::new();
    let made = std::process::Command::new("mkfifo").arg(place.dir().join("a.sql")).status();
    assert!(made.unwrap().success());
    let outcome = place.outcome(place.verify().arg("a.sql"));
    outcome.not_verified("a.sql is not a regular file").hints("copy the backup");
}

#[test]
fn a_file_that_may_not_be_read_is_not_verified() {
    let place = Place::new();
    let file = place.file("a.sql", good_dump());
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
    let outcome = place.outcome(place.ccc_without_privileges().args(["verify", "a.sql"]));
    outcome.not_verified("a.sql may not be read").hints("run as that user");
}

#[test]
fn no_backup_at_all_is_not_verified() {
    let place = Place::new();
    place.file("backups/README.md", b"no backup");
    let outcome = place.outcome(place.verify().arg("--latest"));
    outcome.not_verified("No backup found in ./backups").hints("ccc-backup create");
}

#[test]
fn a_backup_directory_that_is_missing_is_not_verified() {
    let place = Place::new();
    let outcome = place.outcome(place.verify().args(["--latest", "--backup-dir", "nowhere"]));
    outcome.not_verified("backup directory not found: nowhere").hints("--backup-dir");
}

#[test]
fn a_port_that_something_else_has_is_not_verified() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    place.file("a.sql", good_dump());
    let args = ["verify", "a.sql", "--port", &port, "--container-name", &place.container];
    let outcome = place.outcome(place.ccc().args(args));
    outcome.not_verified(&format!("port {port} on 127.0.0.1 is in use")).hints("--port 0");
}

#[test]
fn the_port_that_is_taken_unless_told_otherwise_is_5433() {
    let _alone = defaults();
    let place = Place::new();
    // Where something else has it already, that is as good.
    let listener = TcpListener::bind("127.0.0.1:5433");
    place.file("a.sql", good_dump());
    let args = ["verify", "a.sql", "--container-name", &place.container];
    let outcome = place.outcome(place.ccc().args(args));
    drop(listener);
    outcome.not_verified("port 5433 on 127.0.0.1 is in use");
}

#[test]
fn a_container_of_that_name_that_is_not_ours_is_not_touched() {
    let place = Place::new();
    docker_text(&["create", "--name", &place.container, image(), "true"]);
    let before = docker_text(&["inspect", "--format", "{{.Id}}", &place.container]);
    place.file("a.sql", good_dump());
    let outcome = Outcome::of(&place.verify().arg("a.sql").output().unwrap());
    let after = docker(&["inspect", "--format", "{{.Id}}", &place.container]);
    docker_text(&["rm", "-v", &place.container]);
    assert_eq!(before.as_bytes(), after.stdout);
    outcome.not_verified("and ccc-backup did not make it").hints("--container-name");
}

#[test]
fn a_good_backup_is_not_verified_where_no_docker_answers() {
    let place = Place::new();
    let socket = place.dir().join("dead.sock");
    drop(UnixListener::bind(&socket).unwrap());
    place.file("a.sql", good_dump());
    for host in [
        format!("unix://{}", socket.display()),
        format!("unix://{}/nowhere.sock", place.dir().display()),
        "tcp://127.0.0.1:1".to_owned(),
    ] {
        let outcome = place.outcome(
            place.verify().args(["a.sql", "--engine", "docker"]).env("DOCKER_HOST", &host),
        );
        outcome.not_verified("no Docker Engine answers").hints("start Docker");
    }
}

#[test]
fn an_engine_whose_socket_may_not_be_opened_is_named_with_what_opens_it() {
    let place = Place::new();
    place.file("a.sql", good_dump());
    let socket = place.dir().join("closed.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    std::fs::set_permissions(&socket, std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
    let mut command = place.ccc_without_privileges();
    command.args(["verify", "a.sql", "--engine=docker", "--container-name", &place.container]);
    let host = format!("unix://{}", socket.display());
    let outcome = place.outcome(command.env("DOCKER_HOST", host));
    outcome.not_verified("no permission to open the socket").hints("to the group docker");
}

#[test]
fn what_answers_and_is_no_docker_engine_is_not_verified() {
    let (place, other) = (Place::new(), Registry::start());
    place.file("a.sql", good_dump());
    let mut command = place.verify();
    command.args(["a.sql", "--engine=docker"]);
    let outcome = place.outcome(command.env("DOCKER_HOST", format!("tcp://{}", other.host())));
    let reason = format!("no Docker Engine answers: tcp://{}: 404 page not found", other.host());
    outcome.not_verified(&reason).hints("set DOCKER_HOST");
}

#[test]
fn a_socket_that_no_system_can_open_is_not_verified() {
    let place = Place::new();
    place.file("a.sql", good_dump());
    let mut command = place.verify();
    command.args(["a.sql", "--engine=docker"]);
    let host = format!("unix:///{}", "long/".repeat(50));
    let outcome = place.outcome(command.env("DOCKER_HOST", host));
    outcome.not_verified("no Docker Engine answers").hints("set DOCKER_HOST");
}

#[test]
fn an_image_that_cannot_be_had_is_not_verified() {
    let place = Place::new();
    place.file("a.sql", good_dump());
    // No registry listens there: the engine says so at once, with or without a network.
    let outcome =
        place.outcome(place.verify().args(["a.sql", "--image", "localhost:1/nosuch/image:1"]));
    outcome.not_verified("there is no image localhost:1/nosuch/image:1").hints("docker pull");
}

#[test]
fn a_name_that_no_image_can_have_is_not_verified() {
    let place = Place::new();
    place.file("a.sql", good_dump());
    let outcome = place.outcome(place.verify().args(["a.sql", "--image", "Postgres:15"]));
    outcome.not_verified("repository name must be lowercase").hints("such as postgres:15");
}

#[test]
fn an_image_without_postgresql_is_not_verified() {
    let place = Place::new();
    let empty = place.file("empty.tar", &[0; 10_240]);
    let name = format!("{}image", place.container);
    docker_text(&["import", empty.to_str().unwrap(), &name]);
    place.file("a.sql", good_dump());
    let outcome = place.outcome(place.verify().args(["a.sql", "--image", &name]));
    docker_text(&["image", "rm", &name]);
    assert_eq!(outcome.code, 2, "{outcome}");
}

#[test]
fn a_good_backup_in_another_compression_is_not_verified() {
    let place = Place::new();
    let twice = gzipped(&gzipped(good_dump()));
    place.verify_bytes("a.sql.gz", &twice).not_verified("gzipped twice");
}

#[test]
fn a_server_that_runs_out_of_something_says_nothing_of_the_backup() {
    let dump =
        with_sql_last("DO $$ BEGIN RAISE EXCEPTION 'no space' USING ERRCODE = '53100'; END $$;");
    Place::new().verify_bytes("a.sql", &dump).not_verified("no space (SQLSTATE 53100)");
}

#[test]
fn a_server_that_goes_away_during_the_restore_says_nothing_of_the_backup() {
    let dump = with_sql_last("SELECT pg_terminate_backend(pg_backend_pid());");
    let outcome = Place::new().verify_bytes("a.sql", &dump);
    outcome.not_verified("terminating connection").hints("run it again");
}

/// An image whose server is this line of shell.
fn image_whose_server(place: &Place, line: &str) -> String {
    let (maker, name) = (format!("{}maker", place.container), format!("{}image", place.container));
    let make = format!(
        "printf '#!/bin/sh\\n{line}\\n' >/tmp/server; chmod 755 /tmp/server; \
         cp /tmp/server \"$(command -v postgres || ls /usr/lib/postgresql/*/bin/postgres)\""
    );
    let run = ["run", "--name", &maker, "--user=0", "--entrypoint=sh", image(), "-ec", &make];
    docker_text(&run);
    docker_text(&["commit", &maker, &name]);
    docker_text(&["rm", "-v", &maker]);
    name
}

#[test]
fn start_postgres_timeout_is_not_verified() {
    let place = Place::new();
    let name = image_whose_server(&place, "exec sleep 600");
    place.file("a.sql", good_dump());
    let begun = std::time::Instant::now();
    // As long as a busy machine may take to make the container, and less than a server may take to answer.
    let args = ["a.sql", "--image", &name, "--timeout", "8s"];
    let outcome = place.outcome(place.verify().args(args));
    let took = begun.elapsed();
    docker_text(&["image", "rm", &name]);
    outcome.not_verified("timed out after 8 s").says("Waiting for PostgreSQL to be ready...");
    assert!(took < SOON, "{took:?}");
}

#[test]
fn a_server_that_does_not_start_is_not_verified_and_its_words_are_shown() {
    let place = Place::new();
    let name = image_whose_server(&place, "echo it is broken >&2; exit 3");
    place.file("a.sql", good_dump());
    let outcome = place.outcome(place.verify().args(["a.sql", "--image", &name]));
    docker_text(&["image", "rm", &name]);
    outcome.not_verified("PostgreSQL did not get ready").hints("the lines above");
    outcome.says("it is broken");
}

#[test]
fn a_restore_that_takes_longer_than_the_timeout_is_not_verified() {
    let place = Place::new();
    place.file("a.sql", &with_sql_last("SELECT pg_sleep(60);"));
    let outcome = place.outcome(place.verify().args(["a.sql", "--timeout", "2s"]));
    outcome.not_verified("timed out after 2 s (--timeout)").hints("run it again");
}

#[test]
fn a_time_out_of_one_second_never_looks_like_a_bad_backup() {
    let place = Place::new();
    place.file("a.sql", &with_sql_last("SELECT pg_sleep(60);"));
    let outcome = place.outcome(place.verify().args(["a.sql", "--timeout", "1s"]));
    outcome.not_verified("timed out after 1 s (--timeout)");
}

#[test]
fn quiet_says_on_one_line_why_it_could_not_be_told() {
    let place = Place::new();
    let outcome = place.outcome(place.verify().args(["nowhere.sql", "--quiet"]));
    assert_eq!(outcome.stdout, "⚠️ NOT VERIFIED: Backup file not found: nowhere.sql\n");
    assert_eq!((outcome.code, outcome.stderr.as_str()), (2, ""));
}

#[test]
fn a_log_file_that_cannot_be_written_is_an_error_before_anything_starts() {
    let place = Place::new();
    place.file("a.sql", good_dump());
    let outcome = place.outcome(place.verify().args(["a.sql", "--log-file", "nowhere/run.log"]));
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""));
    assert!(outcome.stderr.contains("nowhere/run.log cannot be written"), "{outcome}");
    outcome.hints("");
}
