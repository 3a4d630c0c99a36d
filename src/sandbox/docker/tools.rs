//! PostgreSQL's client tools of an image: each call in a container of its own, in the network of this
//! machine, as our user, with those of its files that the tool needs.
//!
//! The containers have the labels of the run, as a sandbox has, so that a later run removes what a killed
//! one left.

use std::collections::{BTreeSet, HashMap};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use bollard::container::{AttachContainerResults, LogOutput};
use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount, MountType};
use bollard::query_parameters::{
    AttachContainerOptions, CreateContainerOptions, KillContainerOptions, StartContainerOptions,
};
use futures_util::StreamExt;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;
use tokio_util::sync::CancellationToken;

use super::engine::Engine;
use super::exit::{self, Exit};
use super::guard::{Guard, Requests, refusing, this_run_at};
use super::image::{self, Image, Wanted};
use super::inventory::{inventory, remove, remove_container};
use super::spec::covered;
use crate::events::{Event, Events};
use crate::model::secret::Secret;
use crate::process::Lines;
use crate::process::{Ended, Ends, GRACE};
use crate::sandbox::error::SandboxError;
use crate::sandbox::leftovers::{Which, removable};
use crate::sandbox::owner::Owner;

const SCRIPT: &str = concat!(include_str!("find-server.sh"), include_str!("tool.sh"));
/// How long the removal of what is left of the tools may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long the engine may take to say how a tool ended whose output has.
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// A call of a tool.
#[derive(Debug)]
pub struct ToolCall {
    /// The tool and its arguments. None of them is a secret.
    pub argv: Vec<String>,
    /// Variables in the form `NAME=value`. Whoever may inspect containers sees them.
    pub env: Vec<String>,
    /// What the tool finds in `PGPASSWORD`, and no inspection shows; empty for none.
    pub password: Secret,
    /// Files and directories of this machine that it sees where they are, and may read.
    pub readable: BTreeSet<PathBuf>,
    /// Directories that it may write to as well.
    pub writable: BTreeSet<PathBuf>,
    /// Where it runs.
    pub directory: PathBuf,
}

/// The tools of an image, and the guard of the containers that they run in.
#[derive(Debug)]
pub struct ClientTools {
    guard: Guard,
    image: Image,
}

/// Calls them. It may be had more than once, and owns nothing.
#[derive(Debug, Clone)]
pub struct ToolCaller {
    engine: Engine,
    requests: Requests,
    labels: HashMap<String, String>,
    image: Image,
}

impl ClientTools {
    /// Those of a major version, of an image that is chosen as a sandbox's. What dead runs left is
    /// removed. Emits [`Event::SandboxSwept`] for each thing of it, and [`Event::ImagePulling`].
    ///
    /// # Errors
    /// [`SandboxError::NoDocker`], [`SandboxError::ImageMissing`], [`SandboxError::Interrupted`],
    /// [`SandboxError::Engine`].
    pub async fn of_version(
        version: u32,
        events: &Events,
        cancel: &CancellationToken,
    ) -> Result<Self, SandboxError> {
        let engine = Engine::connect().await?;
        let owner = this_run_at(&engine, false).await?;
        sweep(&engine, &owner, events).await?;
        let wanted = Wanted { name: None, version };
        let image = image::find(&engine.docker, wanted, events, cancel).await?;
        Ok(Self { guard: Guard::new(engine, owner), image })
    }

    /// The image's name.
    pub fn image(&self) -> &str {
        &self.image.name
    }

    /// Who calls them.
    pub fn caller(&self) -> ToolCaller {
        ToolCaller {
            engine: self.guard.engine.clone(),
            requests: self.guard.requests().clone(),
            labels: self.guard.owner.labels(),
            image: self.image.clone(),
        }
    }

    /// Removes the containers of calls that have not ended. An engine that does not answer is not
    /// waited for long.
    pub async fn close(self) {
        if let Err(error) = self.guard.remove_within(CLOSE_TIMEOUT).await {
            tracing::warn!(
                %error,
                "`ccc-backup cleanup --sandbox` removes what is left of the tools in containers"
            );
        }
    }
}

