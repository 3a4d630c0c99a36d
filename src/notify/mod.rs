//! Word of a run: to webhooks, to a dead man's switch, to a command of the operator's.
//!
//! Given what is to be said; knows nothing of runs. Nobody is told for ever, and no address is ever shown whole.

mod address;
mod message;
mod own_command;
mod ping;
mod sending;
mod untold;
mod webhook;

use std::fmt;
use std::time::Duration;

use crate::model::outcome::Verdict;

pub use address::Address;
pub use message::Message;
pub use own_command::OwnCommand;
pub use ping::Ping;
pub use untold::Untold;
pub use webhook::{Headers, Webhook};

/// Who is told, and of what.
#[derive(Debug, Clone)]
pub struct Target {
    /// How.
    pub way: Way,
    /// Of which verdicts; of a beginning and of any end where that is a ping.
    pub on: Vec<Verdict>,
}

/// How somebody is told.
#[derive(Debug, Clone)]
pub enum Way {
    /// By a webhook.
    Webhook(Webhook),
    /// By a ping.
    Ping(Ping),
    /// By a command.
    Command(OwnCommand),
}

impl Target {
    /// Whether word of this verdict is wanted.
    pub fn wants(&self, verdict: Verdict) -> bool {
        matches!(self.way, Way::Ping(_)) || self.on.contains(&verdict)
    }

    /// Says that a run begins, to who wants to know; no longer than `limit`.
    ///
    /// # Errors
    /// Why that did not arrive.
    pub async fn begin(&self, run_id: &str, limit: Duration) -> Result<(), Untold> {
        match &self.way {
            Way::Ping(ping) if ping.start => ping.begin(run_id, limit).await,
            _ => Ok(()),
        }
    }

    /// Sends word of a run that has ended; no longer than `limit`.
    ///
    /// # Errors
    /// Why it did not arrive.
    pub async fn tell(&self, message: &Message, limit: Duration) -> Result<(), Untold> {
        match &self.way {
            Way::Webhook(webhook) => webhook.tell(message, limit).await,
            Way::Ping(ping) => ping.tell(message, limit).await,
            Way::Command(command) => command.tell(message, limit).await,
        }
    }

    /// `webhook`, `ping` or `command`.
    pub fn kind(&self) -> &'static str {
        match &self.way {
            Way::Webhook(_) => "webhook",
            Way::Ping(_) => "ping",
            Way::Command(_) => "command",
        }
    }

    /// The host that it is at; empty for a command.
    pub fn host(&self) -> String {
        match &self.way {
            Way::Webhook(webhook) => webhook.address.host(),
            Way::Ping(ping) => ping.address.host(),
            Way::Command(_) => String::new(),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.way {
            Way::Command(_) => f.write_str("the command of [notify.command]"),
            _ => write!(f, "the {} at {}", self.kind(), self.host()),
        }
    }
}
