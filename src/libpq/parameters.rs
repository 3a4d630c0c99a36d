//! All parameters of a connection, as libpq comes to them: what was said, then the service file, then the
//! environment; passwords at last from the password file. Source: libpq's `conninfo_add_defaults` and
//! `pqConnectOptions2`, PostgreSQL 18.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use uzers::os::unix::UserExt;

use super::Environment;
use super::error::ParameterError;
use super::passwords::{PasswordFile, Wanted};
use super::service;
use super::settings::{ConnectSettings, VARIABLES, variable};
use crate::model::secret::Secret;

/// Where a server's socket is, as packages and PostgreSQL itself build it. In password files both are
/// `localhost`, too.
pub const SOCKETS: [&str; 2] = ["/var/run/postgresql", "/tmp"];
/// PostgreSQL's port.
pub const PORT: u16 = 5432;

/// What is known of a connection, by libpq's names.
#[derive(Debug, Clone)]
pub struct Parameters {
    values: BTreeMap<String, Secret>,
    passwords: PasswordFile,
    home: Option<PathBuf>,
    /// What is worth a word before the work.
    pub warnings: Vec<String>,
}

impl Parameters {
    /// Everything that settings, service file, environment and password file say.
    ///
    /// # Errors
    /// When a service is named that is not there, or not understood.
    pub fn resolve(
        settings: &ConnectSettings,
        environment: Environment,
    ) -> Result<Self, ParameterError> {
        let home = environment("HOME").map(PathBuf::from).or_else(home_of_user);
        let mut values = said(settings);
        let of = |values: &BTreeMap<String, Secret>, name: &str| {
            let said = values.get(name).map(|value| value.expose().to_owned());
            said.or_else(|| environment(variable(name)?))
        };
        if let Some(name) = of(&values, "service") {
            let file = of(&values, "servicefile").map(PathBuf::from);
            for (name, value) in
                service::read(&name, file.as_deref(), home.as_deref(), environment)?
            {
                values.entry(name).or_insert(value);
            }
        }
        for (name, variable) in VARIABLES {
            // It would win over the host that was asked for.
            if name == "hostaddr" && settings.host.is_some() {
                continue;
            }
            if let Some(value) = environment(variable).filter(|_| !values.contains_key(name)) {
                values.insert(name.to_owned(), Secret::new(value));
            }
        }
        if environment("PGREQUIRESSL").is_some_and(|value| value.starts_with('1')) {
            values.entry("sslmode".to_owned()).or_insert_with(|| Secret::new("require"));
        }
        let named = values.get("passfile").map(|file| PathBuf::from(file.expose()));
        let file = named.or_else(|| home.as_ref().map(|home| home.join(".pgpass")));
        let (passwords, warning) = match file {
            Some(file) if !values.contains_key("password") => PasswordFile::read(&file),
            _ => (PasswordFile::default(), None),
        };
        Ok(Self { values, passwords, home, warnings: warning.into_iter().collect() })
    }

