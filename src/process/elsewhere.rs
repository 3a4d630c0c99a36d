//! Programs that do not run on this machine itself, but in a container, say: called, read and ended as
//! children are. Who runs them is not known here.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Debug;

use futures_util::future::BoxFuture;
use tokio::net::unix::pipe;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::end::{Ended, ProcessError};
use crate::model::secret::Secret;

/// Runs programs in this process's stead.
pub trait Elsewhere: Debug + Send + Sync {
    /// Runs a program to its end, which is what comes back; what it writes goes to `stdout`. When
    /// `stop` is cancelled, it is asked to end, and soon made to.
    fn run(
        &self,
        call: Call,
        stdout: pipe::Sender,
        stop: CancellationToken,
    ) -> BoxFuture<'static, Result<Ended, ProcessError>>;

    /// Whether the programs see nothing of this machine: neither its files nor what its environment says.
    fn is_apart(&self) -> bool {
        false
    }
}

/// What is run.
#[derive(Debug)]
pub struct Call {
    /// The program's name.
    pub program: String,
    /// Its arguments. None of them is a secret.
    pub args: Vec<OsString>,
    /// All of the environment that a child of ours would have.
    pub env: BTreeMap<String, Secret>,
}

/// A program that runs elsewhere. It is ended when this is dropped.
#[derive(Debug)]
pub(super) struct Remote {
    pub(super) stdout: Option<pipe::Receiver>,
    task: JoinHandle<Result<Ended, ProcessError>>,
    ended: Option<Result<Ended, ProcessError>>,
    stop: DropGuard,
}

impl Remote {
    pub(super) fn start(host: &dyn Elsewhere, call: Call) -> Result<Self, ProcessError> {
        let program = call.program.clone();
        let (sender, receiver) =
            pipe::pipe().map_err(|source| ProcessError::Start { program, source })?;
        let stop = CancellationToken::new();
        let task = tokio::spawn(host.run(call, sender, stop.clone()));
        Ok(Self { stdout: Some(receiver), task, ended: None, stop: stop.drop_guard() })
    }

    /// Waits until it has ended.
    pub(super) async fn exited(&mut self) {
        if self.ended.is_none() {
            self.ended = Some(ended(&mut self.task).await);
        }
    }

    /// Waits for its end and says how it came.
    pub(super) async fn wait(mut self) -> Result<Ended, ProcessError> {
        match self.ended.take() {
            Some(ended) => ended,
            None => ended(&mut self.task).await,
        }
    }

    /// Has it ended, and waits until it is gone.
    pub(super) async fn kill(mut self) {
        self.stop.disarm().cancel();
        if self.ended.is_none()
            && let Err(error) = ended(&mut self.task).await
        {
            tracing::debug!(%error, "it did not end well");
        }
    }
}

async fn ended(task: &mut JoinHandle<Result<Ended, ProcessError>>) -> Result<Ended, ProcessError> {
    task.await.unwrap_or_else(|error| {
        let program = "what runs the program".to_owned();
        Err(ProcessError::Lost { program, source: std::io::Error::other(error) })
    })
}
