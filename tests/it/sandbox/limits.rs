//! What the container may take of the machine.

use ccc_backup::events::Events;
use ccc_backup::sandbox::Limits;

use super::{MIB, answer, docker_text, request, started};

/// The container's memory, memory with swap, and processors, as the engine has them.
fn inspected(name: &str) -> String {
    let format = "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.NanoCpus}}";
    docker_text(&["inspect", "--format", format, name]).trim().to_owned()
}

#[tokio::test]
async fn the_container_is_held_to_its_limits_and_the_server_is_tuned_to_them() {
    let mut request = request("limited");
    request.limits = Limits { memory: Some(512 * MIB), nano_cpus: Some(500_000_000) };
    let sandbox = started(&request).await;
    let limits = inspected(&request.name);
    let settings = "SELECT current_setting('shared_buffers') || ' ' ||
                    current_setting('max_connections')";
    let settings = answer(sandbox.connect_info(), settings).await;
    let in_memory = sandbox.facts().in_memory;
    sandbox.close(&Events::silent()).await.unwrap();
    assert_eq!(limits, format!("{} {} 500000000", 512 * MIB, 512 * MIB));
    assert_eq!(settings, "64MB 22");
    assert!(!in_memory, "a data directory in memory does not fit");
}

#[tokio::test]
async fn a_data_directory_in_memory_counts_in_the_limit() {
    let mut request = request("limited-in-memory");
    request.limits = Limits { memory: Some(2048 * MIB), nano_cpus: None };
    let sandbox = started(&request).await;
    let shared_buffers = answer(sandbox.connect_info(), "SHOW shared_buffers").await;
    let mounted = "{{range .HostConfig.Tmpfs}}{{.}} {{end}}";
    let mounted = docker_text(&["inspect", "--format", mounted, &request.name]);
    let in_memory = sandbox.facts().in_memory;
    sandbox.close(&Events::silent()).await.unwrap();
    assert!(in_memory);
    // Seven tenths for the data; an eighth of the rest for the server's buffers.
    assert!(mounted.contains("size=1503238548"), "{mounted}");
    assert_eq!(shared_buffers, "76MB");
}

#[tokio::test]
async fn without_limits_there_are_none_and_more_processors_than_there_are_is_none() {
    let mut request = request("unlimited");
    request.limits = Limits { memory: None, nano_cpus: Some(60_000_000_000_000) };
    let sandbox = started(&request).await;
    let limits = inspected(&request.name);
    sandbox.close(&Events::silent()).await.unwrap();
    assert_eq!(limits, "0 0 0");
}