    /// The value of a parameter; empty is unset.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(Secret::expose).filter(|value| !value.is_empty())
    }

    /// The values of a list that is separated by commas; some may be empty, and nothing is an empty list.
    pub fn list(&self, name: &str) -> Vec<&str> {
        self.get(name).map(|list| list.split(',').map(str::trim).collect()).unwrap_or_default()
    }

    /// Which of several values a parameter has; the first where it is not set.
    ///
    /// # Errors
    /// When it has another.
    pub fn choice<T: Copy>(
        &self,
        name: &'static str,
        choices: &[(&'static str, T)],
    ) -> Result<Option<T>, ParameterError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let found = choices.iter().find(|(choice, _)| *choice == value);
        let allowed = || choices.iter().map(|(choice, _)| *choice).collect::<Vec<_>>().join(", ");
        found
            .map(|(_, choice)| Some(*choice))
            .ok_or_else(|| ParameterError::Choice { name, allowed: allowed() })
    }

    /// A parameter that is a whole number.
    ///
    /// # Errors
    /// When it is none.
    pub fn number<T: FromStr>(&self, name: &'static str) -> Result<Option<T>, ParameterError> {
        let number = |value: &str| value.trim().parse().map_err(|_| ParameterError::Number(name));
        self.get(name).map(number).transpose()
    }

    /// The file that a parameter names, else this one in `~/.postgresql`.
    pub fn file(&self, name: &str, at_home: &str) -> Option<PathBuf> {
        let default = || self.home.as_deref().map(|home| home.join(".postgresql").join(at_home));
        self.get(name).map(PathBuf::from).or_else(default)
    }

    /// The role to connect as: by default, of the same name as the user who runs this.
    ///
    /// # Errors
    /// When that has no name.
    pub fn user(&self) -> Result<String, ParameterError> {
        let name = || {
            uzers::get_user_by_uid(uzers::get_effective_uid())?.name().to_str().map(str::to_owned)
        };
        self.get("user").map(str::to_owned).or_else(name).ok_or(ParameterError::NoUser)
    }

    /// The password for a database of a host; `host` is a name, an address or a socket's directory.
    pub fn password(&self, host: &str, port: u16, database: &str, user: &str) -> Option<Secret> {
        if let Some(password) = self.get("password") {
            return Some(Secret::new(password));
        }
        let mut hosts = vec![host.to_owned()];
        if SOCKETS.contains(&host) {
            hosts.push("localhost".to_owned());
        }
        self.passwords.password(Wanted { hosts: &hosts, port, database, user })
    }

    /// libpq's variables for a client tool that is to connect in the same way to a server that was chosen; the
    /// caller says which by `host`, `hostaddr`, `port`, `user`, `password` and `dbname`.
    pub fn variables(&self, chosen: &[(&str, Secret)]) -> Vec<(&'static str, Secret)> {
        // Which of them is known by now.
        let over = ["service", "servicefile", "passfile", "load_balance_hosts"];
        let over = |name: &str| over.contains(&name) || name == "target_session_attrs";
        let value = |name: &str| {
            let chosen_now = chosen.iter().find(|(other, _)| *other == name);
            let known = || self.values.get(name).filter(|_| !over(name)).cloned();
            let is_of_a_server =
                |name| ["host", "hostaddr", "port", "user", "dbname"].contains(&name);
            match chosen_now {
                Some((_, value)) => Some(value.clone()),
                None if is_of_a_server(name) => None,
                None => known(),
            }
        };
        VARIABLES.iter().filter_map(|(name, variable)| Some((*variable, value(name)?))).collect()
    }
}

/// What settings say, by libpq's names.
fn said(settings: &ConnectSettings) -> BTreeMap<String, Secret> {
    let mut values = settings.parameters.clone();
    let named = [
        ("host", &settings.host),
        ("port", &settings.port),
        ("dbname", &settings.dbname),
        ("user", &settings.username),
    ];
    for (name, value) in named {
        values.extend(value.clone().map(|value| (name.to_owned(), Secret::new(value))));
    }
    values.extend(settings.password.clone().map(|password| ("password".to_owned(), password)));
    values
}

