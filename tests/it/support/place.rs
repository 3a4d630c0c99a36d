//! A place of its own for every test: a directory, a container name that nobody else has, and at
//! the end a look at what was left behind.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::atomic::{AtomicU32, Ordering};

use assert_cmd::Command;
use tempfile::TempDir;

use super::patience::Limit;
use super::source::{Database, connection};
use super::{
    BINARY, IMAGE_VARIABLE, ccc, clean_environment, docker, is_long, lending, local, text,
};

/// See the module.
pub struct Place {
    dir: TempDir,
    /// The name of this test's container; its network and volume begin with it.
    pub container: String,
    needs_docker: bool,
    limit: Limit,
    /// The engine of its runs, where it is not the one that the surroundings name.
    lender: Option<&'static lending::Engine>,
}

impl Place {
    /// A place for a test that needs Docker. Fails where there is none.
    pub fn new() -> Self {
        docker::image();
        Self::make(true)
    }

    /// A place for a test of what a dump becomes in a server, and not of the server: for its runs there is one already, see
    /// [`lending`]. At full length, each has one of its own, which has to come to the same.
    pub fn on_a_lent_server() -> Self {
        let mut place = Self::new();
        place.lender = (!is_long()).then(lending::engine);
        place
    }

    /// A place for a test that starts no container.
    pub fn without_docker() -> Self {
        Self::make(false)
    }

    /// A place for the test of the default container name, under [`super::defaults`].
    pub fn with_the_default_name() -> Self {
        let mut place = Self::new();
        "backup-restore-test".clone_into(&mut place.container);
        place
    }

    fn make(needs_docker: bool) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = tempfile::tempdir().unwrap();
        // Some tests run the binary, or a server, as another user.
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let container = format!("ccc-it-{}-{count}-", std::process::id());
        Self { dir, container, needs_docker, limit: Limit::start(), lender: None }
    }

    /// Says that another part of a long test begins, which has its own time.
    pub fn goes_on(&self) {
        self.limit.renew();
    }

    /// Its directory, where the binary runs.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a file, in a directory that is made where need be.
    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.dir().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Writes a program: these lines of shell.
    pub fn program(&self, name: &str, script: &str) -> PathBuf {
        let text = self.file(&format!("{name}.text"), format!("#!/bin/sh\n{script}\n").as_bytes());
        let path = self.dir().join(name);
        install(&text, &path);
        std::fs::remove_file(text).unwrap();
        path
    }

    /// A copy of the binary: the directories above the original need not be open to other users.
    pub fn own_binary(&self) -> PathBuf {
        let path = self.dir().join("ccc-backup");
        install(BINARY.as_ref(), &path);
        path
    }

    /// The names in a directory of it, sorted.
    pub fn names(&self, dir: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.dir().join(dir)).unwrap();
        let name = |entry: std::io::Result<std::fs::DirEntry>| {
            entry.unwrap().file_name().into_string().unwrap()
        };
        let mut names: Vec<String> = entries.map(name).collect();
        names.sort();
        names
    }

    /// The binary in this place.
    pub fn ccc(&self) -> Command {
        let mut command = ccc();
        command.current_dir(self.dir());
        if let Some(lender) = self.lender {
            command.env("DOCKER_HOST", lender.host());
        }
        command
    }

    /// The binary in this place, as a user to whom permissions mean something: root reads and
    /// writes everything.
    pub fn ccc_without_privileges(&self) -> Command {
        if !rustix::process::geteuid().is_root() {
            return self.ccc();
        }
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
        command.arg(self.own_binary());
        command.env_clear().envs(clean_environment()).current_dir(self.dir());
        command
    }

    /// `ccc-backup verify` on any free port, with this test's container name.
    pub fn verify(&self) -> Command {
        let mut command = self.ccc();
        command.args(["verify", "--port", "0", "--container-name", &self.container]);
        command
    }

    /// The same with these arguments. The machine's own PostgreSQL takes no image, and a version chooses one.
    pub fn verify_with(&self, args: &[&str]) -> Command {
        let mut command = self.verify();
        command.args(args);
        if args.contains(&"local") || args.contains(&"--postgres-version") {
            command.env(IMAGE_VARIABLE, "");
        }
        command
    }

    /// The same with an image that is chosen by version, as for an operator who names none.
    pub fn verify_by_version(&self) -> Command {
        let mut command = self.verify();
        command.env(IMAGE_VARIABLE, "");
        command
    }

    /// The same with the machine's own PostgreSQL.
    pub fn verify_locally(&self) -> Command {
        self.verify_with(&["--engine", "local"])
    }

    /// `ccc-backup create` of a database of the source server.
    pub fn create(&self, database: &Database) -> Command {
        let mut command = self.ccc();
        command.arg("create").envs(connection(database));
        command
    }

    /// Verifies a backup of these bytes.
    pub fn verify_bytes(&self, name: &str, bytes: &[u8]) -> Outcome {
        self.file(name, bytes);
        self.outcome(self.verify().arg(name))
    }

    /// Runs a command and takes down what came of it. Nothing of a container may be left.
    pub fn outcome(&self, command: &mut Command) -> Outcome {
        let outcome = Outcome::of(&command.output().unwrap());
        self.assert_nothing_left();
        outcome
    }

    fn left(&self) -> Vec<String> {
        let borrowed = self.lender.map(|lender| lender.left(&self.container));
        [borrowed.unwrap_or_default(), docker::left(&self.container)].concat()
    }

    /// Fails when a container, network, volume or local server of this test is there.
    pub fn assert_nothing_left(&self) {
        if self.needs_docker {
            assert_eq!(self.left(), Vec::<String>::new());
        }
        assert_eq!(local::left(&self.container), Vec::<PathBuf>::new());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.needs_docker {
            return;
        }
        let left = self.left();
        docker::remove(&left);
        if !std::thread::panicking() {
            assert_eq!(left, Vec::<String>::new(), "left behind");
        }
    }
}

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// The exit code.
    pub code: i32,
    /// The report.
    pub stdout: String,
    /// Hints, warnings, errors.
    pub stderr: String,
}

