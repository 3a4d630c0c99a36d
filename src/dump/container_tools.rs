//! PostgreSQL's client tools from a container, where those of this machine are older than the server.
//!
//! A small program for each tool is written to a private directory; it has the `docker` command run
//! the tool in the host's network, as the same user, with the same libpq variables, and with the
//! files and directories that those name. So a tool in a container is called, read and ended like
//! any other.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::client_tools::PgDump;
use super::source_error::SourceError;
use crate::process::Invocation;

/// What stands in the place of each tool. See [`write`] for what it is told.
const SCRIPT: &str = include_str!("container-tool.sh");
/// The tools that a backup may need.
const TOOLS: [&str; 4] = ["pg_dump", "pg_dumpall", "pg_restore", "psql"];

/// Tools in a container, for as long as this lives.
#[derive(Debug)]
pub struct ContainerTools {
    /// pg_dump, with the others beside it.
    pub pg_dump: PgDump,
    /// The image that they are taken from.
    pub image: String,
    _dir: TempDir,
}

impl ContainerTools {
    /// The tools of a major version, which may write to `writable`. `None` where there is no `docker`
    /// command, or neither of the images can be had.
    ///
    /// # Errors
    /// The system's, when the small programs cannot be written; [`SourceError`] when what is in the
    /// image is no pg_dump.
    pub async fn of(major: u32, writable: &Path) -> Result<Option<Self>, SourceError> {
        let Some(image) = image(major).await else { return Ok(None) };
        let dir = write(&image, writable).map_err(SourceError::Pipe)?;
        let pg_dump = PgDump::find(Some(&dir.path().join("pg_dump"))).await?;
        Ok(Some(Self { pg_dump, image, _dir: dir }))
    }
}

/// The image that is here, or that can be pulled: the official one, or the one that is made of Debian's
/// packages.
async fn image(major: u32) -> Option<String> {
    let names = [format!("postgres:{major}"), format!("ccc-backup/postgres:{major}")];
    for name in &names {
        if docker(&["image", "inspect", "--format", "{{.Id}}", name]).await {
            return Some(name.clone());
        }
    }
    let [official, _] = names;
    docker(&["pull", "--quiet", &official]).await.then_some(official)
}

/// Whether `docker` does what it is told.
async fn docker(args: &[&str]) -> bool {
    match Invocation::new("docker").args(args).capture().await {
        Ok(captured) => captured.ended.status.success(),
        Err(error) => {
            tracing::debug!(%error, "no docker command");
            false
        }
    }
}

/// Writes a program for each tool into a directory of its own.
fn write(image: &str, writable: &Path) -> io::Result<TempDir> {
    let dir = tempfile::Builder::new().prefix("ccc-backup-tools-").tempdir()?;
    let writable = std::path::absolute(writable)?;
    for tool in TOOLS {
        let text = SCRIPT
            .replace("@IMAGE@", &quoted(image))
            .replace("@TOOL@", tool)
            .replace("@WRITABLE@", &quoted(&shown(&writable)?));
        let path: PathBuf = dir.path().join(tool);
        std::fs::write(&path, text)?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o700))?;
    }
    Ok(dir)
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
        let dir = write("postgres:17", Path::new("/var/back'ups")).unwrap();
        for tool in TOOLS {
            let text = std::fs::read_to_string(dir.path().join(tool)).unwrap();
            assert!(text.contains("image='postgres:17'"), "{text}");
            assert!(text.contains(r"writable='/var/back'\''ups'"), "{text}");
            assert!(text.contains(&format!("tool={tool}\n")), "{text}");
        }
    }

    #[test]
    fn a_directory_that_cannot_be_mounted_is_refused() {
        assert!(write("postgres:17", Path::new("/a:b")).is_err());
    }
}