fn home_of_user() -> Option<PathBuf> {
    let user = uzers::get_user_by_uid(uzers::get_effective_uid())?;
    Some(user.home_dir()).filter(|home| *home != Path::new("")).map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::keywords::parse;
    use super::*;

    /// What comes of a connection string, of an environment, and of files at home.
    fn resolved(
        text: &str,
        environment: &[(&str, &str)],
        files: &[(&str, &str)],
    ) -> Result<Parameters, ParameterError> {
        let home = tempfile::tempdir().unwrap();
        for (name, contents) in files {
            let path = home.path().join(name);
            std::fs::write(&path, contents).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        }
        let settings =
            if text.is_empty() { ConnectSettings::default() } else { parse(text).unwrap() };
        Parameters::resolve(&settings, &|name| match name {
            "HOME" => Some(home.path().display().to_string()),
            "PGSYSCONFDIR" => Some("/nowhere".to_owned()),
            name => environment
                .iter()
                .find(|(other, _)| *other == name)
                .map(|(_, value)| value.replace("~", &home.path().display().to_string())),
        })
    }

    #[test]
    fn what_is_said_wins_over_the_service_which_wins_over_the_environment() {
        let service = (".pg_service.conf", "[s]\nhost=h2\nport=2\nuser=u2\nsslmode=require\n");
        let environment =
            [("PGSERVICE", "s"), ("PGHOST", "h3"), ("PGUSER", "u3"), ("PGDATABASE", "d3")];
        let found = resolved("host=h1", &environment, &[service]).unwrap();
        let values = ["host", "port", "user", "dbname", "sslmode"].map(|name| found.get(name));
        assert_eq!(values, ["h1", "2", "u2", "d3", "require"].map(Some));
        let found = resolved("", &environment[1..], &[service]).unwrap();
        assert_eq!((found.get("host"), found.get("port")), (Some("h3"), None));
        let error = resolved("service=t", &[], &[service]).unwrap_err();
        assert_eq!(error.to_string(), "the service t is in no connection service file");
    }

    #[test]
    fn a_service_file_is_the_one_that_is_named() {
        let files =
            [(".pg_service.conf", "[s]\nhost=h1\n"), ("other", "[s]\nhost=h2\n[t]\nhost=h3")];
        let host = |text: &str, environment: &[(&str, &str)]| {
            resolved(text, environment, &files).map(|found| found.get("host").unwrap().to_owned())
        };
        assert_eq!(host("service=s", &[]).unwrap(), "h1");
        let named = [("PGSERVICEFILE", "~/other")];
        assert_eq!(host("service=s", &named).unwrap(), "h2");
        assert_eq!(host("service=t", &named).unwrap(), "h3");
        assert!(host("service=t", &[]).is_err());
        let missing = [("PGSERVICEFILE", "~/missing")];
        assert!(matches!(host("service=s", &missing), Err(ParameterError::Unreadable { .. })));
    }

    #[test]
    fn an_address_of_the_environment_does_not_win_over_a_host_that_was_asked_for() {
        let address = [("PGHOSTADDR", "10.0.0.1")];
        assert_eq!(resolved("host=h", &address, &[]).unwrap().get("hostaddr"), None);
        assert_eq!(resolved("dbname=d", &address, &[]).unwrap().get("hostaddr"), Some("10.0.0.1"));
    }

    #[test]
    fn a_password_comes_from_what_is_said_the_environment_or_the_password_file() {
        let file = (".pgpass", "localhost:*:*:*:socket\ndb:5432:*:me:file\n*:*:*:*:any");
        let other = ("passwords", "*:*:*:*:other");
        let password = |text: &str, environment: &[(&str, &str)], host: &str| {
            let found = resolved(text, environment, &[file, other]).unwrap();
            found.password(host, 5432, "d", "me").unwrap().expose().to_owned()
        };
        assert_eq!(password("password=said", &[("PGPASSWORD", "env")], "db"), "said");
        assert_eq!(password("", &[("PGPASSWORD", "env")], "db"), "env");
        assert_eq!(password("", &[], "db"), "file");
        assert_eq!(password("", &[], "elsewhere"), "any");
        for sockets in SOCKETS {
            assert_eq!(password("", &[], sockets), "socket");
        }
        assert_eq!(password("", &[("PGPASSFILE", "~/passwords")], "db"), "other");
    }

    #[test]
    fn values_that_make_no_sense_are_refused_and_not_shown() {
        let found = resolved("sslmode=hunter2 connect_timeout=hunter2", &[], &[]).unwrap();
        let error = found.choice("sslmode", &[("disable", 0), ("require", 1)]).unwrap_err();
        assert_eq!(error.to_string(), "the setting sslmode is not one of disable, require");
        let error = found.number::<i64>("connect_timeout").unwrap_err();
        assert_eq!(error.to_string(), "the setting connect_timeout is not a whole number");
        assert!(!format!("{found:?}").contains("hunter2"));
        assert_eq!(
            resolved("", &[("PGREQUIRESSL", "1")], &[]).unwrap().get("sslmode"),
            Some("require")
        );
    }

    #[test]
    fn a_client_tool_is_told_of_the_one_server_that_was_chosen() {
        let found =
            resolved("host=a,b port=1,2 sslmode=require target_session_attrs=any", &[], &[]);
        let found = found.unwrap();
        let chosen = [("host", Secret::new("b")), ("password", Secret::new("p"))];
        let shown = |(name, value): (&str, Secret)| format!("{name}={}", value.expose());
        let variables: Vec<String> = found.variables(&chosen).into_iter().map(shown).collect();
        assert_eq!(variables, ["PGHOST=b", "PGPASSWORD=p", "PGSSLMODE=require"]);
    }
}
