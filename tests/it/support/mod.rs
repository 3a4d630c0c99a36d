//! What the tests stand on: a source database, dumps of it, a place of its own for every test, and
//! the binary as an operator runs it.
//!
//! Nothing here is skipped when something is missing: the test that needs it fails and says what.

pub mod browser;
pub mod docker;
pub mod dumps;
pub mod engine;
pub mod faulty;
pub mod lending;
pub mod local;
pub mod long;
pub mod mounts;
pub mod patience;
pub mod place;
pub mod podman;
pub mod prometheus;
pub mod proxy;
pub mod receiver;
pub mod registry;
pub mod running;
pub mod s3;
pub mod sidecar;
pub mod slow_disk;
pub mod source;
pub mod sshd;
pub mod tls;
pub mod torture;
pub mod transcript;
pub mod twin;
pub mod versions;

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use assert_cmd::Command;

pub use dumps::good_dump;
pub use long::{is_long, length};
pub use patience::wait_until;
pub use place::{Outcome, Place, created};
pub use running::{Running, SOON};
pub use source::{Database, database, unchanged_database};

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_ccc-backup");

/// What of the surroundings reaches the binary: how to find programs and the Docker Engine.
const KEPT: [&str; 7] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    // Where `make coverage` has each run note what it ran.
    "LLVM_PROFILE_FILE",
];

/// Names the image to the binary, as `--image` does; nothing when it is empty.
pub const IMAGE_VARIABLE: &str = "CCC_BACKUP_IMAGE";

/// The environment of a run of the binary: nothing that names a database or a backup directory, whatever
/// the shell that runs the tests has set, and the tests' own image where there is one.
pub fn clean_environment() -> impl Iterator<Item = (&'static str, String)> {
    let kept = KEPT.into_iter().filter_map(|name| Some((name, std::env::var(name).ok()?)));
    let kept = kept.map(|(name, value)| match name {
        "PATH" => (name, source::path(&value)),
        _ => (name, value),
    });
    kept.chain(docker::image_if_any().map(|image| (IMAGE_VARIABLE, image.to_owned())))
}

/// The binary with a clean environment.
pub fn ccc() -> Command {
    let mut command = Command::new(BINARY);
    command.env_clear().envs(clean_environment());
    command
}

/// A path of the repository.
pub fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A program that infra/get-tools.sh gets: where that puts it, else on the PATH.
pub fn tool(name: &str) -> PathBuf {
    let ours = repository("target/tools").join(name);
    if ours.is_file() { ours } else { PathBuf::from(name) }
}

/// Held by a test that needs the default port or the default container name.
pub fn defaults() -> MutexGuard<'static, ()> {
    static DEFAULTS: Mutex<()> = Mutex::new(());
    DEFAULTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The words of a program's output.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
