//! A Docker Engine of a test's own, to be stopped, killed and started again. It needs root, by itself
//! or by sudo, as Docker's own does.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::docker::{docker_text, image};
use super::{BINARY, Place, Running, docker, text};

/// How long it may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// See the module. Stopped, and its files removed, when it is dropped.
pub struct Engine {
    dir: PathBuf,
    network: String,
    /// What else than its socket it listens at.
    hosts: Vec<String>,
    daemon: Option<Child>,
}

/// The first two numbers of the addresses between this machine and networks of engines.
const FAR: &str = "10.213";

impl Engine {
    /// Starts one that has the image of the tests and nothing else.
    pub fn start() -> Self {
        let engine = Self::empty("{}");
        engine.load();
        engine
    }

    /// Starts one that has the image of the tests, and addresses for a single network, which its own
    /// takes.
    pub fn without_addresses() -> Self {
        let engine =
            Self::empty(r#"{"default-address-pools": [{"base": "10.99.0.0/24", "size": 24}]}"#);
        engine.load();
        engine
    }

    /// Starts one that has the image of the tests, as if on another machine: nothing but one address leads to its
    /// network, at which it listens, with these options.
    pub fn far(options: &[&str]) -> Self {
        Self::far_with(options, |_| ())
    }

    /// The same, where something is to be made for its address before it starts.
    pub fn far_with(options: &[&str], prepare: impl FnOnce(&str)) -> Self {
        let engine = Self::make("{}", None, |engine| {
            engine.join();
            let address = engine.address();
            prepare(&address);
            engine.hosts =
                options.iter().map(|option| option.replace("ADDRESS", &address)).collect();
        });
        engine.load();
        engine
    }

    /// The address of a far one.
    pub fn address(&self) -> String {
        Self::addresses(&self.network)[1].clone()
    }

    /// This machine's address and the engine's, in a network between both. The kernel has room for many.
    fn addresses(network: &str) -> [String; 2] {
        let number: u32 = network.bytes().fold(7, |sum, byte| sum * 31 % 16_381 + u32::from(byte));
        let at = number % 16_384 * 4;
        [1, 2].map(|last| format!("{FAR}.{}.{}", at / 256, at % 256 + last))
    }

    /// Joins its network with this machine's.
    fn join(&self) {
        let [here, there] = Self::addresses(&self.network).map(|address| format!("{address}/30"));
        // Short: the names of interfaces are.
        let name = self.network.trim_start_matches("ccc-it-").replace('-', ".");
        let (ours, theirs) = (format!("a{name}"), format!("b{name}"));
        let network = self.network.as_str();
        let pair = ["ip", "link", "add", &ours, "type", "veth", "peer", "name", &theirs];
        text_of_root(&[&pair[..], &["netns", network]].concat());
        text_of_root(&["ip", "address", "add", &here, "dev", &ours]);
        text_of_root(&["ip", "link", "set", &ours, "up"]);
        for line in
            [["address", "add", &there, "dev", &theirs].as_slice(), &["link", "set", &theirs, "up"]]
        {
            text_of_root(&[&["ip", "-n", network][..], line].concat());
        }
    }

    fn load(&self) {
        let line = format!("docker save {} | docker --host {} load", image(), self.host());
        let loaded = Command::new("sh").args(["-c", &line]).output().unwrap();
        assert!(loaded.status.success(), "{line}: {}", text(&loaded.stderr));
    }

    /// Starts one that has nothing, and asks `host:port` for the official images.
    pub fn with_mirror(host: &str) -> Self {
        let mirrors = [format!("http://{host}")];
        Self::empty(&serde_json::json!({ "registry-mirrors": mirrors }).to_string())
    }

    /// Starts one that has nothing, on a disk of this size. See [`Engine::resize`] and
    /// [`Engine::fill`].
    pub fn on_a_disk(size: &str) -> Self {
        Self::make("{}", Some(size), |_| ())
    }

    /// Gives its disk another size.
    pub fn resize(&self, size: &str) {
        let data = self.dir.join("data").display().to_string();
        text_of_root(&["mount", "-o", &format!("remount,size={size}"), &data]);
    }

    /// Fills its disk to the last byte.
    pub fn fill(&self) {
        let data = self.dir.join("data").display().to_string();
        text_of_root(&["sh", "-c", "cat /dev/zero >\"$0/fill\" 2>/dev/null; true", &data]);
    }

    /// Starts one that has nothing, with this for its `daemon.json`.
    fn empty(config: &str) -> Self {
        Self::make(config, None, |_| ())
    }

    fn make(config: &str, disk: Option<&str>, prepare: impl FnOnce(&mut Self)) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // Short: the names of sockets are.
        let dir = std::env::temp_dir().join(format!("ccc-engine-{}-{count}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(dir.join("daemon.json"), config).unwrap();
        if let Some(size) = disk {
            let (data, options) = (dir.join("data"), format!("size={size}"));
            std::fs::create_dir(&data).unwrap();
            let data = data.display().to_string();
            text_of_root(&["mount", "-t", "tmpfs", "-o", &options, "tmpfs", &data]);
        }
        let network = format!("ccc-it-{}-{count}", std::process::id());
        text_of_root(&["ip", "netns", "add", &network]);
        let mut engine = Self { dir, network, hosts: Vec::new(), daemon: None };
        let up = engine.beside().args(["ip", "link", "set", "lo", "up"]).status();
        assert!(up.unwrap().success());
        prepare(&mut engine);
        engine.run();
        engine
    }

    /// For `DOCKER_HOST`.
    pub fn host(&self) -> String {
        format!("unix://{}/docker.sock", self.dir.display())
    }

    /// Runs `docker` at it.
    pub fn docker(&self, args: &[&str]) -> String {
        let host = self.host();
        docker_text(&[&["--host", host.as_str()], args].concat())
    }

    /// Containers, networks and volumes that runs of ours made at it.
    pub fn left(&self) -> Vec<String> {
        let label = ["--quiet", "--filter", "label=io.ccc-backup.run"];
        [&["ps", "--all"][..], &["network", "ls"], &["volume", "ls"]]
            .into_iter()
            .flat_map(|list| {
                let found = self.docker(&[list, &label].concat());
                found.lines().map(str::to_owned).collect::<Vec<_>>()
            })
            .collect()
    }

    /// Starts it, again.
    pub fn run(&mut self) {
        self.spawn().unwrap();
    }

    fn spawn(&mut self) -> Result<(), String> {
        let at = |name: &str| self.dir.join(name).display().to_string();
        let group = rustix::process::getgid().as_raw().to_string();
        let log = std::fs::File::create(self.dir.join("log")).map_err(|error| error.to_string())?;
        let mut daemon = self.beside();
        // It goes with whoever started it, whatever ends that.
        daemon.args(["setpriv", "--pdeathsig", "TERM", "dockerd", "--config-file"]);
        daemon.arg(at("daemon.json")).args(["--data-root", &at("data"), "--exec-root", &at("run")]);
        daemon.args(["--pidfile", &at("pid"), "--host", &self.host(), "--group", &group]);
        daemon.args(&self.hosts).args([
            "--iptables=false",
            "--ip-forward=false",
            "--ip-masq=false",
        ]);
        let daemon = daemon.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        self.daemon = Some(daemon.map_err(|error| format!("dockerd: {error}"))?);
        let host = self.host();
        let answers = || docker::docker(&["--host", &host, "version"]).status.success();
        wait_until(|| answers() || !self.lives());
        if self.lives() && answers() {
            return Ok(());
        }
        Err(std::fs::read_to_string(self.dir.join("log")).unwrap_or_default())
    }

    /// Starts `ccc-backup verify` of a file at it, from within its network.
    pub fn verify(&self, place: &Place, file: &str, args: &[&str]) -> Running {
        Running::verify_by(self.beside().arg(BINARY), &self.host(), place, file, args)
    }

    /// Runs a program in the network that it has for itself: two engines in one would take each
    /// other's bridges and addresses away.
    pub fn beside(&self) -> Command {
        let mut command = as_root();
        command.arg("nsenter").arg(format!("--net=/run/netns/{}", self.network));
        command
    }

    fn lives(&mut self) -> bool {
        self.daemon.as_mut().is_some_and(|daemon| matches!(daemon.try_wait(), Ok(None)))
    }

    /// Ends it by a signal, and waits until it is gone.
    pub fn end(&mut self, signal: &str) {
        let pid_in = |file: &str| std::fs::read_to_string(self.dir.join(file)).unwrap_or_default();
        let (pid, containerd) = (pid_in("pid"), pid_in("run/containerd/containerd.pid"));
        let _ = as_root().args(["kill", "-s", signal, pid.trim()]).status();
        if let Some(mut daemon) = self.daemon.take() {
            daemon.wait().unwrap();
        }
        // Its containerd dies with it. One that starts would wait in vain for one that is dead, as
        // long as nobody has taken note of that.
        let proc = PathBuf::from("/proc").join(containerd.trim());
        wait_until(|| containerd.is_empty() || !proc.exists());
        let _ = as_root().arg("rm").arg("-f").arg(self.dir.join("pid")).status();
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Containers outlive an engine that was killed; one that starts ends them.
        if self.daemon.is_none() {
            let _ = self.spawn();
        }
        let clean = format!(
            "export DOCKER_HOST={}; docker rm -f -v $(docker ps -aq); docker network prune -f",
            self.host()
        );
        let _ = Command::new("sh").args(["-c", &clean]).output();
        self.end("TERM");
        // One that was killed has left its directory mounted on itself, and one that had a container in
        // its own network that network.
        let remove = "umount \"$0/run/netns/default\"; while umount \"$0/data\"; do :; done
                      rm -rf \"$0\"";
        let _ = as_root().args(["ip", "netns", "del", &self.network]).status();
        let removed = as_root().args(["sh", "-c", remove]).arg(&self.dir).output();
        if !std::thread::panicking() {
            let gone = removed.is_ok_and(|output| output.status.success()) && !self.dir.exists();
            assert!(gone, "{} is left", self.dir.display());
        }
    }
}

/// What runs a program as root.
pub fn as_root() -> Command {
    if rustix::process::geteuid().is_root() {
        return Command::new("env");
    }
    let mut sudo = Command::new("sudo");
    sudo.args(["--non-interactive", "--preserve-env"]);
    sudo
}

/// Runs a program as root, and gives what it prints.
pub fn text_of_root(args: &[&str]) -> String {
    let output = as_root().args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Waits until it is so, or for a minute.
fn wait_until(mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() && begun.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(50));
    }
}
