//! The sandbox as a container. These files alone know bollard.

mod beside;
mod build;
mod carried;
mod door;
mod endpoint;
mod engine;
mod exec;
mod exit;
mod guard;
mod image;
pub mod inside;
mod inventory;
mod lookup;
mod name_and_port;
mod own;
mod pace;
mod ready;
mod relay;
mod seccomp;
mod shared;
mod spec;
mod ssh;
mod tls;
pub mod tools;
mod ways;

use std::time::Duration;

use bollard::models::SystemInfo;
use bollard::query_parameters::{
    AttachContainerOptions, CreateContainerOptions, StartContainerOptions,
};
use tokio::io::AsyncWriteExt;
use tokio_util::sync::CancellationToken;

use super::error::SandboxError;
use super::limits::Limits;
use super::owner::random_password;
use super::request::{READY_TIMEOUT, Request};
use super::tuning;
use super::waiting::Waiting;
use crate::events::{Event, Events, SandboxKind};
use crate::model::extension::library_loaded_at_start;
use crate::model::secret::Secret;
use crate::process::Program;
use beside::Beside;
use guard::{Guard, refusing, this_run_at};
use image::{Here, Image, Wanted};
use name_and_port::{free_name_and_port, is_about_the_port, port_busy};
use ready::{Awaited, Ready};
use seccomp::Profile;
use spec::{Plan, RUN_BESIDE_SCRIPT, RUN_SCRIPT, Storage};
use ways::{Detours, Kind, Standing, ways};

pub use build::remove_built;
pub use endpoint::Endpoint;
pub use engine::Engine;
pub use guard::this_run;
pub use inventory::{inventory, remove};

/// How long a container that lost its server may take to end.
const END_TIMEOUT: Duration = Duration::from_secs(1);
/// How often a name is tried that the engine refuses, though nobody is seen to have it.
const NAME_TRIES: u32 = 20;
/// The setting that names libraries which are loaded as the server starts.
const PRELOAD_SETTING: &str = "shared_preload_libraries";
/// Between two of these.
const NAME_PAUSE: Duration = Duration::from_millis(100);

/// A container that runs, and its guard.
#[derive(Debug)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// Whether that leads there from here, too, and not from the engine's machine alone.
    pub is_near: bool,
    id: String,
    beside: Beside,
    standing: Standing,
    guard: Guard,
}

impl Container {
    /// Removes it with its network and volume.
    pub async fn remove(self) -> Result<(), SandboxError> {
        self.guard.remove().await
    }

    /// Leaves it as it is.
    pub async fn keep(self) {
        self.beside.remove(&self.guard).await;
        self.standing.remove(&self.guard).await;
        self.guard.keep();
    }

    /// Runs a program beside the server; gives its exit code. Its stderr goes to `said`, by lines.
    pub async fn run(
        &self,
        program: Program,
        said: &mut (dyn FnMut(&str) + Send),
    ) -> Result<i64, SandboxError> {
        if !program.connects {
            return exec::run(&self.guard, (&self.id, RUN_SCRIPT), program, said).await;
        }
        let (beside, program) =
            (self.beside.start_once(&self.guard).await?, self.beside.of(program));
        let doing = format!("run {} beside the server", program.argv.join(" "));
        let running = exec::run(&self.guard, (beside, RUN_BESIDE_SCRIPT), program, said);
        tokio::pin!(running);
        // The server is the first of the program's processes, too: they end with it, which the engine
        // does not always notice.
        let reason = tokio::select! {
            biased;
            ended = &mut running => return ended,
            reason = exit::in_words(&self.guard.engine.docker, &self.id) => reason,
        };
        let ended = tokio::time::timeout(END_TIMEOUT, running).await;
        ended.unwrap_or(Err(SandboxError::Engine { doing, reason }))
    }

    /// How it ended, with its last lines; `None` when it runs.
    pub async fn diagnose(&self) -> Option<String> {
        let docker = &self.guard.engine.docker;
        let end = exit::in_words(docker, &self.id);
        let end = tokio::time::timeout(END_TIMEOUT, end).await.ok()?;
        let lines = ready::last_lines(docker, &self.id).await;
        Some(std::iter::once(end).chain(lines).collect::<Vec<_>>().join("\n    "))
    }
}

