//! The throwaway server: what `verify` would take, and whether it starts and has what the source needs.

use std::time::Instant;

use super::senseless;
use super::source::Known;
use crate::commands::Stop;
use crate::commands::sandbox_image::Said;
use crate::commands::steps::target::DATABASE;
use crate::events::Events;
use crate::model::checkup::{Area, Finding, State};
use crate::model::extension::package_with;
use crate::model::outcome::spoken;
use crate::pg::describe;
use crate::restore::extensions::{self, remedy};
use crate::restore::known::{Server, Whose};
use crate::sandbox::{self, Choice, Outlook, Request, Sandbox, SandboxError};
use crate::settings::{DoctorSandbox, DoctorSettings};

const AREA: Area = Area::Sandbox;
/// The extension that every database has.
const EVERYWHERE: &str = "plpgsql";

fn found(id: &str, state: State, said: impl Into<String>) -> Finding {
    Finding::new(AREA, id, id, state, said)
}

fn failed(id: &str, state: State, error: &SandboxError) -> Finding {
    found(id, state, error.to_string()).mended(error.hint().unwrap_or_default())
}

pub(super) async fn examine(
    settings: &DoctorSettings,
    source: &Known,
    stop: &Stop,
) -> Vec<Finding> {
    let wanted = match &settings.sandbox {
        Ok(wanted) => wanted,
        Err(error) => return vec![senseless(AREA, "engine", "engine", error)],
    };
    let request = match request(wanted, source) {
        Ok(request) => request,
        Err(error) => return vec![failed("image", State::Broken, &error)],
    };
    let outlook = match sandbox::outlook(&request).await {
        Ok(outlook) => outlook,
        Err(error) => return vec![failed("engine", State::Broken, &error)],
    };
    let (mut findings, request) = match outlook {
        Outlook::Local { server, why } => {
            let engine = found("engine", State::Works, format!("{server}: {why}"));
            (vec![engine], Some(Request { choice: Choice::Local, ..request }))
        }
        Outlook::Docker { engine, taken, image } => {
            let engine = found("engine", State::Works, engine);
            let name_and_port = name_and_port(&request, taken.as_ref());
            let (image, name) = match image.taken {
                Some(name) => (found("image", State::Works, name.clone()), Some(name)),
                None => {
                    let said = format!("{} is not here: verify pulls it first", image.name);
                    let image = found("image", State::Unknown, said)
                        .mended(format!("docker pull {}", image.name));
                    (image, None)
                }
            };
            // One that is here, so that nothing is pulled.
            let request =
                name.map(|name| Request { choice: Choice::Docker, image: Some(name), ..request });
            (vec![engine, image, name_and_port], request)
        }
    };
    match request {
        Some(request) if wanted.start => {
            findings.extend(start(&request, source, wanted.build_image, stop).await)
        }
        Some(_) => findings.push(found("start", State::NotTried, "as --no-start says")),
        None => {}
    }
    findings
}

/// What `verify` would ask for, for a backup of the source. Nothing is built for that.
fn request(wanted: &DoctorSandbox, source: &Known) -> Result<Request, SandboxError> {
    let usual = Request::default();
    let said = Said {
        named: wanted.image.as_ref(),
        images: &wanted.images,
        usual: wanted.usual_image.as_ref(),
        builds: wanted.build_image,
    };
    let request = Request {
        choice: wanted.engine,
        version: wanted.version.or(source.major).unwrap_or(usual.version),
        image: said.without_extensions(),
        settings: wanted.server_settings.clone(),
        settings_are_trusted: wanted.config_is_named,
        limits: wanted.limits,
        ..usual
    };
    let needed = source.extensions.iter().flatten().cloned().collect();
    match wanted.engine {
        Choice::Local => Ok(request),
        _ => Ok(Request { builds: false, ..said.fit(request, needed, DATABASE)? }),
    }
}

fn name_and_port(request: &Request, taken: Option<&SandboxError>) -> Finding {
    let (id, Request { name, port, .. }) = ("name_and_port", request);
    let what = "name and port";
    let of = |state, said| Finding::new(AREA, id, what, state, said);
    match taken {
        None => of(State::Works, format!("{name} and {port} are free")),
        // Whoever has it gives it back.
        Some(
            error @ (SandboxError::NameInUse { .. } | SandboxError::PortBusy { by: Some(_), .. }),
        ) => of(State::Remark, error.to_string()).mended(error.hint().unwrap_or_default()),
        Some(error) => {
            of(State::Broken, error.to_string()).mended(error.hint().unwrap_or_default())
        }
    }
}

/// Starts one beside all others, asks it, and removes it.
async fn start(request: &Request, source: &Known, builds: bool, stop: &Stop) -> Vec<Finding> {
    let request = Request {
        name: format!("ccc-backup-doctor-{}", std::process::id()),
        port: 0,
        sweeps: false,
        ..request.clone()
    };
    let clock = Instant::now();
    let sandbox = match sandbox::start(&request, &Events::silent(), stop.token()).await {
        Ok(sandbox) => sandbox,
        Err(error) => return vec![failed("start", State::Broken, &error)],
    };
    let took = spoken(clock.elapsed());
    let version = sandbox.facts().server_version.clone();
    let extensions = extensions(&sandbox, source, builds).await;
    let started = match sandbox.close(&Events::silent()).await {
        Ok(()) => found(
            "start",
            State::Works,
            format!("PostgreSQL {version} answered after {took}, and is gone"),
        ),
        Err(error) => {
            let said = format!("PostgreSQL {version} answered after {took}, and is left: {error}");
            found("start", State::Broken, said).mended("ccc-backup cleanup --sandbox")
        }
    };
    vec![started, extensions]
}

/// Whether it has the source's extensions.
async fn extensions(sandbox: &Sandbox, source: &Known, builds: bool) -> Finding {
    let id = "extensions";
    let Some(named) = &source.extensions else {
        return found(id, State::NotTried, "those of the source are not known");
    };
    let needed = named.iter().filter(|name| *name != EVERYWHERE);
    let needed = needed.map(|name| (name.clone(), None)).collect();
    let missing = match sandbox.connect_info().connect().await {
        Ok(session) => {
            extensions::missing(&session, &needed).await.map_err(|error| error.to_string())
        }
        Err(error) => Err(describe(&error)),
    };
    match missing {
        Err(error) => found(id, State::Unknown, error),
        Ok(_) if needed.is_empty() => found(id, State::Works, "the source has none of its own"),
        Ok(missing) if missing.is_empty() => {
            let names: Vec<&str> = needed.keys().map(String::as_str).collect();
            found(id, State::Works, format!("those of the source are there: {}", names.join(", ")))
        }
        Ok(missing)
            if builds
                && missing.iter().all(|name| package_with(name, sandbox.version()).is_some()) =>
        {
            let said = format!("verify builds an image with {} first", missing.join(", "));
            found(id, State::Unknown, said).mended("ccc-backup verify --latest --build-image")
        }
        Ok(missing) => {
            let whose = if sandbox.restores_as_superuser() { Whose::Image } else { Whose::Machine };
            let server = Server { major: sandbox.version(), whose };
            let said = format!("the source has {}, and this server has not", missing.join(", "));
            found(id, State::Broken, said).mended(remedy(&missing, server))
        }
    }
}
