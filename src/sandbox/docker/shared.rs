//! A network that the server shares with the container that we run in ourselves: with the engine's socket and a
//! network of its own, it reaches neither the server's address nor a port of the engine's machine.

use bollard::models::NetworkConnectRequest;
use bollard::query_parameters::InspectContainerOptions;

use super::engine::message_of;
use super::guard::Guard;
use super::inventory::{SHARED_LABEL, leave};
use super::spec::shared_network;

/// See the module.
#[derive(Debug)]
pub struct Shared {
    id: String,
    members: [String; 2],
    /// The server's address in it.
    pub address: String,
}

impl Shared {
    /// Makes it for the containers `server` and `own`. What was made is the guard's, also when this fails.
    ///
    /// # Errors
    /// The engine's words.
    pub async fn make(guard: &Guard, name: &str, server: &str, own: &str) -> Result<Self, String> {
        let docker = &guard.engine.docker;
        let mut labels = guard.owner.labels();
        labels.insert(SHARED_LABEL.to_owned(), own.to_owned());
        let making = {
            let (docker, body) = (docker.clone(), shared_network(name, labels));
            async move { docker.create_network(body).await }
        };
        let made = guard.requests().run("create a shared network", making).await;
        let id = made.map_err(|error| message_of(&error))?.id;
        for container in [server, own] {
            let joining = {
                let (docker, id) = (docker.clone(), id.clone());
                let body = NetworkConnectRequest {
                    container: container.to_owned(),
                    ..NetworkConnectRequest::default()
                };
                async move { docker.connect_network(&id, body).await }
            };
            let joined = guard.requests().run("connect a container to a network", joining).await;
            joined.map_err(|error| message_of(&error))?;
        }
        let inspected = docker.inspect_container(server, None::<InspectContainerOptions>).await;
        let networks = inspected.map_err(|error| message_of(&error))?.network_settings;
        let address = networks
            .and_then(|settings| settings.networks?.remove(name)?.ip_address)
            .filter(|address| !address.is_empty())
            .ok_or("the server was given no address in it")?;
        Ok(Self { id, members: [server, own].map(str::to_owned), address })
    }

    /// Removes it.
    pub async fn remove(self, guard: &Guard) {
        for container in &self.members {
            leave(&guard.engine, &self.id, container).await;
        }
        if let Err(error) = guard.engine.docker.remove_network(&self.id).await {
            tracing::debug!(id = self.id, %error, "left to the end of the run");
        }
    }
}
