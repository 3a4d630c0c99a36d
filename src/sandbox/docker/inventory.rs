//! What the engine holds with our label, and how one thing of it is removed.

use std::collections::HashMap;
use std::time::Duration;

use bollard::Docker;
use bollard::models::{ContainerSummaryStateEnum, NetworkDisconnectRequest};
use bollard::query_parameters::{
    InspectContainerOptions, InspectNetworkOptions, ListContainersOptions, ListNetworksOptions,
    ListVolumesOptions, RemoveContainerOptions, RemoveVolumeOptions,
};

use crate::sandbox::error::SandboxError;
use crate::sandbox::leftovers::{Found, Kind};
use crate::sandbox::owner::{Owner, RUN_LABEL};

use super::engine::{Engine, refused, status_of};
use super::own::{self, State};

/// Names, in the labels of a network, the container of somebody else's that was taken into it.
pub const SHARED_LABEL: &str = "io.ccc-backup.shared-with";
/// How often, and how long apart, a removal that the engine is not ready for is tried again.
const TRIES: u32 = 20;
const BETWEEN_TRIES: Duration = Duration::from_millis(100);

/// Everything with our label.
///
/// # Errors
/// [`SandboxError::Engine`].
pub async fn inventory(engine: &Engine) -> Result<Vec<Found>, SandboxError> {
    labelled(engine, RUN_LABEL).await
}

/// Everything of one run.
///
/// # Errors
/// [`SandboxError::Engine`].
pub async fn of_run(engine: &Engine, run: &str) -> Result<Vec<Found>, SandboxError> {
    labelled(engine, &format!("{RUN_LABEL}={run}")).await
}

async fn labelled(engine: &Engine, label: &str) -> Result<Vec<Found>, SandboxError> {
    let filters = Some(HashMap::from([("label".to_owned(), vec![label.to_owned()])]));
    let docker = &engine.docker;
    let (containers, networks, volumes) = tokio::try_join!(
        docker.list_containers(Some(ListContainersOptions {
            all: true,
            filters: filters.clone(),
            ..ListContainersOptions::default()
        })),
        docker.list_networks(Some(ListNetworksOptions { filters: filters.clone() })),
        docker.list_volumes(Some(ListVolumesOptions { filters })),
    )
    .map_err(|error| refused("list what ccc-backup left", &error))?;

    let containers = containers.into_iter().filter_map(|container| {
        let name = container.names.unwrap_or_default().into_iter().next()?;
        Some(Found {
            kind: Kind::Container,
            id: container.id?,
            name: name.trim_start_matches('/').to_owned(),
            owner: Owner::from_labels(&container.labels.unwrap_or_default())?,
            running: container.state == Some(ContainerSummaryStateEnum::RUNNING),
            port: container.ports.unwrap_or_default().iter().find_map(|port| port.public_port),
            ended: false,
        })
    });
    let networks = networks.into_iter().filter_map(|network| {
        Some(Found {
            kind: Kind::Network,
            id: network.id?,
            name: network.name.unwrap_or_default(),
            owner: Owner::from_labels(&network.labels.unwrap_or_default())?,
            running: false,
            port: None,
            ended: false,
        })
    });
    let volumes = volumes.volumes.unwrap_or_default().into_iter().filter_map(|volume| {
        Some(Found {
            kind: Kind::Volume,
            owner: Owner::from_labels(&volume.labels)?,
            id: volume.name.clone(),
            name: volume.name,
            running: false,
            port: None,
            ended: false,
        })
    });
    let mut found: Vec<Found> = containers.chain(networks).chain(volumes).collect();
    note_ended(docker, &mut found).await;
    Ok(found)
}

/// Notes whose runs were at work in containers of this engine that have ended.
async fn note_ended(docker: &Docker, found: &mut [Found]) {
    let mut known = HashMap::from([(String::new(), State::Unknown)]);
    for thing in found {
        let Owner { container, created, .. } = &thing.owner;
        let state = match known.get(container) {
            Some(state) => *state,
            None => own::state(docker, container).await,
        };
        known.insert(container.clone(), state);
        thing.ended = state.has_ended(created);
    }
}

/// Whether a container of this name exists, whoever made it.
///
/// # Errors
/// [`SandboxError::Engine`].
pub async fn exists(engine: &Engine, name: &str) -> Result<bool, SandboxError> {
    match engine.docker.inspect_container(name, None::<InspectContainerOptions>).await {
        Ok(_) => Ok(true),
        Err(error) if status_of(&error) == Some(404) => Ok(false),
        Err(error) => Err(refused(&format!("look for the container {name}"), &error)),
    }
}

