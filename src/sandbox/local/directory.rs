//! The directory of a local server: ours, with a part that the server's user may write to, and a
//! note of whose it is.
//!
//! ```text
//! ccc-backup-<run>/      0711, ours
//!   owner.json           0600: the owner's labels, the name, the port
//!   server.log           0600: what the server says
//!   work/                0700, the server's user's: socket, copies of archives
//!     data/              the data directory
//! ```

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use crate::model::secret::Secret;
use crate::process::User;
use crate::sandbox::error::SandboxError;
use crate::sandbox::leftovers::{Found, Kind};
use crate::sandbox::owner::Owner;

/// What the name of every such directory begins with.
const PREFIX: &str = "ccc-backup-";
const NOTE: &str = "owner.json";
/// In memory, on Linux.
const MEMORY: &str = "/dev/shm";
/// The longest path of a unix socket, without its end (unix(7)).
const SOCKET_BYTES: usize = 107;
/// The port in the name of the socket, where the server listens nowhere else.
pub const SOCKET_PORT: u16 = 5432;
/// How long a server may take to end that was told to.
const END_TIMEOUT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(10);

/// Whose a directory is.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    labels: HashMap<String, String>,
    name: String,
    port: u16,
}

/// The directory of one run.
#[derive(Debug)]
pub struct RunDirectory {
    path: PathBuf,
}

impl RunDirectory {
    /// Makes it below `base`, for a server that runs as `user`.
    ///
    /// # Errors
    /// The system's; and when the socket's path would be too long.
    pub fn make(
        base: &Path,
        owner: &Owner,
        name: &str,
        port: u16,
        user: Option<User>,
    ) -> io::Result<Self> {
        let directory = Self { path: base.join(format!("{PREFIX}{}", owner.run)) };
        let socket = directory.work().join(format!(".s.PGSQL.{}", port));
        if socket.as_os_str().len() > SOCKET_BYTES {
            let text = format!("{} is too long a path for a socket", socket.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        DirBuilder::new().mode(0o711).create(&directory.path)?;
        let made = directory.fill(owner, name, port, user);
        if made.is_err() {
            directory.remove()?;
        }
        made.map(|()| directory)
    }

    fn fill(&self, owner: &Owner, name: &str, port: u16, user: Option<User>) -> io::Result<()> {
        let note = Note { labels: owner.labels(), name: name.to_owned(), port };
        self.file(NOTE)?.write_all(&serde_json::to_vec(&note)?)?;
        DirBuilder::new().mode(0o700).create(self.work())?;
        if let Some(user) = user {
            std::os::unix::fs::chown(self.work(), Some(user.uid), Some(user.gid))?;
        }
        Ok(())
    }

    fn file(&self, name: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.create_new(true).append(true).mode(0o600).open(self.path.join(name))
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The part that the server's user may write to.
    pub fn work(&self) -> PathBuf {
        self.path.join("work")
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.work().join("data")
    }

    /// The file that what the server says is written to.
    pub fn log(&self) -> PathBuf {
        self.path.join("server.log")
    }

    /// Writes a file that the server's user alone can read, in the part that is its own. It is removed
    /// when what comes back is dropped.
    ///
    /// # Errors
    /// The system's.
    pub fn secret(
        &self,
        name: &str,
        text: &Secret,
        user: Option<User>,
    ) -> io::Result<tempfile::TempPath> {
        let path = self.work().join(name);
        let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path)?;
        let path = tempfile::TempPath::try_from_path(path)?;
        if let Some(user) = user {
            std::os::unix::fs::fchown(&file, Some(user.uid), Some(user.gid))?;
        }
        file.write_all(format!("{}\n", text.expose()).as_bytes())?;
        Ok(path)
    }

    /// A new log, open for writing.
    pub fn new_log(&self) -> io::Result<File> {
        self.file("server.log")
    }

    /// Whether a server is at work in it.
    pub fn has_server(&self) -> bool {
        server_of(self).is_some()
    }

    /// Removes it with all that is in it.
    ///
    /// # Errors
    /// The system's. That it is not there is none.
    pub fn remove(&self) -> io::Result<()> {
        let deadline = Instant::now() + END_TIMEOUT;
        loop {
            match fs::remove_dir_all(&self.path) {
                // What was told to end may write its last file.
                Err(error)
                    if error.kind() == io::ErrorKind::DirectoryNotEmpty
                        && Instant::now() < deadline =>
                {
                    std::thread::sleep(PAUSE);
                }
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => return Ok(()),
            }
        }
    }
}

/// Where a directory may be made: in memory, and on the disk.
pub fn bases() -> [PathBuf; 2] {
    [MEMORY.into(), std::env::temp_dir()]
}

/// Free bytes of the file system in memory; `None` where there is none.
pub fn free_in_memory() -> Option<u64> {
    let (memory, state) = (Path::new(MEMORY), rustix::fs::statvfs(MEMORY).ok()?);
    memory.is_dir().then(|| state.f_bavail.saturating_mul(state.f_frsize))
}

/// The directories of runs of this user, living and dead. Others' are not looked at: a note says
/// what its writer wants.
pub fn inventory() -> Vec<Found> {
    let mut bases = bases().to_vec();
    bases.dedup();
    bases.iter().flat_map(|base| below(base)).collect()
}

fn below(base: &Path) -> Vec<Found> {
    let Ok(entries) = fs::read_dir(base) else { return Vec::new() };
    let us = rustix::process::geteuid().as_raw();
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX))
        .filter(|entry| {
            // Of the entry itself, not of what a link points to.
            entry.metadata().is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == us)
        })
        .filter_map(|entry| described(&entry.path()))
        .collect()
}

