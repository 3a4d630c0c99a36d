//! The cluster of a local server, and the server's settings.

use std::process::Stdio;
use std::time::Duration;

use super::ADMIN;
use super::directory::RunDirectory;
use super::guard::how;
use super::name;
use crate::model::secret::Secret;
use crate::process::{Invocation, User};
use crate::programs::Programs;
use crate::sandbox::error::SandboxError;
use crate::sandbox::request::Request;
use crate::sandbox::tuning;

/// How long initdb may take.
const MAKE_TIMEOUT: Duration = Duration::from_secs(120);

/// Makes the cluster. The password is read from a file that only its user can read.
pub async fn make(
    directory: &RunDirectory,
    programs: &Programs,
    user: Option<User>,
    password: &Secret,
) -> Result<(), SandboxError> {
    let failed = |reason: String| SandboxError::Local { doing: "make a cluster".into(), reason };
    // A pipe would be root's own, and not to be opened by the server's user.
    let file =
        directory.secret("password", password, user).map_err(|error| failed(error.to_string()))?;
    let initdb = programs.dir.join("initdb");
    let named = match user {
        // Found by its name.
        Some(_) => None,
        None => Some(name::named(&initdb, directory).await?),
    };
    let initdb =
        named.as_ref().map_or_else(|| Invocation::new(&initdb), |named| named.initdb.clone());
    let initdb = initdb
        .bare()
        .env("LC_ALL", Secret::new("C"))
        .env("TZ", Secret::new("UTC"))
        .user(user)
        .directory(directory.work())
        .args(["--no-sync", "--encoding=UTF8", "--locale=C", "--auth=scram-sha-256"])
        .args([format!("--username={ADMIN}"), "--pwfile=password".to_owned()])
        .arg("--pgdata")
        .arg(directory.data());
    let child = initdb
        .spawn([Stdio::null(), Stdio::null(), Stdio::piped()], true)
        .map_err(|error| failed(error.to_string()))?;
    let ended = tokio::time::timeout(MAKE_TIMEOUT, child.wait_with_output()).await;
    drop((file, named));
    let ended = ended.map_err(|_| failed(format!("not within {} s", MAKE_TIMEOUT.as_secs())))?;
    let output = ended.map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim().lines().collect::<Vec<_>>().join("; ");
    Err(failed(format!("initdb {}: {said}", how(output.status))))
}

/// The server's settings: ours, the operator's, and where it listens.
pub fn settings(
    request: &Request,
    major: u32,
    memory: u64,
    in_memory: bool,
    port: u16,
    directory: &RunDirectory,
) -> Vec<(String, String)> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let ours = tuning::settings(tuning::Machine {
        connections: request.connections,
        cores: request.limits.cores_of(cores),
        memory: memory - if in_memory { tuning::memory_limit(memory) } else { 0 },
        in_memory,
        version: major,
    });
    let mut settings = tuning::overridden(ours, &request.settings);
    // Whatever the operator says, it listens nowhere else.
    let listen = if request.keep { "127.0.0.1" } else { "" };
    for (name, value) in [
        ("listen_addresses", listen.to_owned()),
        ("port", port.to_string()),
        ("unix_socket_directories", directory.work().display().to_string()),
    ] {
        settings.push((name.to_owned(), value));
    }
    settings
}
