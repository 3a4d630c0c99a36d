//! An engine that is spoken to by SSH, as the docker command does it: each connection is a
//! `docker system dial-stdio` over there.

use std::path::Path;
use std::process::Stdio;

use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::process::Command;

/// Bytes of what it says on standard error that are told.
const SAID: usize = 1000;

/// Such an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshHost {
    user: Option<String>,
    host: String,
    port: Option<u16>,
    /// Its socket over there, where that is not what docker takes there.
    socket: Option<String>,
}

impl std::fmt::Display for SshHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ssh://")?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        f.write_str(&self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(self.socket.as_deref().unwrap_or_default())
    }
}

impl SshHost {
    /// Reads `user@host:port/path`. A password has no place there.
    pub fn parse(address: &str) -> Option<Self> {
        let (authority, path) = match address.find('/') {
            Some(at) => (&address[..at], &address[at..]),
            None => (address, ""),
        };
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let after = host.rfind(']').unwrap_or(0);
        let (host, port) = match host[after..].rfind(':') {
            Some(at) => (&host[..after + at], Some(host[after + at + 1..].parse().ok()?)),
            None => (host, None),
        };
        // What ssh takes for an option, and what a shell over there takes for more than a path.
        let is_plain = |text: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "._-/[]:".contains(c);
            !text.is_empty() && !text.starts_with('-') && text.chars().all(plain)
        };
        let is_good = is_plain(host)
            && user.is_none_or(is_plain)
            && (path.is_empty() || path == "/" || is_plain(path));
        is_good.then(|| Self {
            user: user.map(str::to_owned),
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port,
            socket: Some(path).filter(|path| path.len() > 1).map(str::to_owned),
        })
    }

    /// The program that is a connection. The first of a directory is shared by those after it: a handshake for
    /// each request would take the longest part of a run.
    fn command(&self, dir: &Path) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.args(["-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"]);
        ssh.args(["-o", "ControlMaster=auto", "-o", "ControlPersist=5"]);
        ssh.arg("-o").arg(format!("ControlPath={}/ssh", dir.display()));
        if let Some(user) = &self.user {
            ssh.args(["-l", user]);
        }
        if let Some(port) = self.port {
            ssh.args(["-p", &port.to_string()]);
        }
        let socket = self.socket.as_ref().map(|path| format!(" --host unix://{path}"));
        let there = format!("docker{} system dial-stdio", socket.unwrap_or_default());
        ssh.args(["--", &self.host, &there]);
        ssh
    }

    /// Leads a stream to the engine; `dir` is where connections find those before them.
    ///
    /// # Errors
    /// Why not, in ssh's words.
    pub async fn lead(&self, stream: &mut UnixStream, dir: &Path) -> Result<(), String> {
        let mut ssh = self.command(dir);
        ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A Ctrl-C at the terminal is ours to hear: the sandbox has to be removed over this.
        let mut child = ssh.process_group(0).kill_on_drop(true).spawn();
        let child = child.as_mut().map_err(|error| format!("ssh: {error}"))?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(mut input), Some(mut output), Some(mut said)) = pipes else {
            return Err("ssh: it has no pipes".to_owned());
        };
        let (mut from, mut to) = stream.split();
        let up = async {
            let _ = tokio::io::copy(&mut from, &mut input).await;
            drop(input);
        };
        let down = async { tokio::io::copy(&mut output, &mut to).await.unwrap_or(0) };
        tokio::pin!(up, down);
        let answered = tokio::select! {
            answered = &mut down => answered,
            () = &mut up => down.await,
        };
        if answered > 0 {
            return Ok(());
        }
        let status = child.wait().await.map_err(|error| format!("ssh: {error}"))?;
        let mut words = vec![0; SAID];
        let length = said.read(&mut words).await.unwrap_or(0);
        let words = String::from_utf8_lossy(&words[..length]);
        let words = words.trim().lines().map(str::trim).collect::<Vec<_>>().join("; ");
        Err(if words.is_empty() { format!("ssh: {status}") } else { format!("ssh: {words}") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_docker_reads_them() {
        for address in ["h", "u@h", "h:22", "u@h:22/run/user/1000/docker.sock"] {
            assert_eq!(SshHost::parse(address).unwrap().to_string(), format!("ssh://{address}"));
        }
        let arguments = |address: &str| {
            let command = SshHost::parse(address).unwrap().command(Path::new("/d"));
            let arguments = command.as_std().get_args().map(|arg| arg.to_str().unwrap().to_owned());
            arguments.collect::<Vec<_>>().join(" ")
        };
        let line = arguments("u@h:7/run/x.sock");
        assert!(
            line.contains("ControlPath=/d/ssh -l u -p 7 -- h docker --host unix:///run/x.sock")
        );
        assert!(arguments("h/").ends_with("-- h docker system dial-stdio"), "{}", arguments("h/"));
    }

    #[test]
    fn what_would_be_an_option_or_a_command_is_no_address() {
        for address in
            ["", "-oProxyCommand=x", "u@", "h:port", "h/run/$(x)", "h/a b", "-l@h", "h;x"]
        {
            assert_eq!(SshHost::parse(address), None, "{address}");
        }
    }

    #[tokio::test]
    async fn what_ssh_says_is_told() {
        let (_ours, mut theirs) = UnixStream::pair().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let host = SshHost::parse("127.0.0.1:1").unwrap();
        let why = host.lead(&mut theirs, dir.path()).await.unwrap_err();
        assert!(why.starts_with("ssh: "), "{why}");
    }
}
