//! Settings of `create`: where the database is, and what is made of it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::packing::{codec, format_for, jobs_for};
use super::{Environment, SettingsError, metrics_file};
use crate::cli::CreateArgs;
use crate::model::format::Format;
use crate::model::secret::Secret;
use crate::packing::codec::Codec;
use crate::source::settings::SourceSettings;
use crate::source::url::parse_database_url;

/// Settings of `create`.
#[derive(Debug, Clone)]
pub struct CreateSettings {
    /// The file asked for; without one, it is named by the time.
    pub output: Option<PathBuf>,
    /// Directory of the backups.
    pub backup_dir: PathBuf,
    /// The source; what is open in it is left to libpq.
    pub source: SourceSettings,
    /// The pg_dump to use; without one, it is looked for.
    pub pg_dump: Option<PathBuf>,
    /// Whether owners and grants are dumped.
    pub keep_owner: bool,
    /// Whether the server's roles and tablespaces are written beside the backup.
    pub globals: bool,
    /// What pg_dump writes.
    pub format: Format,
    /// How the file, or what is in the archive, is packed.
    pub codec: Codec,
    /// Tables dumped at a time, in the directory format.
    pub jobs: usize,
    /// Give up after this time.
    pub timeout: Option<Duration>,
    /// Whether the output may be overwritten.
    pub force: bool,
    /// More arguments for pg_dump.
    pub pg_dump_args: Vec<OsString>,
    /// Where metrics go.
    pub metrics_file: Option<PathBuf>,
    /// What is worth a word before the work.
    pub warnings: Vec<String>,
}

/// Resolves `create`. Each part of the connection is taken from the first that has it: flags, the
/// URL of `--database-url`, `DB_*`, `DATABASE_URL`, libpq's own environment, the defaults.
///
/// # Errors
/// When a URL or a method of compression cannot be understood.
pub fn create(
    args: &CreateArgs,
    environment: Environment,
) -> Result<CreateSettings, SettingsError> {
    let flags = SourceSettings {
        host: args.host.clone(),
        port: args.port.map(|port| port.to_string()),
        dbname: args.dbname.clone(),
        username: args.username.clone(),
        ..SourceSettings::default()
    };
    let db = SourceSettings {
        host: environment("DB_HOST"),
        port: environment("DB_PORT"),
        dbname: environment("DB_NAME"),
        username: environment("DB_USER"),
        password: environment("DB_PASSWORD").map(Secret::new),
        ..SourceSettings::default()
    };
    let source = flags
        .or(url(args.database_url.clone(), "--database-url")?)
        .or(db)
        .or(url(environment("DATABASE_URL"), "DATABASE_URL")?);
    let source = or_defaults(source, environment);
    check_places(args.output.as_deref(), &source)?;
    check_port(source.port.as_deref())?;
    let warnings = source
        .ignored
        .iter()
        .map(|name| format!("the URL's parameter {name} is not one of libpq's and was left out"))
        .collect();
    let format = format_for(args.format.as_deref(), args.output.as_deref())?;
    Ok(CreateSettings {
        output: args.output.clone(),
        backup_dir: args.backup_dir.clone(),
        source,
        pg_dump: args.pg_dump.clone(),
        keep_owner: args.keep_owner,
        globals: args.globals,
        format,
        codec: codec(format, args.compress.as_deref(), args.output.as_deref())?,
        jobs: jobs_for(format, args.jobs)?,
        timeout: args.timeout,
        force: args.force,
        pg_dump_args: args.pg_dump_args.clone(),
        metrics_file: metrics_file(&args.metrics),
        warnings,
    })
}

