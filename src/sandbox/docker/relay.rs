//! A stream to the server through the engine's own connection, for where no address leads to it: the engine is on
//! another machine, or in another network than ours. Each of our connections is a program in a container that has the
//! server's network, and nothing else of it.

use std::path::PathBuf;

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::ExecConfig;
use futures_util::StreamExt;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use super::beside;
use super::door::{Door, Refusal};
use super::engine::message_of;
use super::guard::Guard;
use super::inventory::remove_container;
use super::spec::{Plan, SERVER_PORT, relay};
use crate::process::{Ends, Lines};
use crate::sandbox::error::SandboxError;

const SCRIPT: &str = include_str!("relay.sh");
/// Bytes that are read ahead, from the server and from us.
const BUFFER_BYTES: usize = 256 * 1024;

/// See the module.
#[derive(Debug)]
pub struct Relay {
    id: String,
    door: Door,
}

impl Relay {
    /// Starts the container, with a name of its own, and opens the way.
    ///
    /// # Errors
    /// [`SandboxError::Engine`].
    pub async fn start(guard: &Guard, plan: &Plan<'_>, server: &str) -> Result<Self, SandboxError> {
        let name = format!("{}-relay", plan.network);
        let id = beside::start(guard, &name, &relay(plan, server)).await?;
        let (docker, container) = (guard.engine.docker.clone(), id.clone());
        let door = Door::open(&format!(".s.PGSQL.{SERVER_PORT}"), move |mut stream, _| {
            let (docker, container) = (docker.clone(), container.clone());
            async move {
                let outcome = lead(&docker, &container, &mut stream).await;
                (stream, outcome)
            }
        });
        let door = door.map_err(|error| SandboxError::Engine {
            doing: "be reached by a socket of ours".into(),
            reason: error.to_string(),
        })?;
        Ok(Self { id, door })
    }

    /// The directory of the socket that leads to the server.
    pub fn socket(&self) -> PathBuf {
        self.door.dir().to_owned()
    }

    /// Why the last connection was led nowhere.
    pub fn refusal(&self) -> Refusal {
        self.door.refusal()
    }

    /// Removes it.
    pub async fn remove(self, guard: &Guard) {
        if let Err(error) = remove_container(&guard.engine, &self.id).await {
            tracing::warn!(id = self.id, %error, "a container is left");
        }
    }
}

/// Leads one of our connections to the server.
async fn lead(docker: &Docker, container: &str, stream: &mut UnixStream) -> Result<(), String> {
    let failed = |error: bollard::errors::Error| message_of(&error);
    let port = SERVER_PORT.to_string();
    let config = ExecConfig {
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        cmd: Some(["sh", "-ec", SCRIPT, "ccc-backup", &port].map(str::to_owned).into()),
        ..ExecConfig::default()
    };
    let exec = docker.create_exec(container, config).await.map_err(failed)?.id;
    let options =
        StartExecOptions { output_capacity: Some(BUFFER_BYTES), ..StartExecOptions::default() };
    let started = docker.start_exec(&exec, Some(options)).await.map_err(failed)?;
    let StartExecResults::Attached { mut output, mut input } = started else {
        return Err("it was started where it cannot be seen".to_owned());
    };
    let (from, mut to) = stream.split();
    let up = async {
        let mut from = BufReader::with_capacity(BUFFER_BYTES, from);
        // A program that has ended takes no more; how it ended is told by what it said.
        let _ = tokio::io::copy_buf(&mut from, &mut input).await;
        let _ = input.shutdown().await;
    };
    let down = async {
        let (mut ends, mut bytes) = (Ends::default(), 0);
        let mut said = |line: &str| ends.push(line);
        let mut lines = Lines::new(&mut said);
        while let Some(item) = output.next().await {
            match item.map_err(failed)? {
                LogOutput::StdErr { message } => lines.take(&message),
                LogOutput::StdOut { message } | LogOutput::Console { message } => {
                    bytes += message.len();
                    if to.write_all(&message).await.is_err() {
                        return Ok(());
                    }
                }
                LogOutput::StdIn { .. } => {}
            }
        }
        lines.finish();
        let said = ends.into_lines().join("; ");
        if bytes > 0 || said.is_empty() { Ok(()) } else { Err(said) }
    };
    tokio::pin!(up, down);
    tokio::select! {
        ended = &mut down => ended,
        () = &mut up => down.await,
    }
}
