//! How a database is reached, from flags and environment: for who makes backups of it and who restores
//! into it.

use std::path::Path;

use super::{Environment, SettingsError};
use crate::config::{Config, Database};
use crate::libpq::settings::ConnectSettings;
use crate::libpq::url::parse_database_url;
use crate::model::secret::Secret;
use crate::pg::Target;
use crate::store::place::Place;

/// Each part of the connection is taken from the first that has it: `flags`, the URL of the flag
/// `url_flag`, `DB_*`, `DATABASE_URL`, libpq's own environment, the defaults; `container` is the one that the database is
/// asked in, where it is in one.
///
/// # Errors
/// When a URL cannot be understood, or stands where a name belongs.
pub(super) fn resolve(
    flags: ConnectSettings,
    url_flag: (&str, Option<&str>),
    output: Option<&Path>,
    container: Option<&str>,
    environment: Environment,
) -> Result<ConnectSettings, SettingsError> {
    let db = ConnectSettings {
        host: environment("DB_HOST"),
        port: environment("DB_PORT"),
        dbname: environment("DB_NAME"),
        username: environment("DB_USER"),
        password: environment("DB_PASSWORD").map(Secret::new),
        ..ConnectSettings::default()
    };
    let (flag, given) = url_flag;
    let source = flags
        .or(url(given.map(str::to_owned), flag)?)
        .or(db)
        .or(url(environment("DATABASE_URL"), "DATABASE_URL")?);
    let source = match container {
        Some(container) => inside(container, source, environment)?,
        None => or_defaults(source, environment),
    };
    check_places(output, flag, &source)?;
    check_port(source.port.as_deref())?;
    Ok(source)
}

/// How a database of the configuration is reached, as far as that says so.
///
/// # Errors
/// When it names a variable that is not set.
pub(super) fn of_entry(
    entry: &Database,
    environment: Environment,
) -> Result<ConnectSettings, SettingsError> {
    let password = entry.password_env.as_ref().map(|name| {
        environment(name).map(Secret::new).ok_or_else(|| SettingsError {
            message: format!(
                "the password of the database {:?} is to be what the variable {name} has, which is not set",
                entry.name
            ),
            hint: format!("set {name}, or leave password_env out, where ~/.pgpass has the password"),
        })
    });
    Ok(ConnectSettings {
        host: entry.host.clone(),
        port: entry.port.map(|port| port.to_string()),
        dbname: Some(entry.name.clone()),
        username: entry.user.clone(),
        password: password.transpose()?,
        ..ConnectSettings::default()
    })
}

/// The database that a flag names: by itself, else in a URL.
///
/// # Errors
/// When the URL cannot be understood.
pub(super) fn named(
    dbname: Option<&str>,
    database_url: Option<&str>,
) -> Result<Option<String>, SettingsError> {
    let in_url = url(database_url.map(str::to_owned), "--database-url")?.dbname;
    Ok(dbname.map(str::to_owned).or(in_url))
}

/// What is worth a word before the work.
pub(super) fn warnings(source: &ConnectSettings) -> Vec<String> {
    let warning = |name: &String| {
        format!("the URL's parameter {name} is not one of libpq's and was left out")
    };
    source.ignored.iter().map(warning).collect()
}

/// A URL or connection string where a name belongs would be shown, and may hold a password.
fn check_places(
    output: Option<&Path>,
    flag: &str,
    source: &ConnectSettings,
) -> Result<(), SettingsError> {
    let is_place = |path: &&Path| matches!(Place::of(path), Ok(Place::Objects(_)));
    let output = output.filter(|path| !is_place(path)).map(Path::to_string_lossy);
    let places = [
        ("OUTPUT", output.as_deref()),
        ("the host", source.host.as_deref()),
        ("the name of the database", source.dbname.as_deref()),
        ("the name of the user", source.username.as_deref()),
    ];
    let connects = |text: &str| text.contains("://") || text.contains("password=");
    match places.iter().find(|(_, text)| text.is_some_and(connects)) {
        None => Ok(()),
        Some((place, _)) => Err(SettingsError {
            message: format!("{place} is a URL or a connection string"),
            hint: format!("give a URL by {flag} or DATABASE_URL, and the password by DB_PASSWORD"),
        }),
    }
}

