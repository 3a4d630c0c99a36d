//! Notices that the server cannot be reached any more: a connection that waits for an answer, or has
//! sent something that nobody took, would do so for a quarter of an hour.

use std::time::Duration;

use crate::pg::ConnectInfo;

/// How often it is tried.
const PERIOD: Duration = Duration::from_secs(5);
/// So many tries in a row fail where the network is gone, and not only busy.
const TRIES: u32 = 3;

/// Ends, with the reason, when the server's address cannot be reached any more. A server that is busy,
/// or stopped, can be: its system answers.
pub(in crate::commands) async fn lost(server: &ConnectInfo) -> String {
    let mut failed = 0;
    loop {
        tokio::time::sleep(PERIOD).await;
        match server.reach().await {
            Ok(()) => failed = 0,
            Err(error) => {
                failed += 1;
                tracing::debug!(%error, failed, "the server cannot be reached");
                if failed == TRIES {
                    return format!("the server cannot be reached any more: {error}");
                }
            }
        }
    }
}
