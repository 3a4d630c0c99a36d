//! The sandbox against a real Docker Engine and a real PostgreSQL image.
//!
//! Every test has its own container name and any free port, so that they run side by side.

mod confinement;
mod leftovers;
mod lifetime;
mod limits;
mod local;
mod server;
mod sweeping;

use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use ccc_backup::events::Events;
use ccc_backup::pg::ConnectInfo;
use ccc_backup::sandbox::{self, Request, Sandbox, SandboxError};
use tokio_util::sync::CancellationToken;

use crate::support::docker::image;

const MIB: u64 = 1024 * 1024;

/// Held by tests that sweep everything, and by those that make something to be swept.
pub static SWEEPING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

fn request(name: &str) -> Request {
    Request {
        port: 0,
        name: format!("ccc-it-{}-{name}", std::process::id()),
        data_bytes: Some(MIB),
        image: Some(image().to_owned()),
        ..Request::default()
    }
}

async fn started(request: &Request) -> Sandbox {
    sandbox::start(request, &Events::silent(), &CancellationToken::new()).await.unwrap()
}

async fn refused(request: &Request) -> SandboxError {
    sandbox::start(request, &Events::silent(), &CancellationToken::new()).await.unwrap_err()
}

fn recorded() -> (Events, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    let events = Events::new(move |event| {
        let text = format!("{event:?}");
        sink.lock().unwrap().push(text);
    });
    (events, seen)
}

fn docker(args: &[&str]) -> Output {
    Command::new("docker").args(args).output().unwrap()
}

fn docker_text(args: &[&str]) -> String {
    let output = docker(args);
    assert!(
        output.status.success(),
        "docker {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a shell line in a sandbox's container.
fn inside(name: &str, line: &str) -> Output {
    docker(&["exec", name, "sh", "-c", line])
}

/// Containers, networks and volumes whose names begin with `name`.
fn left(name: &str) -> Vec<String> {
    let filter = format!("name={name}");
    let mut left = Vec::new();
    for kind in [
        &["ps", "-a", "--format", "{{.Names}}"][..],
        &["network", "ls", "--format", "{{.Name}}"],
        &["volume", "ls", "--format", "{{.Name}}"],
    ] {
        let args: Vec<&str> = kind.iter().copied().chain(["--filter", &filter]).collect();
        left.extend(docker_text(&args).lines().map(str::to_owned));
    }
    left
}

async fn answer(info: &ConnectInfo, question: &str) -> String {
    let session = info.connect().await.unwrap();
    session.query_one(question, &[]).await.unwrap().get(0)
}

/// The volumes that a container has, with those that were named by the engine.
fn volumes_of(container: &str) -> Vec<String> {
    let format = r#"{{range .Mounts}}{{if eq .Type "volume"}}{{println .Name}}{{end}}{{end}}"#;
    let said = docker_text(&["inspect", "--format", format, container]);
    said.lines().filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Labels of a run whose process number surely belongs to no process. It was told to keep what it
/// made, so that no other test's start removes that.
pub fn labels_of_a_dead_run(run: &str) -> Vec<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    labels_of_a_run(run, boot.trim())
}

fn labels_of_a_run(run: &str, boot: &str) -> Vec<String> {
    let pidns = std::fs::read_link("/proc/self/ns/pid").unwrap();
    [
        format!("io.ccc-backup.run={run}"),
        "io.ccc-backup.pid=0".to_owned(),
        "io.ccc-backup.started=1".to_owned(),
        format!("io.ccc-backup.boot={boot}"),
        format!("io.ccc-backup.pidns={}", pidns.display()),
        "io.ccc-backup.kept=true".to_owned(),
    ]
    .into_iter()
    .flat_map(|label| ["--label".to_owned(), label])
    .collect()
}

fn docker_with(args: &[&str], labels: &[String], rest: &[&str]) -> String {
    let labels = labels.iter().map(String::as_str);
    let all: Vec<&str> = args.iter().copied().chain(labels).chain(rest.iter().copied()).collect();
    docker_text(&all)
}
