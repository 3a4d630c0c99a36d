//! Who signs: had before the work begins, so that a key that is not there is not found missing when it is done.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::{DEFECT, Failure, Stop};
use crate::events::{Event, Events};
use crate::signing::{Asking, Request, SignError, Signer};

/// How long the signal of a Ctrl-C may take that ended the typing.
const ECHO: Duration = Duration::from_millis(200);

/// Has who signs, where something is to be signed; asks for a passphrase at the terminal where need be.
///
/// # Errors
/// With exit code 2 where the key cannot be used, or the run was asked to stop.
pub async fn have(
    request: Option<&Request>,
    events: &Events,
    stop: &Stop,
) -> Result<Option<Signer>, Failure> {
    let Some(request) = request.cloned() else { return Ok(None) };
    // Whoever stops the run while a passphrase is typed gets a terminal back that shows what is typed.
    let terminal = Terminal::now();
    let having = tokio::task::spawn_blocking(move || Signer::have(&request, &ask));
    let had = tokio::select! {
        biased;
        () = stop.token().cancelled() => {
            drop(terminal);
            return Err(failure(stop.reason(), stop.hint()));
        }
        had = having => had.map_err(|error| failure(error.to_string(), DEFECT))?,
    };
    if matches!(had, Err(SignError::Declined(_))) {
        // Ctrl-C is a signal, too, which says best why.
        let stopped = tokio::time::timeout(ECHO, stop.token().cancelled()).await;
        if stopped.is_ok() {
            return Err(failure(stop.reason(), stop.hint()));
        }
    }
    let (signer, warnings) = had.map_err(|error| none(&error))?;
    warnings.into_iter().for_each(|text| events.emit(Event::Warning(text)));
    Ok(Some(signer))
}

/// Asks at the terminal, if there is one.
fn ask(key: &Path) -> Asking {
    match rpassword::prompt_password(format!("Passphrase of {}: ", key.display())) {
        Ok(passphrase) => Asking::Given(Zeroizing::new(passphrase)),
        // Ctrl-C and Ctrl-D.
        Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::UnexpectedEof) => {
            Asking::Declined
        }
        Err(_) => Asking::Nobody,
    }
}

fn none(error: &SignError) -> Failure {
    failure(error.to_string(), error.hint())
}

fn failure(cause: String, hint: &str) -> Failure {
    Failure { exit: 2, cause, hint: Some(hint.to_owned()), notes: Vec::new() }
}

/// The terminal as it is; dropped, it is made so again.
struct Terminal(Option<(File, Termios)>);

impl Terminal {
    fn now() -> Self {
        let terminal = File::open("/dev/tty").ok();
        Self(terminal.and_then(|terminal| {
            let settings = tcgetattr(&terminal).ok()?;
            Some((terminal, settings))
        }))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some((terminal, settings)) = &self.0 {
            // There is nothing to be done where it cannot be.
            let _ = tcsetattr(terminal, OptionalActions::Now, settings);
        }
    }
}