/// Removes one thing; that it is gone already is as good.
///
/// # Errors
/// [`SandboxError::Engine`].
pub async fn remove(engine: &Engine, thing: &Found) -> Result<(), SandboxError> {
    let (kind, id) = (thing.kind, thing.id.as_str());
    for attempt in 1.. {
        let docker = &engine.docker;
        let outcome = match kind {
            Kind::Container => docker.remove_container(id, Some(by_force())).await,
            Kind::Network => docker.remove_network(id).await,
            Kind::Volume => docker.remove_volume(id, None::<RemoveVolumeOptions>).await,
            // Not the engine's.
            Kind::Server => break,
        };
        match outcome {
            Ok(()) => break,
            Err(error) => match status_of(&error) {
                Some(404) => break,
                // 409: someone else is removing it, or it is in use by what is being removed;
                // 403: a network with an endpoint that is going.
                Some(403 | 409) if attempt < TRIES => {
                    if kind == Kind::Network {
                        let_go(engine, id).await;
                    }
                    tokio::time::sleep(BETWEEN_TRIES).await;
                }
                _ => return Err(refused(&format!("remove the {thing}"), &error)),
            },
        }
    }
    Ok(())
}

/// Takes out of a network of ours whom we took into it. Who else is in there stays.
async fn let_go(engine: &Engine, network: &str) {
    let inspected = engine.docker.inspect_network(network, None::<InspectNetworkOptions>).await;
    let labels = inspected.ok().and_then(|network| network.labels);
    if let Some(container) = labels.as_ref().and_then(|labels| labels.get(SHARED_LABEL)) {
        leave(engine, network, container).await;
    }
}

/// Takes a container out of a network; where it is in there no more, that is as good.
pub async fn leave(engine: &Engine, network: &str, container: &str) {
    let body = NetworkDisconnectRequest { container: container.to_owned(), force: Some(true) };
    if let Err(error) = engine.docker.disconnect_network(network, body).await {
        tracing::debug!(network, container, %error, "not taken out of the network");
    }
}

/// Removes a container; that it is gone already is as good.
///
/// # Errors
/// [`SandboxError::Engine`].
pub async fn remove_container(engine: &Engine, id: &str) -> Result<(), SandboxError> {
    match engine.docker.remove_container(id, Some(by_force())).await {
        Err(error) if status_of(&error) != Some(404) => {
            Err(refused(&format!("remove the container {id}"), &error))
        }
        _ => Ok(()),
    }
}

fn by_force() -> RemoveContainerOptions {
    RemoveContainerOptions { force: true, v: true, link: false }
}

/// Removes everything of one run.
///
/// # Errors
/// [`SandboxError::Engine`], after everything was tried.
pub async fn remove_run(engine: &Engine, run: &str) -> Result<(), SandboxError> {
    let mut found = of_run(engine, run).await?;
    found.sort_by_key(|thing| thing.kind);
    let mut outcome = Ok(());
    for thing in &found {
        if let Err(error) = remove(engine, thing).await {
            outcome = Err(error);
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;

    const BROKEN: &str = r#"{"message": "broken"}"#;

    #[tokio::test]
    async fn a_name_is_taken_or_free_or_that_cannot_be_told() {
        let answers = vec![
            ("GET /containers/taken/json", 200, "{}".to_owned()),
            ("GET /containers/broken/json", 500, BROKEN.to_owned()),
        ];
        let fake = Fake::start(answers).await;
        assert!(exists(&fake.engine, "taken").await.unwrap());
        assert!(!exists(&fake.engine, "free").await.unwrap());
        let error = exists(&fake.engine, "broken").await.unwrap_err();
        assert_eq!(error.to_string(), "Docker could not look for the container broken: broken");
    }

    #[tokio::test]
    async fn what_cannot_be_removed_is_named_and_everything_else_is_removed() {
        let labels = serde_json::json!({ RUN_LABEL: "r" });
        let container = serde_json::json!([{ "Id": "c", "Names": ["/sandbox"], "Labels": labels }]);
        let network = serde_json::json!([{ "Id": "n", "Name": "sandbox-r", "Labels": labels }]);
        let answers = vec![
            ("GET /containers/json", 200, container.to_string()),
            ("GET /networks", 200, network.to_string()),
            ("GET /volumes", 200, "{}".to_owned()),
            ("DELETE /containers/c", 500, BROKEN.to_owned()),
            ("DELETE /networks/n", 204, String::new()),
        ];
        let fake = Fake::start(answers).await;
        let error = remove_run(&fake.engine, "r").await.unwrap_err();
        assert_eq!(error.to_string(), "Docker could not remove the container sandbox: broken");
        assert_eq!(fake.times_asked("DELETE /networks/n"), 1);
    }

    #[tokio::test]
    async fn what_is_gone_already_needs_no_removing() {
        let owner = Owner::of_this_run(false).unwrap();
        let fake = Fake::start(Vec::new()).await;
        for kind in [Kind::Container, Kind::Network, Kind::Volume] {
            let (id, name, owner) = ("x".to_owned(), "x".to_owned(), owner.clone());
            let thing = Found { kind, id, name, owner, running: false, port: None, ended: false };
            remove(&fake.engine, &thing).await.unwrap();
        }
        assert_eq!(fake.times_asked("DELETE"), 3);
    }
}
