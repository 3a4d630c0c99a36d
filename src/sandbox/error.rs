//! Why there is no sandbox. None of these says anything about the backup: all of them are exit 2.

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

/// How the end of a server is described that was killed for want of memory.
pub const OUT_OF_MEMORY: &str = "it ran out of memory";

/// Why a sandbox could not be had or used.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// No Docker Engine answers.
    #[error("no Docker Engine answers: {0}")]
    NoDocker(#[from] NoDocker),
    /// There is no image to start.
    #[error("there is no image {image} here, and it cannot be pulled: {reason}")]
    ImageMissing {
        /// The image that was looked for.
        image: String,
        /// The engine's reason.
        reason: String,
        /// Major version, where the image was chosen by version.
        version: Option<u32>,
    },
    /// The configuration has an image for each of these extensions, and none for all of them.
    #[error("[images] has no image that has all of {}", extensions.join(", "))]
    NoCommonImage {
        /// The extensions.
        extensions: Vec<String>,
    },
    /// The image that was to be built could not be.
    #[error("no image with {} could be built from {base}: {reason}{}", extensions.join(", "), last_lines(log))]
    NotBuilt {
        /// The extensions.
        extensions: Vec<String>,
        /// The image that it was to be built from.
        base: String,
        /// What was refused, or by whom.
        reason: String,
        /// The last lines of whoever installs packages.
        log: Vec<String>,
    },
    /// Something listens on the port.
    #[error("port {port} on 127.0.0.1 is in use{}", by.as_ref().map(|name| format!(" by the container {name}")).unwrap_or_default())]
    PortBusy {
        /// The port.
        port: u16,
        /// The container of ours that has it, if it is one.
        by: Option<String>,
    },
    /// A container of that name exists, and we did not make it.
    #[error("a container named {name} exists, and ccc-backup did not make it")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// A container of that name belongs to another run.
    #[error("the container {name} belongs to another run of ccc-backup ({owner})")]
    NameInUse {
        /// The name.
        name: String,
        /// Which run: process, host, since when.
        owner: String,
        /// Whether that run is known to live; otherwise it was started from another host.
        live: bool,
    },
    /// Somebody had the name or the port until the end of the wait.
    #[error("{by}, also after {} s (--wait)", waited.as_secs())]
    StillTaken {
        /// Who.
        by: Box<SandboxError>,
        /// How long was waited.
        waited: Duration,
    },
    /// The server did not get ready.
    #[error("PostgreSQL did not get ready in {name}: {reason}{}", last_lines(log))]
    NotReady {
        /// The container, or the local server.
        name: String,
        /// What was seen, such as `no answer within 60 s` or `it exited with 1`.
        reason: String,
        /// Its last lines.
        log: Vec<String>,
    },
    /// The server is ready, and nothing of ours gets there.
    #[error("PostgreSQL is ready in {name}, and no way leads there{}", last_lines(tried))]
    Unreachable {
        /// The container.
        name: String,
        /// The ways that were tried, each with what it answered.
        tried: Vec<String>,
    },
    /// This machine has no PostgreSQL server of a version that will do.
    #[error("this machine has no PostgreSQL server of version {version} or newer{}", older(others))]
    NoServer {
        /// The major version that is wanted.
        version: u32,
        /// Those that are there.
        others: Vec<u32>,
    },
    /// A setting that a file says which nobody named would have a local server reach this machine.
    #[error(
        "ccc-backup.toml sets {name}, by which a local server runs programs, loads libraries or opens \
         files of this machine"
    )]
    ReachingSetting {
        /// The setting.
        name: String,
    },
    /// This process runs under a user id that the system does not know, and nothing helps against that.
    #[error(
        "the user id {uid} has no name here, and PostgreSQL's initdb wants one; libnss_wrapper, which \
         would give one, is not here, nor may there be a user namespace ({refusal})"
    )]
    NoName {
        /// The user id.
        uid: u32,
        /// Why there is no namespace.
        refusal: String,
    },
    /// A local server could not be made or used.
    #[error("the local PostgreSQL could not {doing}: {reason}")]
    Local {
        /// What was being done.
        doing: String,
        /// The reason.
        reason: String,
    },
    /// The run was interrupted; what it had made is gone.
    #[error("interrupted while the sandbox was being started")]
    Interrupted,
    /// The server refused something that should have worked.
    #[error("the sandbox's server refused to {doing}: {reason}")]
    Server {
        /// What was being done.
        doing: String,
        /// The server's reason.
        reason: String,
    },
    /// The engine cannot keep a container from the services of its host.
    #[error(
        "this Docker Engine has no seccomp: what a backup runs could connect to this machine's \
         services"
    )]
    NoWalls,
    /// The engine refused something that should have worked.
    #[error("Docker could not {doing}: {reason}")]
    Engine {
        /// What was being done.
        doing: String,
        /// The engine's reason.
        reason: String,
    },
}