impl Outcome {
    /// What came of a run that ended by itself.
    pub fn of(output: &Output) -> Self {
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        let code = output.status.code();
        let code = code.unwrap_or_else(|| panic!("{}: {stdout}{stderr}", output.status));
        assert!(!stderr.contains("panicked"), "{stderr}");
        Self { code, stdout, stderr }
    }

    /// The backup was called good.
    #[track_caller]
    pub fn passed(&self) -> &Self {
        self.ends(0, "✅ VERIFICATION PASSED")
    }

    /// The backup was called bad, for this reason, and the operator was told what to do.
    #[track_caller]
    pub fn failed(&self, cause: &str) -> &Self {
        self.ends(1, "❌ VERIFICATION FAILED").because(cause).hints("")
    }

    /// It could not be told, for this reason, and the operator was told what to do.
    #[track_caller]
    pub fn not_verified(&self, cause: &str) -> &Self {
        self.ends(2, "⚠️ NOT VERIFIED").because(cause).hints("")
    }

    /// There is a hint with these words.
    #[track_caller]
    pub fn hints(&self, words: &str) -> &Self {
        let hint = |line: &str| line.starts_with("hint: ") && line.contains(words);
        assert!(self.stderr.lines().any(hint), "no hint with {words:?}: {self}");
        self
    }

    /// The report has this line.
    #[track_caller]
    pub fn says(&self, line: &str) -> &Self {
        assert!(self.stdout.lines().any(|said| said.trim() == line), "no {line:?}: {self}");
        self
    }

    #[track_caller]
    fn ends(&self, code: i32, headline: &str) -> &Self {
        assert_eq!(self.code, code, "{self}");
        self.says(headline)
    }

    /// One of the lines between the headline and the closing rule.
    #[track_caller]
    fn because(&self, cause: &str) -> &Self {
        let summary = self.stdout.rsplit("VERIFICATION SUMMARY").next().unwrap();
        assert!(summary.contains(cause), "no {cause:?}: {self}");
        self
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {}\n{}\n--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

/// Copies what is to be run, by another process: what this one writes is, for an instant, open in what its other threads
/// start, and cannot be run ("Text file busy").
fn install(from: &Path, to: &Path) {
    let status =
        std::process::Command::new("install").args(["-m", "755"]).args([from, to]).status();
    assert!(status.unwrap().success(), "{} was not made", to.display());
}

/// Runs `create`, which must succeed.
#[track_caller]
pub fn created(place: &Place, database: &Database, args: &[&str]) -> Outcome {
    let outcome = Outcome::of(&place.create(database).args(args).output().unwrap());
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome}");
    outcome
}
