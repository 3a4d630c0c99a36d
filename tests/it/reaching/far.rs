//! Engines that are not on this machine, as far as `ccc-backup` can see: in a network of their own, to which one
//! address leads. So is one in a container (Docker-in-Docker), and one behind `ssh://`.

use std::path::Path;

use crate::support::docker::image;
use crate::support::engine::Engine;
use crate::support::running::Running;
use crate::support::sidecar::{TELLING, took};
use crate::support::sshd::Sshd;
use crate::support::tls::{Authority, Wanted};
use crate::support::{
    BINARY, IMAGE_VARIABLE, Outcome, Place, clean_environment, database, good_dump,
};

const PORT: &str = "2376";

/// A verification of a file by an engine elsewhere, from here.
fn verify(place: &Place, host: &str, file: &str, environment: &[(&str, &str)]) -> Outcome {
    let mut command = std::process::Command::new(BINARY);
    command.env_clear().envs(clean_environment()).envs(TELLING);
    command.env("DOCKER_HOST", host).env(IMAGE_VARIABLE, image()).envs(environment.to_vec());
    command.args(["verify", "--engine=docker", "--port=0", "--container-name", &place.container]);
    Running::spawn(command.arg(file).current_dir(place.dir())).end().0
}

/// The three files that docker takes, in a directory of a place.
fn certificates(place: &Place, name: &str, authority: &Authority, client: &Authority) -> String {
    let (certificate, key) = client.sign("client", Wanted { name: "client", ..Wanted::default() });
    let dir = place.dir().join(name);
    std::fs::create_dir(&dir).unwrap();
    let files = [("ca.pem", authority.certificate()), ("cert.pem", certificate), ("key.pem", key)];
    for (name, from) in files {
        std::fs::copy(from, dir.join(name)).unwrap();
    }
    dir.display().to_string()
}

#[test]
fn an_engine_with_tls_is_reached_by_those_whom_it_trusts_and_who_trust_it() {
    let authority = Authority::new();
    let names = "DNS:engine,IP:ADDRESS";
    // The address is known when the network is, so that the engine is asked for it.
    let files = |name: &str| authority.file(name).display().to_string();
    let options = [
        "--host=tcp://ADDRESS:2376".to_owned(),
        "--tlsverify".to_owned(),
        format!("--tlscacert={}", authority.certificate().display()),
        format!("--tlscert={}", files("engine.crt")),
        format!("--tlskey={}", files("engine.key")),
    ];
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let engine = Engine::far_with(&options, |address| {
        let names = names.replace("ADDRESS", address);
        authority
            .sign("engine", Wanted { name: "engine", names: Some(&names), ..Wanted::default() });
    });
    let place = Place::without_docker();
    place.file("a.sql", good_dump());
    let host = format!("tcp://{}:{PORT}", engine.address());
    let good = certificates(&place, "good", &authority, &authority);
    let with = |certificates: &str| {
        let environment = [("DOCKER_TLS_VERIFY", "1"), ("DOCKER_CERT_PATH", certificates)];
        verify(&place, &host, "a.sql", &environment)
    };
    let outcome = with(&good);
    outcome.passed();
    took(&outcome, "Relay");
    let other = Authority::new();
    let distrusting = certificates(&place, "distrusting", &other, &authority);
    with(&distrusting).not_verified("invalid peer certificate: UnknownIssuer").hints("DOCKER_HOST");
    let distrusted = certificates(&place, "distrusted", &authority, &other);
    with(&distrusted).not_verified("no Docker Engine answers");
    let missing = place.dir().join("missing").display().to_string();
    with(&missing).not_verified("ca.pem");
    verify(&place, &host, "a.sql", &[]).not_verified("no Docker Engine answers");
    assert_eq!(engine.left(), Vec::<String>::new());
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn an_engine_on_another_machine_is_reached_by_tcp_and_its_server_through_it() {
        let engine = Engine::far(&["--host=tcp://ADDRESS:2376", "--tls=false"]);
        let place = Place::without_docker();
        let database = database();
        place.file("a.sql", good_dump());
        place.file("a.dump", &database.dump(&["--format=custom"]));
        let host = format!("tcp://{}:{PORT}", engine.address());
        for file in ["a.sql", "a.dump"] {
            let outcome = verify(&place, &host, file, &[]);
            outcome.passed();
            took(&outcome, "Relay");
            assert_eq!(engine.left(), Vec::<String>::new());
        }
    }

    #[test]
    fn an_engine_behind_ssh_is_reached_as_docker_reaches_it() {
        let engine = Engine::far(&[]);
        let place = Place::without_docker();
        place.file("a.sql", good_dump());
        place.file("a.dump", &database().dump(&["--format=custom"]));
        let sshd = Sshd::start(&place, &engine);
        let path = sshd.path();
        for (file, host) in [
            ("a.sql", sshd.host()),
            ("a.dump", format!("{}{}", sshd.host(), engine.host().trim_start_matches("unix://"))),
        ] {
            let outcome = verify(&place, &host, file, &[("PATH", &path)]);
            outcome.passed();
            took(&outcome, "Relay");
            assert_eq!(engine.left(), Vec::<String>::new());
        }
        sshd.trusts_nobody();
        let refused = verify(&place, &sshd.host(), "a.sql", &[("PATH", &path)]);
        refused.not_verified("Permission denied");
        let no_such = format!("{}/no/such.sock", sshd.host());
        assert!(Path::new("/usr/bin/ssh").exists());
        verify(&place, &no_such, "a.sql", &[("PATH", &path)])
            .not_verified("no Docker Engine answers");
    }

    #[test]
    fn where_no_way_leads_to_the_server_each_is_named_with_what_it_answered() {
        let engine = Engine::far(&["--host=tcp://ADDRESS:2376", "--tls=false"]);
        let place = Place::without_docker();
        place.file("a.sql", good_dump());
        // Its shell finds none of the programs by which a stream could be joined with the server's port.
        let file = place.file(
            "Dockerfile",
            format!(
                "FROM {}\nRUN rm -f /bin/bash /usr/bin/bash /usr/bin/perl /bin/nc /usr/bin/nc\n",
                image()
            )
            .as_bytes(),
        );
        engine.docker(&[
            "build",
            "-q",
            "-t",
            "bare:15",
            "-f",
            file.to_str().unwrap(),
            place.dir().to_str().unwrap(),
        ]);
        let host = format!("tcp://{}:{PORT}", engine.address());
        let outcome = verify(&place, &host, "a.sql", &[(IMAGE_VARIABLE, "bare:15")]);
        outcome.not_verified("PostgreSQL is ready in the container").hints("bash, perl or nc");
        let none =
            "a stream through the engine: the image has none of the programs bash, perl and nc";
        for said in ["its port 127.0.0.1:", none] {
            assert!(outcome.stdout.contains(said), "no {said:?}: {outcome}");
        }
        assert_eq!(engine.left(), Vec::<String>::new());
    }
}