/// The ways in which no Docker Engine answers.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum NoDocker {
    /// The socket is not there.
    #[error("there is no socket {}", .0.display())]
    NoSocket(PathBuf),
    /// The socket may not be opened.
    #[error("no permission to open the socket {}", .0.display())]
    Forbidden(PathBuf),
    /// The socket or port is there, but nobody listens.
    #[error("nobody listens at {0}")]
    Down(String),
    /// It took too long.
    #[error("{endpoint} did not answer within {} s", within.as_secs())]
    Silent {
        /// Where.
        endpoint: String,
        /// How long it was waited for.
        within: Duration,
    },
    /// The address is of a kind that we do not speak.
    #[error("{0} is not an address that ccc-backup can use (unix://, tcp:// or ssh://)")]
    Unsupported(String),
    /// The context is not there or cannot be read.
    #[error("the Docker context {name} cannot be read: {reason}")]
    Context {
        /// The context.
        name: String,
        /// Why.
        reason: String,
    },
    /// Something answered, but not as an engine does.
    #[error("{endpoint}: {reason}")]
    Strange {
        /// Where.
        endpoint: String,
        /// What it said.
        reason: String,
    },
}

impl SandboxError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoDocker(NoDocker::Forbidden(_)) => Some(
                "add yourself to the group docker (sudo usermod -aG docker \"$USER\", then log in \
                 again), or run as root"
                    .into(),
            ),
            Self::NoDocker(NoDocker::Unsupported(_) | NoDocker::Context { .. }) => {
                Some("set DOCKER_HOST, for example to unix:///var/run/docker.sock".into())
            }
            Self::NoDocker(_) => Some(
                "start Docker (sudo systemctl start docker), set DOCKER_HOST to where it listens, or \
                 install a PostgreSQL server and use --engine local"
                    .into(),
            ),
            Self::NoServer { version, .. } => Some(format!(
                "install one (apt install postgresql-{version}), have it on PATH, or use Docker \
                 (--engine docker)"
            )),
            Self::Local { reason, .. } if reason.contains("o space left") => Some(
                "make room, or set TMPDIR to a directory on a larger disk".into(),
            ),
            Self::NoName { .. } => Some(
                "have libnss_wrapper in the image (apt install libnss-wrapper; images of PostgreSQL \
                 have it), or give this user id a line in /etc/passwd, or use Docker \
                 (--engine docker)"
                    .into(),
            ),
            Self::ReachingSetting { .. } => Some(
                "vouch for the file with --config ccc-backup.toml, or use a container \
                 (--engine docker)"
                    .into(),
            ),
            Self::Local { .. } => Some(
                "TMPDIR names the directory for it, which the user that PostgreSQL runs as must be \
                 able to enter; or use Docker (--engine docker)"
                    .into(),
            ),
            Self::Engine { reason, .. } | Self::ImageMissing { reason, .. }
                if reason.contains("no space left") =>
            {
                Some("make room where Docker keeps its data: docker system df".into())
            }
            Self::ImageMissing { image, version, .. } => Some(match version {
                Some(version) => format!(
                    "get one with `docker pull {image}`, or build one from Debian's packages with \
                     `make postgres-image{}` (ccc-backup/postgres:{version})",
                    if *version == 15 { String::new() } else { format!(" ARGS={version}") }
                ),
                None => format!("get it with `docker pull {image}`, or name another with --image"),
            }),
            Self::NoCommonImage { extensions } => Some(format!(
                "name one below [images] in ccc-backup.toml: \"{}\" = \"IMAGE\"; or name it with \
                 --image, or have one built (--build-image)",
                extensions.join(",")
            )),
            Self::NotBuilt { .. } => Some(
                "--build-image wants a network and an image of Debian or Ubuntu with apt's sources, such \
                 as postgres:15; else use an image that has the extensions: --image IMAGE, or \
                 [images] in ccc-backup.toml"
                    .into(),
            ),
            Self::PortBusy { .. } => {
                Some("choose another port with --port, or any free one with --port 0".into())
            }
            Self::NameTaken { name } => Some(format!(
                "rename or remove that container (docker rm -f {name}), or choose another name \
                 with --container-name"
            )),
            Self::NameInUse {
                name, live: true, ..
            } => Some(format!(
                "wait until {name} is free (--wait), or run beside it with --container-name and \
                 --port 0"
            )),
            Self::NameInUse {
                name, live: false, ..
            } => Some(format!(
                "if that run is over: docker rm -f {name}; else run beside it with \
                 --container-name and --port 0"
            )),
            Self::StillTaken { by, .. } => by.hint(),
            Self::NotReady { .. } => Some(
                "the lines above are the server's; a setting, the image or too little memory or \
                 disk space can be the reason"
                    .into(),
            ),
            Self::Unreachable { .. } => Some(
                "run it where the engine runs or in the engine's own network (docker run --network \
                 host), or take an image that has bash, perl or nc (--image IMAGE), by which every \
                 engine leads there"
                    .into(),
            ),
            // The engine has room for some thirty networks.
            Self::Engine { reason, .. } if reason.contains("address pool") => {
                Some("remove networks that nobody uses: docker network prune".into())
            }
            Self::Engine { reason, .. } if reason.contains("invalid reference") => {
                Some("name it as docker does, such as postgres:15 (--image)".into())
            }
            Self::Engine { reason, .. } if reason.contains("active endpoints") => Some(
                "`docker network inspect` names what is connected to it; remove that, then run \
                 `ccc-backup cleanup --sandbox`"
                    .into(),
            ),
            Self::Engine { .. } => Some("see how Docker is: docker info, docker ps -a".into()),
            Self::NoWalls => Some(
                "take an engine on a Linux kernel with CONFIG_SECCOMP_FILTER (docker info names \
                 seccomp), or this machine's own PostgreSQL (--engine local)"
                    .into(),
            ),
            Self::Server { .. } => Some("another image may do: --image IMAGE".into()),
            Self::Interrupted => None,
        }
    }
}

