//! Settings of a backup: where the database is, and what is made of it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::packing::{codec, format_for, jobs_for};
use super::piped::{self, Outgoing};
use super::{Environment, SettingsError, connection, metrics_file, place, sealing, signing};
use crate::cli::CreateArgs;
use crate::config::{Config, Database, OnFinding};
use crate::libpq::settings::ConnectSettings;
use crate::model::format::Format;
use crate::packing::codec::Codec;
use crate::sealing::Recipients;
use crate::signing::Request;
use crate::store::place::is_url;

/// Settings of a backup.
#[derive(Debug, Clone)]
pub struct CreateSettings {
    /// The file asked for; without one, it is named by the time.
    pub output: Option<PathBuf>,
    /// Whether the name that is given to it says of which database it is.
    pub names_database: bool,
    /// Directory of the backups.
    pub backup_dir: PathBuf,
    /// Where it is copied to.
    pub copies: Vec<PathBuf>,
    /// The container that the source runs in, and that it is asked in.
    pub container: Option<String>,
    /// The source; what is open in it is left to libpq, or to the container.
    pub source: ConnectSettings,
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
    /// Who signs it; without, nobody does.
    pub sign: Option<Request>,
    /// Whether the output may be overwritten.
    pub force: bool,
    /// To whom it is sealed; without any, it is not.
    pub recipients: Option<Recipients>,
    /// More arguments for pg_dump.
    pub pg_dump_args: Vec<OsString>,
    /// Where metrics go.
    pub metrics_file: Option<PathBuf>,
    /// Through which pipe it goes; without, it becomes a file of this machine.
    pub outgoing: Option<Outgoing>,
    /// Whether it is told what the source has and the backup has not.
    pub tells_coverage: bool,
    /// What is worth a word before the work.
    pub warnings: Vec<String>,
}

/// Resolves one backup, of the database that `entry` of the configuration is about, where it is about one. Each part of
/// the connection is taken from the first that has it: flags, that entry, the URL of `--database-url`, `DB_*`,
/// `DATABASE_URL`, libpq's own environment, the defaults.
///
/// # Errors
/// When a URL or a method of compression cannot be understood, or what is asked for does not go together.
pub(super) fn backup(
    args: &CreateArgs,
    config: &Config,
    entry: Option<&Database>,
    environment: Environment,
) -> Result<CreateSettings, SettingsError> {
    let flags = ConnectSettings {
        host: args.host.clone(),
        port: args.port.map(|port| port.to_string()),
        dbname: args.dbname.clone(),
        username: args.username.clone(),
        ..ConnectSettings::default()
    };
    let flags = match entry {
        Some(entry) => flags.or(connection::of_entry(entry, environment)?),
        None => flags,
    };
    let url = ("--database-url", args.database_url.as_deref());
    let container = connection::container(args.container.as_deref(), config, entry);
    let (output, at) = (args.output.as_deref(), container.as_deref());
    let mut source = connection::resolve(flags, url, output, at, environment)?;
    if entry.is_some_and(|entry| entry.host.is_some()) {
        // The address of another host.
        source.parameters.remove("hostaddr");
    }
    let warnings = connection::warnings(&source);
    let (configured, output) = (&config.encryption.recipients, args.output.as_deref());
    let recipients = sealing::recipients(&args.encrypt, configured, output, environment)?;
    let (output, backup_dir) =
        (place::optional_backup(args.output.as_deref())?, place::place(&args.backup_dir)?);
    let copies = place::copies(&args.copy_to, config)?;
    // A name that is given says it better.
    let entry = entry.filter(|_| output.is_none());
    let configured = entry.and_then(|entry| entry.format).map(Format::name);
    let format = format_for(args.format.as_deref().or(configured), args.output.as_deref())?;
    if is_url(output.as_deref().unwrap_or(&backup_dir)) {
        refuse_in_place(args, format)?;
    }
    if let Some(container) = &container {
        refuse_inside(args, container)?;
    }
    if let Some(recipients) = &recipients {
        refuse_sealed(args, format, recipients)?;
    }
    let compress = args.compress.as_deref();
    let compress = compress.or(entry.and_then(|entry| entry.compress.as_deref()));
    let sign = signing::request(&args.sign, &config.signing, environment)?;
    let outgoing = piped::outgoing(args, format, sign.is_some())?;
    Ok(CreateSettings {
        names_database: entry.is_some(),
        output: output.filter(|output| !piped::is_pipe(output)),
        outgoing,
        tells_coverage: config.checks.coverage != Some(OnFinding::Off),
        backup_dir,
        copies,
        container,
        source,
        pg_dump: args.pg_dump.clone(),
        keep_owner: args.keep_owner,
        globals: args.globals,
        format,
        codec: codec(format, compress, args.output.as_deref())?,
        jobs: jobs_for(format, args.jobs)?,
        timeout: args.timeout,
        sign,
        force: args.force,
        recipients,
        pg_dump_args: args.pg_dump_args.clone(),
        metrics_file: metrics_file(&args.metrics),
        warnings,
    })
}

