//! PostgreSQL's client tools from a container, where those of this machine are older than the server.
//!
//! A small program for each tool is written to a private directory; it has the `docker` command run
//! the tool in the host's network, as the same user, with the same libpq variables, and with the
//! files and directories that those name. So a tool in a container is called, read and ended like
//! any other.
//!
//! What a killed run leaves: its containers are known by the labels they are given, and its directory
//! by the lock that nobody holds any more, so that the next one removes it.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

use super::client_tools::PgDump;
use super::error::SourceError;
use crate::process::Invocation;

/// What stands in the place of each tool. See [`write`] for what it is told.
const SCRIPT: &str = include_str!("container-tool.sh");
/// The tools that a backup may need.
const TOOLS: [&str; 4] = ["pg_dump", "pg_dumpall", "pg_restore", "psql"];

/// What the names of the directories of the small programs begin with.
const PREFIX: &str = "ccc-backup-tools-";
/// How long the removal of containers may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// What is told of the image on the way.
#[derive(Debug)]
pub enum News<'a> {
    /// It is not here, and is pulled.
    Pulling(&'a str),
    /// It cannot be pulled, for this reason.
    NotPulled(&'a str, &'a str),
}

/// Tools in a container, for as long as this lives.
#[derive(Debug)]
pub struct ContainerTools {
    /// pg_dump, with the others beside it.
    pub pg_dump: PgDump,
    /// The image that they are taken from.
    pub image: String,
    labels: Vec<String>,
    _dir: ToolDirectory,
}

