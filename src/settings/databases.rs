//! Settings of `create`: which databases it backs up, one or several, each by its own settings.

use std::path::PathBuf;

use super::create::backup;
use super::{CreateSettings, Environment, SettingsError, connection, signing};
use crate::cli::CreateArgs;
use crate::config::{Config, Database};
use crate::model::pattern::DatabasePattern;

/// Settings of `create`.
#[derive(Debug, Clone)]
pub struct CreationSettings {
    /// The backup; of several, what they have in common.
    pub backup: CreateSettings,
    /// The databases, where they may be several.
    pub several: Option<Several>,
    /// Where the report goes.
    pub report: Option<PathBuf>,
}

/// Several databases.
#[derive(Debug, Clone)]
pub struct Several {
    /// Whether all of the server are meant, and not only those of the configuration.
    pub all: bool,
    /// Those of the configuration, in its order.
    pub configured: Vec<Configured>,
    /// Those that are left out.
    pub exclude: Vec<DatabasePattern>,
}

/// A database of the configuration.
#[derive(Debug, Clone)]
pub struct Configured {
    /// Its name.
    pub name: String,
    /// Whether the configuration says where it is.
    pub is_elsewhere: bool,
    /// How it is backed up.
    pub settings: CreateSettings,
}

/// Resolves `create`. A database that is named by a flag is backed up alone; else those of the configuration are; else
/// the one that the environment names. `--all-databases` means all of the server, and those of the configuration.
///
/// # Errors
/// When settings cannot be understood or do not go together, and when the configuration has a database twice.
pub fn create(
    args: &CreateArgs,
    environment: Environment,
) -> Result<CreationSettings, SettingsError> {
    let config = Config::read(args.config.as_deref()).map_err(|error| signing::unread(&error))?;
    check(&config.databases)?;
    let exclude = args.exclude_database.iter().map(|text| DatabasePattern::parse(text));
    let exclude: Vec<DatabasePattern> =
        exclude.collect::<Result<_, _>>().map_err(|error| no_pattern(&error.to_string()))?;
    let report = args.report.clone();
    let named = connection::named(args.dbname.as_deref(), args.database_url.as_deref())?;
    let entry = match (&named, config.databases.as_slice()) {
        _ if args.all_databases => None,
        (Some(name), entries) => entries.iter().find(|entry| entry.name == *name),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    let is_one = named.is_some() || config.databases.len() < 2;
    if is_one && !args.all_databases {
        if !exclude.is_empty() || args.no_globals {
            return refused(
                "--exclude-database and --no-globals are of several databases, and this is a backup of one",
                "leave them out, or back up all: --all-databases",
            );
        }
        let backup = backup(args, &config, entry, environment)?;
        return Ok(CreationSettings { backup, several: None, report });
    }
    refuse_names(args)?;
    let together = |settings: CreateSettings| CreateSettings {
        names_database: true,
        globals: !args.no_globals,
        ..settings
    };
    let configured = config.databases.iter().map(|entry| {
        Ok(Configured {
            name: entry.name.clone(),
            is_elsewhere: entry.is_elsewhere(),
            settings: together(backup(args, &config, Some(entry), environment)?),
        })
    });
    let configured = configured.collect::<Result<_, SettingsError>>()?;
    let backup = together(backup(args, &config, None, environment)?);
    let several = Several { all: args.all_databases, configured, exclude };
    Ok(CreationSettings { backup, several: Some(several), report })
}

/// What one file of a configuration cannot mean.
fn check(entries: &[Database]) -> Result<(), SettingsError> {
    for (at, entry) in entries.iter().enumerate() {
        if entry.name.is_empty() {
            return refused("[[databases]] has one without a name", "give it one: name = \"…\"");
        }
        if entries[..at].iter().any(|other| other.name == entry.name) {
            return refused(
                &format!("[[databases]] has {:?} twice", entry.name),
                "leave one of them out: backups are told apart by the database's name. One of another server goes to a \
                 directory and a configuration of its own",
            );
        }
    }
    Ok(())
}

/// What is said of one backup cannot be meant of several.
fn refuse_names(args: &CreateArgs) -> Result<(), SettingsError> {
    let what = if args.to.to_command.is_some() {
        "--to-command stores one backup"
    } else if args.is_to_stdout() {
        "standard output takes one backup"
    } else if args.output.is_some() {
        "OUTPUT is the name of one backup"
    } else if args.to.manifest.is_some() {
        "--manifest is of one backup"
    } else {
        return Ok(());
    };
    refused(
        &format!("{what}, and there are several databases"),
        "name one of them: --dbname NAME; or leave that out, and each gets a name of its own in --backup-dir",
    )
}

fn no_pattern(why: &str) -> SettingsError {
    SettingsError {
        message: format!("--exclude-database: {why}"),
        hint: "give a name or a pattern, and names with marks or upper case in double quotes: \
               --exclude-database '\"Shop\"'"
            .to_owned(),
    }
}

fn refused<T>(message: &str, hint: &str) -> Result<T, SettingsError> {
    Err(SettingsError { message: message.to_owned(), hint: hint.to_owned() })
}

#[cfg(test)]
#[path = "databases_tests.rs"]
mod tests;
