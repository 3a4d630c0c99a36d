//! `create -` and `create --to-command`: the backup goes through a pipe, and becomes a file somewhere else, or none.
//!
//! Nothing can be taken back there. So a command is killed, and not told that all has come, where the backup is not whole;
//! and it is a backup only when the command has read all of it and ended well.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Stdio};
use std::time::Duration;

use rustix::io::ioctl_fionread;

use super::Job;
use super::signing::Signed;
use crate::commands::{Failure, Stop};
use crate::events::{Event, Events};
use crate::model::secret::Secret;
use crate::model::suffix::SEALED;
use crate::process::shell::{Shell, end_commands};
use crate::settings::CreateSettings;
use crate::settings::piped::{Manifest, Outgoing};
use crate::store::error::StoreError;
use crate::store::naming::{manifest_path, signature_path};
use crate::store::publish::Partial;

/// How often a command is looked at that is to read the rest, or to end.
const PAUSE: Duration = Duration::from_millis(10);

/// The way out of the process.
#[derive(Debug)]
pub(super) enum Outlet {
    /// Standard output.
    Stdout(File),
    /// A command that is run when there is something for it: one that stores may begin a file at once.
    Waiting(Secret),
    /// A command, which is killed before its standard input ends unless it is finished.
    Command {
        /// What runs.
        shell: Shell,
        /// What feeds it.
        stdin: Option<ChildStdin>,
    },
}

impl Outlet {
    /// Begins the way that a backup goes.
    ///
    /// # Errors
    /// With exit code 2 where it is not free.
    pub(super) fn begin(job: &Job<'_>, outgoing: &Outgoing) -> Result<Self, Failure> {
        if let Manifest::File(file) = &outgoing.manifest {
            // Whether it may be written is known before the work.
            drop(Partial::create(file, job.settings.force)?);
        }
        match &outgoing.command {
            None => Self::stdout(),
            Some(command) => Ok(Self::Waiting(command.for_name(&job.target.to_string_lossy()))),
        }
    }

    fn stdout() -> Result<Self, Failure> {
        let stdout = io::stdout();
        if stdout.is_terminal() {
            return Err(Failure {
                hint: Some("ccc-backup create - > FILE, or | PROGRAM".to_owned()),
                ..failure(
                    2,
                    "standard output is a terminal, which is no place for a backup".to_owned(),
                )
            });
        }
        let own = stdout.as_fd().try_clone_to_owned();
        let own = own.map_err(|error| failure(2, format!("standard output is closed: {error}")))?;
        Ok(Self::Stdout(own.into()))
    }

    /// Runs the command, where it does not run yet.
    fn start(&mut self) -> io::Result<()> {
        let Self::Waiting(words) = self else { return Ok(()) };
        // What it prints is for people, as is what we print.
        let stdout = Stdio::from(io::stderr().as_fd().try_clone_to_owned()?);
        let mut shell = Shell::start(words, Stdio::piped(), stdout)?;
        let stdin = shell.take_stdin();
        *self = Self::Command { shell, stdin };
        Ok(())
    }

    /// Says that all has come, and waits until that is dealt with.
    ///
    /// # Errors
    /// Where it is not stored whole.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.start()?;
        let Self::Command { mut shell, stdin } = self else { return Ok(()) };
        if let Some(stdin) = stdin {
            // What is in the pipe still has to be read by somebody.
            while ioctl_fionread(&stdin)? > 0 {
                if shell.has_ended()? {
                    return Err(ended_early(&mut shell));
                }
                std::thread::sleep(PAUSE);
            }
        }
        match shell.wait()? {
            Ok(()) => Ok(()),
            Err(ended) => Err(broken(format!("the command of --to-command ended with {ended}"))),
        }
    }
}

impl Write for Outlet {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.start()?;
        let (written, shell) = match self {
            Self::Stdout(file) => (file.write(data), None),
            Self::Command { shell, stdin: Some(stdin) } => (stdin.write(data), Some(shell)),
            Self::Command { shell, stdin: None } => return Err(ended_early(shell)),
            Self::Waiting(_) => return Ok(0),
        };
        match (written, shell) {
            (Err(error), shell) if error.kind() == io::ErrorKind::BrokenPipe => Err(match shell {
                Some(shell) => ended_early(shell),
                None => {
                    broken("standard output was closed before all of it was written".to_owned())
                }
            }),
            (written, _) => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(file) => file.flush(),
            Self::Command { .. } | Self::Waiting(_) => Ok(()),
        }
    }
}

/// Why a command reads no more.
fn ended_early(shell: &mut Shell) -> io::Error {
    match shell.wait() {
        Ok(Ok(())) => {
            broken("the command of --to-command ended before it had read all of it".to_owned())
        }
        Ok(Err(ended)) => broken(format!("the command of --to-command ended with {ended}")),
        Err(error) => error,
    }
}

