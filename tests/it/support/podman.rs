//! Podman's service, which speaks Docker's language: as root, or as a user who is not. It needs root to be made ready, by
//! itself or by sudo.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::docker::{docker, docker_text, image};
use super::engine::{as_root, text_of_root};
use super::{Place, text};

const PATIENCE: Duration = Duration::from_secs(60);
/// Runs containers as Podman's own choice would, but for limits that a machine does not allow it to raise: those stay
/// what they are. They are in the bundle of a container, and in the file of what is run in one.
const RUNTIME: &str = r#"
file=$(printf '%s\n' "$@" | sed -n '/^\(--bundle\|-b\)$/{n;s:$:/config.json:;p};/^\(--process\|-p\)$/{n;p}' | tail -n 1)
if [ -f "$file" ]; then
    limits='select(.type == "RLIMIT_NOFILE" or .type == "RLIMIT_NPROC")'
    jq "del(.process.rlimits[]? | $limits) | del(.rlimits[]? | $limits)" "$file" >"$file.new" && cat "$file.new" >"$file"
fi
exec runc "$@""#;

/// See the module. Stopped, and its files removed, when it is dropped.
pub struct Podman {
    dir: PathBuf,
    user: User,
    service: Child,
}

/// Whose it is, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum User {
    Root,
    /// One who was made for it.
    Made(u32),
}

impl Podman {
    /// Starts one of root's that has the image of the tests.
    pub fn of_root(place: &Place) -> Self {
        Self::start(place, User::Root)
    }

    /// Starts one of a user's.
    pub fn of_a_user(place: &Place) -> Self {
        let name = name();
        text_of_root(&["useradd", "--no-create-home", &name]);
        let uid: u32 = text_of_root(&["id", "--user", &name]).trim().parse().unwrap();
        // As the system has it for who logs in; and the device, where a machine has it for root alone.
        let (runtime, uid_text) = (runtime_dir(uid), uid.to_string());
        let owner = format!("--owner={uid_text}");
        text_of_root(&["install", "--directory", "--mode=700", &owner, &runtime]);
        text_of_root(&["chmod", "666", "/dev/net/tun"]);
        Self::start(place, User::Made(uid))
    }

    fn start(place: &Place, user: User) -> Self {
        // Short: the names of sockets are.
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("ccc-podman-{}-{count}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        let runtime = place.program("podman-runtime", RUNTIME);
        std::fs::rename(runtime, dir.join("runtime")).unwrap();
        let config = format!(
            "[engine]\nruntime = \"held\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n\
             [engine.runtimes]\nheld = [\"{}\"]\n",
            dir.join("runtime").display()
        );
        std::fs::write(dir.join("containers.conf"), config).unwrap();
        if let User::Made(uid) = user {
            text_of_root(&["chown", "-R", &uid.to_string(), dir.to_str().unwrap()]);
        }
        let host = format!("unix://{}", socket(&dir).display());
        let mut command = Self::podman(&dir, user);
        // It goes with whoever started it, whatever ends that.
        command.args(["system", "service", "--time=0", &host]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let podman = Self { service: command.spawn().unwrap(), dir, user };
        let begun = Instant::now();
        while !docker(&["--host", &host, "version"]).status.success() {
            assert!(begun.elapsed() < PATIENCE, "podman does not answer at {host}");
            std::thread::sleep(Duration::from_millis(50));
        }
        let line = format!("docker save {} | docker --host {host} load", image());
        let loaded = Command::new("sh").args(["-c", &line]).output().unwrap();
        assert!(loaded.status.success(), "{line}: {}", text(&loaded.stderr));
        podman
    }

    /// Runs `podman` with its storage.
    pub fn command(&self) -> Command {
        Self::podman(&self.dir, self.user)
    }

    fn podman(dir: &Path, user: User) -> Command {
        let at = |name: &str| dir.join(name).display().to_string();
        let mut command = Self::by(user);
        command.current_dir(dir).env("CONTAINERS_CONF", at("containers.conf")).env("HOME", dir);
        command.args(["podman", "--root", &at("root"), "--runroot", &at("run")]);
        // Else all services of root have the same networks, of which another one's containers are not known here.
        command.args(["--network-config-dir", &at("networks")]);
        command
    }

    /// What runs a program as its user.
    fn by(user: User) -> Command {
        let mut command = as_root();
        match user {
            User::Root => command.args(["setpriv", "--pdeathsig", "TERM"]),
            User::Made(uid) => {
                command.env("XDG_RUNTIME_DIR", runtime_dir(uid));
                let [uid, gid] = ["--reuid", "--regid"].map(|id| format!("{id}={uid}"));
                command.args(["setpriv", "--pdeathsig", "TERM", &uid, &gid, "--init-groups"])
            }
        };
        command
    }

    /// The same, for a run of the binary.
    pub fn beside(&self) -> Command {
        Self::by(self.user)
    }

    /// The socket of the service.
    pub fn socket(&self) -> PathBuf {
        socket(&self.dir)
    }

    /// For `DOCKER_HOST`.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Containers, networks and volumes that runs of ours made at it.
    pub fn left(&self) -> Vec<String> {
        let (host, label) = (self.host(), ["--quiet", "--filter", "label=io.ccc-backup.run"]);
        let lists = [&["ps", "--all"][..], &["network", "ls"], &["volume", "ls"]];
        let found = lists.map(|list| docker_text(&[&["--host", &host][..], list, &label].concat()));
        found.iter().flat_map(|found| found.lines()).map(str::to_owned).collect()
    }
}

impl Podman {
    /// Ends who watches over what was run: for minutes after its end, to write into the directory then.
    fn end_monitors(&self) {
        let processes = Command::new("ps").args(["-ww", "-eo", "pid=,args="]).output();
        let processes = processes.map(|output| text(&output.stdout)).unwrap_or_default();
        let bundle = format!(" -b {}/", self.dir.display());
        let ours =
            processes.lines().filter(|line| line.contains("conmon") && line.contains(&bundle));
        let ids = ours.filter_map(|line| line.split_whitespace().next());
        // Otherwise they would do it now.
        let _ = as_root().args(["kill", "-KILL"]).args(ids).output();
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        let _ = self.command().args(["rm", "--all", "--force", "--time=0"]).output();
        let _ = as_root().arg("kill").arg(self.service.id().to_string()).output();
        let _ = self.service.wait();
        self.end_monitors();
        // Its files are of many users, and some are mounted.
        let unmount =
            "grep -o \" $0/[^ ]*\" /proc/self/mounts | sort -r | xargs -r umount -l; rm -rf \"$0\"";
        let _ = as_root().args(["sh", "-c", unmount]).arg(&self.dir).output();
        if let User::Made(uid) = self.user {
            // What keeps its namespace for it.
            let all = "ps -o pid= -u \"$0\" | xargs -r kill";
            let _ = as_root().args(["sh", "-c", all, &uid.to_string()]).output();
            let _ = as_root().args(["rm", "-rf", &runtime_dir(uid)]).output();
            let _ = as_root().args(["userdel", "--force", &name()]).output();
        }
        if !std::thread::panicking() {
            assert!(!self.dir.exists(), "{} is left", self.dir.display());
        }
    }
}

fn name() -> String {
    format!("ccc-podman-{}", std::process::id())
}

fn runtime_dir(uid: u32) -> String {
    format!("/run/user/{uid}")
}

fn socket(dir: &Path) -> PathBuf {
    dir.join("podman.sock")
}
