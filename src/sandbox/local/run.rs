//! Runs a program beside a local server.

use std::path::{Path, PathBuf};

use crate::model::secret::Secret;
use crate::pg::{Address, ConnectInfo};
use crate::process::{Invocation, Program};
use crate::sandbox::error::SandboxError;

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
    let mut invocation =
        user_and_directory(file).bare().env("PATH", Secret::new(path.to_string_lossy()));
    for (name, value) in environment(server) {
        invocation = invocation.env(name, value);
    }
    program.run(invocation, said).await.map_err(|error| failed(&error))
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use bytes::Bytes;
    use tokio::sync::mpsc;

    use super::*;
    use crate::pg::Terms;

    fn server() -> ConnectInfo {
        ConnectInfo {
            address: Address::Tcp { host: "127.0.0.1".into(), port: 7 },
            user: "u".into(),
            password: Secret::new("p"),
            database: "d".into(),
            event_triggers: true,
            terms: Terms::default(),
        }
    }

    /// Runs a program of `bin` or of the system; gives its exit code and what it said on stderr.
    async fn ran(bin: &Path, program: Program) -> (Result<i64, SandboxError>, Vec<String>) {
        let mut lines = Vec::new();
        let mut said = |line: &str| lines.push(line.to_owned());
        let code = run(Invocation::new, bin, &server(), program, &mut said).await;
        (code, lines)
    }

    fn shell(script: &str, stdout: Option<mpsc::Sender<Bytes>>) -> Program {
        let argv = ["sh", "-c", script].map(str::to_owned).to_vec();
        Program { argv, stdout, ..Program::default() }
    }

    #[tokio::test]
    async fn a_program_finds_the_server_and_nothing_else_in_its_environment() {
        let script = "echo \"$PGHOST $PGPORT $PGUSER $PGPASSWORD $OWN ${HOME-none}\" >&2";
        let program = Program { env: vec!["OWN=a=b".into()], ..shell(script, None) };
        let (code, said) = ran(Path::new("/no/where"), program).await;
        assert_eq!((code.unwrap(), said), (0, vec!["127.0.0.1 7 u p a=b none".to_owned()]));
    }

    #[tokio::test]
    async fn a_program_runs_to_its_end_though_nobody_wants_what_it_says() {
        let (sender, receiver) = mpsc::channel(1);
        drop(receiver);
        let script = "head -c 1000000 /dev/zero && echo done >&2";
        let (code, said) = ran(Path::new("/no/where"), shell(script, Some(sender))).await;
        assert_eq!((code.unwrap(), said), (0, vec!["done".to_owned()]));
    }

    #[tokio::test]
    async fn the_end_of_a_program_is_told_as_a_shell_tells_it() {
        let code = async |script| ran(Path::new("/no/where"), shell(script, None)).await.0.unwrap();
        assert_eq!(code("exit 3").await, 3);
        assert_eq!(code("kill -9 $$").await, 137);
        let missing = Program { argv: vec!["no-such-program".into()], ..Program::default() };
        assert_eq!(ran(Path::new("/no/where"), missing).await.0.unwrap(), 127);
    }

    #[tokio::test]
    async fn a_program_that_may_not_be_run_is_named() {
        let bin = tempfile::tempdir().unwrap();
        let file = bin.path().join("pg_restore");
        std::fs::write(&file, "").unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
        let program = Program { argv: vec!["pg_restore".into()], ..Program::default() };
        let error = ran(bin.path(), program).await.0.unwrap_err().to_string();
        assert!(error.starts_with("the local PostgreSQL could not run pg_restore: "), "{error}");
    }
}
