//! A command of an operator's, run by the shell: fed, read from, and ended with the run, with all that it started.

mod running;

use std::fmt;
use std::io::{self, Read};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

use crate::model::secret::Secret;

pub use running::end_commands;

/// Bytes of what it says on standard error that are kept: the last ones.
const SAID: usize = 4096;

/// See the module. Killed when it is dropped before its end was waited for.
#[derive(Debug)]
pub struct Shell {
    child: Child,
    saying: Option<JoinHandle<Vec<u8>>>,
    has_ended: bool,
}

/// How a command ended that did not end well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedBadly {
    /// Such as `exit status: 3`.
    pub how: String,
    /// The last of what it said, on one line.
    pub said: String,
}

impl fmt::Display for EndedBadly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.how, self.said)
    }
}

impl Shell {
    /// Starts a command. Its words may hold a secret, and are not shown.
    ///
    /// # Errors
    /// When there is no shell, or the system has no room for another process.
    pub fn start(words: &Secret, stdin: Stdio, stdout: Stdio) -> io::Result<Self> {
        Self::start_with(words, &[], stdin, stdout)
    }

    /// The same with these variables in its environment, too.
    ///
    /// # Errors
    /// As [`Shell::start`].
    pub fn start_with(
        words: &Secret,
        variables: &[(&str, String)],
        stdin: Stdio,
        stdout: Stdio,
    ) -> io::Result<Self> {
        let mut child = Command::new("sh")
            .args(["-c", words.expose()])
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(stdin)
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()?;
        running::begun(child.id());
        let stderr = child.stderr.take();
        let mut shell = Self { child, saying: None, has_ended: false };
        let saying = std::thread::Builder::new()
            .name("command-said".to_owned())
            .spawn(move || stderr.map(last_of).unwrap_or_default())?;
        shell.saying = Some(saying);
        Ok(shell)
    }

    /// What feeds it, where its standard input is a pipe; only once.
    pub fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// What it writes, where its standard output is a pipe; only once.
    pub fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Whether it has ended.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn has_ended(&mut self) -> io::Result<bool> {
        if !self.has_ended && self.child.try_wait()?.is_some() {
            self.note_end();
        }
        Ok(self.has_ended)
    }

    /// Waits for its end. The inner error is that it did not end well.
    ///
    /// # Errors
    /// When the system does not say how it ended.
    pub fn wait(&mut self) -> io::Result<Result<(), EndedBadly>> {
        let status = self.child.wait()?;
        self.note_end();
        let said = self.saying.take().and_then(|saying| saying.join().ok()).unwrap_or_default();
        if status.success() {
            return Ok(Ok(()));
        }
        let said = String::from_utf8_lossy(&said).trim().replace('\n', "; ");
        let said = if said.is_empty() { "it said nothing".to_owned() } else { said };
        Ok(Err(EndedBadly { how: status.to_string(), said }))
    }

    fn note_end(&mut self) {
        if !self.has_ended {
            running::ended(self.child.id());
            self.has_ended = true;
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        if !self.has_ended {
            // Nobody wants the rest.
            running::kill(self.child.id());
            let _ = self.child.wait();
            self.note_end();
        }
    }
}

/// The last bytes of what it says.
fn last_of(mut stderr: impl Read) -> Vec<u8> {
    let (mut said, mut piece) = (Vec::new(), [0; SAID]);
    while let Ok(read @ 1..) = stderr.read(&mut piece) {
        said.extend_from_slice(&piece[..read]);
        let surplus = said.len().saturating_sub(SAID);
        said.drain(..surplus);
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(words: &str) -> Shell {
        Shell::start(&Secret::new(words), Stdio::null(), Stdio::null()).unwrap()
    }

    #[test]
    fn how_it_ended_is_told_with_its_last_words() {
        assert_eq!(start("true").wait().unwrap(), Ok(()));
        let bad = start("echo one >&2; echo two >&2; exit 3").wait().unwrap().unwrap_err();
        assert_eq!(bad.to_string(), "exit status: 3: one; two");
        let silent = start("exit 1").wait().unwrap().unwrap_err();
        assert_eq!(silent.to_string(), "exit status: 1: it said nothing");
    }

    #[test]
    fn one_that_is_dropped_is_ended_with_what_it_started() {
        let begun = std::time::Instant::now();
        drop(start("sleep 600; true"));
        assert!(begun.elapsed() < std::time::Duration::from_secs(60));
    }

    /// Waits until a file is there.
    fn await_file(file: &std::path::Path) {
        while !file.exists() {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }

    #[test]
    fn one_that_is_killed_neither_goes_on_nor_ends_well() {
        let dir = tempfile::tempdir().unwrap();
        let [begun, next] = ["begun", "next"].map(|name| dir.path().join(name));
        for _ in 0..20 {
            let mut shell = start(&format!(
                "sh -c ': >{}; sleep 600; : >{next}'; : >{next}; true",
                begun.display(),
                next = next.display(),
            ));
            await_file(&begun);
            running::kill(shell.child.id());
            assert_eq!(shell.wait().unwrap().unwrap_err().how, "signal: 9 (SIGKILL)");
            assert!(!next.exists());
            std::fs::remove_file(&begun).unwrap();
        }
    }

    #[test]
    fn what_another_thread_of_its_program_started_is_killed_too() {
        let dir = tempfile::tempdir().unwrap();
        let process = dir.path().join("process");
        let script = format!(
            "import os, subprocess, threading, time\n\
             def work():\n p = subprocess.Popen(['sleep', '600'])\n \
             open('{0}.new', 'w').write(str(p.pid))\n os.rename('{0}.new', '{0}')\n time.sleep(600)\n\
             threading.Thread(target=work).start()",
            process.display()
        );
        let shell = start(&format!("exec python3 -c \"{script}\""));
        await_file(&process);
        let number = std::fs::read_to_string(&process).unwrap().parse().unwrap();
        let sleeping = rustix::process::Pid::from_raw(number).unwrap();
        drop(shell);
        // Whoever inherits it, waits for it in his own time.
        let sleeps = || {
            let status = std::fs::read_to_string(format!("/proc/{sleeping}/stat"));
            status.is_ok_and(|status| !status.contains(") Z"))
        };
        let begun = std::time::Instant::now();
        while sleeps() {
            assert!(begun.elapsed() < std::time::Duration::from_secs(60), "it still sleeps");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}
