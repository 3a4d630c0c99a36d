//! What libpq reads besides its arguments: variables, and the files and directories that they name. Who
//! runs a client tool in a container gives it these.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::model::secret::Secret;

/// The variable that holds the password.
const PASSWORD: &str = "PGPASSWORD";
/// What is no variable of libpq's own, and has a say all the same: the language of its messages, and
/// where its files are by default.
const OTHERS: [&str; 2] = ["HOME", "LC_ALL"];
/// Variables that name a file or a directory. Source: PostgreSQL 18, 32.15 "Environment Variables".
const NAMING: [&str; 8] = [
    "PGPASSFILE",
    "PGSERVICEFILE",
    "PGSYSCONFDIR",
    "PGSSLCERT",
    "PGSSLKEY",
    "PGSSLROOTCERT",
    "PGSSLCRL",
    "PGSSLCRLDIR",
];
/// What is read in the home directory where no variable names another.
const AT_HOME: [&str; 3] = [".pgpass", ".pg_service.conf", ".postgresql"];
/// Where a server's socket is by default, as packages build libpq.
const SOCKETS: &str = "/var/run/postgresql";

/// What a client tool needs of this machine to connect as it would here.
#[derive(Debug)]
pub struct Surroundings {
    /// Variables but for the password.
    pub variables: BTreeMap<String, Secret>,
    /// The password; empty where there is none.
    pub password: Secret,
    /// Files and directories that are here, by absolute paths.
    pub files: BTreeSet<PathBuf>,
}

impl Surroundings {
    /// What is needed of an environment.
    pub fn of(environment: BTreeMap<String, Secret>) -> Self {
        let mut variables = environment;
        variables.retain(|name, _| is_libpqs(name) || OTHERS.contains(&name.as_str()));
        let password = variables.remove(PASSWORD).unwrap_or_default();
        let files =
            named(&variables).into_iter().filter(|path| path.is_absolute() && path.exists());
        Self { password, files: files.collect(), variables }
    }
}

/// `PGDATABASE`, and not `PG_COLOR` or `PG_MAJOR`, but `PGCONNECT_TIMEOUT`.
fn is_libpqs(name: &str) -> bool {
    let rest = name.strip_prefix("PG");
    rest.is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_uppercase()))
}

/// The paths that libpq may look at.
fn named(variables: &BTreeMap<String, Secret>) -> Vec<PathBuf> {
    let value = |name: &str| variables.get(name).map(Secret::expose);
    let by_variable = NAMING.iter().filter_map(|name| value(name)).map(PathBuf::from);
    let home = value("HOME").map(Path::new);
    let at_home = home.into_iter().flat_map(|home| AT_HOME.map(|name| home.join(name)));
    // Several hosts are separated by commas; a directory among them is a socket's.
    let sockets = value("PGHOST").unwrap_or_default().split(',').map(PathBuf::from);
    by_variable.chain(at_home).chain(sockets).chain([PathBuf::from(SOCKETS)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_elsewhere_is_given_libpqs_variables_and_the_files_that_they_name() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        for name in ["passwords", "home/.pgpass", "home/.postgresql/root.crt", "sockets/x"] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let hosts = format!("db,{}", at("sockets"));
        let environment = [
            ("PGHOST", hosts.as_str()),
            ("PGCONNECT_TIMEOUT", "5"),
            ("PGPASSWORD", "hunter2"),
            ("PGPASSFILE", &at("passwords")),
            ("PGSSLCERT", &at("missing")),
            ("PGSSLROOTCERT", "system"),
            ("HOME", &at("home")),
            ("PG_MAJOR", "15"),
            ("PATH", "/usr/bin"),
            ("AWS_SECRET_ACCESS_KEY", "other"),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), Secret::new(value)));
        let needed = Surroundings::of(environment.into());
        assert_eq!(needed.password.expose(), "hunter2");
        let names: Vec<&str> = needed.variables.keys().map(String::as_str).collect();
        let expected =
            ["HOME", "PGCONNECT_TIMEOUT", "PGHOST", "PGPASSFILE", "PGSSLCERT", "PGSSLROOTCERT"];
        assert_eq!(names, expected);
        let mut files = needed.files;
        files.remove(Path::new(SOCKETS));
        let expected = ["home/.pgpass", "home/.postgresql", "passwords", "sockets"];
        assert_eq!(files, expected.map(|name| dir.path().join(name)).into());
    }
}
