//! Runs a program beside a local server.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use bytes::Bytes;
use tokio::io::AsyncReadExt;

use crate::pg::{Address, ConnectInfo};
use crate::process::Invocation;
use crate::sandbox::Program;
use crate::sandbox::error::SandboxError;
use crate::sandbox::feed::feed;
use crate::sandbox::lines::Lines;
use crate::secret::Secret;

/// Bytes of the output that are read at once.
const OUTPUT_BYTES: usize = 256 * 1024;
const SYSTEM: [&str; 2] = ["/usr/bin", "/bin"];

/// Runs `program`, of the server's own in `bin` or of the system's, to its end; gives its exit code,
/// 128 and more for a signal. `user_and_directory` says as whom, and where. It finds the server in
/// its environment. Its lines on stderr go to `said`.
pub async fn run(
    user_and_directory: impl Fn(PathBuf) -> Invocation,
    bin: &Path,
    server: &ConnectInfo,
    program: Program,
    said: &mut (dyn FnMut(&str) + Send),
) -> Result<i64, SandboxError> {
    let name = program.argv.first().cloned().unwrap_or_default();
    let failed = |error: &dyn std::fmt::Display| SandboxError::Local {
        doing: format!("run {name}"),
        reason: error.to_string(),
    };
    let dirs = std::iter::once(bin).chain(SYSTEM.iter().map(Path::new));
    let path = std::env::join_paths(dirs.clone()).map_err(|error| failed(&error))?;
    let mut candidates = dirs.map(|dir| dir.join(&name));
    // A shell's own words for it.
    let Some(file) = candidates.find(|file| file.is_file()) else { return Ok(127) };
    let mut invocation = user_and_directory(file)
        .bare()
        .args(program.argv.iter().skip(1))
        .env("PATH", Secret::new(path.to_string_lossy()));
    for (name, value) in environment(server) {
        invocation = invocation.env(name, value);
    }
    for variable in &program.env {
        let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
        invocation = invocation.env(name, Secret::new(value));
    }
    let stdin = if program.stdin.is_some() { Stdio::piped() } else { Stdio::null() };
    let mut child = invocation
        .spawn([stdin, Stdio::piped(), Stdio::piped()], true)
        .map_err(|error| failed(&error))?;
    let feeding = feed(program.stdin, child.stdin.take());
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let handing_on = async {
        let Some(mut pipe) = stdout else { return Ok(()) };
        let mut sender = program.stdout;
        loop {
            let mut piece = Vec::with_capacity(OUTPUT_BYTES);
            if pipe.read_buf(&mut piece).await? == 0 {
                return Ok::<(), std::io::Error>(());
            }
            // Who does not want more lets go of it; the program still runs to its end.
            if let Some(open) = &sender
                && open.send(Bytes::from(piece)).await.is_err()
            {
                sender = None;
            }
        }
    };
    let listening = async {
        let Some(mut pipe) = stderr else { return Ok(()) };
        let (mut lines, mut piece) = (Lines::new(said), vec![0; 16 * 1024]);
        loop {
            match pipe.read(&mut piece).await? {
                0 => break,
                read => lines.take(&piece[..read]),
            }
        }
        lines.finish();
        Ok::<(), std::io::Error>(())
    };
    let reading = async { tokio::try_join!(handing_on, listening) };
    tokio::pin!(feeding, reading);
    // A program can end without having read everything; then nobody takes the rest.
    let read = tokio::select! {
        read = &mut reading => read,
        () = &mut feeding => reading.await,
    };
    read.map_err(|error| failed(&error))?;
    let status = child.wait().await.map_err(|error| failed(&error))?;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    Ok(i64::from(code.unwrap_or(-1)))
}

/// How libpq finds the server. Only the program's own user and root can see it.
fn environment(server: &ConnectInfo) -> Vec<(&'static str, Secret)> {
    let (host, port) = match &server.address {
        Address::Socket { dir, port } => (dir.display().to_string(), *port),
        Address::Tcp { host, port } => (host.clone(), *port),
    };
    vec![
        ("PGHOST", Secret::new(host)),
        ("PGPORT", Secret::new(port.to_string())),
        ("PGUSER", Secret::new(&server.user)),
        ("PGPASSWORD", server.password.clone()),
    ]
}
