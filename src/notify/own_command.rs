//! A command of the operator's: the document comes on its standard input, the facts in its environment.

use std::io::{ErrorKind, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::message::Message;
use super::untold::Untold;
use crate::model::secret::Secret;
use crate::process::shell::Shell;

/// How often it is looked at.
const PAUSE: Duration = Duration::from_millis(20);

/// See the module. Its words may hold a secret, and are not shown.
#[derive(Debug, Clone)]
pub struct OwnCommand(Secret);

impl OwnCommand {
    /// A command for the shell.
    pub fn new(words: Secret) -> Self {
        Self(words)
    }

    /// Runs it, and ends it with all that it started where it takes too long, or where nobody waits any more.
    ///
    /// # Errors
    /// Why it did not end well.
    pub async fn tell(&self, message: &Message, limit: Duration) -> Result<(), Untold> {
        let (words, facts, document) =
            (self.0.clone(), message.facts.clone(), message.document.clone());
        let given_up = CancellationToken::new();
        let waits = given_up.clone().drop_guard();
        let running =
            tokio::task::spawn_blocking(move || run(&words, &facts, document, limit, &given_up));
        // What it started and left behind may still hold its standard error.
        let ended = tokio::time::timeout(limit + 2 * PAUSE, running).await;
        drop(waits);
        match ended {
            Ok(Ok(ended)) => ended,
            Ok(Err(error)) => Err(Untold::NotStarted(std::io::Error::other(error))),
            Err(_) => Err(Untold::Endless(limit)),
        }
    }
}

fn run(
    words: &Secret,
    facts: &[(&'static str, String)],
    document: Bytes,
    limit: Duration,
    given_up: &CancellationToken,
) -> Result<(), Untold> {
    let begun = Instant::now();
    let started = Shell::start_with(words, facts, Stdio::piped(), Stdio::null());
    let mut shell = started.map_err(Untold::NotStarted)?;
    if let Some(mut stdin) = shell.take_stdin() {
        // Nobody waits for it: a command need not read what it does not want.
        let feeding = std::thread::Builder::new().name("notify-feed".to_owned());
        let fed = feeding.spawn(move || match stdin.write_all(&document) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                tracing::debug!(%error, "the command takes no more");
            }
            _ => {}
        });
        fed.map_err(Untold::NotStarted)?;
    }
    while !shell.has_ended().map_err(Untold::NotStarted)? {
        if begun.elapsed() >= limit {
            return Err(Untold::Endless(limit));
        }
        if given_up.is_cancelled() {
            return Err(Untold::Interrupted);
        }
        std::thread::sleep(PAUSE);
    }
    shell.wait().map_err(Untold::NotStarted)?.map_err(Untold::Ended)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::outcome::Verdict;

    const LIMIT: Duration = Duration::from_secs(60);

    fn message(document: Vec<u8>) -> Message {
        Message {
            run_id: "r".to_owned(),
            verdict: Verdict::Failed,
            exit_code: 1,
            text: "it failed".to_owned(),
            document: document.into(),
            facts: vec![("CCC_BACKUP_VERDICT", "failed".to_owned())],
        }
    }

    async fn told(words: &str, document: Vec<u8>, limit: Duration) -> Result<(), Untold> {
        OwnCommand::new(Secret::new(words)).tell(&message(document), limit).await
    }

    #[tokio::test]
    async fn the_document_is_read_and_the_facts_are_in_the_environment() {
        let words = "test \"$(cat)\" = document && test \"$CCC_BACKUP_VERDICT\" = failed";
        told(words, b"document".to_vec(), LIMIT).await.unwrap();
    }

    #[tokio::test]
    async fn one_that_reads_nothing_or_writes_a_lot_has_ended_well() {
        let large = vec![b'x'; 4 << 20];
        told("exit 0", large.clone(), LIMIT).await.unwrap();
        told("head -c 5000000 /dev/zero; head -c 5000000 /dev/zero >&2", large, LIMIT)
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn one_that_fails_is_told_with_its_last_words() {
        let failed = told("echo no route >&2; exit 3", Vec::new(), LIMIT).await.unwrap_err();
        assert_eq!(failed.to_string(), "it ended with exit status: 3: no route");
    }

    #[tokio::test]
    async fn one_that_hangs_is_ended_with_what_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let words = format!("echo $$ >{}/shell; sleep 600; true", dir.path().display());
        let failed = told(&words, Vec::new(), Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(failed.to_string(), "it did not end within 1.0 s");
        let shell = std::fs::read_to_string(dir.path().join("shell")).unwrap();
        let shell = rustix::process::Pid::from_raw(shell.trim().parse().unwrap()).unwrap();
        while rustix::process::test_kill_process(shell).is_ok() {
            tokio::time::sleep(PAUSE).await;
        }
    }
}
