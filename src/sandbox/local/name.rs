//! A name for the user that initdb runs as: it asks the system for one, and gives up where there is none, as in a
//! container under an id that its image does not know (OpenShift, `docker run --user`). The server asks for no name.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::directory::RunDirectory;
use crate::model::secret::Secret;
use crate::process::Invocation;
use crate::sandbox::error::SandboxError;

/// Answers for the system from a file of ours; PostgreSQL's own images bring it for this purpose.
const WRAPPER: &str = "libnss_wrapper.so";
/// Where libraries are, or a directory for each architecture.
const LIBRARIES: [&str; 5] = ["/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/local/lib"];
/// Any but root's will do, in a namespace where our files are this user's: `nobody`, who is everywhere.
const SOMEBODY: u32 = 65534;

/// What gives initdb its name, and goes when it is dropped.
#[derive(Debug)]
pub struct Named {
    /// What runs initdb: without arguments.
    pub initdb: Invocation,
    _files: Vec<tempfile::TempPath>,
}

/// How initdb is run by ourselves, so that its user has a name.
///
/// # Errors
/// [`SandboxError::NoName`], [`SandboxError::Local`].
pub async fn named(initdb: &Path, directory: &RunDirectory) -> Result<Named, SandboxError> {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let plain = |initdb| Named { initdb, _files: Vec::new() };
    if uzers::get_user_by_uid(uid).is_some() {
        return Ok(plain(Invocation::new(initdb)));
    }
    if let Some(library) = LIBRARIES.iter().find_map(|dir| library_in(Path::new(dir))) {
        let file = |name: &str, line: String| {
            let made = directory.secret(name, &Secret::new(line), None);
            made.map_err(|error| SandboxError::Local {
                doing: "give its user a name".into(),
                reason: error.to_string(),
            })
        };
        let users = file("passwd", format!("ccc-backup:x:{uid}:{gid}::/:/bin/sh"))?;
        let groups = file("group", format!("ccc-backup:x:{gid}:"))?;
        let path = |path: &Path| Secret::new(path.to_string_lossy());
        let initdb = Invocation::new(initdb)
            .env("LD_PRELOAD", path(&library))
            .env("NSS_WRAPPER_PASSWD", path(&users))
            .env("NSS_WRAPPER_GROUP", path(&groups));
        return Ok(Named { initdb, _files: vec![users, groups] });
    }
    match is_mapped().await {
        Ok(()) => Ok(plain(mapped(initdb))),
        Err(refusal) => Err(SandboxError::NoName { uid, refusal }),
    }
}

fn library_in(dir: &Path) -> Option<PathBuf> {
    let below = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let places = std::iter::once(dir.to_owned()).chain(below);
    places.map(|place| place.join(WRAPPER)).find(|library| library.is_file())
}

/// Runs a program in a user namespace, where we are [`SOMEBODY`].
fn mapped(program: &Path) -> Invocation {
    let maps = [format!("--map-user={SOMEBODY}"), format!("--map-group={SOMEBODY}")];
    Invocation::new("unshare").arg("--user").args(maps).arg("--").arg(program)
}

/// Whether the system lets us have such a namespace; else why not.
async fn is_mapped() -> Result<(), String> {
    let trying =
        mapped(Path::new("true")).spawn([Stdio::null(), Stdio::null(), Stdio::piped()], true);
    let ended = trying.map_err(|error| error.to_string())?.wait_with_output().await;
    let output = ended.map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_is_found_where_a_distribution_has_it() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(library_in(dir.path()), None);
        let triplet = dir.path().join("x86_64-linux-gnu");
        std::fs::create_dir(&triplet).unwrap();
        std::fs::write(triplet.join(WRAPPER), "").unwrap();
        assert_eq!(library_in(dir.path()), Some(triplet.join(WRAPPER)));
        std::fs::write(dir.path().join(WRAPPER), "").unwrap();
        assert_eq!(library_in(dir.path()), Some(dir.path().join(WRAPPER)));
        assert_eq!(library_in(&dir.path().join("none")), None);
    }
}
