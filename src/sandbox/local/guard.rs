//! Owns a local server and its directory, from before the server is started.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin};
use tokio_util::sync::CancellationToken;

use super::PAUSE;
use super::binaries::Binaries;
use super::directory::RunDirectory;
use crate::pg::{self, ConnectInfo};
use crate::process::{Invocation, User};
use crate::sandbox::error::SandboxError;
use crate::secret::Secret;

const WATCH: &str = include_str!("watch.sh");
/// How long a server may take to answer.
const READY_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a server may take to end.
const END_TIMEOUT: Duration = Duration::from_secs(5);
/// Lines of a dead server that are shown.
const LOG_LINES: usize = 15;

/// Removes the directory and ends the server in it, unless it is told to keep them. A small program
/// beside it does the same when this process is killed.
#[derive(Debug)]
pub struct Guard {
    /// The directory.
    pub directory: RunDirectory,
    watch: Child,
    word: Option<ChildStdin>,
    server: Option<Child>,
    armed: bool,
}

impl Guard {
    /// Watches over a directory in which there is no server yet.
    pub fn over(directory: RunDirectory) -> std::io::Result<Self> {
        let watching = Invocation::new("sh")
            .args(["-c", WATCH, "ccc-backup"])
            .arg(directory.path())
            .bare()
            .env("PATH", Secret::new("/usr/bin:/bin"))
            .spawn([Stdio::piped(), Stdio::null(), Stdio::null()], false);
        match watching {
            Ok(mut watch) => {
                let word = watch.stdin.take();
                Ok(Self { directory, watch, word, server: None, armed: true })
            }
            Err(error) => {
                directory.remove()?;
                Err(std::io::Error::other(error))
            }
        }
    }

    /// Starts the server.
    pub fn launch(
        &mut self,
        binaries: &Binaries,
        user: Option<User>,
        settings: &[(String, String)],
    ) -> Result<(), SandboxError> {
        let failed =
            |reason: String| SandboxError::Local { doing: "start the server".into(), reason };
        let logs = || self.directory.new_log().and_then(|log| Ok([log.try_clone()?, log]));
        let [stdout, stderr] = logs().map_err(|error| failed(error.to_string()))?;
        let settings =
            settings.iter().flat_map(|(name, value)| ["-c".to_owned(), format!("{name}={value}")]);
        let server = Invocation::new(binaries.dir.join("postgres"))
            .bare()
            .env("LC_ALL", Secret::new("C"))
            .env("TZ", Secret::new("UTC"))
            .user(user)
            .directory(self.directory.work())
            .arg("-D")
            .arg(self.directory.data())
            .args(settings)
            .spawn([Stdio::null(), stdout.into(), stderr.into()], false)
            .map_err(|error| failed(error.to_string()))?;
        self.server = Some(server);
        Ok(())
    }

    /// Waits until the server answers; how often it was asked, and its version.
    pub async fn ready(
        &mut self,
        admin: &ConnectInfo,
        name: &str,
        cancel: &CancellationToken,
    ) -> Result<(u32, String), SandboxError> {
        let patience = tokio::time::Instant::now() + READY_TIMEOUT;
        let mut attempts = 0;
        let reason = loop {
            attempts += 1;
            let refusal = match version_of(admin).await {
                Ok(version) => return Ok((attempts, version)),
                Err(error) => pg::describe(&error),
            };
            if cancel.is_cancelled() {
                return Err(SandboxError::Interrupted);
            }
            if let Some(status) = self.exited() {
                break ended(status);
            }
            if tokio::time::Instant::now() > patience {
                break format!("no answer within {} s ({refusal})", READY_TIMEOUT.as_secs());
            }
            tokio::time::sleep(PAUSE).await;
        };
        let log = self.last_lines();
        Err(SandboxError::NotReady { name: format!("the local server {name}"), reason, log })
    }

    /// The last lines that the server wrote.
    pub fn last_lines(&self) -> Vec<String> {
        let Ok(text) = read_end(&self.directory.log()) else { return Vec::new() };
        let lines: Vec<&str> = text.lines().collect();
        let last = &lines[lines.len().saturating_sub(LOG_LINES)..];
        last.iter().map(|line| (*line).to_owned()).collect()
    }

    /// Whether the server runs.
    pub fn runs(&self) -> bool {
        self.directory.has_server()
    }

    /// How the server ended, if it has.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.server.as_mut().and_then(|server| server.try_wait().ok().flatten())
    }

    /// Ends the server and removes the directory.
    pub fn remove(&mut self) -> std::io::Result<()> {
        for signal in [Signal::QUIT, Signal::KILL] {
            let id = self.server.as_ref().and_then(Child::id);
            let Some(id) = id.and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)) else { break };
            // One that is gone by itself cannot be told.
            let _ = kill_process(id, signal);
            let patience = std::time::Instant::now() + END_TIMEOUT;
            while self.exited().is_none() && std::time::Instant::now() < patience {
                std::thread::sleep(PAUSE);
            }
            if self.exited().is_some() {
                break;
            }
        }
        self.directory.remove()?;
        self.armed = false;
        Ok(())
    }

    /// Leaves everything as it is.
    pub async fn dismiss(&mut self) {
        self.armed = false;
        if let Some(mut word) = self.word.take() {
            // Without the word it would end the server.
            let said = async {
                word.write_all(b"keep\n").await?;
                word.flush().await
            };
            if let Err(error) = said.await {
                tracing::warn!(%error, "the server may not be kept");
            }
        }
        let _ = self.watch.wait().await;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.armed
            && let Err(error) = self.remove()
        {
            tracing::warn!(%error, "the local server could not be removed");
        }
    }
}

async fn version_of(admin: &ConnectInfo) -> Result<String, tokio_postgres::Error> {
    let session = admin.connect().await?;
    session.query_one("SELECT current_setting('server_version')", &[]).await?.try_get(0)
}

/// How a process ended, in words.
fn ended(status: ExitStatus) -> String {
    format!("ended by itself: {}", how(status))
}

/// The same, without saying that nobody asked for it.
pub fn how(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

/// The end of a file of any size.
fn read_end(path: &Path) -> std::io::Result<String> {
    use std::io::{Read, Seek, SeekFrom};
    const MOST: u64 = 16 * 1024;
    let mut file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(MOST)))?;
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