/// A URL or connection string where a name belongs would be shown, and may hold a password.
fn check_places(output: Option<&Path>, source: &SourceSettings) -> Result<(), SettingsError> {
    let output = output.map(Path::to_string_lossy);
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
            hint: "give a URL by --database-url or DATABASE_URL, and the password by DB_PASSWORD"
                .to_owned(),
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

fn url(text: Option<String>, from: &str) -> Result<SourceSettings, SettingsError> {
    let Some(text) = text else { return Ok(SourceSettings::default()) };
    parse_database_url(&text).map_err(|error| SettingsError {
        message: format!("{from}: {error}"),
        hint: error.hint().unwrap_or_default(),
    })
}

/// The defaults, where neither we nor libpq's environment say anything. A libpq service says
/// everything by itself.
fn or_defaults(source: SourceSettings, environment: Environment) -> SourceSettings {
    if environment("PGSERVICE").is_some() || source.parameters.contains_key("service") {
        return source;
    }
    let default = |variable: &str, value: &str| {
        Some(environment(variable).unwrap_or_else(|| value.to_owned()))
    };
    let hostaddr = environment("PGHOSTADDR")
        .or_else(|| source.parameters.get("hostaddr").map(|address| address.expose().to_owned()));
    source.or(SourceSettings {
        host: default("PGHOST", hostaddr.as_deref().unwrap_or("localhost")),
        port: default("PGPORT", "5432"),
        dbname: default("PGDATABASE", "content_creation_crew"),
        username: default("PGUSER", "postgres"),
        ..SourceSettings::default()
    })
}

#[cfg(test)]
pub(super) mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    pub(in crate::settings) fn created(
        flags: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<CreateSettings, SettingsError> {
        let cli = Cli::parse_from(["ccc-backup", "create"].iter().chain(flags));
        let Command::Create(args) = cli.command else { panic!("not create") };
        create(&args, &|name| {
            environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn shown(settings: &CreateSettings) -> String {
        let source = &settings.source;
        let text = |field: &Option<String>| field.clone().unwrap_or_else(|| "-".to_owned());
        let password = source.password.as_ref().map_or("-", Secret::expose);
        format!(
            "{}:{} {} {} {password}",
            text(&source.host),
            text(&source.port),
            text(&source.dbname),
            text(&source.username)
        )
    }

    #[test]
    fn each_part_of_the_connection_comes_from_the_strongest_source() {
        let url = ("DATABASE_URL", "postgresql+psycopg2://u3:p3@h3:3/d3");
        let db = ("DB_HOST", "h2");
        let flag_url = "--database-url=postgresql://u1@h1/d1";
        type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str);
        let cases: [Case; 7] = [
            (&[], &[], "localhost:5432 content_creation_crew postgres -"),
            (&[], &[("PGHOST", "h4"), ("PGUSER", "u4")], "h4:5432 content_creation_crew u4 -"),
            (&[], &[url, ("PGHOST", "h4")], "h3:3 d3 u3 p3"),
            (&[], &[url, db, ("DB_PASSWORD", "p2")], "h2:3 d3 u3 p2"),
            (&[flag_url], &[url, db], "h1:3 d1 u1 p3"),
            (&["--host=h0", "--port=7", flag_url], &[url, db], "h0:7 d1 u1 p3"),
            (&[], &[("PGSERVICE", "s")], "-:- - - -"),
        ];
        for (flags, environment, expected) in cases {
            assert_eq!(shown(&created(flags, environment).unwrap()), expected);
        }
    }

    #[test]
    fn a_wrong_url_is_named_without_its_password() {
        let wrong = [("DATABASE_URL", "mysql://u:hunter2@h/d")];
        let error = created(&[], &wrong).unwrap_err();
        assert!(error.to_string().starts_with("DATABASE_URL: "), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn a_url_in_the_place_of_a_name_is_refused_and_not_shown() {
        let url = "postgresql://u:hunter2@h/d";
        type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)]);
        let cases: [Case; 5] = [
            (&[url], &[]),
            (&["--host", url], &[]),
            (&["--dbname", "host=h password=hunter2"], &[]),
            (&["--username", url], &[]),
            (&[], &[("PGDATABASE", url)]),
        ];
        for (flags, environment) in cases {
            let error = created(flags, environment).unwrap_err();
            assert!(!format!("{error} {}", error.hint).contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_port_is_a_number_or_one_for_each_host() {
        for good in ["5432", "5432,5433", "5432,"] {
            assert!(created(&[], &[("DB_PORT", good)]).is_ok(), "{good}");
        }
        for wrong in ["abc", "70000", "-1", "5432,x"] {
            assert!(created(&[], &[("PGPORT", wrong)]).is_err(), "{wrong}");
        }
    }
}
