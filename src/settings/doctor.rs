//! What `doctor` looks at: the settings of the other commands, each resolved by itself, so that one which makes no sense
//! hides no other.

use std::path::PathBuf;
use std::time::Duration;

use super::images::Images;
use super::{
    Environment, SettingsError, connection, limits, metrics_file, notify, place, sealing, signing,
};
use crate::cli::{DoctorArgs, EncryptArgs, Format, PostgresVersion};
use crate::config::Config;
use crate::libpq::settings::ConnectSettings;
use crate::notify::Target;
use crate::sandbox::{Choice, Limits};
use crate::sealing::{Recipients, Unsealing};
use crate::signing::{AllowedSigners, Request};

/// Variables by which a source database is named.
const SOURCE: [&str; 8] = [
    "DB_HOST",
    "DB_PORT",
    "DB_NAME",
    "DB_USER",
    "DATABASE_URL",
    "PGHOST",
    "PGDATABASE",
    "PGSERVICE",
];

/// Why a setting is not known.
#[derive(Debug)]
pub enum Unset {
    /// It makes no sense.
    Senseless(SettingsError),
    /// The configuration that may have it cannot be read.
    Unread,
}

impl From<SettingsError> for Unset {
    fn from(error: SettingsError) -> Self {
        Self::Senseless(error)
    }
}

/// A setting, where it is known.
type Said<T> = Result<T, Unset>;

/// Settings of `doctor`.
#[derive(Debug)]
pub struct DoctorSettings {
    /// The configuration: the file where there is one.
    pub config: Said<Option<PathBuf>>,
    /// The container that the source database runs in.
    pub container: Option<String>,
    /// The source database.
    pub source: Said<ConnectSettings>,
    /// Whether anybody named one; else it is where one would be looked for.
    pub source_is_named: bool,
    /// The pg_dump that was asked for.
    pub pg_dump: Option<PathBuf>,
    /// Directory of the backups.
    pub backup_dir: Said<PathBuf>,
    /// Places of copies.
    pub copies: Said<Vec<PathBuf>>,
    /// The throwaway server.
    pub sandbox: Said<DoctorSandbox>,
    /// To whom new backups are sealed.
    pub recipients: Said<Option<Recipients>>,
    /// What opens backups, and what is worth a word of it.
    pub unsealing: Said<(Unsealing, Vec<String>)>,
    /// Who signs.
    pub sign: Said<Option<Request>>,
    /// Who may have signed.
    pub allowed_signers: Said<Option<AllowedSigners>>,
    /// Who is told of any command, each by itself.
    pub targets: Vec<Said<Target>>,
    /// How long telling may take.
    pub limit: Said<Duration>,
    /// Whether they are told, as a test.
    pub send_test: bool,
    /// Where metrics go.
    pub metrics_file: Option<PathBuf>,
    /// Where something is put for a while.
    pub spool: PathBuf,
    /// Answer in JSON.
    pub json: bool,
}

/// The throwaway server, as far as it is looked at.
#[derive(Debug)]
pub struct DoctorSandbox {
    /// What runs it.
    pub engine: Choice,
    /// Its image, whatever the source has.
    pub image: Option<String>,
    /// Images for sources with certain extensions, where none is named.
    pub images: Images,
    /// Its image for all others.
    pub usual_image: Option<String>,
    /// Whether `verify` builds one with what it lacks.
    pub build_image: bool,
    /// Its major version; without one, the source's.
    pub version: Option<u32>,
    /// Settings of the server.
    pub server_settings: Vec<(String, String)>,
    /// Whether the file that has them was named.
    pub config_is_named: bool,
    /// What it may take of its machine.
    pub limits: Limits,
    /// Whether one is started.
    pub start: bool,
}