/// Starts a container; what it made is removed when that fails, also before it waits for another run
/// that was quicker.
pub async fn start(
    request: &Request,
    events: &Events,
    cancel: &CancellationToken,
) -> Result<(Container, Ready, Image, bool), SandboxError> {
    let engine = Engine::connect().await?;
    let mut waiting = Waiting::new(request.wait);
    loop {
        let guard = Guard::new(engine.clone(), this_run_at(&engine, request.keep).await?);
        // An engine that does not answer is not waited for: what it was asked to make is a task of its
        // own, which the guard knows of.
        let started = tokio::select! {
            biased;
            () = cancel.cancelled() => Err(SandboxError::Interrupted),
            started = start_guarded(&guard, request, &mut waiting, events, cancel) => started,
        };
        match started {
            Ok(Started { id, port, beside, standing, ready, image, in_memory }) => {
                let name = request.name.clone();
                let is_near = matches!(ready.way, Kind::Own | Kind::Port);
                let container = Container { name, port, is_near, id, beside, standing, guard };
                return Ok((container, ready, image, in_memory));
            }
            Err(error) => {
                if let Err(left) = guard.remove().await {
                    tracing::warn!(error = %left, "something of the sandbox is left");
                }
                waiting.pause(error, events, cancel).await?;
            }
        }
    }
}

/// What a container would be started of.
#[derive(Debug)]
pub struct Looked {
    /// Where the engine is.
    pub endpoint: Endpoint,
    /// Its version.
    pub version: Option<String>,
    /// Whether name and port can be had.
    pub free: Result<(), SandboxError>,
    /// The image.
    pub image: Here,
}

/// Looks at what a container would be started of, and changes nothing.
///
/// # Errors
/// Why none could be started.
pub async fn look(request: &Request) -> Result<Looked, SandboxError> {
    let engine = Engine::connect().await?;
    let docker = &engine.docker;
    let owner = this_run(false)?;
    let wanted = Wanted { name: request.image.as_deref(), version: request.version };
    let described = async { docker.info().await.map_err(refusing("describe itself")) };
    let (info, image) = tokio::try_join!(described, image::here(docker, wanted))?;
    Profile::is_enforced_by(&info)?;
    let free = name_and_port::are_free(&engine, &owner, request).await;
    Ok(Looked { endpoint: engine.endpoint, version: info.server_version, free, image })
}

/// A container whose server answers.
struct Started {
    id: String,
    port: u16,
    beside: Beside,
    standing: Standing,
    ready: Ready,
    image: Image,
    in_memory: bool,
}

async fn start_guarded(
    guard: &Guard,
    request: &Request,
    waiting: &mut Waiting,
    events: &Events,
    cancel: &CancellationToken,
) -> Result<Started, SandboxError> {
    // Before anything is made, where it is waited for.
    while request.wait.is_some()
        && let Err(error) = free_name_and_port(guard, request, events).await
    {
        waiting.pause(error, events, cancel).await?;
    }
    let docker = &guard.engine.docker;
    let name = format!("{}-{}", request.name, guard.owner.run);
    let wanted = Wanted { name: request.image.as_deref(), version: request.version };
    // The network takes as long as all the questions together.
    let (_, (image, profile), info, _) = tokio::try_join!(
        free_name_and_port(guard, request, events),
        async {
            let base = image::find(docker, wanted, events, cancel).await?;
            let image = build::with_extensions(guard, base, request, events).await?;
            let profile = Profile::for_engine(guard, &image, &name).await?;
            Ok((image, profile))
        },
        async { docker.info().await.map_err(refusing("describe itself")) },
        make_network(guard, &name),
    )?;
    Profile::is_enforced_by(&info)?;
    let version = image.major.unwrap_or(request.version);
    events.emit(Event::SandboxStarting {
        kind: SandboxKind::Container,
        version: version.to_string(),
        why: format!("docker at {}, {}", guard.engine.endpoint, image.why),
    });
    let limits = request.limits;
    let memory = limits.memory_of(free_memory(guard.engine.endpoint.is_local(), &info));
    let cores = info.ncpu.and_then(|n| usize::try_from(n).ok()).unwrap_or(1);
    let storage = if tuning::fits_in_memory(request.data_bytes, memory) {
        let limit = tuning::memory_limit(memory);
        Storage::Memory { limit }
    } else {
        Storage::Volume(name.clone())
    };
    if let Storage::Volume(volume) = &storage {
        make_volume(guard, volume).await?;
    }
    let in_memory = matches!(storage, Storage::Memory { .. });
    let settings = tuning::settings(tuning::Machine {
        connections: request.connections,
        cores: limits.cores_of(cores),
        memory: memory - if in_memory { tuning::memory_limit(memory) } else { 0 },
        in_memory,
        version,
    });
    let labels = guard.owner.labels();
    let plan = Plan {
        image: &image,
        network: &name,
        labels: &labels,
        storage: &storage,
        // The engine refuses more processors than there are.
        limits: Limits { nano_cpus: limits.nano_cpus_of(cores), ..limits },
        port: request.port,
        settings: &tuning::overridden(settings, &request.settings),
        run: &guard.owner.run,
        seccomp: &profile.value,
        preload: &preload(request),
    };
    let password = random_password().map_err(|error| SandboxError::Engine {
        doing: "be given a password".into(),
        reason: error.to_string(),
    })?;
    let id = make_container(guard, request, &plan).await?;
    start_container(guard, &id, &password, request.port).await?;
    let (kind, name_asked) = (SandboxKind::Container, request.name.clone());
    events.emit(Event::SandboxStarted { kind, name: name_asked });
    events.emit(Event::SandboxWaiting);
    let (ways, port) = ways(&guard.engine, &id, &name, &password).await?;
    let run = &guard.owner.run;
    let (name, within) = (&request.name, READY_TIMEOUT);
    let awaited = Awaited { docker, id: &id, name, run, ways, within };
    let mut detours = Detours::new(guard, &plan, &id, &password);
    let beside = Beside::new(&plan, &id);
    let programs = async {
        // Made again, and its refusal told, by whoever runs a program.
        if request.programs
            && let Err(error) = beside.start_once(guard).await
        {
            tracing::debug!(%error, "there is no container for programs");
        }
    };
    let (ready, ()) = tokio::join!(ready::wait(awaited, &mut detours, cancel), programs);
    let ready = ready?;
    let standing = detours.keep(ready.way).await;
    Ok(Started { id, port, beside, standing, ready, image, in_memory })
}

