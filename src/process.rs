//! Child processes: started without a shell, their stderr kept, killed when dropped.
//!
//! Knows nothing of what the children are for.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use thiserror::Error;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::task::JoinHandle;

use crate::model::secret::Secret;

/// Lines of stderr kept from each end of what a child says; a child that says more loses the
/// middle.
const STDERR_LINES: usize = 200;
/// Longest stderr line kept, in bytes.
const STDERR_LINE_BYTES: u64 = 8 * 1024;

/// How long a child that was asked to end may take.
const GRACE: Duration = Duration::from_secs(1);

/// Why a child could not be run.
#[derive(Debug, Error)]
pub enum ProcessError {
    /// The program could not be started.
    #[error("could not run {program}: {source}")]
    Start {
        /// The program as it was called.
        program: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Talking to it failed.
    #[error("lost {program}: {source}")]
    Lost {
        /// The program as it was called.
        program: String,
        /// The system's reason.
        source: std::io::Error,
    },
}

/// A program to run.
#[derive(Debug, Clone)]
pub struct Invocation {
    program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(String, Secret)>,
    removed: Vec<String>,
    bare: bool,
    user: Option<User>,
    directory: Option<PathBuf>,
}

/// A user of the system, by numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    /// Its number.
    pub uid: u32,
    /// The number of its group.
    pub gid: u32,
}

impl Invocation {
    /// A program without arguments; it inherits our environment.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            removed: Vec::new(),
            bare: false,
            user: None,
            directory: None,
        }
    }

    /// Adds an argument. Never a secret: arguments can be read by every user of the machine.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<T: Into<OsString>>(mut self, args: impl IntoIterator<Item = T>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable; this is how a password travels.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: Secret) -> Self {
        self.env.push((name.into(), value));
        self
    }

    /// Removes a variable from the inherited environment.
    #[must_use]
    pub fn env_remove(mut self, name: impl Into<String>) -> Self {
        self.removed.push(name.into());
        self
    }

    /// Inherits nothing of our environment.
    #[must_use]
    pub fn bare(mut self) -> Self {
        self.bare = true;
        self
    }

    /// Runs as another user of the system, without supplementary groups; only root can do that.
    #[must_use]
    pub fn user(mut self, user: Option<User>) -> Self {
        self.user = user;
        self
    }

    /// Runs in this directory.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// The arguments.
    #[cfg(test)]
    pub fn arguments(&self) -> &[OsString] {
        &self.args
    }

    /// Starts it with stdout and stderr piped. The child is killed when [`Running`] is dropped.
    ///
    /// # Errors
    /// [`ProcessError::Start`] when the program is missing or may not be run.
    pub fn start(&self) -> Result<Running, ProcessError> {
        let mut child = self.spawn([Stdio::null(), Stdio::piped(), Stdio::piped()], true)?;
        let stderr = child.stderr.take().map(|pipe| tokio::spawn(keep_ends(pipe)));
        Ok(Running { program: self.program.display().to_string(), child, stderr })
    }

    /// Starts it with these for stdin, stdout and stderr. `mortal` says whether the child is killed
    /// when it is dropped.
    ///
    /// # Errors
    /// [`ProcessError::Start`] when the program is missing or may not be run.
    pub fn spawn(
        &self,
        [stdin, stdout, stderr]: [Stdio; 3],
        mortal: bool,
    ) -> Result<Child, ProcessError> {
        let mut command = Command::new(&self.program);
        command.args(&self.args).stdin(stdin).stdout(stdout).stderr(stderr).kill_on_drop(mortal);
        if self.bare {
            command.env_clear();
        }
        for name in &self.removed {
            command.env_remove(name);
        }
        for (name, value) in &self.env {
            command.env(name, value.expose());
        }
        if let Some(user) = self.user {
            command.uid(user.uid).gid(user.gid);
        }
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        // A Ctrl-C at the terminal reaches the whole process group; we end our children ourselves.
        command.process_group(0);
        let program = self.program.display().to_string();
        command.spawn().map_err(|source| ProcessError::Start { program, source })
    }

    /// Runs it to its end and returns what it wrote.
    ///
    /// # Errors
    /// As [`Invocation::start`], and [`ProcessError::Lost`] when its output cannot be read.
    pub async fn capture(&self) -> Result<Captured, ProcessError> {
        let mut running = self.start()?;
        let mut stdout = Vec::new();
        if let Some(mut pipe) = running.stdout() {
            pipe.read_to_end(&mut stdout).await.map_err(|source| ProcessError::Lost {
                program: running.program.clone(),
                source,
            })?;
        }
        let ended = running.wait().await?;
        Ok(Captured { stdout, ended })
    }
}

