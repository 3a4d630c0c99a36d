//! Connection service files. Source: PostgreSQL 18, 32.17 "The Connection Service File", and libpq's
//! `parseServiceInfo`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Environment;
use super::error::ParameterError;
use super::settings::is_parameter;
use crate::model::secret::Secret;

/// Where packages' libpq looks for `pg_service.conf`: Debian's, Red Hat's, PostgreSQL's own.
const SYSTEM: [&str; 3] =
    ["/etc/postgresql-common", "/etc/sysconfig/pgsql", "/usr/local/pgsql/etc"];

/// What a service file says of a service.
///
/// `named` is the file that somebody named, which must be there; else the one at home is read. What is not in
/// it is looked for in the system's.
pub(super) fn read(
    service: &str,
    named: Option<&Path>,
    home: Option<&Path>,
    environment: Environment,
) -> Result<BTreeMap<String, Secret>, ParameterError> {
    let at_home = || home.map(|home| home.join(".pg_service.conf")).filter(|file| file.exists());
    let first = named.map(Path::to_owned).or_else(at_home);
    let system = match environment("PGSYSCONFDIR") {
        Some(directory) => vec![PathBuf::from(directory)],
        None => SYSTEM.map(PathBuf::from).to_vec(),
    };
    let system = system.into_iter().map(|directory| directory.join("pg_service.conf"));
    for file in first.into_iter().chain(system.filter(|file| file.exists())) {
        let text = std::fs::read_to_string(&file)
            .map_err(|error| ParameterError::Unreadable { path: file.clone(), error })?;
        if let Some(found) = section(&text, service, &file)? {
            return Ok(found);
        }
    }
    Err(ParameterError::NoService(service.to_owned()))
}

/// The lines below `[service]`; `None` where there is no such line.
fn section(
    text: &str,
    service: &str,
    file: &Path,
) -> Result<Option<BTreeMap<String, Secret>>, ParameterError> {
    let mut found: Option<BTreeMap<String, Secret>> = None;
    for (number, line) in text.lines().map(str::trim).enumerate() {
        let wrong =
            |what| ParameterError::Service { path: file.to_owned(), line: number + 1, what };
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            // The first section of a name counts, and ends with the next.
            if found.is_some() {
                break;
            }
            if name.split(']').next() == Some(service) {
                found = Some(BTreeMap::new());
            }
            continue;
        }
        let Some(found) = &mut found else { continue };
        if line.starts_with("ldap") {
            return Err(wrong(
                "asks LDAP, which is not supported: write host=… and the rest instead",
            ));
        }
        let (name, value) = line.split_once('=').ok_or_else(|| wrong("has no ="))?;
        match name {
            "service" | "servicefile" => return Err(wrong("names another service")),
            "host" | "port" | "dbname" | "user" | "password" => {}
            name if is_parameter(name) => {}
            _ => return Err(wrong("has a name that is not one of libpq's")),
        }
        found.entry(name.to_owned()).or_insert_with(|| Secret::new(value));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Result<Option<Vec<String>>, ParameterError> {
        let shown = |(name, value): (String, Secret)| format!("{name}={}", value.expose());
        section(text, "mine", Path::new("f"))
            .map(|found| found.map(|found| found.into_iter().map(shown).collect()))
    }

    #[test]
    fn a_service_is_read_as_libpq_reads_it() {
        let text = "# all\n[other]\nhost=x\n\n[mine]\n  host=db  \nport=1\nport=2\npassword=a = b\n\
                    [mine]\nhost=y\nuser=z\n";
        let expected = ["host=db", "password=a = b", "port=1"].map(str::to_owned).to_vec();
        assert_eq!(found(text).unwrap(), Some(expected));
        assert_eq!(found("[other]\nrubbish\n").unwrap(), None);
        assert_eq!(found("[mine]\n").unwrap(), Some(Vec::new()));
    }

    #[test]
    fn what_a_service_file_may_not_say_is_named_by_its_line() {
        for (line, said) in [
            ("ldap://ldap.example.com/dc=x", "line 2 of the service file f asks LDAP"),
            ("service=other", "line 2 of the service file f names another service"),
            ("hunter2", "line 2 of the service file f has no ="),
            ("passwort=hunter2", "has a name that is not one of libpq's"),
        ] {
            let error = found(&format!("[mine]\n{line}\n")).unwrap_err().to_string();
            assert!(error.contains(said) && !error.contains("hunter2"), "{error}");
        }
    }
}
