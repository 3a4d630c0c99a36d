//! Settings of `restore`.

use std::path::PathBuf;
use std::time::Duration;

use chrono::Utc;

use super::verify::{BackupChoice, OfDatabase, ProofSettings, places};
use super::{
    Environment, SettingsError, checks, connection, cores, metrics_file, no_pattern, piped,
    sealing, signing,
};
use crate::checks::change::Bounds;
use crate::checks::migrations::{Demand, Keeper};
use crate::checks::sql::SqlCheck;
use crate::cli::RestoreArgs;
use crate::config::{self, Config, Data, OnFinding};
use crate::destination;
use crate::libpq::settings::ConnectSettings;
use crate::model::pattern::TablePattern;
use crate::model::secret::Secret;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Restore a backup.
    Restore,
    /// Say what that would do.
    Plan,
    /// Bring single tables.
    Tables,
    /// Take the last switch back.
    Undo,
    /// Do the switch that an earlier run did not come to.
    Complete,
}

/// Settings of `restore`.
#[derive(Debug, Clone)]
pub struct RestoreSettings {
    /// What is to be done.
    pub deed: Deed,
    /// Which backup.
    pub choice: BackupChoice,
    /// The tables, where not all of it is meant.
    pub tables: Vec<TablePattern>,
    /// The schema that they go to.
    pub into_schema: Option<String>,
    /// How it is restored and proven.
    pub proof: ProofSettings,
    /// Where.
    pub destination: destination::Request,
    /// Make the roles that are missing, from the globals beside the backup.
    pub globals: bool,
    /// End sessions without asking.
    pub yes: bool,
    /// Restore also what was proven bad.
    pub force: bool,
    /// Directory of the history.
    pub history_dir: PathBuf,
    /// Give up after this time.
    pub timeout: Option<Duration>,
    /// The time that it may take until the database has its name.
    pub rto: Option<Duration>,
    /// Where metrics go.
    pub metrics_file: Option<PathBuf>,
    /// What is worth a word before the work.
    pub warnings: Vec<String>,
}

/// Resolves `restore`.
///
/// # Errors
/// When a URL or another setting of the connection cannot be understood.
pub fn restore(
    args: &RestoreArgs,
    environment: Environment,
) -> Result<RestoreSettings, SettingsError> {
    let (file, backup_dir, history_dir) = places(args.file.as_deref(), args.backup_dir.as_deref())?;
    let incoming = piped::incoming(&args.from, args.file.as_deref())?;
    let spool =
        piped::spool(&args.from, incoming.as_ref(), file.as_deref().unwrap_or(&backup_dir))?;
    if incoming.is_some() && args.globals {
        return Err(SettingsError {
            message: "--globals: no roles come through a pipe".to_owned(),
            hint: "leave --globals out, and make the roles before".to_owned(),
        });
    }
    let flags = ConnectSettings {
        host: args.host.clone(),
        port: args.port.map(|port| port.to_string()),
        dbname: args.dbname.clone(),
        username: args.username.clone(),
        ..ConnectSettings::default()
    };
    let mut source =
        connection::resolve(flags, ("--into", args.into.as_deref()), None, None, environment)?;
    let several = source.host.as_ref().is_some_and(|host| host.contains(','));
    if several && environment("PGTARGETSESSIONATTRS").is_none() {
        // A standby among them is passed over.
        let attributes = source.parameters.entry("target_session_attrs".to_owned());
        attributes.or_insert(Secret::new("read-write"));
    }
    let target = connection::target(&source, environment)?;
    let mut warnings = connection::warnings(&source);
    warnings.extend_from_slice(target.warnings());
    let (unsealing, of_keys) = sealing::unsealing(&args.decrypt, environment)?;
    warnings.extend(of_keys);
    let place = [&source.host, &source.port].map(|part| part.clone().unwrap_or_default());
    let name = args.as_name.clone().unwrap_or_else(|| target.name().to_owned());
    let of_tables = args.table.iter().map(|text| TablePattern::parse(text));
    let of_schemas = args.schema.iter().map(|text| TablePattern::of_schema(text));
    let tables = of_tables.chain(of_schemas).collect::<Result<Vec<_>, _>>();
    let tables = tables.map_err(|error| no_pattern(&error))?;
    let config = Config::read(args.config.as_deref()).map_err(|error| signing::unread(&error))?;
    let questions = questions(config.checks.sql, args.config.is_some(), &mut warnings)?;
    Ok(RestoreSettings {
        deed: match (args.undo, args.complete, args.dry_run) {
            (true, ..) => Deed::Undo,
            (_, true, _) => Deed::Complete,
            (.., true) => Deed::Plan,
            _ if !tables.is_empty() => Deed::Tables,
            _ => Deed::Restore,
        },
        choice: BackupChoice {
            file,
            // Whose name it is to have, if there are backups of several.
            database: OfDatabase::Rather(target.name().to_owned()),
            backup_dir,
            wait: args.wait.map(|limit| limit.unwrap_or(Duration::MAX)),
            unsealing,
            incoming,
            spool,
        },
        proof: ProofSettings {
            jobs: args.jobs.map_or_else(cores, usize::from),
            accept_foreign_sql: args.accept_foreign_sql,
            content: !args.no_content,
            require_proof: false,
            // What an application needs is asked of a backup by `verify`; here the backup counts, and what the
            // operator asks of it.
            tables: Vec::new(),
            tables_are_cccs: false,
            migrations: Demand { keeper: Keeper::None, ..Demand::default() },
            changes: Bounds::default(),
            questions,
            coverage: OnFinding::Off,
            max_age: None,
            sequences: OnFinding::Warn,
            data: if args.force { Data::None } else { Data::Required },
            // Its restore alone is not the time that a disaster takes.
            rto: None,
            allowed_signers: signing::allowed(&args.signers, &config.signing)?,
        },
        tables,
        into_schema: args.into_schema.clone(),
        destination: destination::Request {
            target,
            place: place.join(":"),
            name,
            swap: args.swap,
            only_plans: args.dry_run,
            force: args.force,
            since: Utc::now(),
        },
        globals: args.globals,
        yes: args.yes,
        force: args.force,
        history_dir,
        timeout: args.timeout,
        rto: args.rto,
        metrics_file: metrics_file(&args.metrics),
        warnings,
    })
}

/// The operator's own questions. They are put to a server that others use, so a configuration that was only found has
/// none put: that is said.
fn questions(
    said: Vec<config::SqlCheck>,
    is_named: bool,
    warnings: &mut Vec<String>,
) -> Result<Vec<SqlCheck>, SettingsError> {
    let questions = checks::questions(said)?;
    if is_named || questions.is_empty() {
        return Ok(questions);
    }
    warnings.push(
        "the checks of ccc-backup.toml ([[checks.sql]]) are not asked: name it with --config, and they are, before \
         the database gets its name"
            .to_owned(),
    );
    Ok(Vec::new())
}
