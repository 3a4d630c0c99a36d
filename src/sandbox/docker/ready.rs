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
use super::pace::Pace;
use super::spec::RUN_SETTING;
use super::ways::{Detours, Kind, Way};

/// How long one attempt may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a way may take to prove that it leads to the container at all.
const PROBE_TIMEOUT: Duration = Duration::from_millis(500);
/// How often the ways have their time again after the last of them was made.
const LAST_ROUNDS: u32 = 4;
/// What a server says when it lets connections in, in the language that ours speak.
const SAYS_READY: &str = "database system is ready to accept connections";
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LAST_PAUSE: Duration = Duration::from_millis(25);

/// A server that answers.
#[derive(Debug)]
pub struct Ready {
    /// The way that is taken.
    pub way: Kind,
    /// How to connect by it.
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
    /// The ways that are there by themselves, the shortest first. There is at least one.
    pub ways: Vec<Way>,
    /// How long is waited.
    pub within: Duration,
}

/// What was seen while it was waited for.
#[derive(Debug, Default)]
struct Seen {
    /// The ways that led nowhere at all, and why.
    nowhere: Vec<(Way, String)>,
    /// Why others could not be made.
    barred: Vec<String>,
    /// What the others answered the last time.
    refused: Vec<String>,
    /// Whether the server says that it is ready.
    is_ready: bool,
}

impl Seen {
    fn answers(&self) -> Vec<String> {
        let nowhere = self.nowhere.iter().map(|(_, why)| why);
        nowhere.chain(&self.barred).chain(&self.refused).cloned().collect()
    }
}

/// Waits for the server. Where it is ready and no way leads there, the `detours` are made.
///
/// # Errors
/// [`SandboxError::NotReady`] when the container exits or the time is over, [`SandboxError::Unreachable`],
/// [`SandboxError::Interrupted`].
pub async fn wait(
    awaited: Awaited<'_>,
    detours: &mut Detours<'_>,
    cancel: &CancellationToken,
) -> Result<Ready, SandboxError> {
    let Awaited { docker, id, name, within, .. } = awaited;
    let name = format!("the container {name}");
    let mut seen = Seen::default();
    let reason = tokio::select! {
        biased;
        () = cancel.cancelled() => return Err(SandboxError::Interrupted),
        reason = exit::in_words(docker, id) => reason,
        outcome = tokio::time::timeout(within, poll(awaited, detours, &mut seen)) => match outcome {
            Ok(Some(ready)) => return Ok(ready),
            _ if seen.is_ready => {
                return Err(SandboxError::Unreachable { name, tried: seen.answers() });
            }
            _ => format!("no answer within {} s ({})", within.as_secs(), seen.answers().join("; ")),
        }
    };
    Err(SandboxError::NotReady { name, reason, log: last_lines(docker, id).await })
}