/// A port is a number; several hosts have several, separated by commas.
fn check_port(port: Option<&str>) -> Result<(), SettingsError> {
    let numbers = |ports: &str| {
        ports.split(',').all(|port| port.is_empty() || port.trim().parse::<u16>().is_ok())
    };
    match port.filter(|port| !numbers(port)) {
        None => Ok(()),
        Some(port) => Err(SettingsError {
            message: format!("the port {port} is not a number from 1 to 65535"),
            hint: "check --port, DB_PORT, DATABASE_URL and PGPORT; PostgreSQL's own is 5432"
                .to_owned(),
        }),
    }
}

fn url(text: Option<String>, from: &str) -> Result<ConnectSettings, SettingsError> {
    let Some(text) = text else { return Ok(ConnectSettings::default()) };
    parse_database_url(&text).map_err(|error| SettingsError {
        message: format!("{from}: {error}"),
        hint: error.hint().unwrap_or_default(),
    })
}

/// The defaults, where neither we nor libpq's environment say anything. A libpq service says
/// everything by itself.
fn or_defaults(source: ConnectSettings, environment: Environment) -> ConnectSettings {
    if environment("PGSERVICE").is_some() || source.parameters.contains_key("service") {
        return source;
    }
    let default = |variable: &str, value: &str| {
        Some(environment(variable).unwrap_or_else(|| value.to_owned()))
    };
    let hostaddr = environment("PGHOSTADDR")
        .or_else(|| source.parameters.get("hostaddr").map(|address| address.expose().to_owned()));
    source.or(ConnectSettings {
        host: default("PGHOST", hostaddr.as_deref().unwrap_or("localhost")),
        port: default("PGPORT", "5432"),
        dbname: default("PGDATABASE", "content_creation_crew"),
        username: default("PGUSER", "postgres"),
        ..ConnectSettings::default()
    })
}

/// The same where the database is asked in its own container: what libpq's environment says of hosts and files is said of
/// this machine, and what is still open is for the container to say.
fn inside(
    container: &str,
    source: ConnectSettings,
    environment: Environment,
) -> Result<ConnectSettings, SettingsError> {
    if let Some(service) = environment("PGSERVICE") {
        return Err(SettingsError {
            message: format!(
                "PGSERVICE names the service {service} of this machine, and the database is asked in the container \
                 {container}"
            ),
            hint:
                "unset PGSERVICE, or leave the container out (--container, CCC_BACKUP_CONTAINER, \
                   create.container)"
                    .to_owned(),
        });
    }
    Ok(source.or(ConnectSettings {
        dbname: environment("PGDATABASE"),
        username: environment("PGUSER"),
        password: environment("PGPASSWORD").map(Secret::new),
        ..ConnectSettings::default()
    }))
}

/// The container that was named: by a flag, else by an entry of the configuration, else for all that name no other place.
pub(super) fn container(
    flag: Option<&str>,
    config: &Config,
    entry: Option<&Database>,
) -> Option<String> {
    let flag = flag.filter(|name| !name.is_empty());
    let of_entry = entry.and_then(|entry| entry.container.as_deref());
    let is_elsewhere = entry.is_some_and(|entry| entry.host.is_some());
    let of_all = config.create.container.as_deref().filter(|_| !is_elsewhere);
    flag.or(of_entry).or(of_all).map(str::to_owned)
}

/// How the server is connected to by ourselves.
///
/// # Errors
/// When the settings ask for what our own connections cannot do.
pub(super) fn target(
    source: &ConnectSettings,
    environment: Environment,
) -> Result<Target, SettingsError> {
    Target::resolve(source, environment)
        .map_err(|error| SettingsError { message: error.to_string(), hint: error.hint() })
}
