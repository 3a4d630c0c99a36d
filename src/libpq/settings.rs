//! How a server is reached, as far as somebody said so, by libpq's names.
//!
//! PostgreSQL's own client tools are given it by environment variables; what is not set is left to libpq, so
//! that `.pgpass`, `PGSERVICE`, `PGSSLMODE` and the rest keep working. For our own connections, the rest is
//! found by [`super::parameters`].

use std::collections::BTreeMap;

use crate::model::secret::Secret;
use crate::process::Invocation;

/// How a server is reached. Plain values: who decided them is not known here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectSettings {
    /// Host names, addresses or a directory of a socket; several separated by commas.
    pub host: Option<String>,
    /// Ports, as many as hosts or one for all.
    pub port: Option<String>,
    /// Name of the database.
    pub dbname: Option<String>,
    /// The role to connect as.
    pub username: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
    /// Other parameters by libpq's names, such as `sslmode`; only those that
    /// [`is_parameter`] knows.
    pub parameters: BTreeMap<String, Secret>,
    /// Parameters of a URL that are not libpq's and were left out.
    pub ignored: Vec<String>,
}

impl ConnectSettings {
    /// What is set here, and what is not from `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let mut parameters = other.parameters;
        parameters.extend(self.parameters);
        let mut ignored = self.ignored;
        ignored.extend(other.ignored);
        Self {
            host: self.host.or(other.host),
            port: self.port.or(other.port),
            dbname: self.dbname.or(other.dbname),
            username: self.username.or(other.username),
            password: self.password.or(other.password),
            parameters,
            ignored,
        }
    }

    /// Sets what has this name; `false` where libpq knows no such name. Empty is unset.
    pub(super) fn set(&mut self, name: &str, value: String) -> bool {
        let value = (!value.is_empty()).then_some(value);
        match name {
            "host" => self.host = value,
            "port" => self.port = value,
            "dbname" => self.dbname = value,
            "user" => self.username = value,
            "password" => self.password = value.map(Secret::new),
            name if is_parameter(name) => {
                self.parameters.extend(value.map(|value| (name.to_owned(), value.into())));
            }
            _ => return false,
        }
        true
    }

    /// Makes a client tool connect to the source, without ever asking for a password.
    pub fn apply(&self, tool: Invocation) -> Invocation {
        let inherited = std::env::var_os("PGSERVICE").is_some_and(|name| !name.is_empty());
        self.apply_where(tool, inherited)
    }

    /// The same; `service` says whether the environment names a libpq service.
    fn apply_where(&self, tool: Invocation, service: bool) -> Invocation {
        // The tools' messages are read by us.
        let mut tool =
            tool.env("LC_ALL", Secret::new("C")).env_remove("LANGUAGE").arg("--no-password");
        // Times with a zone are written in UTC, so that they can be compared without knowing how
        // the source is set up. They are the same times.
        tool = tool.env("PGTZ", Secret::new("UTC"));
        if self.host.is_some() && !self.parameters.contains_key("hostaddr") {
            // It would win over the host that was asked for.
            tool = tool.env_remove("PGHOSTADDR");
        }
        let named = [
            ("host", &self.host),
            ("port", &self.port),
            ("dbname", &self.dbname),
            ("user", &self.username),
        ];
        let service = service || self.parameters.contains_key("service");
        // A service file wins over the environment, and some parameters have no variable. Neither
        // is a secret, so they may stand among the arguments.
        let mut conninfo = Vec::new();
        for (name, value) in named {
            if let (Some(value), Some(variable)) = (value, variable(name)) {
                if service {
                    conninfo.push(conninfo_item(name, value));
                }
                tool = tool.env(variable, Secret::new(value.clone()));
            }
        }
        if let Some(password) = &self.password {
            tool = tool.env("PGPASSWORD", password.clone());
        }
        for (name, value) in &self.parameters {
            match variable(name) {
                Some(variable) => tool = tool.env(variable, value.clone()),
                None => conninfo.push(conninfo_item(name, value.expose())),
            }
        }
        if !conninfo.is_empty() {
            tool = tool.arg(format!("--dbname={}", conninfo.join(" ")));
        }
        tool
    }
}

/// A parameter in a connection string.
pub fn conninfo_item(name: &str, value: &str) -> String {
    let quoted = value.replace('\\', r"\\").replace('\'', r"\'");
    format!("{name}='{quoted}'")
}

