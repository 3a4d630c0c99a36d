//! Finds PostgreSQL's programs on this machine, and reads what they say of their version.
//!
//! Packages put each major version into a directory of its own, and mostly not on `PATH`. Knows nothing
//! of what the programs are wanted for.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::model::version::major_of;
use crate::process::Invocation;

/// Where packages put each major version; `*` is its number.
const VERSIONED: [&str; 12] = [
    // Debian, and apt.postgresql.org.
    "/usr/lib/postgresql/*/bin",
    // yum.postgresql.org.
    "/usr/pgsql-*/bin",
    // SUSE.
    "/usr/lib/postgresql*/bin",
    // Alpine.
    "/usr/libexec/postgresql*",
    // Gentoo.
    "/usr/lib64/postgresql-*/bin",
    // Homebrew: on Apple's processors, on Intel's, on Linux.
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
    // MacPorts.
    "/opt/local/lib/postgresql*/bin",
    // Postgres.app.
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    // EnterpriseDB's installers.
    "/Library/PostgreSQL/*/bin",
    "/opt/PostgreSQL/*/bin",
];

/// Where a single version lies: as Arch packages it, as it is built from its sources.
const SINGLE: [&str; 3] = ["/usr/bin", "/usr/local/bin", "/usr/local/pgsql/bin"];

/// A directory of PostgreSQL's programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    /// The directory.
    pub dir: PathBuf,
    /// Their version, such as `15.18`.
    pub version: String,
    /// Their major version, such as 15.
    pub major: u32,
}

/// The directories of this machine that may hold PostgreSQL's programs, in the order to look into them:
/// those on `PATH`, what `pg_config` on it says, and where packages put each version, the newest first.
pub async fn directories() -> Vec<PathBuf> {
    let config = match find("pg_config", &on_path()) {
        Some(program) => bindir(&program).await,
        None => None,
    };
    in_order(&on_path(), config, Path::new("/"))
}

/// The directories on `PATH`, but for relative ones.
pub fn on_path() -> Vec<PathBuf> {
    std::env::var_os("PATH").map_or_else(Vec::new, |path| absolute(&path))
}

/// The same of a search path, of what `pg_config` says, and of the packages below a root directory.
fn in_order(path: &[PathBuf], config: Option<PathBuf>, root: &Path) -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> = Vec::new();
    let single = SINGLE.iter().map(|dir| below(root, dir));
    for dir in path.iter().cloned().chain(config).chain(packaged(root)).chain(single) {
        if !dirs.contains(&dir) {
            dirs.push(dir);
        }
    }
    dirs
}

fn absolute(path: &OsStr) -> Vec<PathBuf> {
    std::env::split_paths(path).filter(|dir| dir.is_absolute()).collect()
}

/// What `pg_config` says where its programs are.
async fn bindir(pg_config: &Path) -> Option<PathBuf> {
    let asked = Invocation::new(pg_config).arg("--bindir").capture().await.ok()?;
    let dir = PathBuf::from(String::from_utf8(asked.stdout).ok()?.trim_end());
    (asked.ended.status.success() && dir.is_absolute()).then_some(dir)
}

/// The directories that packages made, the newest version first.
fn packaged(root: &Path) -> Vec<PathBuf> {
    let mut found: Vec<(Number, PathBuf)> =
        VERSIONED.iter().flat_map(|pattern| versions(root, pattern)).collect();
    // Of two that are equal, the first stays the first.
    found.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    found.into_iter().map(|(_, dir)| dir).collect()
}

/// A version in the name of a directory: before 10 a major version had two parts, such as 9.6.
type Number = (u32, u32);

