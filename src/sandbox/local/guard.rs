//! Owns a local server and its directory, from before the server is started.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin};
use tokio_util::sync::CancellationToken;

use super::PAUSE;
use super::directory::RunDirectory;
use crate::model::secret::Secret;
use crate::pg::{self, ConnectInfo};
use crate::process::{Invocation, User};
use crate::programs::Programs;
use crate::sandbox::error::SandboxError;
use crate::sandbox::server_log;

const WATCH: &str = include_str!("watch.sh");
/// How long a server may take to end.
const END_TIMEOUT: Duration = Duration::from_secs(5);

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
        programs: &Programs,
        user: Option<User>,
        settings: &[(String, String)],
    ) -> Result<(), SandboxError> {
        let failed =
            |reason: String| SandboxError::Local { doing: "start the server".into(), reason };
        let logs = || self.directory.new_log().and_then(|log| Ok([log.try_clone()?, log]));
        let [stdout, stderr] = logs().map_err(|error| failed(error.to_string()))?;
        let settings =
            settings.iter().flat_map(|(name, value)| ["-c".to_owned(), format!("{name}={value}")]);
        let server = Invocation::new(programs.dir.join("postgres"))
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

    /// Waits so long until the server answers; how often it was asked, and its version.
    pub async fn wait_until_ready(
        &mut self,
        admin: &ConnectInfo,
        name: &str,
        within: Duration,
        cancel: &CancellationToken,
    ) -> Result<(u32, String), SandboxError> {
        let deadline = tokio::time::Instant::now() + within;
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
            if let Some(status) = self.reap() {
                break ended(status);
            }
            if tokio::time::Instant::now() > deadline {
                break format!("no answer within {} s ({refusal})", within.as_secs());
            }
            tokio::time::sleep(PAUSE).await;
        };
        let log = self.last_lines();
        Err(SandboxError::NotReady { name: format!("the local server {name}"), reason, log })
    }

    /// The last lines that the server wrote.
    pub fn last_lines(&self) -> Vec<String> {
        read_end(&self.directory.log()).map_or(Vec::new(), |text| server_log::last_lines(&text))
    }

    /// Whether the server runs.
    pub fn runs(&self) -> bool {
        self.directory.has_server()
    }

    /// How the server ended, if it has.
    pub fn reap(&mut self) -> Option<ExitStatus> {
        self.server.as_mut().and_then(|server| server.try_wait().ok().flatten())
    }

    /// Ends the server and removes the directory.
    pub fn remove(&mut self) -> std::io::Result<()> {
        for signal in [Signal::QUIT, Signal::KILL] {
            let id = self.server.as_ref().and_then(Child::id);
            let Some(id) = id.and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)) else { break };
            // One that is gone by itself cannot be told.
            let _ = kill_process(id, signal);
            let deadline = std::time::Instant::now() + END_TIMEOUT;
            while self.reap().is_none() && std::time::Instant::now() < deadline {
                std::thread::sleep(PAUSE);
            }
            if self.reap().is_some() {
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

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::path::PathBuf;

    use super::*;
    use crate::pg::{Address, Terms};
    use crate::sandbox::owner::Owner;

    fn guard(base: &Path) -> Guard {
        let owner = Owner::of_this_run(false).unwrap();
        Guard::over(RunDirectory::make(base, &owner, "n", 5432, None).unwrap()).unwrap()
    }

    fn is_empty(base: &Path) -> bool {
        std::fs::read_dir(base).unwrap().next().is_none()
    }

    #[tokio::test]
    async fn a_server_that_cannot_be_run_is_named_and_leaves_nothing() {
        let base = tempfile::tempdir().unwrap();
        let mut guard = guard(base.path());
        let dir = PathBuf::from("/no/where");
        let programs = Programs { dir, version: "15.1".into(), major: 15 };
        let error = guard.launch(&programs, None, &[]).unwrap_err().to_string();
        let said =
            "the local PostgreSQL could not start the server: could not run /no/where/postgres";
        assert!(error.starts_with(said), "{error}");
        assert!(!is_empty(base.path()));
        drop(guard);
        assert!(is_empty(base.path()));
    }

    /// What comes of waiting a second for a server that there is none of.
    async fn waited(base: &Path, cancel: &CancellationToken) -> SandboxError {
        let mut guard = guard(base);
        let admin = ConnectInfo {
            address: Address::Socket { dir: guard.directory.work(), port: 5432 },
            user: "u".into(),
            password: Secret::new("p"),
            database: "d".into(),
            event_triggers: true,
            terms: Terms::default(),
        };
        guard.wait_until_ready(&admin, "n", Duration::from_secs(1), cancel).await.unwrap_err()
    }

    #[tokio::test]
    async fn a_server_that_does_not_answer_is_given_up_and_an_interrupted_wait_is_none() {
        let base = tempfile::tempdir().unwrap();
        let cancel = CancellationToken::new();
        let error = waited(base.path(), &cancel).await.to_string();
        let said = "PostgreSQL did not get ready in the local server n: no answer within 1 s (";
        assert!(error.starts_with(said), "{error}");
        cancel.cancel();
        let error = waited(base.path(), &cancel).await;
        assert!(matches!(error, SandboxError::Interrupted), "{error}");
        assert!(is_empty(base.path()));
    }

    #[tokio::test]
    async fn a_server_that_does_not_end_when_it_is_told_is_killed() {
        let base = tempfile::tempdir().unwrap();
        let mut guard = guard(base.path());
        let script = "trap '' QUIT; : >ready; while :; do sleep 0.05; done";
        let server = Invocation::new("sh").args(["-c", script]).directory(base.path());
        let nothing = || Stdio::null();
        guard.server = Some(server.spawn([nothing(), nothing(), nothing()], true).unwrap());
        while !base.path().join("ready").exists() {
            tokio::time::sleep(PAUSE).await;
        }
        std::fs::remove_file(base.path().join("ready")).unwrap();
        guard.remove().unwrap();
        assert_eq!(guard.reap().and_then(|status| status.signal()), Some(9));
        assert!(is_empty(base.path()));
    }

    #[tokio::test]
    async fn a_directory_is_kept_though_the_program_that_watches_it_was_killed() {
        let base = tempfile::tempdir().unwrap();
        let mut guard = guard(base.path());
        guard.watch.kill().await.unwrap();
        guard.dismiss().await;
        drop(guard);
        assert!(!is_empty(base.path()));
    }

    #[test]
    fn the_end_of_a_process_is_told_in_words() {
        assert_eq!(how(ExitStatus::from_raw(3 << 8)), "exited with 3");
        assert_eq!(ended(ExitStatus::from_raw(9)), "ended by itself: was killed by signal 9");
    }
}
