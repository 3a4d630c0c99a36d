//! How a container ends.

use bollard::Docker;
use bollard::query_parameters::{InspectContainerOptions, WaitContainerOptions};
use futures_util::StreamExt;

use crate::sandbox::error::OUT_OF_MEMORY;

use super::engine::message_of;

/// The end of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// The exit code of its first process, 128 and more for a signal.
    pub code: i64,
    /// Whether something in it was killed for want of memory.
    pub out_of_memory: bool,
}

/// Waits for a container's end.
///
/// # Errors
/// A sentence, when the engine does not tell.
pub async fn wait(docker: &Docker, id: &str) -> Result<Exit, String> {
    const LOST: &str = "the container is out of sight";
    let options = WaitContainerOptions { condition: "not-running".into() };
    let mut waiting = std::pin::pin!(docker.wait_container(id, Some(options)));
    let code = match waiting.next().await {
        Some(Ok(response)) => response.status_code,
        Some(Err(bollard::errors::Error::DockerContainerWaitError { code, .. })) => code,
        Some(Err(error)) => return Err(format!("{LOST} ({})", message_of(&error))),
        None => return Err(LOST.into()),
    };
    let inspected = docker.inspect_container(id, None::<InspectContainerOptions>).await;
    let state = inspected.ok().and_then(|container| container.state);
    let out_of_memory = state.and_then(|state| state.oom_killed).unwrap_or(false);
    Ok(Exit { code, out_of_memory })
}

/// Waits for a container's end and says how it came.
pub async fn in_words(docker: &Docker, id: &str) -> String {
    match wait(docker, id).await {
        Err(lost) => lost,
        Ok(Exit { code, out_of_memory: true }) => {
            format!("{OUT_OF_MEMORY} and was killed (exit code {code})")
        }
        Ok(Exit { code: 137, .. }) => "it was killed (exit code 137)".into(),
        Ok(Exit { code, .. }) => format!("it exited with {code}"),
    }
}