/// Asks until somebody answers; `None` where the server is ready and every way was tried.
async fn poll(awaited: Awaited<'_>, detours: &mut Detours<'_>, seen: &mut Seen) -> Option<Ready> {
    let Awaited { docker, id, run, .. } = awaited;
    let mut ways = open_or_all(awaited.ways, seen).await;
    let (mut pause, mut pace) = (FIRST_PAUSE, Pace::begin(Instant::now()));
    let mut rounds = LAST_ROUNDS;
    for attempts in 1.. {
        let started = Instant::now();
        if let Some(first) = first_that_answers(&ways, run, &mut seen.refused).await {
            // It may have got ready after the shorter ones were tried.
            let shorter = first_that_answers(&ways[..first.0], run, &mut seen.refused).await;
            let (way, server_version) = shorter.unwrap_or(first);
            let Way { kind, info, .. } = ways.swap_remove(way);
            tracing::debug!(way = ?kind, "taken");
            return Some(Ready { way: kind, connect_info: info, attempts, server_version });
        }
        tracing::trace!(attempts, took = ?started.elapsed(), ?seen, "not ready");
        if pace.may_look(Instant::now()) {
            seen.is_ready = seen.is_ready || log_of(docker, id).await.contains(SAYS_READY);
        }
        if pace.may_go_on(Instant::now(), seen.is_ready) && !look_again(&mut ways, seen).await {
            match detours.next_that_can_be_made(&mut seen.barred).await {
                Some(way) => ways.push(way),
                None if seen.is_ready && rounds == 0 => return None,
                None => rounds -= u32::from(seen.is_ready),
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LAST_PAUSE);
    }
    None
}

/// The ways to try, the shortest first: those that lead somewhere, and if none does, all.
async fn open_or_all(ways: Vec<Way>, seen: &mut Seen) -> Vec<Way> {
    let (open, nowhere) = probe(ways.clone()).await;
    if open.is_empty() {
        return ways;
    }
    seen.nowhere = nowhere;
    open
}

/// Whether a way leads somewhere by now that led nowhere: just after its start a container's network may not be there. Such
/// a way is shorter than one that has to be made.
async fn look_again(ways: &mut Vec<Way>, seen: &mut Seen) -> bool {
    let before = std::mem::take(&mut seen.nowhere);
    let (open, nowhere) = probe(before.into_iter().map(|(way, _)| way).collect()).await;
    seen.nowhere = nowhere;
    let leads = !open.is_empty();
    ways.extend(open);
    ways.sort_by_key(|way| way.kind);
    leads
}

/// The ways that lead somewhere, and those that do not, with the reason.
///
/// A port that refuses is as good as one that answers: the server is not ready yet. Where the engine
/// runs in a virtual machine or without root, the container's own address leads nowhere, which takes a
/// time-out to see, or to somebody else, who is known by what he answers.
async fn probe(ways: Vec<Way>) -> (Vec<Way>, Vec<(Way, String)>) {
    let (mut open, mut nowhere) = (Vec::new(), Vec::new());
    for way in ways {
        let Address::Tcp { host, port } = &way.info.address else {
            continue;
        };
        let probe = tokio::net::TcpStream::connect((host.as_str(), *port));
        let why = match tokio::time::timeout(PROBE_TIMEOUT, probe).await {
            Ok(Err(error)) if error.kind() != ErrorKind::ConnectionRefused => error.to_string(),
            Err(_) => "no answer".to_owned(),
            Ok(_) => {
                open.push(way);
                continue;
            }
        };
        let why = way.refused(why);
        tracing::debug!(%why, "leads nowhere");
        nowhere.push((way, why));
    }
    (open, nowhere)
}

/// Which of the ways leads to the server of this run, and its version; else why none does.
async fn first_that_answers(
    ways: &[Way],
    run: &str,
    refused: &mut Vec<String>,
) -> Option<(usize, String)> {
    let mut answers = Vec::new();
    for (index, way) in ways.iter().enumerate() {
        match attempt(&way.info, run).await {
            Ok(version) => return Some((index, version)),
            Err(reason) => answers.push(way.refused(reason)),
        }
    }
    *refused = answers;
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
    server_log::last_lines(&log_of(docker, id).await)
}

/// The end of what the container wrote.
async fn log_of(docker: &Docker, id: &str) -> String {
    let options = LogsOptions {
        stdout: true,
        stderr: true,
        tail: LOOKED_AT.to_string(),
        ..LogsOptions::default()
    };
    let logs = docker.logs(id, Some(options));
    let read = logs.filter_map(|item| async move { item.ok() });
    let read = read.map(|output| output.to_string()).collect::<String>();
    tokio::time::timeout(ATTEMPT_TIMEOUT, read).await.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::secret::Secret;

    fn way(kind: Kind, host: &str, port: u16) -> Way {
        Way::new(kind, Address::Tcp { host: host.into(), port }, &Secret::new("x"))
    }

    /// Nobody can be connected to at the address of everybody.
    fn nowhere() -> Way {
        way(Kind::Own, "255.255.255.255", 5432)
    }

    fn kinds(ways: &[Way]) -> Vec<Kind> {
        ways.iter().map(|way| way.kind).collect()
    }

    #[tokio::test]
    async fn a_way_that_leads_nowhere_at_first_is_taken_when_it_does_and_is_still_the_shortest() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut seen = Seen::default();
        let ways = vec![nowhere(), way(Kind::Port, "127.0.0.1", port)];
        let mut ways = open_or_all(ways, &mut seen).await;
        assert_eq!(kinds(&ways), [Kind::Port]);
        assert!(!look_again(&mut ways, &mut seen).await);
        assert_eq!((kinds(&ways), seen.answers().len()), (vec![Kind::Port], 1));
        // Now its network is there.
        seen.nowhere[0].0 = way(Kind::Own, "127.0.0.1", port);
        assert!(look_again(&mut ways, &mut seen).await);
        assert_eq!(kinds(&ways), [Kind::Own, Kind::Port]);
        assert!(seen.answers().is_empty() && !look_again(&mut ways, &mut seen).await);
    }

    #[tokio::test]
    async fn where_no_way_leads_anywhere_all_are_tried() {
        let mut seen = Seen::default();
        assert_eq!(kinds(&open_or_all(vec![nowhere()], &mut seen).await), [Kind::Own]);
        assert!(seen.answers().is_empty());
    }
}
