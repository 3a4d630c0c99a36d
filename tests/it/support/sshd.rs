//! OpenSSH's server before an engine of a test's own, and a way of `ssh` to know it. It needs root, by itself or by
//! sudo, as the engine does.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::engine::{Engine, text_of_root};
use super::{Place, text};

const PORT: u16 = 2222;
const PATIENCE: Duration = Duration::from_secs(30);

/// See the module. It ends when this is dropped.
pub struct Sshd {
    dir: PathBuf,
    address: String,
    server: Child,
}

impl Sshd {
    /// Starts one in the engine's network. Who comes by it finds that engine where docker looks for one.
    pub fn start(place: &Place, engine: &Engine) -> Self {
        let dir = place.dir().join("ssh");
        std::fs::create_dir(&dir).unwrap();
        let at = |name: &str| dir.join(name).display().to_string();
        for key in ["host", "user"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f", &at(key)])
                .output();
            let made = made.unwrap();
            assert!(made.status.success(), "ssh-keygen: {}", text(&made.stderr));
        }
        std::fs::copy(dir.join("user.pub"), dir.join("authorized")).unwrap();
        let address = engine.address();
        let host = std::fs::read_to_string(dir.join("host.pub")).unwrap();
        place.file("ssh/known", format!("[{address}]:{PORT} {host}").as_bytes());
        let server = format!(
            "Port {PORT}\nListenAddress {address}\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\n\
             PermitRootLogin yes\nPidFile none\nSetEnv DOCKER_HOST={}\n",
            at("host"),
            at("authorized"),
            engine.host()
        );
        place.file("ssh/sshd_config", server.as_bytes());
        let client = format!(
            "IdentityFile {}\nIdentitiesOnly yes\nUserKnownHostsFile {}\nStrictHostKeyChecking yes\n",
            at("user"),
            at("known")
        );
        place.file("ssh/ssh_config", client.as_bytes());
        place.program("ssh/ssh", &format!("exec /usr/bin/ssh -F {} \"$@\"", at("ssh_config")));
        // Where its processes are at home that nobody has logged in to yet.
        text_of_root(&["mkdir", "-p", "/run/sshd"]);
        let log = std::fs::File::create(dir.join("log")).unwrap();
        let mut sshd = engine.beside();
        sshd.args(["setpriv", "--pdeathsig", "TERM", "/usr/sbin/sshd", "-D", "-e", "-f"]);
        sshd.arg(at("sshd_config")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let sshd = Self { dir, address, server: sshd.spawn().unwrap() };
        sshd.wait();
        sshd
    }

    fn wait(&self) {
        let (begun, address) = (Instant::now(), format!("{}:{PORT}", self.address));
        while std::net::TcpStream::connect(&address).is_err() {
            let log = std::fs::read_to_string(self.dir.join("log")).unwrap();
            assert!(begun.elapsed() < PATIENCE, "sshd does not listen at {address}: {log}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// For `DOCKER_HOST`.
    pub fn host(&self) -> String {
        format!("ssh://{}:{PORT}", self.address)
    }

    /// For `PATH`: with an `ssh` that knows this server, and has a key for it.
    pub fn path(&self) -> String {
        format!("{}:{}", self.dir.display(), std::env::var("PATH").unwrap())
    }

    /// Nobody is let in from now on.
    pub fn trusts_nobody(&self) {
        std::fs::write(self.dir.join("authorized"), "").unwrap();
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.server.id().to_string()).status();
        let _ = self.server.wait();
    }
}