fn described(path: &Path) -> Option<Found> {
    let note: Note = serde_json::from_slice(&fs::read(path.join(NOTE)).ok()?).ok()?;
    let directory = RunDirectory { path: path.to_owned() };
    Some(Found {
        kind: Kind::Server,
        id: path.to_str()?.to_owned(),
        name: note.name,
        owner: Owner::from_labels(&note.labels)?,
        running: server_of(&directory).is_some(),
        port: Some(note.port),
        ended: false,
    })
}

/// Ends the server of a directory that a dead run left, and removes the directory.
///
/// # Errors
/// [`SandboxError::Local`].
pub fn remove_leftover(path: &str) -> Result<(), SandboxError> {
    let directory = RunDirectory { path: path.into() };
    end_server(&directory, Signal::QUIT);
    end_server(&directory, Signal::KILL);
    directory.remove().map_err(|error| SandboxError::Local {
        doing: format!("remove {path}"),
        reason: error.to_string(),
    })
}

/// Sends a signal to the server of a directory, if there is one, and waits until it is gone.
fn end_server(directory: &RunDirectory, signal: Signal) {
    let Some(server) = server_of(directory) else { return };
    if kill_process(server, signal).is_ok() {
        let deadline = Instant::now() + END_TIMEOUT;
        while server_of(directory).is_some() && Instant::now() < deadline {
            std::thread::sleep(PAUSE);
        }
    }
}

/// The process of the server, by its own file; its number may be another's by now, so that it must
/// be at work in the data directory.
fn server_of(directory: &RunDirectory) -> Option<Pid> {
    let text = fs::read_to_string(directory.data().join("postmaster.pid")).ok()?;
    let number: i32 = text.lines().next()?.trim().parse().ok()?;
    let at = fs::read_link(format!("/proc/{number}/cwd")).ok()?;
    if at == directory.data() { Pid::from_raw(number) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(base: &Path) -> RunDirectory {
        let owner = Owner::of_this_run(false).unwrap();
        RunDirectory::make(base, &owner, "nightly", 5433, None).unwrap()
    }

    #[test]
    fn a_directory_is_found_again_with_its_owner() {
        let base = tempfile::tempdir().unwrap();
        let directory = made(base.path());
        fs::create_dir(base.path().join("ccc-backup-of-nobody")).unwrap();
        let link = base.path().join("ccc-backup-link");
        std::os::unix::fs::symlink(directory.path(), link).unwrap();
        let found = below(base.path());
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].name.as_str(), found[0].port), ("nightly", Some(5433)));
        assert!(!found[0].running);
        remove_leftover(&found[0].id).unwrap();
        assert!(below(base.path()).is_empty());
    }

    #[test]
    fn nobody_else_may_look_into_it() {
        let base = tempfile::tempdir().unwrap();
        let directory = made(base.path());
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(directory.path()), 0o711);
        assert_eq!(mode(&directory.work()), 0o700);
        assert_eq!(mode(&directory.path().join(NOTE)), 0o600);
    }

    #[test]
    fn a_number_that_is_another_process_is_not_the_server() {
        let base = tempfile::tempdir().unwrap();
        let directory = made(base.path());
        fs::create_dir(directory.data()).unwrap();
        let file = directory.data().join("postmaster.pid");
        fs::write(file, format!("{}\n", std::process::id())).unwrap();
        assert_eq!(server_of(&directory), None);
    }

    #[test]
    fn a_path_that_is_too_long_for_a_socket_is_refused_before_anything_is_made() {
        let base = tempfile::tempdir().unwrap();
        let long = base.path().join("x".repeat(100));
        fs::create_dir(&long).unwrap();
        let owner = Owner::of_this_run(false).unwrap();
        let error = RunDirectory::make(&long, &owner, "n", SOCKET_PORT, None).unwrap_err();
        assert!(error.to_string().contains("too long"), "{error}");
        assert_eq!(fs::read_dir(&long).unwrap().count(), 0);
    }

    #[test]
    fn a_secret_is_its_owners_alone_and_goes_when_it_is_done_with() {
        let base = tempfile::tempdir().unwrap();
        let directory = made(base.path());
        let path = directory.secret("password", &Secret::new("s"), None).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"s\n");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        drop(path);
        assert_eq!(fs::read_dir(directory.work()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_written_to_the_last_moment_goes_with_the_directory() {
        let base = tempfile::tempdir().unwrap();
        let directory = made(base.path());
        let work = directory.work();
        let writer = std::thread::spawn(move || {
            let until = Instant::now() + Duration::from_millis(300);
            let mut written = 0;
            while Instant::now() < until && fs::write(work.join(written.to_string()), "").is_ok() {
                written += 1;
            }
            written
        });
        while fs::read_dir(directory.work()).unwrap().count() == 0 {}
        directory.remove().unwrap();
        assert!(writer.join().unwrap() > 0);
        assert_eq!(fs::read_dir(base.path()).unwrap().count(), 0);
        // Once more is as good.
        directory.remove().unwrap();
    }

    #[test]
    fn a_leftover_that_cannot_be_removed_is_named() {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("file");
        fs::write(&file, "").unwrap();
        let path = file.join("below").display().to_string();
        let error = remove_leftover(&path).unwrap_err().to_string();
        let said = format!("the local PostgreSQL could not remove {path}: Not a directory");
        assert!(error.starts_with(&said), "{error}");
    }
}
