//! Finds the programs of a PostgreSQL server on this machine.

use std::path::{Path, PathBuf};

use crate::process::Invocation;
use crate::sandbox::major_of;

/// Where packages put each major version: Debian's and those of apt.postgresql.org, those of
/// yum.postgresql.org, Homebrew's.
const VERSIONED: [(&str, &str); 4] = [
    ("/usr/lib/postgresql", ""),
    ("/usr", "pgsql-"),
    ("/opt/homebrew/opt", "postgresql@"),
    ("/usr/local/opt", "postgresql@"),
];
/// Where a server built from its sources lies.
const FROM_SOURCE: &str = "/usr/local/pgsql/bin";

/// The programs of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// The directory that holds them.
    pub dir: PathBuf,
    /// Their major version.
    pub major: u32,
}

/// The servers of this machine: those on `PATH`, then those where packages put them.
pub async fn found() -> Vec<Binaries> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).filter(|dir| dir.is_absolute());
    let mut dirs: Vec<PathBuf> = on_path.chain([FROM_SOURCE.into()]).collect();
    for (base, prefix) in VERSIONED {
        dirs.extend(versioned(Path::new(base), prefix));
    }
    let mut found: Vec<Binaries> = Vec::new();
    for dir in dirs {
        let is_known = |other: &Binaries| other.dir == dir;
        if !found.iter().any(is_known)
            && dir.join("initdb").is_file()
            && let Some(major) = major(&dir.join("postgres")).await
        {
            found.push(Binaries { dir, major });
        }
    }
    found
}

/// The directories of programs below `base` whose names begin so, in the order of their names.
fn versioned(base: &Path, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(base) else { return Vec::new() };
    let mut dirs: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| {
            let name = entry.file_name();
            let rest = name.to_str().and_then(|name| name.strip_prefix(prefix));
            rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        })
        .map(|entry| entry.path().join("bin"))
        .collect();
    dirs.sort();
    dirs
}

/// What a server says that it is.
async fn major(postgres: &Path) -> Option<u32> {
    let asked = Invocation::new(postgres).bare().arg("--version").capture().await.ok()?;
    let text = String::from_utf8_lossy(&asked.stdout);
    major_of(text.trim().strip_prefix("postgres (PostgreSQL) ")?)
}

/// The one to take for a major version: of that version, else of the next newer one, which
/// restores what an older pg_dump wrote.
pub fn choose(found: &[Binaries], version: u32) -> Option<&Binaries> {
    let fit = found.iter().filter(|binaries| binaries.major >= version);
    // Of two that are equal, the first.
    fit.min_by_key(|binaries| binaries.major)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(major: u32) -> Binaries {
        Binaries { dir: format!("/usr/lib/postgresql/{major}/bin").into(), major }
    }

    #[test]
    fn the_same_version_is_taken_else_the_next_newer_and_never_an_older() {
        let found = [of(13), of(17), of(15)];
        assert_eq!(choose(&found, 15), Some(&found[2]));
        assert_eq!(choose(&found, 16), Some(&found[1]));
        assert_eq!(choose(&found, 18), None);
    }

    #[test]
    fn directories_of_versions_are_told_from_others() {
        let base = tempfile::tempdir().unwrap();
        for name in ["15", "9.6", "notes", "pgsql-16", "pgsql-data"] {
            std::fs::create_dir(base.path().join(name)).unwrap();
        }
        let names = |prefix| {
            let dirs = versioned(base.path(), prefix);
            dirs.iter().map(|dir| dir.parent().unwrap().file_name().unwrap().to_owned()).collect()
        };
        let found: [Vec<_>; 2] = [names(""), names("pgsql-")];
        assert_eq!(found, [vec!["15", "9.6"], vec!["pgsql-16"]]);
        assert_eq!(versioned(Path::new("/no/such"), ""), Vec::<PathBuf>::new());
    }

    #[tokio::test]
    async fn another_program_of_that_name_is_no_server() {
        assert_eq!(major(Path::new("/bin/true")).await, None);
        assert_eq!(major(Path::new("/no/such/postgres")).await, None);
    }
}
