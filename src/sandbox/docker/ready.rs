//! Waits until the server in the container answers, and finds the shortest way to it.

use std::io::ErrorKind;
use std::time::Duration;

use bollard::Docker;
use bollard::query_parameters::LogsOptions;
use futures_util::StreamExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::pg::{self, Address, ConnectInfo};
use crate::sandbox::error::SandboxError;
use crate::sandbox::server_log::{self, LOOKED_AT};

use super::exit;
use super::spec::RUN_SETTING;

/// How long one attempt may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a way may take to prove that it leads to the container at all.
const PROBE_TIMEOUT: Duration = Duration::from_millis(500);
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LAST_PAUSE: Duration = Duration::from_millis(25);

/// A server that answers.
#[derive(Debug)]
pub struct Ready {
    /// How to connect.
    pub connect_info: ConnectInfo,
    /// How often it was asked.
    pub attempts: u32,
    /// What it calls its version.
    pub server_version: String,
}

/// What is waited for.
#[derive(Debug)]
pub struct Awaited<'a> {
    /// The engine.
    pub docker: &'a Docker,
    /// Id of the container.
    pub id: &'a str,
    /// Its name.
    pub name: &'a str,
    /// The run that its server must belong to.
    pub run: &'a str,
    /// The ways to it, the shortest first. There is at least one.
    pub ways: Vec<ConnectInfo>,
    /// How long is waited.
    pub within: Duration,
}

/// Waits for the server.
///
/// # Errors
/// [`SandboxError::NotReady`] when the container exits or the time is over,
/// [`SandboxError::Interrupted`].
pub async fn wait(awaited: Awaited<'_>, cancel: &CancellationToken) -> Result<Ready, SandboxError> {
    let Awaited { docker, id, name, within, .. } = awaited;
    let mut refusals = String::new();
    let reason = tokio::select! {
        biased;
        () = cancel.cancelled() => return Err(SandboxError::Interrupted),
        reason = exit::in_words(docker, id) => reason,
        outcome = tokio::time::timeout(within, poll(awaited, &mut refusals)) => {
            match outcome {
                Ok(ready) => return Ok(ready),
                Err(_) => format!("no answer within {} s ({refusals})", within.as_secs()),
            }
        }
    };
    let name = format!("the container {name}");
    Err(SandboxError::NotReady { name, reason, log: last_lines(docker, id).await })
}

async fn poll(awaited: Awaited<'_>, refusals: &mut String) -> Ready {
    let mut ways = passable(awaited.ways).await;
    let mut pause = FIRST_PAUSE;
    for attempts in 1.. {
        let started = Instant::now();
        if let Some(first) = first_that_answers(&ways, awaited.run, refusals).await {
            // It may have got ready after the shorter ones were tried.
            let shorter = first_that_answers(&ways[..first.0], awaited.run, refusals).await;
            let (way, server_version) = shorter.unwrap_or(first);
            return Ready { connect_info: ways.swap_remove(way), attempts, server_version };
        }
        tracing::trace!(attempts, took = ?started.elapsed(), refusals, "not ready");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LAST_PAUSE);
    }
    // A u32 of attempts, each with a pause, outlasts the timeout around this.
    std::future::pending().await
}

/// The ways to try, the shortest first: those that lead somewhere, and if none does, all.
///
/// A port that refuses is as good as one that answers: the server is not ready yet. Where the engine
/// runs in a virtual machine or without root, the container's own address leads nowhere, which takes a
/// time-out to see, or to somebody else, who is known by what he answers.
async fn passable(ways: Vec<ConnectInfo>) -> Vec<ConnectInfo> {
    let mut passable = Vec::new();
    for way in &ways {
        let Address::Tcp { host, port } = &way.address else {
            continue;
        };
        let probe = tokio::net::TcpStream::connect((host.as_str(), *port));
        let passes = match tokio::time::timeout(PROBE_TIMEOUT, probe).await {
            Ok(Ok(_)) => true,
            Ok(Err(error)) => error.kind() == ErrorKind::ConnectionRefused,
            Err(_) => false,
        };
        if passes {
            passable.push(way.clone());
        } else {
            tracing::debug!(way = %way.address, "leads nowhere");
        }
    }
    if passable.is_empty() { ways } else { passable }
}

/// Which of the ways leads to the server of this run, and its version; else why none does.
async fn first_that_answers(
    ways: &[ConnectInfo],
    run: &str,
    refusals: &mut String,
) -> Option<(usize, String)> {
    let mut refused = Vec::new();
    for (index, way) in ways.iter().enumerate() {
        match attempt(way, run).await {
            Ok(version) => return Some((index, version)),
            Err(reason) => refused.push(format!("{}: {reason}", way.address)),
        }
    }
    *refusals = refused.join("; ");
    None
}

/// One connection: the server's version, if it is the server of this run.
async fn attempt(way: &ConnectInfo, run: &str) -> Result<String, String> {
    let asking = async {
        let session = way.connect().await?;
        let question = format!(
            "SELECT current_setting('{RUN_SETTING}', true), current_setting('server_version')"
        );
        let row = session.query_one(&question, &[]).await?;
        Ok::<_, tokio_postgres::Error>((row.try_get::<_, Option<String>>(0)?, row.try_get(1)?))
    };
    let (answered, version) = tokio::time::timeout(ATTEMPT_TIMEOUT, asking)
        .await
        .map_err(|_| "no answer".to_owned())?
        .map_err(|error| pg::describe(&error))?;
    if answered.as_deref() == Some(run) {
        Ok(version)
    } else {
        Err("another server answers there".into())
    }
}

/// The last lines that the container wrote.
pub async fn last_lines(docker: &Docker, id: &str) -> Vec<String> {
    let options = LogsOptions {
        stdout: true,
        stderr: true,
        tail: LOOKED_AT.to_string(),
        ..LogsOptions::default()
    };
    let logs = docker.logs(id, Some(options));
    let read = logs.filter_map(|item| async move { item.ok() });
    let read = read.map(|output| output.to_string()).collect::<String>();
    let text = tokio::time::timeout(ATTEMPT_TIMEOUT, read).await.unwrap_or_default();
    server_log::last_lines(&text)
}
