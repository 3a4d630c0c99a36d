//! Finds PostgreSQL's client tools and asks for their version.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::error::SourceError;
use crate::process::Invocation;

/// Where Debian's packages and those of apt.postgresql.org put each major version.
const VERSIONED: &str = "/usr/lib/postgresql";

/// A pg_dump and its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PgDump {
    /// The program.
    pub path: PathBuf,
    /// Its version, such as `15.18`.
    pub version: String,
    /// Its major version, such as 15.
    pub major: u32,
}

impl PgDump {
    /// Finds pg_dump: `explicit`, else the one on `PATH`, else the newest in
    /// `/usr/lib/postgresql/*/bin`; and asks for its version.
    ///
    /// # Errors
    /// [`SourceError::PgDumpNotFound`], [`SourceError::NotPgDump`], [`SourceError::Process`].
    pub async fn find(explicit: Option<&Path>) -> Result<Self, SourceError> {
        let path = match explicit {
            Some(path) if path.components().count() > 1 && !is_program(path) => {
                return Err(SourceError::PgDumpNotFound(Some(path.to_owned())));
            }
            Some(path) if path.components().count() > 1 => path.to_owned(),
            Some(name) => on_path(name, search_path().as_deref())
                .ok_or_else(|| SourceError::PgDumpNotFound(Some(name.to_owned())))?,
            None => find_tool("pg_dump").ok_or(SourceError::PgDumpNotFound(None))?,
        };
        Self::ask(path).await
    }

    /// The newest in `/usr/lib/postgresql/*/bin`, if it is of this major version or a newer one.
    pub async fn of_version(major: u32) -> Option<Self> {
        let newest = Self::ask(newest_below(Path::new(VERSIONED), "pg_dump")?).await.ok()?;
        (newest.major >= major).then_some(newest)
    }

    async fn ask(path: PathBuf) -> Result<Self, SourceError> {
        let captured = Invocation::new(&path).arg("--version").capture().await?;
        let text = String::from_utf8_lossy(&captured.stdout);
        let line = text.lines().next().unwrap_or_default();
        match parse_version(line, "pg_dump") {
            Some((version, major)) => Ok(Self { path, version, major }),
            None => Err(SourceError::NotPgDump { path, says: line.to_owned() }),
        }
    }

    /// The psql beside it, else one found as pg_dump is.
    pub fn psql(&self) -> Option<PathBuf> {
        self.beside("psql")
    }

    /// The pg_restore beside it, else one found as pg_dump is.
    pub fn pg_restore(&self) -> Option<PathBuf> {
        self.beside("pg_restore")
    }

    /// The pg_dumpall beside it, else one found as pg_dump is.
    pub fn pg_dumpall(&self) -> Option<PathBuf> {
        self.beside("pg_dumpall")
    }

    fn beside(&self, name: &str) -> Option<PathBuf> {
        Some(self.path.with_file_name(name))
            .filter(|path| is_program(path))
            .or_else(|| find_tool(name))
    }
}

/// A tool on `PATH`, else in the newest version's directory.
fn find_tool(name: &str) -> Option<PathBuf> {
    on_path(Path::new(name), search_path().as_deref())
        .or_else(|| newest_below(Path::new(VERSIONED), name))
}

fn search_path() -> Option<std::ffi::OsString> {
    std::env::var_os("PATH")
}

fn on_path(name: &Path, path: Option<&OsStr>) -> Option<PathBuf> {
    std::env::split_paths(path?)
        .filter(|dir| dir.is_absolute())
        .map(|dir| dir.join(name))
        .find(|candidate| is_program(candidate))
}

/// `<base>/<number>/bin/<name>` of the highest number.
fn newest_below(base: &Path, name: &str) -> Option<PathBuf> {
    let candidates = std::fs::read_dir(base).ok()?.filter_map(|entry| {
        let entry = entry.ok()?;
        // Before 10 a major version had two parts, such as 9.6.
        let number: f32 = entry.file_name().to_str()?.parse().ok()?;
        let tool = entry.path().join("bin").join(name);
        is_program(&tool).then_some((number, tool))
    });
    candidates.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, tool)| tool)
}

