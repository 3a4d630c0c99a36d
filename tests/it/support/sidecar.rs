//! `ccc-backup` in a container itself.

use std::path::PathBuf;
use std::process::Command;

use super::docker::image;
use super::proxy::engine_socket;
use super::{BINARY, Outcome, Place};

/// Variables by which a run says which way it takes, see [`took`].
pub const TELLING: [(&str, &str); 2] = [("RUST_LOG", "ccc_backup=debug"), ("NO_COLOR", "1")];

/// A container to run it in: the image of the tests, in which the place's directory is at `/work`.
pub struct Sidecar<'a> {
    place: &'a Place,
    options: Vec<String>,
    /// The engine's socket.
    pub socket: Option<PathBuf>,
}

impl<'a> Sidecar<'a> {
    /// One with the engine's socket, and these options of `docker run`.
    pub fn new(place: &'a Place, options: &[&str]) -> Self {
        Self { socket: Some(engine_socket()), ..Self::without_an_engine(place, options) }
    }

    /// One without the socket.
    pub fn without_an_engine(place: &'a Place, options: &[&str]) -> Self {
        let options = options.iter().map(|&option| option.to_owned()).collect();
        Self { place, options, socket: None }
    }

    /// `docker run` of the binary with these arguments. It says on stderr which way it takes.
    pub fn command(&self, args: &[&str]) -> Command {
        self.command_of(Command::new("docker"), args)
    }

    /// The same of another program than `docker` that takes its words.
    pub fn command_of(&self, mut run: Command, args: &[&str]) -> Command {
        let place = format!("{}:/work", self.place.dir().display());
        let binary = format!("{BINARY}:/ccc-backup:ro");
        run.args(["run", "--rm", "--volume", &binary, "--volume", &place, "--workdir", "/work"]);
        run.args(TELLING.map(|(name, value)| format!("--env={name}={value}")));
        run.args(["--entrypoint", "/ccc-backup"]);
        if let Some(socket) = &self.socket {
            run.arg("--volume").arg(format!("{}:/var/run/docker.sock", socket.display()));
            run.args(["--env", &format!("CCC_BACKUP_IMAGE={}", image())]);
        }
        run.args(&self.options).arg(image()).args(args);
        run
    }

    /// `ccc-backup verify` of a file in it, on any free port, with the place's container name.
    pub fn verify(&self, file: &str, args: &[&str]) -> Outcome {
        Outcome::of(&self.command(&self.arguments(file, args)).output().unwrap())
    }

    /// The arguments of [`Sidecar::verify`].
    pub fn arguments<'b>(&'b self, file: &'b str, args: &[&'b str]) -> Vec<&'b str> {
        let verify = ["verify", file, "--port=0", "--container-name", &self.place.container];
        [&verify, args].concat()
    }
}

/// Fails unless a run took this way to the server.
#[track_caller]
pub fn took(outcome: &Outcome, way: &str) {
    let line = format!("way={way}");
    assert!(outcome.stderr.contains(&line), "no {line:?}: {outcome}");
}