/// What cannot be sealed.
fn refuse_sealed(
    args: &CreateArgs,
    format: Format,
    recipients: &Recipients,
) -> Result<(), SettingsError> {
    let refused = |message: &str, hint: &str| {
        Err(SettingsError { message: message.to_owned(), hint: hint.to_owned() })
    };
    match format {
        Format::Tar => refused(
            "a sealed backup cannot have the format tar: pg_dump puts the rows of each table into a temporary file on \
             its way into one, in the open",
            "take --format plain, custom or directory",
        ),
        Format::Directory if recipients.are_slow() => refused(
            "a directory has a file for each table, and each would take a second to open with a passphrase",
            "take --format plain or custom, or --encrypt-to in place of the passphrase",
        ),
        Format::Directory if args.jobs.is_some() => refused(
            "--jobs: of a sealed backup, pg_dump dumps one table at a time, into a pipe",
            "leave --jobs out",
        ),
        _ => Ok(()),
    }
}

/// What cannot be done in a container.
fn refuse_inside(args: &CreateArgs, container: &str) -> Result<(), SettingsError> {
    let refused =
        |message: String, hint: &str| Err(SettingsError { message, hint: hint.to_owned() });
    let reads_file = |arg: &&OsString| arg.to_string_lossy().starts_with("--filter");
    if args.pg_dump.is_some() {
        return refused(
            format!(
                "--pg-dump names a program of this machine, and the container {container} has its own"
            ),
            "leave one of them out: --pg-dump (CCC_BACKUP_PG_DUMP), or --container (CCC_BACKUP_CONTAINER)",
        );
    }
    if args.jobs.is_some() {
        return refused(
            "--jobs: from a container, pg_dump dumps one table at a time, into a pipe".to_owned(),
            "leave --jobs out",
        );
    }
    if args.pg_dump_args.iter().any(|arg| reads_file(&arg)) {
        return refused(
            format!(
                "--filter names a file of this machine, which the container {container} does not see"
            ),
            "say it by --table, --exclude-table and the like",
        );
    }
    Ok(())
}

/// What cannot be streamed to a place.
fn refuse_in_place(args: &CreateArgs, format: Format) -> Result<(), SettingsError> {
    let refused = |message: &str, hint: &str| {
        Err(SettingsError { message: message.to_owned(), hint: hint.to_owned() })
    };
    match format {
        Format::Tar => refused(
            "the format tar cannot be streamed to a place: pg_dump puts the rows of each table into a file on its way",
            "take --format plain, custom or directory",
        ),
        Format::Directory if args.jobs.is_some() => refused(
            "--jobs: to a place, pg_dump dumps one table at a time, into a pipe",
            "leave --jobs out",
        ),
        Format::Directory if args.force => refused(
            "--force replaces no directory in a place: of the old one, files would be left",
            "choose another name",
        ),
        Format::Plain | Format::Custom | Format::Directory => Ok(()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};
    use crate::model::secret::Secret;

    pub(in crate::settings) fn created(
        flags: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<CreateSettings, SettingsError> {
        let cli = Cli::parse_from(["ccc-backup", "create"].iter().chain(flags));
        let Command::Create(args) = cli.command else { panic!("not create") };
        backup(&args, &Config::default(), None, &|name| {
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
