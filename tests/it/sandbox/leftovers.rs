//! Names, ports and leftovers: ours, dead, live, somebody else's.

use ccc_backup::events::Events;
use ccc_backup::sandbox;
use ccc_backup::sandbox::SandboxError;
use std::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{
    SWEEPING, answer, docker_text, docker_with, labels_of_a_dead_run, labels_of_a_run, left,
    recorded, refused, request, started,
};
use crate::support::docker::image;

#[tokio::test]
async fn a_container_that_is_not_ours_is_not_touched() {
    let request = request("foreign");
    docker_text(&["create", "--name", &request.name, image(), "true"]);
    let error = refused(&request).await;
    let there = left(&request.name);
    docker_text(&["rm", "-v", &request.name]);
    assert!(matches!(error, SandboxError::NameTaken { .. }), "{error}");
    assert_eq!(there, std::slice::from_ref(&request.name));
}

#[tokio::test]
async fn what_a_dead_run_left_is_removed_by_the_next() {
    let request = request("leftover");
    let _alone = SWEEPING.lock().await;
    let name = request.name.as_str();
    let (network, volume) = (format!("{name}-0a"), format!("{name}-0a-volume"));
    let labels = labels_of_a_dead_run(&format!("0a{}", std::process::id()));
    docker_with(&["network", "create"], &labels, &[&network]);
    docker_with(&["volume", "create"], &labels, &[&volume]);
    let data = format!("{volume}:/var/lib/postgresql/data");
    let rest = [
        "-d",
        "--name",
        name,
        "--network",
        &network,
        "-v",
        &data,
        "--entrypoint",
        "sleep",
        image(),
        "600",
    ];
    docker_with(&["run"], &labels, &rest);
    let (events, seen) = recorded();
    let sandbox = sandbox::start(&request, &events, &CancellationToken::new()).await.unwrap();
    let there = left(name);
    sandbox.close(&events).await.unwrap();
    assert!(!there.contains(&network) && !there.contains(&volume), "{there:?}");
    let seen = seen.lock().unwrap();
    let swept = seen.iter().filter(|text| text.starts_with("SandboxSwept"));
    assert!(swept.count() >= 3, "{seen:?}");
    assert_eq!(left(name), Vec::<String>::new());
}

#[tokio::test]
async fn a_container_of_a_run_on_another_host_is_not_touched() {
    let request = request("elsewhere");
    let labels = labels_of_a_run(&format!("0b{}", std::process::id()), "another-boot");
    docker_with(&["create", "--name", &request.name], &labels, &[image()]);
    let error = refused(&request).await;
    let there = left(&request.name);
    docker_text(&["rm", "-v", &request.name]);
    assert!(matches!(error, SandboxError::NameInUse { live: false, .. }), "{error}");
    assert!(error.hint().unwrap().contains("docker rm -f"));
    assert_eq!(there, std::slice::from_ref(&request.name));
}

#[tokio::test]
async fn the_operator_sweeps_what_was_kept_and_what_is_dead() {
    let name = request("swept").name;
    let labels = labels_of_a_dead_run(&format!("0c{}", std::process::id()));
    let _alone = SWEEPING.lock().await;
    docker_with(&["create", "--name", &name], &labels, &[image()]);
    let swept = sandbox::sweep_leftovers(&Events::silent()).await.unwrap();
    assert!(swept.removed.contains(&format!("container {name}")), "{swept:?}");
    assert_eq!(left(&name), Vec::<String>::new());
}

#[tokio::test]
async fn a_live_runs_container_is_not_touched() {
    let request = request("live");
    let _alone = SWEEPING.lock().await;
    let first = started(&request).await;
    let error = refused(&request).await;
    assert!(
        matches!(&error, SandboxError::NameInUse { live: true, owner, .. }
            if owner.contains(&std::process::id().to_string())),
        "{error}"
    );
    let swept = sandbox::sweep_leftovers(&Events::silent()).await.unwrap();
    assert!(swept.left.iter().any(|line| line.contains(&request.name)), "{swept:?}");
    assert_eq!(answer(first.connect_info(), "SELECT 'alive'").await, "alive");
    first.close(&Events::silent()).await.unwrap();
}

#[tokio::test]
async fn a_busy_port_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut request = request("busy");
    request.port = port;
    let error = refused(&request).await;
    assert!(
        matches!(error, SandboxError::PortBusy { port: busy, by: None } if busy == port),
        "{error}"
    );
    assert_eq!(left(&request.name), Vec::<String>::new());
}

#[tokio::test]
async fn a_port_that_another_sandbox_has_is_said_to_be_its() {
    let first_request = request("busy-first");
    let first = started(&first_request).await;
    let mut second = request("busy-second");
    second.port = first.port();
    let error = refused(&second).await;
    first.close(&Events::silent()).await.unwrap();
    assert!(
        matches!(&error, SandboxError::PortBusy { by: Some(name), .. }
            if *name == first_request.name),
        "{error}"
    );
    assert_eq!(left(&second.name), Vec::<String>::new());
}