fn broken(cause: String) -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, cause)
}

fn failure(exit: u8, cause: String) -> Failure {
    Failure { exit, cause: format!("no backup was made: {cause}"), hint: None, notes: Vec::new() }
}

impl From<io::Error> for Failure {
    /// A pipe did not take the backup.
    fn from(error: io::Error) -> Self {
        failure(1, error.to_string())
    }
}

/// What a backup is called on standard output: what its manifest is beside of.
pub(super) fn name(settings: &CreateSettings) -> Option<String> {
    let Some(Outgoing { command: None, manifest: Manifest::File(file) }) = &settings.outgoing
    else {
        return None;
    };
    let name = file.file_name()?.to_str()?.strip_suffix(".manifest.json")?;
    (!name.is_empty()).then(|| open_name(name, settings))
}

/// A name without what says that it is sealed, which is added where it is.
fn open_name(name: &str, settings: &CreateSettings) -> String {
    match &settings.recipients {
        Some(_) => name.strip_suffix(SEALED).unwrap_or(name).to_owned(),
        None => name.to_owned(),
    }
}

/// What a backup is called that is shown.
pub(super) fn shown(target: &Path, settings: &CreateSettings) -> PathBuf {
    match &settings.outgoing {
        Some(Outgoing { command: None, .. }) => PathBuf::from("stdout"),
        _ => target.to_owned(),
    }
}

/// Sends a manifest and its signature after the backup, which is stored.
pub(super) fn deliver(
    signed: Signed,
    outgoing: &Outgoing,
    (target, force): (&Path, bool),
    events: &Events,
) -> Result<Option<Event>, Failure> {
    let (bytes, signature) = signed.into_parts(target)?;
    let failed = |error: &dyn std::fmt::Display, hint: Option<String>| Failure {
        exit: 1,
        cause: format!("the backup was made, but not its manifest: {error}"),
        hint,
        notes: Vec::new(),
    };
    let stored = |error: StoreError| failed(&error, error.hint());
    let text = signature.as_ref().map(|(text, _)| text.as_bytes());
    let at = match &outgoing.manifest {
        Manifest::Nowhere => {
            let kept = "there is no manifest of this backup, and without one its contents cannot be proven: --manifest \
                        FILE keeps it";
            events.emit(Event::Warning(kept.to_owned()));
            return Ok(None);
        }
        Manifest::File(file) => {
            if let Some(text) = text {
                write_new(&signature_path(file), text, force).map_err(stored)?;
            }
            write_new(file, &bytes, force).map_err(stored)?;
            file.clone()
        }
        Manifest::ByCommand => {
            let at = manifest_path(target);
            let store = |path: &Path, bytes: &[u8]| {
                let name = path.to_string_lossy();
                let words = outgoing.command.as_ref().map(|command| command.for_name(&name));
                let mut outlet = Outlet::Waiting(words.unwrap_or_default());
                outlet.write_all(bytes)?;
                outlet.finish()
            };
            let unstored =
                |error: io::Error| failed(&error, Some("try the command by hand".to_owned()));
            if let Some(text) = text {
                store(&signature_path(&at), text).map_err(unstored)?;
            }
            store(&at, &bytes).map_err(unstored)?;
            at
        }
    };
    Ok(signature.map(|(_, key)| Event::Signed { file: signature_path(&at), key }))
}

fn write_new(path: &Path, bytes: &[u8], force: bool) -> Result<(), StoreError> {
    let mut partial = Partial::create(path, force)?;
    partial.write_all(bytes).map_err(|error| StoreError::io("write", path, error))?;
    partial.publish().map(drop)
}

/// Ends the commands of a run that was asked to stop, also such as are begun only then. Dropped, it looks no more.
pub(super) struct Ending(tokio::task::JoinHandle<()>);

impl Ending {
    pub(super) fn with(stop: &Stop) -> Self {
        let token = stop.token().clone();
        Self(tokio::spawn(async move {
            token.cancelled().await;
            loop {
                end_commands();
                tokio::time::sleep(PAUSE).await;
            }
        }))
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What is to be said of a backup that did not get through its pipe.
pub(super) fn failed(failure: Failure, stop: &Stop) -> Failure {
    let left = "what went through the pipe is not whole, and no backup";
    if stop.token().is_cancelled() {
        let hint = Some(format!("{}; {left}", stop.hint()));
        return Failure { exit: 2, cause: stop.reason(), hint, notes: Vec::new() };
    }
    let hint = failure.hint.or_else(|| Some(left.to_owned()));
    Failure { hint, ..failure }
}
