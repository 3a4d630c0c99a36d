//! A registry of images, to be pulled from: the reference implementation, on a port of its own.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::docker::{docker, docker_text};
use super::engine::Engine;
use super::source::free_port;
use super::{text, tool};

const PATIENCE: Duration = Duration::from_secs(60);
/// More than passes before the layers of an image do, and less than [`NOISE`].
pub const INTO_A_LAYER: usize = 1 << 20;
/// Bytes of a layer that nobody else has.
const NOISE: usize = 4 << 20;

/// See the module. Killed, and its images removed from the engine, when it is dropped.
pub struct Registry {
    dir: TempDir,
    port: u16,
    server: Child,
}

impl Registry {
    /// Starts an empty one.
    pub fn start() -> Self {
        let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
        let config = format!(
            "version: 0.1\n\
             log: {{level: error, accesslog: {{disabled: true}}}}\n\
             storage: {{filesystem: {{rootdirectory: {}}}}}\n\
             http: {{addr: '127.0.0.1:{port}', secret: of-a-test}}\n",
            dir.path().join("data").display()
        );
        std::fs::write(dir.path().join("config.yml"), config).unwrap();
        let mut command = Command::new("setpriv");
        let server = serve(command.arg("--pdeathsig=KILL"), &dir, Stdio::null());
        let registry = Self { dir, port, server };
        registry.wait_for(|| TcpStream::connect(("127.0.0.1", port)).is_ok());
        registry
    }

    fn wait_for(&self, answers: impl Fn() -> bool) {
        let patience = Instant::now() + PATIENCE;
        while !answers() {
            let said = || std::fs::read_to_string(self.dir.path().join("log"));
            assert!(Instant::now() < patience, "the registry did not start: {:?}", said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Serves the same images on the same port of an engine's own network, until it is dropped.
    pub fn beside(&self, engine: &Engine) -> Beside {
        // As ourselves, so that it can be told what to do; its number, and not that of sudo.
        let (user, group) = (rustix::process::getuid(), rustix::process::getgid());
        let line = format!(
            "echo $$; exec setpriv --reuid={} --regid={} --clear-groups --pdeathsig=KILL \"$0\" \"$@\"",
            user.as_raw(),
            group.as_raw()
        );
        let mut command = engine.beside();
        command.args(["sh", "-c", &line]);
        let mut child = serve(&mut command, &self.dir, Stdio::piped());
        let mut number = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut number).unwrap();
        let server = Pid::from_raw(number.trim().parse().unwrap()).unwrap();
        let probe = format!("</dev/tcp/127.0.0.1/{}", self.port);
        let quiet = ["bash", "-c", &format!("{{ {probe}; }} 2>/dev/null")].map(str::to_owned);
        self.wait_for(|| engine.beside().args(&quiet).status().unwrap().success());
        Beside { child, server }
    }

    /// For a proxy.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its address, as an image's name begins with it.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Puts an image of the engine's there, which has it by no other name then.
    pub fn put(&self, image: &str, name: &str) {
        let full = format!("{}/{name}", self.host());
        docker_text(&["tag", image, &full]);
        self.push(&full);
    }

    /// The same with one more layer, which is nowhere else: a pull has to bring it.
    pub fn put_with_a_layer(&self, image: &str, name: &str) {
        let full = format!("{}/{name}", self.host());
        let container = docker_text(&["create", image, "true"]);
        let container = container.trim();
        let noise = self.noise();
        docker_text(&["cp", noise.to_str().unwrap(), &format!("{container}:/noise")]);
        docker_text(&["commit", container, &full]);
        docker_text(&["rm", "--volumes", container]);
        self.push(&full);
    }

    /// Puts an image there that is that layer alone. Nothing runs in it.
    pub fn put_a_layer(&self, name: &str) {
        let full = format!("{}/{name}", self.host());
        let (noise, tar) = (self.noise(), self.dir.path().join("noise.tar"));
        let mut command = Command::new("tar");
        command.arg("-C").arg(self.dir.path()).arg("-cf").arg(&tar).arg(noise.file_name().unwrap());
        assert!(command.status().unwrap().success());
        docker_text(&["import", tar.to_str().unwrap(), &full]);
        self.push(&full);
    }

    fn noise(&self) -> PathBuf {
        let mut noise = vec![0; NOISE];
        File::open("/dev/urandom").unwrap().read_exact(&mut noise).unwrap();
        let file = self.dir.path().join("noise");
        std::fs::write(&file, noise).unwrap();
        file
    }

    fn push(&self, full: &str) {
        docker_text(&["push", "--quiet", full]);
        docker_text(&["rmi", full]);
    }

    /// Removes the largest layer, whose image goes on naming it.
    pub fn lose_a_layer(&self) {
        let blobs = self.dir.path().join("data/docker/registry/v2/blobs/sha256");
        let folders = |dir: PathBuf| std::fs::read_dir(dir).unwrap().map(|it| it.unwrap().path());
        let blobs = folders(blobs).flat_map(folders).map(|blob| blob.join("data"));
        let largest = blobs.max_by_key(|file| std::fs::metadata(file).unwrap().len()).unwrap();
        std::fs::remove_file(largest).unwrap();
    }

    /// Connections are taken, and nothing is said.
    pub fn hang(&self) {
        kill_process(Pid::from_child(&self.server), Signal::STOP).unwrap();
    }
}

/// The registry once more, in another network.
pub struct Beside {
    child: Child,
    server: Pid,
}

impl Beside {
    /// As [`Registry::hang`].
    pub fn hang(&self) {
        kill_process(self.server, Signal::STOP).unwrap();
    }

    /// Ends [`Beside::hang`].
    pub fn go_on(&self) {
        kill_process(self.server, Signal::CONT).unwrap();
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = kill_process(self.server, Signal::KILL);
        let _ = self.child.wait();
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        let reference = format!("--filter=reference={}/*/*", self.host());
        let left = docker(&["images", "--format={{.Repository}}:{{.Tag}}", &reference]);
        for image in text(&left.stdout).lines() {
            docker(&["rmi", image]);
        }
    }
}

/// Starts the server by a command that goes on with another, and sees to it that it goes with whoever
/// started it, whatever ends that.
fn serve(command: &mut Command, dir: &TempDir, stdout: Stdio) -> Child {
    let log = File::options().create(true).append(true).open(dir.path().join("log")).unwrap();
    command.arg(tool("docker-registry")).arg("serve").arg(dir.path().join("config.yml"));
    command.stdin(Stdio::null()).stdout(stdout).stderr(log).spawn().unwrap_or_else(|error| {
        panic!("docker-registry: {error}: infra/get-tools.sh gets it");
    })
}
