//! A run of the binary that is watched, and interrupted.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::source::{Database, connection};
use super::{BINARY, IMAGE_VARIABLE, Outcome, Place, clean_environment};

/// How long a run may take to end that has nothing to wait for, on a machine that has much else to do. It is less than
/// any limit that would end it otherwise: an engine that removes nothing has 30 s, whatever does not answer 45 s.
pub const SOON: Duration = Duration::from_secs(20);
/// How long a line, or an end, may take to come: a hang ends here.
const PATIENCE: Duration = Duration::from_secs(120);

/// See the module.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    stdout: String,
}

impl Running {
    /// Starts `ccc-backup` with these arguments in a place.
    pub fn start(place: &Place, args: &[&str]) -> Self {
        let mut command = Command::new(BINARY);
        command.env_clear().envs(clean_environment()).current_dir(place.dir()).args(args);
        Self::spawn(&mut command)
    }

    /// Starts `ccc-backup verify` of a file at another Docker Engine than the one that the tests use.
    pub fn verify_at(engine: &str, place: &Place, file: &str, args: &[&str]) -> Self {
        let mut command = Command::new(BINARY);
        Self::spawn(Self::at(&mut command, engine, place, file, args))
    }

    /// The same by a command that runs the binary in some way of its own, at an engine that has images of its own.
    pub fn verify_by(
        command: &mut Command,
        engine: &str,
        place: &Place,
        file: &str,
        args: &[&str],
    ) -> Self {
        Self::spawn(Self::at(command, engine, place, file, args).env(IMAGE_VARIABLE, ""))
    }

    fn at<'a>(
        command: &'a mut Command,
        engine: &str,
        place: &Place,
        file: &str,
        args: &[&str],
    ) -> &'a mut Command {
        let name = place.container.as_str();
        command.env_clear().envs(clean_environment()).env("DOCKER_HOST", engine);
        command.args(["verify", "--engine=docker", "--port", "0", "--container-name", name, file]);
        command.args(args).current_dir(place.dir())
    }

    /// Starts `ccc-backup verify` of a file on any free port, with the place's container name.
    pub fn verify(place: &Place, file: &str) -> Self {
        Self::verify_with(place, file, &[])
    }

    /// The same with more arguments.
    pub fn verify_with(place: &Place, file: &str, args: &[&str]) -> Self {
        let name = place.container.as_str();
        let verify = ["verify", "--port", "0", "--container-name", name, file];
        Self::start(place, &[&verify, args].concat())
    }

    /// Starts `ccc-backup verify` with these arguments by the machine's own PostgreSQL.
    pub fn verify_locally(place: &Place, args: &[&str]) -> Self {
        let mut command = Command::new(BINARY);
        let name = place.container.as_str();
        command.env_clear().envs(clean_environment()).env(IMAGE_VARIABLE, "");
        command.args(["verify", "--engine", "local", "--container-name", name]).args(args);
        Self::spawn(command.current_dir(place.dir()))
    }

    /// Starts `ccc-backup create` of a database in a place, in a process group of its own.
    pub fn create(place: &Place, database: &Database, args: &[&str]) -> Self {
        let mut command = Command::new(BINARY);
        command.env_clear().envs(clean_environment()).envs(connection(database));
        command.current_dir(place.dir()).arg("create").args(args).process_group(0);
        Self::spawn(&mut command)
    }

    /// Starts `ccc-backup` with these arguments in a place, with these variables, too.
    pub fn start_with(
        place: &Place,
        args: &[&str],
        environment: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Self {
        let mut command = Command::new(BINARY);
        command.env_clear().envs(clean_environment()).envs(environment);
        Self::spawn(command.current_dir(place.dir()).args(args))
    }

    /// Sends a signal to its process group, as a terminal does.
    pub fn signal_group(&mut self, signal: Signal) -> &mut Self {
        kill_process_group(Pid::from_child(&self.child), signal).unwrap();
        self
    }

    /// Starts a command.
    pub fn spawn(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines() {
                if sender.send(line.unwrap()).is_err() {
                    break;
                }
            }
        });
        Self { child, lines, stdout: String::new() }
    }

    /// Waits until it has printed a line that has `words`.
    pub fn wait_for(&mut self, words: &str) -> &mut Self {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("no line with {words:?}: {}", self.stdout));
            self.stdout.push_str(&line);
            self.stdout.push('\n');
            if line.contains(words) {
                return self;
            }
        }
    }

    /// Whether it has come to its end.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Its process number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&mut self, signal: Signal) -> &mut Self {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        self
    }

    /// Sends it a SIGINT, unless it has come to its end.
    pub fn interrupt(&mut self) -> &mut Self {
        if self.has_ended() { self } else { self.signal(Signal::INT) }
    }

    /// Waits until it has left, and says how long that took. The system may still hold what it was:
    /// a file on a disk that does not answer cannot be closed.
    pub fn leaves(&self) -> Duration {
        let clock = Instant::now();
        let status = format!("/proc/{}/status", self.id());
        while !std::fs::read_to_string(&status).unwrap().contains("State:\tZ") {
            assert!(clock.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
        clock.elapsed()
    }

    /// Waits for its end: what came of it, and how long that took.
    pub fn end(mut self) -> (Outcome, Duration) {
        let clock = Instant::now();
        let status = self.child.wait().unwrap();
        let took = clock.elapsed();
        self.stdout.extend(self.lines.iter().map(|line| line + "\n"));
        let mut stderr = Vec::new();
        self.child.stderr.take().unwrap().read_to_end(&mut stderr).unwrap();
        let stdout = self.stdout.into_bytes();
        (Outcome::of(&std::process::Output { status, stdout, stderr }), took)
    }

    /// Kills it without a chance to clean up, and says whether it had not come to its end before.
    pub fn kill(mut self) -> bool {
        self.child.kill().unwrap();
        self.child.wait().unwrap().signal().is_some()
    }
}
