//! The throwaway server in a container.

use super::{doctor, looked};
use crate::support::docker::{docker_text, left};
use crate::support::source::connection;
use crate::support::{Place, Running, unchanged_database};

#[test]
fn a_container_is_started_asked_and_gone() {
    let place = Place::new();
    let args = ["doctor", "--engine", "docker", "--format", "json"];
    let run = Running::start_with(&place, &args, connection(unchanged_database()));
    let name = format!("ccc-backup-doctor-{}", run.id());
    let (outcome, _) = run.end();
    let document: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    let of = |id: &str| {
        document["findings"].as_array().unwrap().iter().find(|it| it["id"] == id).unwrap().clone()
    };
    for (id, words) in [
        ("sandbox.engine", "docker "),
        ("sandbox.image", "postgres:15"),
        ("sandbox.start", "and is gone"),
        ("sandbox.extensions", ""),
    ] {
        let found = of(id);
        assert!(
            found["state"] == "works" && found["said"].as_str().unwrap().contains(words),
            "{found}"
        );
    }
    assert_eq!(left(&name), Vec::<String>::new());
}

#[test]
fn an_engine_that_does_not_answer_is_broken_and_an_image_that_is_not_here_cannot_be_told() {
    let place = Place::without_docker();
    let with = |args: &[&str], host: Option<&str>| {
        let mut command = place.ccc();
        command.arg("doctor").args(args).env("CCC_BACKUP_IMAGE", "");
        host.into_iter().for_each(|host| {
            command.env("DOCKER_HOST", host);
        });
        looked(&place, &mut command)
    };
    let dead = with(&["--engine", "docker"], Some("unix:///nowhere/docker.sock"));
    dead.ends(1).says("sandbox.engine", "broken", "there is no socket /nowhere/docker.sock");
    dead.mends("sandbox.engine", "start Docker");
    let instead = with(&["--no-start"], Some("unix:///nowhere/docker.sock"));
    instead.ends(0).says("sandbox.engine", "works", "no Docker Engine answers");
    let absent = with(&["--engine", "docker", "--image", "localhost:1/no/such:15"], None);
    absent.ends(2).says("sandbox.image", "unknown", "localhost:1/no/such:15 is not here");
    absent.mends("sandbox.image", "docker pull localhost:1/no/such:15");
    // Other tests make images meanwhile.
    let pulled = docker_text(&["images", "--quiet", "localhost:1/no/such"]);
    assert_eq!(pulled, "", "nothing was pulled");
}

#[test]
fn settings_that_would_reach_this_machine_are_broken_as_they_are_for_a_verification() {
    let place = Place::without_docker();
    place.file("ccc-backup.toml", b"[verify.settings]\narchive_command = \"touch x\"\n");
    let mut command = place.ccc();
    let found =
        looked(&place, command.args(["doctor", "--engine", "local"]).env("CCC_BACKUP_IMAGE", ""));
    found.ends(1).says("sandbox.start", "broken", "archive_command");
    found.mends("sandbox.start", "--config");
    place.file("ccc-backup.toml", b"[verify]\nmemory = \"4\"\n");
    let found = looked(&place, &mut doctor(&place));
    found.ends(1).says("sandbox.engine", "broken", "the memory 4 is no size");
}
