//! A file that an engine is to read on its own machine, and cannot where ours is another or a container: it is carried
//! there in a volume, which the run's label removes.

use bollard::body_full;
use bollard::models::{ContainerCreateBody, HostConfig, Mount, MountType};
use bollard::query_parameters::{CreateContainerOptions, UploadToContainerOptions};

use super::guard::{Guard, refusing};
use super::image::Image;
use super::inventory::remove_container;
use super::spec::volume;
use crate::sandbox::error::SandboxError;

/// Where the volume is in the container by which it is filled.
const MOUNTED: &str = "/carried";

/// Carries a file there, and gives its path there. `name` is the volume's.
///
/// # Errors
/// [`SandboxError::Engine`].
pub async fn carry(
    guard: &Guard,
    image: &Image,
    name: &str,
    (file, bytes): (&str, &[u8]),
) -> Result<String, SandboxError> {
    let doing = format!("be given the file {file}");
    let docker = &guard.engine.docker;
    let making = {
        let (docker, volume) = (docker.clone(), volume(name, &guard.owner.labels()));
        let body = container(guard, image, name);
        async move {
            docker.create_volume(volume).await?;
            docker.create_container(None::<CreateContainerOptions>, body).await
        }
    };
    let made = guard.requests().run("create a volume and its container", making).await;
    let id = made.map_err(refusing(&doing))?.id;
    let packed = packed(file, bytes).map_err(|error| SandboxError::Engine {
        doing: doing.clone(),
        reason: error.to_string(),
    })?;
    let into = UploadToContainerOptions {
        path: MOUNTED.to_owned(),
        ..UploadToContainerOptions::default()
    };
    let sent = docker.upload_to_container(&id, Some(into), body_full(packed.into())).await;
    let sent = sent.map_err(refusing(&doing));
    remove_container(&guard.engine, &id).await?;
    sent?;
    let inspected = docker.inspect_volume(name).await;
    let mountpoint = inspected.map_err(refusing(&doing))?.mountpoint;
    Ok(format!("{mountpoint}/{file}"))
}

/// A container that is never started.
fn container(guard: &Guard, image: &Image, name: &str) -> ContainerCreateBody {
    let mount = Mount {
        target: Some(MOUNTED.into()),
        source: Some(name.to_owned()),
        typ: Some(MountType::VOLUME),
        ..Mount::default()
    };
    ContainerCreateBody {
        image: Some(image.name.clone()),
        entrypoint: Some(vec!["true".into()]),
        cmd: Some(Vec::new()),
        labels: Some(guard.owner.labels()),
        host_config: Some(HostConfig {
            network_mode: Some("none".into()),
            mounts: Some(vec![mount]),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}

fn packed(file: &str, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut header = tar::Header::new_ustar();
    header.set_mode(0o644);
    header.set_size(bytes.len() as u64);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, file, bytes)?;
    archive.into_inner()
}