fn is_program(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

/// The version and the major version in `pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn parse_version(line: &str, tool: &str) -> Option<(String, u32)> {
    let rest = line.strip_prefix(tool)?.strip_prefix(" (PostgreSQL) ")?;
    let version = rest.split_whitespace().next()?;
    let digits = version.split(|c: char| !c.is_ascii_digit()).next()?;
    Some((version.to_owned(), digits.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn program(path: &Path, text: &str) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    #[test]
    fn versions_of_releases_and_betas_are_read() {
        let read = |line| parse_version(line, "pg_dump");
        let of = |text: &str, major| Some((text.to_owned(), major));
        assert_eq!(read("pg_dump (PostgreSQL) 15.18 (Debian 15.18-0)"), of("15.18", 15));
        assert_eq!(read("pg_dump (PostgreSQL) 18beta1"), of("18beta1", 18));
        assert_eq!(read("pg_dump (PostgreSQL) 19devel"), of("19devel", 19));
        assert_eq!(read("psql (PostgreSQL) 15.18"), None);
        assert_eq!(read("pg_dump (PostgreSQL) x"), None);
    }

    #[test]
    fn the_newest_version_is_the_highest_number() {
        let dir = tempfile::tempdir().unwrap();
        for number in ["9.6", "15", "9", "notes"] {
            program(&dir.path().join(number).join("bin/pg_dump"), "");
        }
        std::fs::create_dir_all(dir.path().join("17/bin")).unwrap();
        let newest = newest_below(dir.path(), "pg_dump").unwrap();
        assert_eq!(newest, dir.path().join("15/bin/pg_dump"));
        assert_eq!(newest_below(&dir.path().join("none"), "pg_dump"), None);
    }

    #[test]
    fn the_first_program_on_the_path_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        std::fs::create_dir_all(&one).unwrap();
        std::fs::write(one.join("pg_dump"), "not executable").unwrap();
        program(&two.join("pg_dump"), "");
        let path = std::env::join_paths([&one, &two]).unwrap();
        let found = on_path(Path::new("pg_dump"), Some(&path));
        assert_eq!(found, Some(two.join("pg_dump")));
        assert_eq!(on_path(Path::new("pg_dump"), None), None);
    }

    #[tokio::test]
    async fn a_missing_pg_dump_is_named_with_the_way_to_get_one() {
        let found = PgDump::find(Some(Path::new("/no/such/pg_dump"))).await;
        let error = found.unwrap_err();
        assert_eq!(error.to_string(), "pg_dump not found: /no/such/pg_dump");
        assert!(error.hint().unwrap().contains("apt install postgresql-client"));
    }

    #[tokio::test]
    async fn another_program_is_not_taken_for_pg_dump() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pg_dump");
        program(&path, "#!/bin/sh\necho hello\n");
        let error = PgDump::find(Some(&path)).await.unwrap_err();
        assert!(error.to_string().ends_with("it says \"hello\" for its version"), "{error}");
        program(&path, "#!/bin/sh\necho 'pg_dump (PostgreSQL) 16.4'\n");
        assert_eq!(PgDump::find(Some(&path)).await.unwrap().major, 16);
    }

    #[tokio::test]
    async fn a_program_that_is_named_without_a_directory_is_looked_for_on_the_path() {
        let error = PgDump::find(Some(Path::new("no-such-pg_dump"))).await.unwrap_err();
        assert_eq!(error.to_string(), "pg_dump not found: no-such-pg_dump");
        let error = PgDump::find(Some(Path::new("sh"))).await.unwrap_err();
        let SourceError::NotPgDump { path, .. } = error else { panic!("{error}") };
        assert!(path.is_absolute() && path.ends_with("sh"), "{}", path.display());
    }
}
