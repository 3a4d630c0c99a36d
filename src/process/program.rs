//! A program with its input and output handed over piece by piece.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use bytes::Bytes;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;

use super::{Invocation, Lines, write_stdin};
use crate::model::secret::Secret;

/// Bytes of the output that are read at once.
const OUTPUT_BYTES: usize = 256 * 1024;

/// A program that is run beside a server: one of PostgreSQL's own, or of the system.
#[derive(Debug, Default)]
pub struct Program {
    /// The program and its arguments. None of them is a secret.
    pub argv: Vec<String>,
    /// Variables in the form `NAME=value`.
    pub env: Vec<String>,
    /// What it reads; nothing where there is none.
    pub stdin: Option<mpsc::Receiver<Bytes>>,
    /// Where its output goes; nowhere where there is none.
    pub stdout: Option<mpsc::Sender<Bytes>>,
    /// Whether it connects to the server.
    pub connects: bool,
}

impl Program {
    /// Runs it to its end as a child, by `invocation`, which gets its arguments and variables from here;
    /// gives its exit code, 128 and more for a signal. Its lines on stderr go to `said`.
    ///
    /// # Errors
    /// When it cannot be started, or its pipes fail.
    pub async fn run(
        self,
        mut invocation: Invocation,
        said: &mut (dyn FnMut(&str) + Send),
    ) -> io::Result<i64> {
        invocation = invocation.args(self.argv.iter().skip(1));
        for variable in &self.env {
            let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
            invocation = invocation.env(name, Secret::new(value));
        }
        let stdin = if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() };
        let mut child = invocation
            .spawn([stdin, Stdio::piped(), Stdio::piped()], true)
            .map_err(io::Error::other)?;
        let writing = write_stdin(self.stdin, child.stdin.take());
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let handing_on = async {
            let Some(mut pipe) = stdout else { return Ok(()) };
            let mut sender = self.stdout;
            loop {
                let mut piece = Vec::with_capacity(OUTPUT_BYTES);
                if pipe.read_buf(&mut piece).await? == 0 {
                    return Ok::<(), io::Error>(());
                }
                // Who does not want more lets go of it; the program still runs to its end.
                if let Some(open) = &sender
                    && open.send(Bytes::from(piece)).await.is_err()
                {
                    sender = None;
                }
            }
        };
        let listening = async {
            let Some(mut pipe) = stderr else { return Ok(()) };
            let (mut lines, mut piece) = (Lines::new(said), vec![0; 16 * 1024]);
            loop {
                match pipe.read(&mut piece).await? {
                    0 => break,
                    read => lines.take(&piece[..read]),
                }
            }
            lines.finish();
            Ok::<(), io::Error>(())
        };
        let reading = async { tokio::try_join!(handing_on, listening) };
        tokio::pin!(writing, reading);
        // A program can end without having read everything; then nobody takes the rest.
        tokio::select! {
            read = &mut reading => read,
            () = &mut writing => reading.await,
        }?;
        let status = child.wait().await?;
        let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
        Ok(i64::from(code.unwrap_or(-1)))
    }
}