/// Whether libpq knows a parameter of this name that may be passed on.
pub fn is_parameter(name: &str) -> bool {
    variable(name).is_some() || WITHOUT_VARIABLE.contains(&name)
}

/// The environment variable of a libpq parameter. Source: PostgreSQL 18, 32.15 "Environment
/// Variables".
pub(super) fn variable(name: &str) -> Option<&'static str> {
    VARIABLES.iter().find(|(parameter, _)| *parameter == name).map(|(_, variable)| *variable)
}

/// Parameters without a variable; none of them is a secret.
const WITHOUT_VARIABLE: [&str; 5] = [
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "tcp_user_timeout",
];

/// Names of parameters, and the variables that set them.
pub(super) const VARIABLES: [(&str, &str); 36] = [
    ("application_name", "PGAPPNAME"),
    ("channel_binding", "PGCHANNELBINDING"),
    ("client_encoding", "PGCLIENTENCODING"),
    ("connect_timeout", "PGCONNECT_TIMEOUT"),
    ("dbname", "PGDATABASE"),
    ("gssdelegation", "PGGSSDELEGATION"),
    ("gssencmode", "PGGSSENCMODE"),
    ("gsslib", "PGGSSLIB"),
    ("host", "PGHOST"),
    ("hostaddr", "PGHOSTADDR"),
    ("krbsrvname", "PGKRBSRVNAME"),
    ("load_balance_hosts", "PGLOADBALANCEHOSTS"),
    ("max_protocol_version", "PGMAXPROTOCOLVERSION"),
    ("min_protocol_version", "PGMINPROTOCOLVERSION"),
    ("options", "PGOPTIONS"),
    ("passfile", "PGPASSFILE"),
    ("password", "PGPASSWORD"),
    ("port", "PGPORT"),
    ("require_auth", "PGREQUIREAUTH"),
    ("requirepeer", "PGREQUIREPEER"),
    ("service", "PGSERVICE"),
    ("servicefile", "PGSERVICEFILE"),
    ("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION"),
    ("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION"),
    ("sslcert", "PGSSLCERT"),
    ("sslcertmode", "PGSSLCERTMODE"),
    ("sslcompression", "PGSSLCOMPRESSION"),
    ("sslcrl", "PGSSLCRL"),
    ("sslcrldir", "PGSSLCRLDIR"),
    ("sslkey", "PGSSLKEY"),
    ("sslmode", "PGSSLMODE"),
    ("sslnegotiation", "PGSSLNEGOTIATION"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("sslsni", "PGSSLSNI"),
    ("target_session_attrs", "PGTARGETSESSIONATTRS"),
    ("user", "PGUSER"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn args(settings: &ConnectSettings, service: bool) -> Vec<String> {
        let tool = settings.apply_where(Invocation::new("pg_dump"), service);
        let text = |arg: &std::ffi::OsString| arg.to_str().unwrap().to_owned();
        tool.arguments().iter().map(text).collect()
    }

    fn settings() -> ConnectSettings {
        ConnectSettings {
            host: Some("db".into()),
            dbname: Some("it's\\mine".into()),
            password: Some(Secret::new("hunter2")),
            ..ConnectSettings::default()
        }
    }

    #[test]
    fn settings_travel_by_environment_and_nothing_asks_for_a_password() {
        assert_eq!(args(&settings(), false), ["--no-password"]);
    }

    #[test]
    fn what_was_asked_for_wins_over_a_service_file() {
        let expected = r"--dbname=host='db' dbname='it\'s\\mine'";
        assert_eq!(args(&settings(), true), ["--no-password", expected]);
    }

    #[test]
    fn a_parameter_without_a_variable_becomes_an_argument() {
        let mut settings = settings();
        let value = Secret::new("60");
        settings.parameters.insert("keepalives_idle".into(), value);
        settings.parameters.insert("sslmode".into(), Secret::new("require"));
        let expected = "--dbname=keepalives_idle='60'";
        assert_eq!(args(&settings, false), ["--no-password", expected]);
    }

    #[test]
    fn what_is_set_wins_and_the_rest_is_filled_in() {
        let fallback = ConnectSettings {
            host: Some("localhost".into()),
            port: Some("5432".into()),
            ..ConnectSettings::default()
        };
        let merged = settings().or(fallback);
        assert_eq!(merged.host.as_deref(), Some("db"));
        assert_eq!(merged.port.as_deref(), Some("5432"));
    }

    #[test]
    fn settings_do_not_show_their_secrets() {
        assert!(!format!("{:?}", settings()).contains("hunter2"));
    }
}
