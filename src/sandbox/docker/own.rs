//! The container that this process runs in itself, where it does.

use bollard::Docker;
use bollard::models::ContainerState;
use bollard::query_parameters::InspectContainerOptions;
use chrono::{DateTime, Utc};

use super::engine::status_of;

/// Where an engine mounts the files of a container that bear its id in their path.
const MOUNTED: [&str; 3] = ["/etc/hostname", "/etc/resolv.conf", "/etc/hosts"];
/// Digits of an id.
const ID_DIGITS: usize = 64;

/// The id of the container that we run in, if it is one of this engine's.
pub async fn container(docker: &Docker) -> Option<String> {
    let id = id()?;
    let is_known = inspected(docker, &id).await.is_ok();
    is_known.then_some(id)
}

/// Whether we run in a container of whatever engine.
pub fn is_container() -> bool {
    id().is_some()
}

fn id() -> Option<String> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    id_in(&mounts).map(str::to_owned)
}

/// What is known of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It runs since then.
    RunsSince(DateTime<Utc>),
    /// It runs no more, or is gone.
    Ended,
    /// The engine does not say.
    Unknown,
}

impl State {
    /// Whether what was begun in it at a time (RFC 3339) has ended with it since.
    pub fn has_ended(self, begun: &str) -> bool {
        match self {
            Self::Ended => true,
            Self::Unknown => false,
            // To the second, as times of runs are.
            Self::RunsSince(start) => DateTime::parse_from_rfc3339(begun)
                .is_ok_and(|begun| begun.timestamp() < start.timestamp()),
        }
    }
}

/// Asks for the state of a container.
pub async fn state(docker: &Docker, id: &str) -> State {
    let state = match inspected(docker, id).await {
        Ok(state) => state.unwrap_or_default(),
        Err(error) if status_of(&error) == Some(404) => return State::Ended,
        Err(_) => return State::Unknown,
    };
    let started = state.started_at.and_then(|at| DateTime::parse_from_rfc3339(&at).ok());
    match (state.running, started) {
        (Some(false), _) => State::Ended,
        (Some(true), Some(at)) => State::RunsSince(at.to_utc()),
        _ => State::Unknown,
    }
}

async fn inspected(
    docker: &Docker,
    id: &str,
) -> Result<Option<ContainerState>, bollard::errors::Error> {
    let inspected = docker.inspect_container(id, None::<InspectContainerOptions>).await?;
    Ok(inspected.state)
}

/// The id in `/proc/self/mountinfo` (proc(5): the fourth field is what is mounted, the fifth where). Docker has it in
/// `…/containers/ID/hostname`, Podman in `…/overlay-containers/ID/userdata/hostname`.
fn id_in(mounts: &str) -> Option<&str> {
    let is_id = |part: &&str| {
        part.len() == ID_DIGITS && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(3);
        let (mounted, at) = (fields.next()?, fields.next()?);
        MOUNTED.contains(&at).then_some(mounted)?.split('/').find(is_id)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn the_id_is_that_of_the_files_which_the_engine_mounts() {
        for path in [
            format!("/var/lib/docker/containers/{ID}/hostname"),
            format!(
                "/home/u/.local/share/containers/storage/overlay-containers/{ID}/userdata/hosts"
            ),
        ] {
            let line = |at: &str| format!("1 2 0:3 {path} {at} rw - ext4 /dev/x rw\n");
            assert_eq!(id_in(&line("/etc/hosts")), Some(ID));
            assert_eq!(id_in(&line("/data")), None);
        }
    }

    #[test]
    fn a_machine_and_a_pod_are_no_container_of_an_engine() {
        let pod =
            "1 2 0:3 /var/lib/kubelet/pods/4a4c-11ee/etc-hosts /etc/hosts rw - ext4 /dev/x rw";
        let machine = "21 26 0:20 / /sys rw,nosuid shared:7 - sysfs sysfs rw";
        assert_eq!((id_in(pod), id_in(machine), id_in("")), (None, None, None));
    }

    #[test]
    fn a_run_has_ended_with_its_container_and_with_a_restart_of_it() {
        let at = DateTime::parse_from_rfc3339("2026-01-02T03:04:05.6Z").unwrap().to_utc();
        let ended = |state: State, begun| state.has_ended(begun);
        assert!(ended(State::Ended, "") && !ended(State::Unknown, "2026-01-01T00:00:00Z"));
        let since = State::RunsSince(at);
        assert!(ended(since, "2026-01-02T03:04:04Z"));
        assert!(!ended(since, "2026-01-02T03:04:05Z") && !ended(since, ""));
    }
}