/// A child that runs.
#[derive(Debug)]
pub struct Running {
    program: String,
    child: Child,
    stderr: Option<JoinHandle<Vec<String>>>,
}

impl Running {
    /// Its stdout; the first call gets it, later ones `None`.
    pub fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Waits until it has ended, and no more: [`Running::wait`] then says how.
    pub async fn exited(&mut self) {
        // An error comes again from `wait`.
        let _ = self.child.wait().await;
    }

    /// Waits for its end. Cancel safe until it returns; dropping it kills the child.
    ///
    /// # Errors
    /// [`ProcessError::Lost`] when the system cannot say how it ended.
    pub async fn wait(mut self) -> Result<Ended, ProcessError> {
        let status = self
            .child
            .wait()
            .await
            .map_err(|source| ProcessError::Lost { program: self.program.clone(), source })?;
        let stderr = match self.stderr.take() {
            Some(task) => task.await.unwrap_or_default(),
            None => Vec::new(),
        };
        Ok(Ended { status, stderr })
    }

    /// Asks it and its own children to end, kills it when it does not, and waits until it is gone.
    ///
    /// Asked, pg_dump cancels its query; killed, it would leave the server waiting, for a lock for
    /// example, on behalf of nobody.
    pub async fn kill(mut self) {
        let pid = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(pid) = pid
            && kill_process_group(pid, Signal::TERM).is_ok()
            && tokio::time::timeout(GRACE, self.child.wait()).await.is_ok()
        {
            return;
        }
        if let Err(error) = self.child.kill().await {
            tracing::debug!(program = self.program, %error, "kill failed");
        }
    }
}

/// How a child ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// The first and last lines of its stderr.
    pub stderr: Vec<String>,
}

/// What a child wrote, and how it ended.
#[derive(Debug)]
pub struct Captured {
    /// All of its stdout.
    pub stdout: Vec<u8>,
    /// How it ended.
    pub ended: Ended,
}

/// Reads stderr to its end and keeps its first and last lines.
async fn keep_ends(pipe: ChildStderr) -> Vec<String> {
    let mut reader = BufReader::new(pipe);
    let (mut first, mut last) = (Vec::new(), VecDeque::new());
    let mut dropped = 0usize;
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut reader).take(STDERR_LINE_BYTES).read_until(b'\n', &mut line).await;
        if !matches!(read, Ok(1..)) {
            break;
        }
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        tracing::debug!(target: "child", "{text}");
        if first.len() < STDERR_LINES {
            first.push(text);
        } else {
            last.push_back(text);
            if last.len() > STDERR_LINES {
                last.pop_front();
                dropped += 1;
            }
        }
    }
    if dropped > 0 {
        first.push(format!("… {dropped} lines left out …"));
    }
    first.extend(last);
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_ends_of_a_long_stderr_are_kept() {
        let script = "for i in $(seq 1000); do echo line $i >&2; done; exit 3";
        let captured = Invocation::new("sh").arg("-c").arg(script).capture().await.unwrap();
        assert_eq!(captured.ended.status.code(), Some(3));
        let lines = captured.ended.stderr;
        assert_eq!(lines.first().map(String::as_str), Some("line 1"));
        assert_eq!(lines.last().map(String::as_str), Some("line 1000"));
        assert_eq!(lines.len(), 2 * STDERR_LINES + 1);
        assert!(lines.contains(&"… 600 lines left out …".to_owned()));
    }

    #[tokio::test]
    async fn a_missing_program_is_named() {
        let error = Invocation::new("/no/such/pg_dump").start().err().unwrap();
        assert!(error.to_string().starts_with("could not run /no/such/pg_dump: "));
    }

    /// A shell that does this when it is asked to end, once it is ready for that.
    async fn asked_to_end(trap: &str, dir: &std::path::Path) {
        let script = format!("trap '{trap}' TERM; : >ready; while :; do sleep 0.05; done");
        let running = Invocation::new("sh").args(["-c", &script]).directory(dir).start().unwrap();
        let process = Pid::from_raw(running.child.id().unwrap() as i32).unwrap();
        while !dir.join("ready").exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        running.kill().await;
        assert!(rustix::process::test_kill_process(process).is_err(), "it is still there");
    }

    #[tokio::test]
    async fn a_child_that_is_asked_to_end_may_do_so_by_itself() {
        let dir = tempfile::tempdir().unwrap();
        asked_to_end(": >farewell; exit", dir.path()).await;
        assert!(dir.path().join("farewell").exists());
    }

    #[tokio::test]
    async fn a_child_that_does_not_end_when_it_is_asked_is_killed() {
        let dir = tempfile::tempdir().unwrap();
        asked_to_end("", dir.path()).await;
    }
}
