//! Builds an image with extensions that another lacks, out of the packages of its distribution, and keeps it.
//!
//! The container in which they are installed has a network and root, so nothing of a backup is ever in it. It has the
//! labels of the run; the image has labels of its own, and a name that says what it is made of, by which further runs
//! find it.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bollard::models::{ContainerConfig, ContainerCreateBody};
use bollard::query_parameters::{
    CommitContainerOptions, CreateContainerOptions, ListImagesOptions, RemoveImageOptions,
    StartContainerOptions,
};
use sha2::{Digest, Sha256};

use super::engine::{Engine, message_of, status_of};
use super::exec;
use super::guard::{Guard, refusing};
use super::image::{Image, inspect};
use super::inventory::remove_container;
use crate::events::{Event, Events};
use crate::model::extension::package_with;
use crate::process::Program;
use crate::sandbox::error::SandboxError;
use crate::sandbox::request::Request;

const SCRIPT: &str = include_str!("build.sh");
/// The repository of what was built.
const REPOSITORY: &str = "ccc-backup/built";
/// Marks an image that was built; its value names the extensions.
const BUILT_LABEL: &str = "io.ccc-backup.built";
/// What it was built from.
const BASE_LABEL: &str = "io.ccc-backup.built-from";
/// Hex digits of the checksum of what an image is made of.
const DIGITS: usize = 12;
/// How long the engine may take to write down what was installed.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(1800);
/// Lines of whoever installs packages that are shown when that fails.
const LINES: usize = 6;
/// Variables that lead through a proxy.
const PROXIES: [&str; 6] =
    ["http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];

/// An extension, and the package that has it, where one is known.
type Wanted = (String, Option<String>);

/// The image with the extensions of the request: `base` where it is not to be built, or no package is known to have
/// any of them; one that was built before; else one that is built now.
///
/// # Errors
/// [`SandboxError::NotBuilt`], [`SandboxError::Engine`].
pub async fn with_extensions(
    guard: &Guard,
    base: Image,
    request: &Request,
    events: &Events,
) -> Result<Image, SandboxError> {
    let major = base.major.unwrap_or(request.version);
    let wanted: Vec<Wanted> =
        request.extensions.iter().map(|name| (name.clone(), package_with(name, major))).collect();
    let mut packages: Vec<String> =
        wanted.iter().filter_map(|(_, package)| package.clone()).collect();
    packages.sort();
    packages.dedup();
    if !request.builds || packages.is_empty() {
        return Ok(base);
    }
    let tag = tag(&base, &wanted, major);
    let name = format!("{REPOSITORY}:{tag}");
    let why = |how: &str| format!("{how} {} with {}", base.name, packages.join(", "));
    if let Some(found) = inspect(&guard.engine.docker, &name, &why("built before from")).await? {
        return Ok(Image { major: found.major.or(Some(major)), ..found });
    }
    events.emit(Event::ImageBuilding { base: base.name.clone(), packages: packages.clone() });
    let container = format!("{}-{}-build", request.name, guard.owner.run);
    let id = make_container(guard, &base, &container).await?;
    let is_changed = install(guard, &id, &base, &wanted).await?;
    if is_changed {
        commit(guard, &id, &base, &wanted, &tag).await?;
    }
    remove_container(&guard.engine, &id).await?;
    if !is_changed {
        return Ok(base);
    }
    forget_older(&guard.engine, &wanted, major, &name).await;
    let found = inspect(&guard.engine.docker, &name, &why("built now from")).await?;
    let found = found.ok_or_else(|| not_built(&base, &wanted, "it is not there", []))?;
    Ok(Image { major: found.major.or(Some(major)), ..found })
}

/// Names what an image is made of.
fn tag(base: &Image, wanted: &[Wanted], major: u32) -> String {
    let mut hash = Sha256::new();
    for part in [SCRIPT, &base.digest].into_iter().chain(wanted.iter().map(|(name, _)| &**name)) {
        hash.update(part);
        hash.update([0]);
    }
    let digits = hex::encode(hash.finalize());
    format!("{major}-{}", &digits[..DIGITS])
}

/// The names of the extensions, and the version that they are for.
fn described(wanted: &[Wanted], major: u32) -> String {
    let names: Vec<&str> = wanted.iter().map(|(name, _)| name.as_str()).collect();
    format!("{major}:{}", names.join(","))
}

fn not_built(
    base: &Image,
    wanted: &[Wanted],
    reason: &str,
    log: impl IntoIterator<Item = String>,
) -> SandboxError {
    SandboxError::NotBuilt {
        extensions: wanted.iter().map(|(name, _)| name.clone()).collect(),
        base: base.name.clone(),
        reason: reason.to_owned(),
        log: log.into_iter().collect(),
    }
}

/// A container that does nothing by itself, with a network and root.
async fn make_container(guard: &Guard, base: &Image, name: &str) -> Result<String, SandboxError> {
    let body = ContainerCreateBody {
        image: Some(base.name.clone()),
        user: Some("0".into()),
        // Longer than any build.
        entrypoint: Some(["sleep", "2147483647"].map(str::to_owned).into()),
        cmd: Some(Vec::new()),
        working_dir: Some("/".into()),
        labels: Some(guard.owner.labels()),
        ..ContainerCreateBody::default()
    };
    let options =
        CreateContainerOptions { name: Some(name.to_owned()), ..CreateContainerOptions::default() };
    let docker = guard.engine.docker.clone();
    let made = guard.requests().run("create the container of a build", async move {
        docker.create_container(Some(options), body).await
    });
    let id = made.await.map_err(refusing("create a container to build an image in"))?.id;
    let (docker, started) = (guard.engine.docker.clone(), id.clone());
    let starting = guard.requests().run("start the container of a build", async move {
        docker.start_container(&started, None::<StartContainerOptions>).await
    });
    starting.await.map_err(refusing("start the container to build an image in"))?;
    Ok(id)
}

/// Installs what is lacking. Gives whether anything was.
async fn install(
    guard: &Guard,
    id: &str,
    base: &Image,
    wanted: &[Wanted],
) -> Result<bool, SandboxError> {
    let pairs = wanted
        .iter()
        .map(|(name, package)| format!("{name}={}", package.as_deref().unwrap_or_default()));
    let proxies = PROXIES.iter().filter_map(|name| {
        let value = std::env::var(name).ok()?;
        Some(format!("{name}={value}"))
    });
    let program = Program { argv: pairs.collect(), env: proxies.collect(), ..Program::default() };
    let mut log = VecDeque::new();
    let mut lines = 0_usize;
    let mut said = |line: &str| {
        tracing::debug!("{line}");
        lines += 1;
        if log.len() == LINES {
            log.pop_front();
        }
        log.push_back(line.to_owned());
    };
    let code = exec::run(guard, (id, SCRIPT), program, &mut said).await?;
    match code {
        0 => Ok(lines > 0),
        code => {
            let mut errors = log.iter().filter_map(|line| line.strip_prefix("E: "));
            let reason = errors.next_back().map_or_else(
                || format!("the packages could not be installed ({code})"),
                str::to_owned,
            );
            log.retain(|line| line.strip_prefix("E: ") != Some(reason.as_str()));
            Err(not_built(base, wanted, &reason, log))
        }
    }
}

/// Makes an image of the container, which starts as its base does, and has no label of the run: whatever is started
/// from it is not this run's.
async fn commit(
    guard: &Guard,
    id: &str,
    base: &Image,
    wanted: &[Wanted],
    tag: &str,
) -> Result<(), SandboxError> {
    let major = tag.split('-').next().and_then(|major| major.parse().ok()).unwrap_or_default();
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut changes: Vec<String> =
        guard.owner.labels().keys().map(|name| format!("LABEL {name}=\"\"")).collect();
    changes.push(format!("LABEL {BUILT_LABEL}={}", quoted(&described(wanted, major))));
    changes.push(format!("LABEL {BASE_LABEL}={}", quoted(&base.name)));
    changes.extend(base.changes_back());
    let options = CommitContainerOptions {
        container: Some(id.to_owned()),
        repo: Some(REPOSITORY.to_owned()),
        tag: Some(tag.to_owned()),
        comment: Some("built by ccc-backup --build-image".to_owned()),
        pause: true,
        changes: Some(changes.join("\n")),
        ..CommitContainerOptions::default()
    };
    let docker = guard.engine.docker.clone().with_timeout(COMMIT_TIMEOUT);
    let committed = guard.requests().run("keep the image that was built", async move {
        docker.commit_container(options, ContainerConfig::default()).await
    });
    committed.await.map(drop).map_err(|error| not_built(base, wanted, &message_of(&error), []))
}

/// Removes what was built for the same extensions from another state of the base, or in another way, unless it is in
/// use.
async fn forget_older(engine: &Engine, wanted: &[Wanted], major: u32, but: &str) {
    let of_these = format!("{BUILT_LABEL}={}", described(wanted, major));
    for name in built(engine, &of_these).await.unwrap_or_default() {
        if name != but
            && let Err(error) = remove_image(engine, &name).await
        {
            tracing::debug!(%error, name, "an older image stays");
        }
    }
}

/// Removes the images that were built. Gives those that are gone, and what kept others.
///
/// # Errors
/// [`SandboxError::Engine`], when the engine cannot be asked.
pub async fn remove_built(
    engine: &Engine,
) -> Result<Vec<(String, Result<(), SandboxError>)>, SandboxError> {
    let mut removed = Vec::new();
    for name in built(engine, BUILT_LABEL).await? {
        let outcome = remove_image(engine, &name).await;
        removed.push((name, outcome));
    }
    Ok(removed)
}

/// The names of the images with this label, the id where one has lost its name.
async fn built(engine: &Engine, label: &str) -> Result<Vec<String>, SandboxError> {
    let filters = HashMap::from([("label".to_owned(), vec![label.to_owned()])]);
    let options = ListImagesOptions { filters: Some(filters), ..ListImagesOptions::default() };
    let found = engine.docker.list_images(Some(options)).await;
    let found = found.map_err(refusing("list the images that were built"))?;
    let names = found.into_iter().flat_map(|image| {
        let mut names: Vec<String> =
            image.repo_tags.into_iter().filter(|name| name.contains(REPOSITORY)).collect();
        if names.is_empty() {
            names.push(image.id);
        }
        names
    });
    Ok(names.collect())
}

async fn remove_image(engine: &Engine, name: &str) -> Result<(), SandboxError> {
    match engine.docker.remove_image(name, None::<RemoveImageOptions>, None).await {
        Ok(_) => Ok(()),
        Err(error) if status_of(&error) == Some(404) => Ok(()),
        Err(error) => Err(refusing(&format!("remove the image {name}"))(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_names_the_base_and_the_extensions() {
        let base = |digest: &str| Image { digest: digest.to_owned(), ..Image::default() };
        let wanted = |name: &str| vec![(name.to_owned(), None)];
        let one = tag(&base("sha256:1"), &wanted("vector"), 17);
        assert!(one.starts_with("17-") && one.len() == 3 + DIGITS, "{one}");
        assert_eq!(one, tag(&base("sha256:1"), &wanted("vector"), 17));
        assert_ne!(one, tag(&base("sha256:2"), &wanted("vector"), 17));
        assert_ne!(one, tag(&base("sha256:1"), &wanted("hypopg"), 17));
    }
}
