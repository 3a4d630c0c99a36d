//! The commands: thin orchestration. Here, and only here, the engines meet.

mod altered;
mod at_rest;
mod channel;
pub mod cleanup;
pub mod copy;
mod copy_metrics;
pub mod create;
mod decoding;
pub mod diff;
pub mod doctor;
pub mod drill;
pub mod evidence;
pub mod extract;
mod globals;
pub mod history;
pub mod inspect;
pub mod keys;
pub mod ledger;
pub mod list;
mod newest;
pub mod notify;
pub mod open;
mod opened;
mod proven_file;
mod reaching;
mod record;
pub mod reports;
pub mod restore;
pub mod rows;
mod sandbox_image;
mod signature;
pub mod signer;
mod steps;
pub mod verify;

use std::fmt;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::settings::SettingsError;
use crate::store::StoreError;

/// Exit code for wrong usage and for what could not be told.
pub const CANNOT_TELL: u8 = 2;

/// How long work that was asked to stop is waited for. It cannot notice where a disk does not answer.
const GRACE: Duration = Duration::from_millis(1500);

/// How long a place may take until what was begun there is taken back.
const TAKEN_BACK: Duration = Duration::from_secs(15);

/// What to do next where nothing else is known.
const AGAIN: &str = "run it again";

/// What to do about a thread of ours that died.
const DEFECT: &str = "this is a defect of ccc-backup: please report it";

/// Asks the engines to stop, and remembers why.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    token: CancellationToken,
    reason: Arc<OnceLock<Reason>>,
    /// What this is a part of.
    whole: Option<Box<Stop>>,
}

/// Why to stop, and what to do next; for people.
#[derive(Debug)]
struct Reason {
    cause: String,
    hint: &'static str,
}

impl Stop {
    /// Asks to stop; the first reason counts.
    pub fn because(&self, cause: impl Into<String>) {
        self.with(Reason { cause: cause.into(), hint: AGAIN });
    }

    fn with(&self, reason: Reason) {
        // A second reason changes nothing.
        let _ = self.reason.set(reason);
        self.token.cancel();
    }

    /// Asks the same of a part of the work, which can also be asked alone.
    pub fn of_part(&self) -> Self {
        let (token, whole) = (self.token.child_token(), Some(Box::new(self.clone())));
        Self { token, reason: Arc::default(), whole }
    }

    /// Asks to stop when the time is up.
    pub fn after(&self, limit: Duration) {
        let stop = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(limit).await;
            stop.with(Reason {
                cause: format!("timed out after {} s (--timeout)", limit.as_secs()),
                hint: "run it again with more time (--timeout)",
            });
        });
    }

    /// Waits for work, and where it was asked to stop no longer than it takes to notice; `None`
    /// when it did not.
    pub async fn wait_for<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let late = async {
            self.token.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            biased;
            done = work => Some(done),
            () = late => None,
        }
    }

    /// What the engines watch.
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Why, for people.
    pub fn reason(&self) -> String {
        self.known().map_or_else(|| "interrupted".to_owned(), |reason| reason.cause.clone())
    }

    /// What to do next.
    pub fn hint(&self) -> &'static str {
        self.known().map_or(AGAIN, |reason| reason.hint)
    }

    fn known(&self) -> Option<&Reason> {
        self.reason.get().or_else(|| self.whole.as_ref()?.known())
    }
}

/// Ends what would outlive the process: commands of the operator's, which nobody waits for any more.
pub fn end_children() {
    crate::process::shell::end_commands();
}

/// Waits for what was begun in places and is being taken back, on threads that a run which was asked to stop has left.
pub async fn settle() {
    // It cannot fail: it only waits.
    let _ = tokio::task::spawn_blocking(|| crate::store::objects::settle(TAKEN_BACK)).await;
}

/// Why a command did not do what was asked, for people and for the exit code.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The exit code.
    pub exit: u8,
    /// One sentence that names the cause.
    pub cause: String,
    /// What to do next.
    pub hint: Option<String>,
    /// What a tool said about it, line by line.
    pub notes: Vec<String>,
}

impl From<&StoreError> for Failure {
    /// For a command that looks at what is there, and cannot.
    fn from(error: &StoreError) -> Self {
        Self { exit: 2, cause: error.to_string(), hint: error.hint(), notes: Vec::new() }
    }
}

impl Failure {
    /// What an error of a command means; what is no failure of its own kind could not be told.
    pub fn of(error: &anyhow::Error) -> Self {
        if let Some(failure) = error.downcast_ref::<Self>() {
            return failure.clone();
        }
        let hint = error.downcast_ref().map(|error: &SettingsError| error.hint.clone());
        Self { exit: CANNOT_TELL, cause: format!("{error:#}"), hint, notes: Vec::new() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

impl std::error::Error for Failure {}