async fn sweep(engine: &Engine, owner: &Owner, events: &Events) -> Result<(), SandboxError> {
    let found = inventory(engine).await?;
    for thing in removable(&found, owner, Which::NotKept) {
        match remove(engine, thing).await {
            Ok(()) => events.emit(Event::SandboxSwept { what: thing.to_string() }),
            Err(error) => tracing::warn!(%error, "a leftover of an earlier run stays"),
        }
    }
    Ok(())
}

impl ToolCaller {
    /// Runs a tool to its end. What it writes goes to `stdout`, no faster than that takes it. When `stop`
    /// is cancelled, or nobody reads any more, it is asked to end, and killed soon after.
    ///
    /// # Errors
    /// [`SandboxError::Engine`], [`SandboxError::Interrupted`] when it was stopped.
    pub async fn run(
        self,
        call: ToolCall,
        stdout: pipe::Sender,
        stop: CancellationToken,
    ) -> Result<Ended, SandboxError> {
        let name = call.argv.first().cloned().unwrap_or_default();
        let create = {
            let (docker, body) = (self.engine.docker.clone(), self.container(&call));
            let options = None::<CreateContainerOptions>;
            self.requests.run("create the container of a tool", async move {
                docker.create_container(options, body).await
            })
        };
        let id = tokio::select! {
            biased;
            () = stop.cancelled() => return Err(SandboxError::Interrupted),
            made = create => made.map_err(refusing(&format!("create a container for {name}")))?.id,
        };
        let running = self.run_in(&id, &name, &call.password, stdout);
        tokio::pin!(running);
        let ended = tokio::select! {
            biased;
            () = stop.cancelled() => None,
            ended = &mut running => ended.transpose(),
        };
        if ended.is_none() {
            self.ask_to_end(&id).await;
            // Until it has ended: what it says meanwhile is of no use to anyone.
            let _ = tokio::time::timeout(GRACE, exit::wait(&self.engine.docker, &id)).await;
        }
        if let Err(error) = remove_container(&self.engine, &id).await {
            tracing::debug!(%error, "left to the end of the run");
        }
        ended.unwrap_or(Err(SandboxError::Interrupted))
    }

    /// Starts the tool's container and reads what it writes; `None` where nobody wants it any more.
    async fn run_in(
        &self,
        id: &str,
        name: &str,
        password: &Secret,
        stdout: pipe::Sender,
    ) -> Result<Option<Ended>, SandboxError> {
        let docker = &self.engine.docker;
        let doing = format!("run {name} in a container");
        let options = AttachContainerOptions {
            stream: true,
            stdin: true,
            stdout: true,
            stderr: true,
            ..AttachContainerOptions::default()
        };
        let attached = docker.attach_container(id, Some(options)).await;
        let AttachContainerResults { mut input, mut output } =
            attached.map_err(refusing(&doing))?;
        let start = {
            let (docker, id) = (docker.clone(), id.to_owned());
            self.requests.run("start the container of a tool", async move {
                docker.start_container(&id, None::<StartContainerOptions>).await
            })
        };
        start.await.map_err(refusing(&doing))?;
        let line = format!("{}\n", password.expose());
        let sent = async {
            input.write_all(line.as_bytes()).await?;
            input.flush().await?;
            input.shutdown().await
        };
        // A container that has exited by now says why by itself.
        if let Err(error) = sent.await {
            tracing::debug!(%error, "the container's stdin is closed");
        }
        let (mut ends, mut stdout) = (Ends::default(), stdout);
        let mut said = |line: &str| ends.push(line);
        let mut lines = Lines::new(&mut said);
        while let Some(item) = output.next().await {
            match item.map_err(refusing(&doing))? {
                LogOutput::StdErr { message } => lines.take(&message),
                LogOutput::StdOut { message } | LogOutput::Console { message } => {
                    if let Err(error) = stdout.write_all(&message).await {
                        tracing::debug!(%error, name, "nobody reads any more");
                        return Ok(None);
                    }
                }
                LogOutput::StdIn { .. } => {}
            }
        }
        lines.finish();
        let lost = |reason: String| SandboxError::Engine { doing, reason };
        let exit = tokio::time::timeout(END_TIMEOUT, exit::wait(docker, id)).await;
        let silent = || format!("it did not say within {} s how it ended", END_TIMEOUT.as_secs());
        let exit = exit.unwrap_or_else(|_| Err(silent())).map_err(lost)?;
        Ok(Some(Ended { status: status(exit), stderr: ends.into_lines() }))
    }

