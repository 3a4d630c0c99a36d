//! It starts, answers, and leaves nothing however it ends.

use ccc_backup::events::Event;
use ccc_backup::events::Events;
use ccc_backup::model::locale::Locale;
use ccc_backup::sandbox;
use ccc_backup::sandbox::{Request, SandboxError};
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{answer, docker_text, left, recorded, request, started, volumes_of};
use crate::support::SOON;

#[tokio::test]
async fn a_sandbox_starts_answers_and_leaves_nothing() {
    let request = request("whole");
    let (events, seen) = recorded();
    let begun = Instant::now();
    let sandbox = sandbox::start(&request, &events, &CancellationToken::new()).await.unwrap();
    let version = answer(sandbox.connect_info(), "SHOW server_version").await;
    eprintln!("first query after {:?}", begun.elapsed());
    assert!(version.starts_with("15."), "{version}");
    assert_eq!(sandbox.facts().server_version, version);
    assert!(
        sandbox.facts().image_digest.as_deref().is_some_and(|digest| digest.starts_with("sha256:"))
    );
    assert!(sandbox.facts().in_memory);
    let closing = Instant::now();
    sandbox.close(&events).await.unwrap();
    eprintln!("closed after {:?}", closing.elapsed());
    assert_eq!(left(&request.name), Vec::<String>::new());
    let seen = seen.lock().unwrap();
    let names: Vec<&str> = seen.iter().map(|text| text.split([' ', '(']).next().unwrap()).collect();
    assert_eq!(
        names,
        [
            "SandboxChecking",
            "SandboxStarting",
            "SandboxStarted",
            "SandboxWaiting",
            "SandboxReady",
            "SandboxClosing",
            "SandboxClosed"
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sandbox_that_is_dropped_leaves_nothing() {
    let in_memory = request("dropped");
    let on_a_volume = Request { data_bytes: None, ..request("dropped-volume") };
    for (request, expected) in [(in_memory, 0), (on_a_volume, 1)] {
        let sandbox = started(&request).await;
        let volumes = volumes_of(&request.name);
        assert_eq!(volumes.len(), expected, "{volumes:?}");
        drop(sandbox);
        assert_eq!(left(&request.name), Vec::<String>::new());
        assert!(!volumes.iter().any(|volume| left(volume).contains(volume)), "{volumes:?}");
    }
}

#[tokio::test]
async fn a_start_that_is_cancelled_leaves_nothing_within_five_seconds() {
    for delay in [0, 30, 100, 200, 350, 500, 650] {
        let request = request(&format!("cancelled-{delay}"));
        let cancel = CancellationToken::new();
        let trigger = cancel.clone();
        let timer = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(delay)).await;
            trigger.cancel();
            Instant::now()
        });
        let outcome = sandbox::start(&request, &Events::silent(), &cancel).await;
        match outcome {
            Err(SandboxError::Interrupted) => {}
            Err(other) => panic!("{other}"),
            Ok(sandbox) => sandbox.close(&Events::silent()).await.unwrap(),
        }
        let since = timer.await.unwrap().elapsed();
        assert!(since < SOON, "{since:?}");
        assert_eq!(left(&request.name), Vec::<String>::new(), "at {delay} ms");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_is_abandoned_leaves_nothing() {
    for delay in [20, 120, 250, 400] {
        let request = request(&format!("abandoned-{delay}"));
        let events = Events::silent();
        let cancel = CancellationToken::new();
        let start = sandbox::start(&request, &events, &cancel);
        let _ = tokio::time::timeout(Duration::from_millis(delay), start).await;
        assert_eq!(left(&request.name), Vec::<String>::new(), "at {delay} ms");
    }
}

#[tokio::test]
async fn a_kept_sandbox_runs_on_and_says_how_to_connect() {
    let mut request = request("kept");
    request.keep = true;
    let sandbox = started(&request).await;
    let port = sandbox.port();
    sandbox.create_database("restore_test", &Locale::default()).await.unwrap();
    let lines = Arc::new(Mutex::new(String::new()));
    let sink = Arc::clone(&lines);
    let events = Events::new(move |event| {
        if let Event::SandboxKept { connect, .. } = event {
            *sink.lock().unwrap() = connect;
        }
    });
    sandbox.keep("restore_test", &events).await;
    let connect = lines.lock().unwrap().clone();
    let output = Command::new("sh")
        .args(["-c", &format!("{connect} -Atc 'SELECT 6 * 7'")])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let network =
        docker_text(&["network", "ls", "-q", "--filter", &format!("name={}", request.name)]);
    docker_text(&["rm", "-f", "-v", &request.name]);
    docker_text(&["network", "rm", network.trim()]);
    assert!(connect.contains(&format!("-p {port} ")), "{connect}");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "42");
}
