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

use crate::http::{Roots, Trouble, client};
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

    /// Sends word of a run that there was not, to see whether it arrives: a switch takes note of it and stays as it is.
    ///
    /// # Errors
    /// Why it did not arrive.
    pub async fn test(&self, message: &Message, limit: Duration) -> Result<(), Untold> {
        match &self.way {
            Way::Ping(ping) => ping.log(message, limit).await,
            _ => self.tell(message, limit).await,
        }
    }

    /// Whether the server there answers, told nothing: it is asked for its first page. A command is nowhere to be reached.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn reach(&self, limit: Duration) -> Result<(), Untold> {
        let Some((address, roots)) = self.address() else { return Ok(()) };
        let root = address.root();
        let answer = client(roots)?.head(root.expose().clone()).timeout(limit).send().await;
        Ok(answer.map(drop).map_err(Trouble::of)?)
    }

    /// Where it is; `None` for a command.
    pub fn address(&self) -> Option<(&Address, Option<&Roots>)> {
        match &self.way {
            Way::Webhook(webhook) => Some((&webhook.address, webhook.roots.as_ref())),
            Way::Ping(ping) => Some((&ping.address, ping.roots.as_ref())),
            Way::Command(_) => None,
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
        self.address().map(|(address, _)| address.host()).unwrap_or_default()
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