    async fn ask_to_end(&self, id: &str) {
        let options = KillContainerOptions { signal: "SIGTERM".into() };
        let asking = self.engine.docker.kill_container(id, Some(options));
        if !matches!(tokio::time::timeout(GRACE, asking).await, Ok(Ok(()))) {
            tracing::debug!(id, "it could not be asked to end");
        }
    }

    fn container(&self, call: &ToolCall) -> ContainerCreateBody {
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        let script = ["sh", "-ec", SCRIPT, "ccc-backup"].map(str::to_owned);
        ContainerCreateBody {
            image: Some(self.image.name.clone()),
            user: Some(format!("{}:{}", uid.as_raw(), gid.as_raw())),
            entrypoint: Some(script.into()),
            cmd: Some(call.argv.clone()),
            env: Some(call.env.clone()),
            working_dir: Some(call.directory.display().to_string()),
            labels: Some(self.labels.clone()),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            open_stdin: Some(true),
            stdin_once: Some(true),
            host_config: Some(HostConfig {
                network_mode: Some("host".into()),
                cap_drop: Some(vec!["ALL".into()]),
                security_opt: Some(vec!["no-new-privileges".into()]),
                readonly_rootfs: Some(true),
                // A dump is no log.
                log_config: Some(HostConfigLogConfig {
                    typ: Some("none".into()),
                    ..HostConfigLogConfig::default()
                }),
                tmpfs: Some(covered(&self.image, [])),
                mounts: Some(mounts(call)),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        }
    }
}

/// Each path once: what may be written to may be read.
fn mounts(call: &ToolCall) -> Vec<Mount> {
    let mount = |(path, read_only): (&PathBuf, bool)| Mount {
        target: Some(path.display().to_string()),
        source: Some(path.display().to_string()),
        typ: Some(MountType::BIND),
        read_only: Some(read_only),
        ..Mount::default()
    };
    let writable = call.writable.iter().map(|path| (path, false));
    let readable = call.readable.difference(&call.writable).map(|path| (path, true));
    writable.chain(readable).map(mount).collect()
}

/// The end of a tool as the end of a child is told: a shell's 128 and more are signals.
pub fn status(exit: Exit) -> ExitStatus {
    match i32::try_from(exit.code) {
        Ok(code @ 129..=192) => ExitStatus::from_raw(code - 128),
        Ok(code @ 0..=255) => ExitStatus::from_raw(code << 8),
        _ => ExitStatus::from_raw(255 << 8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_is_mounted_once_and_what_may_be_written_to_is_so() {
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect();
        let call = ToolCall {
            argv: vec!["pg_dump".into()],
            env: Vec::new(),
            password: Secret::default(),
            readable: paths(&["/tmp", "/home/u/.pgpass"]),
            writable: paths(&["/tmp", "/back:ups"]),
            directory: "/back:ups".into(),
        };
        let mounted = mounts(&call).into_iter().map(|mount| {
            assert_eq!(mount.source, mount.target);
            (mount.target.unwrap(), mount.read_only.unwrap())
        });
        let expected = [("/back:ups", false), ("/tmp", false), ("/home/u/.pgpass", true)];
        let expected = expected.map(|(path, read_only)| (path.to_owned(), read_only));
        assert_eq!(mounted.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_end_of_a_tool_is_told_as_that_of_a_child() {
        let of = |code| status(Exit { code, out_of_memory: false });
        assert!(of(0).success());
        assert_eq!((of(1).code(), of(127).code(), of(255).code()), (Some(1), Some(127), Some(255)));
        assert_eq!((of(137).signal(), of(143).signal()), (Some(9), Some(15)));
        assert_eq!((of(-1).code(), of(1 << 40).code()), (Some(255), Some(255)));
    }
}
