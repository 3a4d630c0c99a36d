//! Owns what one run makes at the engine, from before it is made.
//!
//! A request to make something is never abandoned half way: the engine might finish it after we
//! looked for leftovers. So those requests run as tasks of their own, and whoever stops waiting for
//! one leaves it to the guard.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::sandbox::error::SandboxError;
use crate::sandbox::owner::Owner;

use super::engine::{Engine, refused};
use super::inventory::remove_run;
use super::own;

/// How long [`Guard::remove`] works at most.
const REMOVE_DEADLINE: Duration = Duration::from_secs(30);
/// How long [`Drop`] works at most.
const DROP_DEADLINE: Duration = Duration::from_secs(10);
/// How long a request that is under way is waited for before things are removed.
const REQUEST_WAIT: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(10);

/// Removes what carries the run's label, unless it is told to keep it.
#[derive(Debug)]
pub struct Guard {
    /// The engine.
    pub engine: Engine,
    /// Whose things they are.
    pub owner: Owner,
    requests: Requests,
    armed: bool,
}

impl Guard {
    /// A guard for a run that has made nothing yet.
    pub fn new(engine: Engine, owner: Owner) -> Self {
        Self { engine, owner, requests: Requests::default(), armed: true }
    }

    /// The requests that are under way, for whoever makes something without owning it.
    pub fn requests(&self) -> &Requests {
        &self.requests
    }

    /// Removes everything of the run.
    ///
    /// # Errors
    /// [`SandboxError::Engine`]; what the engine refused to remove is tried once more on drop.
    pub async fn remove(self) -> Result<(), SandboxError> {
        self.remove_within(REMOVE_DEADLINE).await
    }

    /// The same, where no more than so long is worth it.
    ///
    /// # Errors
    /// As [`Guard::remove`].
    pub async fn remove_within(mut self, limit: Duration) -> Result<(), SandboxError> {
        let work = remove_until_quiet(&self.engine, &self.owner.run, &self.requests);
        let Ok(removed) = tokio::time::timeout(limit, work).await else {
            // It would not answer now either.
            self.armed = false;
            return Err(SandboxError::Engine {
                doing: "remove the sandbox".to_owned(),
                reason: format!("no answer within {} s", limit.as_secs()),
            });
        };
        removed?;
        self.armed = false;
        Ok(())
    }

    /// Leaves everything where it is.
    pub fn keep(mut self) {
        self.armed = false;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        let (endpoint, run) = (self.engine.endpoint.clone(), self.owner.run.clone());
        let requests = self.requests.clone();
        // The runtime that we are dropped in may be the one that is being shut down.
        let worker = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let engine = Engine::connect_to(endpoint).await.map_err(SandboxError::from)?;
                let work = remove_until_quiet(&engine, &run, &requests);
                tokio::time::timeout(DROP_DEADLINE, work)
                    .await
                    .map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))?
                    .map_err(Into::into)
            })
        });
        let outcome: Result<(), Box<dyn std::error::Error + Send + Sync>> =
            worker.join().unwrap_or_else(|_| Err("panicked".into()));
        if let Err(error) = outcome {
            tracing::warn!(run = self.owner.run, %error, "the sandbox could not be removed");
        }
    }
}

/// Waits for the requests that are under way, then removes.
async fn remove_until_quiet(
    engine: &Engine,
    run: &str,
    requests: &Requests,
) -> Result<(), SandboxError> {
    let is_quiet = || requests.are_done();
    if is_quiet() {
        return remove_run(engine, run).await;
    }
    // A runtime that waits for our drop cannot bring its requests to an end: the engine does that
    // alone, unseen, and a second look finds what it made.
    let deadline = Instant::now() + REQUEST_WAIT;
    while !is_quiet() && Instant::now() < deadline {
        tokio::time::sleep(PAUSE).await;
    }
    remove_run(engine, run).await?;
    if !is_quiet() {
        tokio::time::sleep(REQUEST_WAIT).await;
        remove_run(engine, run).await?;
    }
    Ok(())
}

/// The requests of a run that are under way, counted.
#[derive(Debug, Clone, Default)]
pub struct Requests(Arc<AtomicUsize>);

impl Requests {
    /// Runs a request that makes something, to its end even when the caller goes away.
    ///
    /// # Errors
    /// The engine's refusal.
    pub async fn run<T, F>(
        &self,
        doing: &'static str,
        request: F,
    ) -> Result<T, bollard::errors::Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, bollard::errors::Error>> + Send + 'static,
    {
        let ticket = Ticket::take(&self.0);
        let begun = Instant::now();
        let task = tokio::spawn(async move {
            let _ticket = ticket;
            request.await
        });
        let outcome = task.await.unwrap_or_else(|error| {
            Err(bollard::errors::Error::IOError { err: std::io::Error::other(error) })
        });
        tracing::debug!(doing, took = ?begun.elapsed(), "asked the engine");
        outcome
    }

    fn are_done(&self) -> bool {
        self.0.load(Ordering::Acquire) == 0
    }
}

/// Counts a request for as long as it is under way.
#[derive(Debug)]
struct Ticket(Arc<AtomicUsize>);

impl Ticket {
    fn take(requests: &Arc<AtomicUsize>) -> Self {
        requests.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(requests))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// This process as an owner.
///
/// # Errors
/// [`SandboxError::Engine`].
pub fn this_run(keep: bool) -> Result<Owner, SandboxError> {
    Owner::of_this_run(keep).map_err(|error| SandboxError::Engine {
        doing: "be given a run id".into(),
        reason: error.to_string(),
    })
}

/// The same as this engine sees it: in one of its containers, where it is in one.
///
/// # Errors
/// As [`this_run`].
pub async fn this_run_at(engine: &Engine, keep: bool) -> Result<Owner, SandboxError> {
    let container = own::container(&engine.docker).await.unwrap_or_default();
    Ok(Owner { container, ..this_run(keep)? })
}

/// [`refused`], for `map_err`.
pub fn refusing(doing: &str) -> impl Fn(bollard::errors::Error) -> SandboxError + '_ {
    move |error| refused(doing, &error)
}