/// The directories that fit a pattern of [`VERSIONED`].
fn versions(root: &Path, pattern: &str) -> Vec<(Number, PathBuf)> {
    let Some((before, after)) = pattern.split_once('*') else { return Vec::new() };
    let (base, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let Ok(entries) = std::fs::read_dir(below(root, base)) else { return Vec::new() };
    let numbered = entries.flatten().filter_map(|entry| {
        let name = entry.file_name();
        let number = number(name.to_str()?.strip_prefix(prefix)?)?;
        Some((number, below(&entry.path(), after)))
    });
    numbered.filter(|(_, dir)| dir.is_dir()).collect()
}

fn number(text: &str) -> Option<Number> {
    let (major, minor) = text.split_once('.').unwrap_or((text, "0"));
    Some((digits(major)?, digits(minor)?))
}

fn digits(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// A directory below another; where it lies there is said from its root.
fn below(root: &Path, dir: &str) -> PathBuf {
    let dir = dir.trim_start_matches('/');
    if dir.is_empty() { root.to_owned() } else { root.join(dir) }
}

/// The first program of this name in these directories.
pub fn find(name: impl AsRef<Path>, dirs: &[PathBuf]) -> Option<PathBuf> {
    dirs.iter().map(|dir| dir.join(&name)).find(|path| is_program(path))
}

/// Whether it is a file that may be run.
pub fn is_program(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

/// The directories of these that hold a program of this name which says its version.
pub async fn with(name: &str, dirs: &[PathBuf]) -> Vec<Programs> {
    let mut found = Vec::new();
    for dir in dirs {
        let path = dir.join(name);
        if !is_program(&path) {
            continue;
        }
        let asked = Invocation::new(&path).arg("--version").capture().await;
        if let Ok(asked) = asked
            && let Some((version, major)) =
                parse_version(&String::from_utf8_lossy(&asked.stdout), name)
        {
            found.push(Programs { dir: dir.clone(), version, major });
        }
    }
    found
}

/// The programs to take for a major version: of that version, else of the next newer one, which reads
/// what an older one wrote.
pub fn choose(found: &[Programs], major: u32) -> Option<&Programs> {
    let fit = found.iter().filter(|programs| programs.major >= major);
    // Of two that are equal, the first.
    fit.min_by_key(|programs| programs.major)
}

/// The version and the major version in `pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
pub fn parse_version(said: &str, tool: &str) -> Option<(String, u32)> {
    let rest = said.lines().next()?.strip_prefix(tool)?.strip_prefix(" (PostgreSQL) ")?;
    let version = rest.split_whitespace().next()?;
    Some((version.to_owned(), major_of(version)?))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A program of this text, and the directories to it.
    pub(crate) fn program(path: &Path, text: &str) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    /// Where `pg_dump` is found on a machine that has these files.
    fn found_among(files: &[&str]) -> Option<String> {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            program(&below(root.path(), file), "");
        }
        let found = find("pg_dump", &in_order(&[], None, root.path()))?;
        Some(format!("/{}", found.strip_prefix(root.path()).unwrap().display()))
    }

    #[test]
    fn programs_are_found_where_each_distribution_puts_them_the_newest_first() {
        for (older, newer) in [
            ("/usr/lib/postgresql/9.6/bin/pg_dump", "/usr/lib/postgresql/15/bin/pg_dump"),
            ("/usr/pgsql-9.6/bin/pg_dump", "/usr/pgsql-16/bin/pg_dump"),
            ("/usr/lib/postgresql15/bin/pg_dump", "/usr/lib/postgresql17/bin/pg_dump"),
            ("/usr/libexec/postgresql15/pg_dump", "/usr/libexec/postgresql17/pg_dump"),
            ("/usr/lib64/postgresql-9/bin/pg_dump", "/usr/lib64/postgresql-17/bin/pg_dump"),
            (
                "/opt/homebrew/opt/postgresql@15/bin/pg_dump",
                "/opt/homebrew/opt/postgresql@17/bin/pg_dump",
            ),
            (
                "/usr/local/opt/postgresql@9.6/bin/pg_dump",
                "/usr/local/opt/postgresql@17/bin/pg_dump",
            ),
            ("/opt/local/lib/postgresql9/bin/pg_dump", "/opt/local/lib/postgresql17/bin/pg_dump"),
            (
                "/Applications/Postgres.app/Contents/Versions/9.6/bin/pg_dump",
                "/Applications/Postgres.app/Contents/Versions/17/bin/pg_dump",
            ),
            ("/Library/PostgreSQL/9/bin/pg_dump", "/Library/PostgreSQL/17/bin/pg_dump"),
            ("/usr/bin/pg_dump", "/usr/lib/postgresql/15/bin/pg_dump"),
            ("/usr/bin/other", "/usr/bin/pg_dump"),
            ("/usr/bin/other", "/usr/local/pgsql/bin/pg_dump"),
        ] {
            assert_eq!(found_among(&[older, newer]).as_deref(), Some(newer));
            assert_eq!(found_among(&[newer, older]).as_deref(), Some(newer));
        }
        assert_eq!(found_among(&["/usr/lib/postgresql/notes/bin/pg_dump"]), None);
        assert_eq!(found_among(&["/usr/lib/postgresql-data/bin/pg_dump"]), None);
        assert_eq!(found_among(&["/usr/lib/postgresql/15/lib/pg_dump"]), None);
    }

    #[test]
    fn the_search_path_goes_first_then_pg_config_then_the_packages() {
        let root = tempfile::tempdir().unwrap();
        program(&root.path().join("usr/lib/postgresql/15/bin/pg_dump"), "");
        let path = absolute(OsStr::new("/one:relative:/two:/one"));
        let dirs = in_order(&path, Some("/config/bin".into()), root.path());
        let first: Vec<&str> = dirs.iter().take(3).map(|dir| dir.to_str().unwrap()).collect();
        assert_eq!(first, ["/one", "/two", "/config/bin"]);
        assert_eq!(dirs[3], root.path().join("usr/lib/postgresql/15/bin"));
        assert_eq!(dirs.len(), 4 + SINGLE.len());
    }

    #[tokio::test]
    async fn pg_config_is_asked_where_its_programs_are() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pg_config");
        for (script, expected) in [
            ("[ \"$1\" = --bindir ] && echo '/opt/pg 17/bin'", Some("/opt/pg 17/bin")),
            ("echo nothing", None),
            ("echo /opt/pg/bin; exit 1", None),
        ] {
            program(&path, &format!("#!/bin/sh\n{script}\n"));
            assert_eq!(bindir(&path).await, expected.map(PathBuf::from), "{script}");
        }
    }

    #[test]
    fn a_file_that_may_not_be_run_is_no_program() {
        let dir = tempfile::tempdir().unwrap();
        let dirs = [dir.path().join("one"), dir.path().join("two")];
        std::fs::create_dir_all(&dirs[0]).unwrap();
        std::fs::write(dirs[0].join("pg_dump"), "").unwrap();
        program(&dirs[1].join("pg_dump"), "");
        assert_eq!(find("pg_dump", &dirs), Some(dirs[1].join("pg_dump")));
        assert_eq!(find("pg_dump", &dirs[..1]), None);
    }

    #[tokio::test]
    async fn programs_that_do_not_say_their_version_as_postgresqls_do_are_others() {
        let dir = tempfile::tempdir().unwrap();
        let dirs = ["15", "shell", "none"].map(|name| dir.path().join(name));
        program(&dirs[0].join("postgres"), "#!/bin/sh\necho 'postgres (PostgreSQL) 15.18 (X)'\n");
        program(&dirs[1].join("postgres"), "#!/bin/sh\necho hello\n");
        let found = Programs { dir: dirs[0].clone(), version: "15.18".into(), major: 15 };
        assert_eq!(with("postgres", &dirs).await, [found]);
    }

    #[test]
    fn the_same_version_is_taken_else_the_next_newer_and_never_an_older() {
        let of = |major: u32| {
            let dir = format!("/usr/lib/postgresql/{major}/bin").into();
            Programs { dir, version: format!("{major}.1"), major }
        };
        let found = [of(13), of(17), of(15)];
        assert_eq!(choose(&found, 15), Some(&found[2]));
        assert_eq!(choose(&found, 16), Some(&found[1]));
        assert_eq!(choose(&found, 18), None);
    }

    #[test]
    fn versions_of_releases_and_betas_are_read() {
        let read = |line| parse_version(line, "pg_dump");
        let of = |text: &str, major| Some((text.to_owned(), major));
        assert_eq!(read("pg_dump (PostgreSQL) 15.18 (Debian 15.18-0)\n"), of("15.18", 15));
        assert_eq!(read("pg_dump (PostgreSQL) 18beta1"), of("18beta1", 18));
        assert_eq!(read("pg_dump (PostgreSQL) 19devel"), of("19devel", 19));
        assert_eq!(read("psql (PostgreSQL) 15.18"), None);
        assert_eq!(read("pg_dump (PostgreSQL) x"), None);
    }
}