impl ContainerTools {
    /// The tools of a major version, which may write to `writable`. Their containers have `labels`
    /// (`name=value`), which no others may have. `None` where there is no `docker` command, or neither
    /// of the images can be had; `tell` hears of that.
    ///
    /// # Errors
    /// The system's, when the small programs cannot be written; [`SourceError`] when what is in the
    /// image is no pg_dump.
    pub async fn of(
        major: u32,
        writable: &Path,
        labels: Vec<String>,
        tell: impl Fn(News<'_>),
    ) -> Result<Option<Self>, SourceError> {
        let Some(image) = image(major, tell).await else { return Ok(None) };
        let dir = ToolDirectory::make(&std::env::temp_dir()).map_err(SourceError::Pipe)?;
        write(dir.path(), &image, writable, &labels).map_err(SourceError::Pipe)?;
        let pg_dump = PgDump::find(Some(&dir.path().join("pg_dump"))).await?;
        Ok(Some(Self { pg_dump, image, labels, _dir: dir }))
    }

    /// Removes the containers that have not ended: a tool that was killed leaves its own, in which it
    /// goes on, with its locks at the source.
    pub async fn close(self) {
        if tokio::time::timeout(PATIENCE, self.remove_containers()).await.is_err() {
            tracing::warn!(
                "no answer from docker: `ccc-backup cleanup --sandbox` removes what is left"
            );
        }
    }

    async fn remove_containers(&self) {
        let filters = self.labels.iter().map(|label| format!("--filter=label={label}"));
        let list = Invocation::new("docker").args(["ps", "--all", "--quiet"]).args(filters);
        let listed = match list.capture().await {
            Ok(captured) => String::from_utf8_lossy(&captured.stdout).into_owned(),
            Err(error) => return tracing::warn!(%error, "containers are not looked for"),
        };
        let left: Vec<&str> = listed.split_whitespace().collect();
        if !left.is_empty() {
            let _ = docker(&[&["rm", "--force", "--volumes"], &left[..]].concat()).await;
        }
    }
}

/// A directory of our own for as long as this lives.
#[derive(Debug)]
struct ToolDirectory {
    dir: TempDir,
    // Tells the directory of a live run from that of a dead one.
    _lock: File,
}

impl ToolDirectory {
    /// Makes one below `base`, and removes there what dead runs of this user left.
    fn make(base: &Path) -> io::Result<Self> {
        sweep(base);
        loop {
            let dir = tempfile::Builder::new().prefix(PREFIX).tempdir_in(base)?;
            // Between the two calls another run may have taken it for a dead one's.
            if let Some(lock) = locked(dir.path())? {
                return Ok(Self { dir, _lock: lock });
            }
        }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Opens and locks a directory; `None` when somebody else has it or had it and removed it.
fn locked(path: &Path) -> io::Result<Option<File>> {
    let directory = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let ours = flock(&directory, FlockOperation::NonBlockingLockExclusive).is_ok() && path.exists();
    Ok(ours.then_some(directory))
}

/// Removes the directories of dead runs.
fn sweep(base: &Path) {
    let Ok(entries) = std::fs::read_dir(base) else { return };
    let us = rustix::process::geteuid().as_raw();
    let ours = entries.flatten().filter(|entry| {
        entry.file_name().to_string_lossy().starts_with(PREFIX)
            // Of the entry itself, not of what a link points to.
            && entry.metadata().is_ok_and(|found| found.is_dir() && found.uid() == us)
    });
    for path in ours.map(|entry| entry.path()) {
        let removed = match locked(&path) {
            Ok(Some(_lock)) => std::fs::remove_dir_all(&path),
            Ok(None) => continue,
            Err(error) => Err(error),
        };
        if let Err(error) = removed {
            tracing::warn!(directory = %path.display(), %error, "left by a dead run");
        }
    }
}

/// The image that is here, or that can be pulled: the official one, or the one that is made of Debian's
/// packages.
async fn image(major: u32, tell: impl Fn(News<'_>)) -> Option<String> {
    let names = [format!("postgres:{major}"), format!("ccc-backup/postgres:{major}")];
    for name in &names {
        match docker(&["image", "inspect", "--format", "{{.Id}}", name]).await? {
            Ok(()) => return Some(name.clone()),
            Err(reason) => tracing::debug!(name, reason, "no image"),
        }
    }
    let [official, _] = names;
    tell(News::Pulling(&official));
    match docker(&["pull", "--quiet", &official]).await? {
        Ok(()) => Some(official),
        Err(reason) => {
            tell(News::NotPulled(&official, &reason));
            None
        }
    }
}

/// Has `docker` do something; its words, where it does not. `None` where there is no such command.
async fn docker(args: &[&str]) -> Option<Result<(), String>> {
    match Invocation::new("docker").args(args).capture().await {
        Ok(captured) if captured.ended.status.success() => Some(Ok(())),
        Ok(captured) => Some(Err(captured.ended.stderr.join("; "))),
        Err(error) => {
            tracing::debug!(%error, "no docker command");
            None
        }
    }
}

/// Writes a program for each tool.
fn write(dir: &Path, image: &str, writable: &Path, labels: &[String]) -> io::Result<()> {
    let writable = std::path::absolute(writable)?;
    let labels: Vec<String> =
        labels.iter().map(|label| quoted(&format!("--label={label}"))).collect();
    for tool in TOOLS {
        let text = SCRIPT
            .replace("@IMAGE@", &quoted(image))
            .replace("@TOOL@", tool)
            .replace("@WRITABLE@", &quoted(&shown(&writable)?))
            .replace("@LABELS@", &labels.join(" "));
        let path: PathBuf = dir.join(tool);
        std::fs::write(&path, text)?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o700))?;
    }
    Ok(())
}

fn shown(path: &Path) -> io::Result<String> {
    let text = path.to_str().filter(|text| !text.contains([':', '\n']));
    text.map(str::to_owned).ok_or_else(|| {
        let text = format!("{} cannot be given to a container", path.display());
        io::Error::new(io::ErrorKind::InvalidInput, text)
    })
}

/// A word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_has_its_program() {
        let dir = tempfile::tempdir().unwrap();
        let labels = ["run=1".to_owned(), "host=o'brien".to_owned()];
        write(dir.path(), "postgres:17", Path::new("/var/back'ups"), &labels).unwrap();
        for tool in TOOLS {
            let text = std::fs::read_to_string(dir.path().join(tool)).unwrap();
            assert!(text.contains("image='postgres:17'"), "{text}");
            assert!(text.contains(r"writable='/var/back'\''ups'"), "{text}");
            assert!(text.contains(&format!("tool={tool}\n")), "{text}");
            assert!(text.contains(r"'--label=run=1' '--label=host=o'\''brien'"), "{text}");
        }
    }

    #[test]
    fn a_directory_that_cannot_be_mounted_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert!(write(dir.path(), "postgres:17", Path::new("/a:b"), &[]).is_err());
    }

    #[test]
    fn the_directory_of_a_dead_run_goes_and_nothing_else_does() {
        let base = tempfile::tempdir().unwrap();
        let names = || {
            let entries = std::fs::read_dir(base.path()).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            names.collect::<std::collections::BTreeSet<_>>()
        };
        let live = ToolDirectory::make(base.path()).unwrap();
        let dead = base.path().join("ccc-backup-tools-dead");
        std::fs::create_dir(&dead).unwrap();
        std::fs::write(dead.join("pg_dump"), "").unwrap();
        let precious = base.path().join("precious");
        std::fs::create_dir(&precious).unwrap();
        let link = base.path().join("ccc-backup-tools-link");
        std::os::unix::fs::symlink(&precious, &link).unwrap();
        let new = ToolDirectory::make(base.path()).unwrap();
        assert!(locked(live.path()).unwrap().is_none(), "another run has it");
        assert!(locked(&dead).unwrap().is_none(), "it is gone");
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        let stay = [name(live.path()), name(new.path()), name(&precious), name(&link)];
        assert_eq!(names(), stay.into_iter().collect());
        drop((live, new));
        assert_eq!(names(), [name(&precious), name(&link)].into_iter().collect());
    }
}