fn older(others: &[u32]) -> String {
    let numbers: Vec<String> = others.iter().map(u32::to_string).collect();
    if numbers.is_empty() { String::new() } else { format!(", only of {}", numbers.join(", ")) }
}

fn last_lines(log: &[String]) -> String {
    log.iter().map(|line| format!("\n    {line}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_having_no_docker_says_what_to_do() {
        let socket = PathBuf::from("/run/x.sock");
        let hint = |error: NoDocker| SandboxError::from(error).hint().unwrap();
        assert!(hint(NoDocker::Forbidden(socket.clone())).contains("group docker"));
        assert!(hint(NoDocker::NoSocket(socket)).contains("start Docker"));
        assert!(hint(NoDocker::Unsupported("npipe://x".into())).contains("DOCKER_HOST"));
    }

    #[test]
    fn a_missing_image_names_both_ways_to_get_one() {
        let error = SandboxError::ImageMissing {
            image: "postgres:15".into(),
            reason: "no such host".into(),
            version: Some(15),
        };
        let hint = error.hint().unwrap();
        assert!(hint.contains("docker pull postgres:15") && hint.contains("`make postgres-image`"));
        let error = SandboxError::ImageMissing {
            image: "postgres:17".into(),
            reason: "no such host".into(),
            version: Some(17),
        };
        assert!(error.hint().unwrap().contains("`make postgres-image ARGS=17`"));
    }

    #[test]
    fn a_busy_port_names_the_container_of_ours_that_has_it() {
        let error = SandboxError::PortBusy { port: 5433, by: Some("x".into()) };
        assert_eq!(error.to_string(), "port 5433 on 127.0.0.1 is in use by the container x");
        assert!(error.hint().unwrap().contains("--port 0"));
    }

    #[test]
    fn a_server_that_refuses_may_be_the_images_and_an_interruption_needs_no_hint() {
        let error = SandboxError::Server { doing: "try".into(), reason: "it is tired".into() };
        assert_eq!(error.to_string(), "the sandbox's server refused to try: it is tired");
        assert!(error.hint().unwrap().contains("--image IMAGE"));
        assert_eq!(SandboxError::Interrupted.hint(), None);
    }

    #[test]
    fn who_waited_in_vain_is_told_whom_for_and_what_to_do_about_him() {
        let by = Box::new(SandboxError::PortBusy { port: 5433, by: None });
        let error = SandboxError::StillTaken { by, waited: Duration::from_secs(7) };
        let said = "port 5433 on 127.0.0.1 is in use, also after 7 s (--wait)";
        assert_eq!(error.to_string(), said);
        assert!(error.hint().unwrap().contains("--port 0"));
    }
}
