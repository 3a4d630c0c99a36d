//! What is in the container cannot get out, and the password cannot be seen.

use ccc_backup::events::Events;
use ccc_backup::pg::Address;
use ccc_backup::pg::ConnectInfo;

use super::{answer, docker, docker_text, inside, request, started};

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

#[tokio::test]
async fn there_is_no_way_out_of_the_container() {
    let request = request("no-way-out");
    let sandbox = started(&request).await;
    let try_host = |host: &str| {
        let line = format!("psql -w -c 'SELECT 1' 'host={host} user=postgres connect_timeout=2'");
        String::from_utf8(inside(&request.name, &line).stderr).unwrap()
    };
    // Its own name is answered by the engine's resolver, so that the means of the test work.
    let itself = try_host(&request.name);
    let (address, name) = (try_host("1.1.1.1"), try_host("example.org"));
    let network = format!("{}-", request.name);
    let listed = ["network", "ls", "-q", "--filter", &format!("name={network}")];
    let options = docker_text(&["network", "inspect", docker_text(&listed).trim()]);
    sandbox.close(&Events::silent()).await.unwrap();
    assert!(itself.contains("no password supplied"), "{itself}");
    assert!(address.contains("timeout expired") || address.contains("unreachable"), "{address}");
    assert!(name.contains("could not translate host name"), "{name}");
    assert!(options.contains("\"com.docker.network.bridge.enable_ip_masquerade\": \"false\""));
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