/// Libraries that are to be loaded as the server starts. Where the operator names some, those are all.
fn preload(request: &Request) -> String {
    let is_named = |(name, _): &(String, String)| name.eq_ignore_ascii_case(PRELOAD_SETTING);
    if request.settings.iter().any(is_named) {
        return String::new();
    }
    let libraries = request.extensions.iter().filter_map(|name| library_loaded_at_start(name));
    libraries.collect::<Vec<_>>().join(" ")
}

async fn make_network(guard: &Guard, name: &str) -> Result<(), SandboxError> {
    let (docker, body) = (guard.engine.docker.clone(), spec::network(name, &guard.owner.labels()));
    let made = guard
        .requests()
        .run("create the network", async move { docker.create_network(body).await });
    made.await.map(drop).map_err(refusing(&format!("create the network {name}")))
}

async fn make_volume(guard: &Guard, name: &str) -> Result<(), SandboxError> {
    let (docker, body) = (guard.engine.docker.clone(), spec::volume(name, &guard.owner.labels()));
    let made =
        guard.requests().run("create the volume", async move { docker.create_volume(body).await });
    made.await.map(drop).map_err(refusing(&format!("create the volume {name}")))
}

async fn make_container(
    guard: &Guard,
    request: &Request,
    plan: &Plan<'_>,
) -> Result<String, SandboxError> {
    let name = &request.name;
    let create = || {
        let (docker, body) = (guard.engine.docker.clone(), spec::container(plan));
        let options = CreateContainerOptions {
            name: Some(name.clone()),
            ..CreateContainerOptions::default()
        };
        guard.requests().run("create the container", async move {
            docker.create_container(Some(options), body).await
        })
    };
    for _ in 0..NAME_TRIES {
        match create().await {
            Ok(made) => return Ok(made.id),
            Err(error) if engine::status_of(&error) == Some(409) => {}
            Err(error) => {
                return Err(engine::refused(&format!("create the container {name}"), &error));
            }
        }
        // Someone took the name since it was asked for: say who. Where nobody is to be seen, they are coming or going.
        free_name_and_port(guard, request, &Events::silent()).await?;
        tokio::time::sleep(NAME_PAUSE).await;
    }
    Err(SandboxError::NameTaken { name: name.clone() })
}

/// Starts it and hands it the password on its stdin.
async fn start_container(
    guard: &Guard,
    id: &str,
    password: &Secret,
    port: u16,
) -> Result<(), SandboxError> {
    let docker = guard.engine.docker.clone();
    let attach =
        AttachContainerOptions { stream: true, stdin: true, ..AttachContainerOptions::default() };
    let mut attached = docker
        .attach_container(id, Some(attach))
        .await
        .map_err(refusing("attach to the container"))?;
    let started = {
        let id = id.to_owned();
        guard.requests().run("start the container", async move {
            docker.start_container(&id, None::<StartContainerOptions>).await
        })
    };
    if let Err(error) = started.await {
        if port != 0 && is_about_the_port(&engine::message_of(&error)) {
            let found = inventory(&guard.engine).await.unwrap_or_default();
            return Err(port_busy(port, &found));
        }
        return Err(engine::refused("start the container", &error));
    }
    let line = format!("{}\n", password.expose());
    let sent = async {
        attached.input.write_all(line.as_bytes()).await?;
        attached.input.flush().await?;
        attached.input.shutdown().await
    };
    // A container that has exited by now is told of by whoever waits for its server.
    if let Err(error) = sent.await {
        tracing::debug!(%error, "the container's stdin is closed");
    }
    Ok(())
}

/// Memory that a server may use, in bytes: what is free here, when the engine is here, but never
/// more than what the engine has.
fn free_memory(local: bool, info: &SystemInfo) -> u64 {
    let engines = info.mem_total.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0);
    let free = if local { tuning::available_memory() } else { None };
    free.unwrap_or(engines / 2).min(engines)
}

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;
