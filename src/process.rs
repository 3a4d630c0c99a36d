//! Child processes, and programs that run [`elsewhere`](Elsewhere) in their stead: started without a
//! shell, their stderr kept, killed when dropped.
//!
//! Knows nothing of what they are for.

mod elsewhere;
mod end;
mod lines;
mod program;
pub mod shell;
mod stderr;
mod stdin;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::model::secret::Secret;
use elsewhere::Remote;
use stderr::keep_ends;

pub use elsewhere::{Call, Elsewhere};
pub use end::{Ended, ProcessError};
pub use lines::Lines;
pub use program::Program;
pub use stderr::Ends;
pub use stdin::write_stdin;

/// How long a program that was asked to end may take.
pub const GRACE: Duration = Duration::from_secs(1);

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
    host: Option<Arc<dyn Elsewhere>>,
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
            host: None,
        }
    }

    /// A program of another machine or container, which `host` runs. User and directory are its own.
    pub fn elsewhere(program: impl Into<PathBuf>, host: Arc<dyn Elsewhere>) -> Self {
        Self { host: Some(host), ..Self::new(program) }
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
        let program = self.program.display().to_string();
        if let Some(host) = &self.host {
            let call =
                Call { program: program.clone(), args: self.args.clone(), env: self.environment() };
            let program_elsewhere = Remote::start(host.as_ref(), call)?;
            return Ok(Running { program, place: Place::Elsewhere(program_elsewhere) });
        }
        self.start_here(Stdio::null())
    }

    /// The same of a program of this machine that is fed: with what writes to its stdin.
    ///
    /// # Errors
    /// As [`Invocation::start`], and where the program runs elsewhere.
    pub fn start_fed(&self) -> Result<(Running, OwnedFd), ProcessError> {
        let program = self.program.display().to_string();
        let failed = |source| ProcessError::Start { program: program.clone(), source };
        if self.host.is_some() {
            return Err(failed(std::io::ErrorKind::Unsupported.into()));
        }
        let (stdin, feed) = std::io::pipe().map_err(failed)?;
        Ok((self.start_here(stdin.into())?, feed.into()))
    }

    fn start_here(&self, stdin: Stdio) -> Result<Running, ProcessError> {
        let program = self.program.display().to_string();
        let mut child = self.spawn([stdin, Stdio::piped(), Stdio::piped()], true)?;
        let stderr = child.stderr.take().map(|pipe| tokio::spawn(keep_ends(pipe)));
        Ok(Running { program, place: Place::Here { child, stderr } })
    }

    /// All the variables that it will have; such as are not text are left out.
    fn environment(&self) -> BTreeMap<String, Secret> {
        let ours = std::env::vars_os().filter(|_| !self.bare);
        let ours = ours.filter_map(|(name, value)| {
            Some((name.into_string().ok()?, Secret::new(value.into_string().ok()?)))
        });
        let mut variables: BTreeMap<String, Secret> = ours.collect();
        variables.retain(|name, _| !self.removed.contains(name));
        variables.extend(self.env.iter().cloned());
        variables
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
        if let Some(mut pipe) = running.take_stdout()? {
            pipe.read_to_end(&mut stdout).await.map_err(|source| running.lost(source))?;
        }
        let ended = running.wait().await?;
        Ok(Captured { stdout, ended })
    }
}

/// A child that runs.
#[derive(Debug)]
pub struct Running {
    program: String,
    place: Place,
}

/// Where it runs.
#[derive(Debug)]
enum Place {
    Here { child: Child, stderr: Option<JoinHandle<Vec<String>>> },
    Elsewhere(Remote),
}

impl Running {
    /// Takes its stdout; the first call gets it, later ones `None`.
    ///
    /// # Errors
    /// [`ProcessError::Lost`] when the system does not let it be read.
    pub fn take_stdout(&mut self) -> Result<Option<pipe::Receiver>, ProcessError> {
        let child = match &mut self.place {
            Place::Here { child, .. } => child,
            Place::Elsewhere(remote) => return Ok(remote.stdout.take()),
        };
        let Some(stdout) = child.stdout.take() else { return Ok(None) };
        let pipe = stdout.into_owned_fd().and_then(pipe::Receiver::from_owned_fd);
        pipe.map(Some).map_err(|source| self.lost(source))
    }

    fn lost(&self, source: std::io::Error) -> ProcessError {
        ProcessError::Lost { program: self.program.clone(), source }
    }

    /// Waits until it has ended, and no more: [`Running::wait`] then says how.
    pub async fn exited(&mut self) {
        match &mut self.place {
            // An error comes again from `wait`.
            Place::Here { child, .. } => drop(child.wait().await),
            Place::Elsewhere(remote) => remote.exited().await,
        }
    }

    /// Waits for its end. Cancel safe until it returns; dropping it kills the program.
    ///
    /// # Errors
    /// [`ProcessError::Lost`] when the system cannot say how it ended, [`ProcessError::Start`] when
    /// it turns out that it cannot be run elsewhere.
    pub async fn wait(self) -> Result<Ended, ProcessError> {
        let (mut child, stderr) = match self.place {
            Place::Here { child, stderr } => (child, stderr),
            Place::Elsewhere(remote) => return remote.wait().await,
        };
        let program = self.program;
        let status = child.wait().await.map_err(|source| ProcessError::Lost { program, source })?;
        let stderr = match stderr {
            Some(task) => task.await.unwrap_or_default(),
            None => Vec::new(),
        };
        Ok(Ended { status, stderr })
    }

    /// Asks it and its own children to end, kills it when it does not, and waits until it is gone.
    ///
    /// Asked, pg_dump cancels its query; killed, it would leave the server waiting, for a lock for
    /// example, on behalf of nobody.
    pub async fn kill(self) {
        let mut child = match self.place {
            Place::Here { child, .. } => child,
            Place::Elsewhere(remote) => return remote.kill().await,
        };
        let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(pid) = pid
            && kill_process_group(pid, Signal::TERM).is_ok()
            && tokio::time::timeout(GRACE, child.wait()).await.is_ok()
        {
            return;
        }
        if let Err(error) = child.kill().await {
            tracing::debug!(program = self.program, %error, "kill failed");
        }
    }
}

/// What a child wrote, and how it ended.
#[derive(Debug)]
pub struct Captured {
    /// All of its stdout.
    pub stdout: Vec<u8>,
    /// How it ended.
    pub ended: Ended,
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
        assert_eq!(lines.len(), 2 * stderr::LINES + 1);
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
        let Place::Here { child, .. } = &running.place else { panic!("it runs elsewhere") };
        let process = Pid::from_raw(child.id().unwrap() as i32).unwrap();
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
