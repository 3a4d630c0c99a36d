//! What is in the container cannot get out, and the password cannot be seen.

use std::net::TcpListener;
use std::process::Command;

use ccc_backup::events::Events;
use ccc_backup::pg::Address;
use ccc_backup::pg::ConnectInfo;
use ccc_backup::sandbox::Request;

use super::{answer, docker, docker_text, inside, request, started};
use crate::support::docker::{image, left, remove};

#[tokio::test]
async fn the_published_port_leads_to_the_same_server_and_is_on_loopback_only() {
    let request = request("port");
    let sandbox = started(&request).await;
    let published = ConnectInfo {
        address: Address::Tcp { host: "127.0.0.1".into(), port: sandbox.port() },
        ..sandbox.connect_info().clone()
    };
    let run = answer(&published, "SHOW ccc_backup.run").await;
    let label = "{{index .Config.Labels \"io.ccc-backup.run\"}}";
    let labelled = docker_text(&["inspect", "--format", label, &request.name]);
    assert_eq!(run, labelled.trim());
    let ports = docker_text(&["port", &request.name]);
    assert_eq!(ports.trim(), format!("5432/tcp -> 127.0.0.1:{}", sandbox.port()));
    sandbox.close(&Events::silent()).await.unwrap();
}

#[tokio::test]
async fn the_password_is_in_no_inspection_log_list_of_processes_or_file() {
    let request = request("password");
    let sandbox = started(&request).await;
    let password = sandbox.connect_info().password.expose().to_owned();
    let name = request.name.as_str();
    let mut places = vec![docker_text(&["inspect", name])];
    let logs = docker(&["logs", name]);
    places.push(String::from_utf8_lossy(&logs.stdout).into_owned());
    places.push(String::from_utf8_lossy(&logs.stderr).into_owned());
    for line in [
        "cat /proc/[0-9]*/cmdline | tr '\\0' ' '",
        "cat /proc/1/environ | tr '\\0' ' '",
        "cat /tmp/* \"$PGDATA\"/*.conf",
    ] {
        let output = docker(&["exec", "--user", "postgres", name, "sh", "-c", line]);
        places.push(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    sandbox.close(&Events::silent()).await.unwrap();
    assert!(places.iter().filter(|text| !text.is_empty()).count() >= 4);
    assert!(!places.iter().any(|text| text.contains(&password)));
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let sandbox = started(&request("wrong-password")).await;
    let mut info = sandbox.connect_info().clone();
    info.password = "guess".to_owned().into();
    assert!(info.connect().await.is_err());
    sandbox.close(&Events::silent()).await.unwrap();
}

/// What psql in the sandbox's container says of a host that it is to connect to.
fn tried(name: &str, host: &str, port: u16) -> String {
    let to = format!("host={host} port={port} user=postgres connect_timeout=2");
    let line = format!("psql -w -c 'SELECT 1' '{to}'");
    String::from_utf8(inside(name, &line).stderr).unwrap()
}

/// The network of a sandbox.
fn network_of(name: &str) -> String {
    let listed = ["network", "ls", "-q", "--filter", &format!("name={name}-")];
    docker_text(&listed).trim().to_owned()
}

#[tokio::test]
async fn there_is_no_way_out_of_the_container() {
    let request = request("no-way-out");
    let sandbox = started(&request).await;
    let (address, name) =
        (tried(&request.name, "1.1.1.1", 5432), tried(&request.name, "example.org", 5432));
    let options = docker_text(&["network", "inspect", &network_of(&request.name)]);
    sandbox.close(&Events::silent()).await.unwrap();
    assert!(address.contains("Network is unreachable"), "{address}");
    assert!(name.contains("could not translate host name"), "{name}");
    assert!(options.contains("\"com.docker.network.bridge.enable_ip_masquerade\": \"false\""));
}

#[tokio::test]
async fn no_service_of_the_host_is_reached_from_a_sandbox_and_neither_from_one_that_is_kept() {
    let listener = TcpListener::bind("[::]:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let request = Request { keep: true, ..request("no-host") };
    let sandbox = started(&request).await;
    let network = network_of(&request.name);
    let format = "{{(index .IPAM.Config 0).Gateway}}";
    let gateway = docker_text(&["network", "inspect", "--format", format, &network]);
    let gateway = gateway.trim();
    let own = Command::new("hostname").arg("-I").output().unwrap();
    let own = String::from_utf8(own.stdout).unwrap();
    let session = sandbox.connect_info().connect().await.unwrap();
    session.batch_execute("CREATE EXTENSION dblink; CREATE TABLE said (line text)").await.unwrap();
    for host in own.split_whitespace().chain([gateway, "127.0.0.1"]) {
        let to = format!("host={host} port={port} user=postgres connect_timeout=2");
        let program =
            format!("psql -w -c 'SELECT 1' '{to}' 2>&1 | tr -d '\\t'").replace('\'', "''");
        let sql = format!("TRUNCATE said; COPY said FROM PROGRAM '{program}'");
        session.batch_execute(&sql).await.unwrap();
        let rows = session.query("SELECT line FROM said", &[]).await.unwrap();
        let said = rows.iter().map(|row| row.get::<_, String>(0)).collect::<String>();
        assert!(said.contains("unreachable"), "{host}: {said}");
        let from_within = session.batch_execute(&format!("SELECT dblink_connect('{to}')")).await;
        assert_eq!(from_within.unwrap_err().code().unwrap().code(), "08001", "{host}");
    }
    sandbox.keep("postgres", &Events::silent()).await;
    assert!(tried(&request.name, gateway, port).contains("unreachable"));
    assert!(listener.accept().is_err());
    // In the same network, but not held by the sandbox's profile, it is reached.
    let to = format!("host={gateway} port={port} connect_timeout=2");
    docker(&["run", "--rm", "--network", &network, "--entrypoint", "psql", image(), "-w", &to]);
    assert!(listener.accept().is_ok());
    remove(&left(&request.name));
}

#[tokio::test]
async fn the_root_is_read_only_and_no_capability_is_left() {
    let request = request("hardened");
    let sandbox = started(&request).await;
    let name = request.name.as_str();
    let write = inside(name, "echo x >/usr/x");
    let as_root = docker(&["exec", "--user", "0", name, "sh", "-c", "echo x >/x"]);
    let status = inside(name, "cat /proc/1/status; id -un");
    sandbox.close(&Events::silent()).await.unwrap();
    assert!(!write.status.success() && !as_root.status.success());
    let status = String::from_utf8(status.stdout).unwrap();
    for set in ["CapPrm", "CapEff", "CapBnd"] {
        assert!(status.contains(&format!("{set}:\t0000000000000000")), "{status}");
    }
    assert!(status.contains("NoNewPrivs:\t1"));
    assert!(status.trim_end().ends_with("postgres"));
}
