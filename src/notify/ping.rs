//! The ping of a dead man's switch, which calls by itself when none comes: that a run begins, and with which exit code it
//! ended.
//!
//! As Healthchecks takes them: <https://healthchecks.io/docs/http_api/>.

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;

use super::address::Address;
use super::message::Message;
use super::sending::send;
use super::untold::Untold;
use crate::http::{Roots, client};

/// What is added for the beginning of a run.
const START: &str = "start";
/// What is added for what is neither a beginning nor an end.
const LOG: &str = "log";
/// How many letters of words are sent: about what is kept there at the least.
const MOST_TEXT: usize = 10_000;

/// See the module.
#[derive(Debug, Clone)]
pub struct Ping {
    /// Where it is.
    pub address: Address,
    /// Whether it is told of beginnings.
    pub start: bool,
    /// Who may have signed its certificate; whom the system trusts where nobody is named.
    pub roots: Option<Roots>,
}

impl Ping {
    /// Says that a run begins.
    ///
    /// # Errors
    /// Why that did not arrive.
    pub async fn begin(&self, run_id: &str, limit: Duration) -> Result<(), Untold> {
        self.send(START, run_id, "", limit).await
    }

    /// Says with which exit code it ended.
    ///
    /// # Errors
    /// Why that did not arrive.
    pub async fn tell(&self, message: &Message, limit: Duration) -> Result<(), Untold> {
        self.send(&message.exit_code.to_string(), &message.run_id, &message.text, limit).await
    }

    /// Has it take note of something, without a beginning or an end.
    ///
    /// # Errors
    /// Why that did not arrive.
    pub async fn log(&self, message: &Message, limit: Duration) -> Result<(), Untold> {
        self.send(LOG, &message.run_id, &message.text, limit).await
    }

    async fn send(&self, part: &str, run: &str, text: &str, limit: Duration) -> Result<(), Untold> {
        let client = client(self.roots.as_ref())?;
        let address = self.address.below(part).asking("rid", run);
        let request = client.post(address.expose().clone());
        let request = request.header(CONTENT_TYPE, "text/plain; charset=utf-8");
        let text: String = text.chars().take(MOST_TEXT).collect();
        send(&client, request.body(text), limit).await
    }
}
