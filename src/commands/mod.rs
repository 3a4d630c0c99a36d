//! The commands: thin orchestration. Here, and only here, the engines meet.

pub mod cleanup;
pub mod verify;

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

/// Asks the engines to stop, and remembers why.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    token: CancellationToken,
    reason: Arc<OnceLock<String>>,
}

impl Stop {
    /// Asks to stop; the first reason counts.
    pub fn because(&self, reason: impl Into<String>) {
        // A second reason changes nothing.
        let _ = self.reason.set(reason.into());
        self.token.cancel();
    }

    /// What the engines watch.
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Why, for people.
    pub fn reason(&self) -> String {
        self.reason.get().cloned().unwrap_or_else(|| "interrupted".to_owned())
    }
}
