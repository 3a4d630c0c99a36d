//! Waits for a name and a port that somebody has, where the operator wants that. Whoever has them is
//! only looked at.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::error::SandboxError;
use crate::events::{Event, Events};

/// How often it is looked whether they are free.
const PERIOD: Duration = Duration::from_secs(1);

/// How long is waited yet, and who was named.
pub struct Waiting {
    limit: Option<Duration>,
    since: Option<Instant>,
    named: Option<String>,
}

impl Waiting {
    /// For a start that may wait so long; not at all without a limit.
    pub fn new(limit: Option<Duration>) -> Self {
        Self { limit, since: None, named: None }
    }

    /// Waits a moment before another try, after an error that time may heal; says once whom for.
    ///
    /// # Errors
    /// The error itself where there is nothing to wait for, [`SandboxError::StillTaken`] when the
    /// time is up, [`SandboxError::Interrupted`].
    pub async fn pause(
        &mut self,
        error: SandboxError,
        events: &Events,
        cancel: &CancellationToken,
    ) -> Result<(), SandboxError> {
        let Some(limit) = self.limit.filter(|_| is_taken(&error)) else { return Err(error) };
        let left = limit.saturating_sub(self.since.get_or_insert_with(Instant::now).elapsed());
        if left.is_zero() {
            return Err(SandboxError::StillTaken { by: Box::new(error), waited: limit });
        }
        let holder = error.to_string();
        if self.name_anew(&holder) {
            events.emit(Event::Waiting { why: holder });
        }
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(SandboxError::Interrupted),
            () = tokio::time::sleep(left.min(PERIOD)) => Ok(()),
        }
    }

    /// Notes whom it is waited for; says whether that is another than the last one.
    fn name_anew(&mut self, holder: &str) -> bool {
        self.named.replace(holder.to_owned()).as_deref() != Some(holder)
    }
}

fn is_taken(error: &SandboxError) -> bool {
    matches!(
        error,
        SandboxError::NameTaken { .. }
            | SandboxError::NameInUse { .. }
            | SandboxError::PortBusy { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn busy() -> SandboxError {
        SandboxError::PortBusy { port: 5433, by: None }
    }

    async fn paused(limit: Option<Duration>, error: SandboxError) -> Result<(), SandboxError> {
        Waiting::new(limit).pause(error, &Events::silent(), &CancellationToken::new()).await
    }

    #[tokio::test]
    async fn nothing_is_waited_for_unless_it_is_wanted_and_may_help() {
        let error = paused(None, busy()).await.unwrap_err();
        assert!(matches!(error, SandboxError::PortBusy { .. }), "{error}");
        let broken = SandboxError::Engine { doing: "x".into(), reason: "y".into() };
        let error = paused(Some(Duration::MAX), broken).await.unwrap_err();
        assert!(matches!(error, SandboxError::Engine { .. }), "{error}");
    }

    #[tokio::test]
    async fn when_the_time_is_up_the_holder_is_named() {
        let error = paused(Some(Duration::ZERO), busy()).await.unwrap_err();
        assert_eq!(error.to_string(), "port 5433 on 127.0.0.1 is in use, also after 0 s (--wait)");
        assert_eq!(error.hint(), busy().hint());
    }

    #[test]
    fn each_holder_is_named_once() {
        let mut waiting = Waiting::new(Some(Duration::MAX));
        let named = ["one", "one", "two", "two", "one"].map(|holder| waiting.name_anew(holder));
        assert_eq!(named, [true, false, true, false, true]);
    }

    #[tokio::test]
    async fn an_interruption_ends_the_wait() {
        let cancel = CancellationToken::new();
        cancel.cancel();
        let mut waiting = Waiting::new(Some(Duration::MAX));
        let error = waiting.pause(busy(), &Events::silent(), &cancel).await.unwrap_err();
        assert!(matches!(error, SandboxError::Interrupted), "{error}");
    }
}