/// Resolves `doctor`. Nothing that makes no sense is an error here.
pub fn doctor(args: &DoctorArgs, environment: Environment) -> DoctorSettings {
    let named = args.config.config.as_deref();
    let read = Config::read(named).map_err(|error| signing::unread(&error));
    let is_read = read.is_ok();
    let config = read.as_ref().cloned().unwrap_or_default();
    let file = Config::file(named);
    // What is given elsewhere is not looked for there.
    let unless_unread = |given: bool| if is_read || given { Ok(()) } else { Err(Unset::Unread) };
    let encrypt = EncryptArgs {
        encrypt_to: args.encrypt_to.clone(),
        passphrase: false,
        passphrase_file: None,
        no_encryption: false,
    };
    let flags = ConnectSettings {
        host: args.host.clone(),
        port: args.port.map(|port| port.to_string()),
        dbname: args.dbname.clone(),
        username: args.username.clone(),
        ..ConnectSettings::default()
    };
    let is_set = |name: &&str| environment(name).is_some();
    let source_is_named = flags != ConnectSettings::default()
        || args.database_url.is_some()
        || SOURCE.iter().any(is_set);
    let url = ("--database-url", args.database_url.as_deref());
    let container = connection::container(args.container.as_deref(), &config, None);
    let source_is_named = source_is_named || container.is_some();
    DoctorSettings {
        config: read.map(|_| file).map_err(Unset::Senseless),
        source: connection::resolve(flags, url, None, container.as_deref(), environment)
            .map_err(Unset::Senseless),
        container,
        source_is_named,
        pg_dump: args.pg_dump.clone(),
        backup_dir: place::place(&args.backup_dir).map_err(Unset::Senseless),
        copies: unless_unread(!args.copy_to.is_empty())
            .and_then(|()| Ok(place::copies(&args.copy_to, &config)?)),
        sandbox: unless_unread(false).and_then(|()| Ok(sandbox(args, &config)?)),
        recipients: unless_unread(!args.encrypt_to.is_empty()).and_then(|()| {
            let configured = &config.encryption.recipients;
            Ok(sealing::recipients(&encrypt, configured, None, environment)?)
        }),
        unsealing: sealing::unsealing(&args.decrypt, environment).map_err(Unset::Senseless),
        sign: unless_unread(args.sign.sign_key.is_some())
            .and_then(|()| Ok(signing::request(&args.sign, &config.signing, environment)?)),
        allowed_signers: unless_unread(args.signers.allowed_signers.is_some())
            .and_then(|()| Ok(signing::allowed(&args.signers, &config.signing)?)),
        targets: match unless_unread(false) {
            Ok(()) => notify::targets(&config.notify, |_| true, environment)
                .into_iter()
                .map(|target| target.map_err(Unset::Senseless))
                .collect(),
            Err(unread) => vec![Err(unread)],
        },
        limit: notify::limit(config.notify.timeout.as_deref()).map_err(Unset::Senseless),
        send_test: args.send_test,
        metrics_file: metrics_file(&args.metrics),
        spool: args.spool.clone().unwrap_or_else(std::env::temp_dir),
        json: args.format == Format::Json,
    }
}

fn sandbox(args: &DoctorArgs, config: &Config) -> Result<DoctorSandbox, SettingsError> {
    let given = args.image.clone().filter(|image| !image.is_empty());
    let settings = config.verify.settings.iter();
    let nano_cpus = config.verify.cpus.map(limits::nano_cpus).transpose()?;
    Ok(DoctorSandbox {
        engine: args.engine.into(),
        image: given,
        images: Images::parse(config.images.clone())?,
        usual_image: config.verify.image.clone(),
        build_image: config.verify.build_image,
        version: match args.postgres_version {
            PostgresVersion::Auto => None,
            PostgresVersion::Major(major) => Some(major),
        },
        server_settings: settings.map(|(name, value)| (name.clone(), value.to_string())).collect(),
        config_is_named: args.config.config.is_some(),
        limits: Limits {
            memory: config.verify.memory.as_deref().map(limits::memory).transpose()?,
            nano_cpus,
        },
        start: !args.no_start,
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn resolved(text: &str, flags: &[&str], variables: &[(&str, &str)]) -> DoctorSettings {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let args = ["ccc-backup", "doctor", "--config", file.path().to_str().unwrap()];
        let cli = Cli::try_parse_from(args.iter().chain(flags)).unwrap();
        let Command::Doctor(args) = cli.command else { panic!("not doctor") };
        doctor(&args, &|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn what_makes_no_sense_hides_nothing_else() {
        let config = "[encryption]\nrecipients = [\"age1nobody\"]\n[[copies]]\nplace = \"ftp://x\"\n\
                      [[notify.ping]]\nurl = \"env:NOT_SET\"\n[[notify.ping]]\nurl = \"https://h/x\"\n";
        let settings = resolved(config, &[], &[("DB_PORT", "none")]);
        assert!(settings.config.is_ok() && settings.sandbox.is_ok() && settings.sign.is_ok());
        assert!(
            settings.recipients.is_err() && settings.copies.is_err() && settings.source.is_err()
        );
        assert!(settings.targets[0].is_err() && settings.targets[1].is_ok());
        let flags = ["--encrypt-to", "age1nobody", "--copy-to", "elsewhere"];
        assert_eq!(resolved(config, &flags, &[]).copies.unwrap(), [PathBuf::from("elsewhere")]);
    }

    #[test]
    fn what_stands_in_a_configuration_that_cannot_be_read_is_not_known() {
        let settings = resolved("[checks", &["--copy-to", "elsewhere"], &[]);
        assert!(settings.config.is_err() && settings.recipients.is_err() && settings.sign.is_err());
        assert!(settings.copies.is_ok() && settings.source.is_ok() && settings.unsealing.is_ok());
        assert!(settings.targets[0].is_err());
    }

    #[test]
    fn a_source_is_named_by_a_flag_a_url_or_the_environment() {
        let named = |flags: &[&str], variables: &[(&str, &str)]| {
            resolved("", flags, variables).source_is_named
        };
        assert!(!named(&[], &[]));
        assert!(!named(&[], &[("PGPASSWORD", "x")]));
        assert!(named(&["--host", "db"], &[]));
        assert!(named(&["--database-url", "postgresql://db/x"], &[]));
        assert!(named(&[], &[("PGSERVICE", "x")]));
    }
}
