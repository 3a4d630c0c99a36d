//! Settings of `verify`: flags and `ccc-backup.toml`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::images::Images;
use super::piped::{self, Incoming};
use super::{
    Environment, SettingsError, checks, cores, limits, metrics_file, place, sealing, signing,
};
use crate::checks::AppTable;
use crate::checks::change::Bounds;
use crate::checks::migrations::Demand;
use crate::checks::sql::SqlCheck;
use crate::cli::{Engine, PostgresVersion, ProvingArgs, VerifyArgs};
use crate::config::{Config, Data, OnFinding};
use crate::sandbox::Choice;
use crate::sealing::Unsealing;
use crate::signing::{AllowedSigners, Request};
use crate::store::naming::directory_of;

/// Where backups are kept when nobody says otherwise.
const BACKUP_DIR: &str = "./backups";

/// Of which database the newest backup is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OfDatabase {
    /// Of the only one that there is.
    Only,
    /// Of whichever: it is known that there are no backups of several.
    Any,
    /// Of this one.
    Named(String),
    /// Of this one, where there are backups of it, else of the only one that there is.
    Rather(String),
}

/// Which backup is meant.
#[derive(Debug, Clone)]
pub struct BackupChoice {
    /// The backup; without one, the newest in `backup_dir`.
    pub file: Option<PathBuf>,
    /// Of which database the newest is meant.
    pub database: OfDatabase,
    /// Directory of the backups.
    pub backup_dir: PathBuf,
    /// How long to wait for who writes it; without one, not at all.
    pub wait: Option<Duration>,
    /// What opens it, where it is encrypted.
    pub unsealing: Unsealing,
    /// How it comes here, where it is no file of this machine.
    pub incoming: Option<Incoming>,
    /// Where what lies in a place is kept while it is in use, so that it comes over the network once.
    pub spool: Option<PathBuf>,
}

/// How a backup is restored, and what is proven of that.
#[derive(Debug, Clone)]
pub struct ProofSettings {
    /// Connections to restore and compare over.
    pub jobs: usize,
    /// Restore SQL that pg_dump's header and trailer do not frame.
    pub accept_foreign_sql: bool,
    /// Compare the contents of the restored rows.
    pub content: bool,
    /// Pass only what was proven.
    pub require_proof: bool,
    /// The application's tables.
    pub tables: Vec<AppTable>,
    /// Whether they are CCC's, because nobody named others.
    pub tables_are_cccs: bool,
    /// What keeps the database's migrations, and what they are held to.
    pub migrations: Demand,
    /// What the numbers of rows are held to, against the last backup that passed.
    pub changes: Bounds,
    /// Questions of the operator's own.
    pub questions: Vec<SqlCheck>,
    /// What it means that the source has what the backup has not.
    pub coverage: OnFinding,
    /// The newest backup may be so old.
    pub max_age: Option<Duration>,
    /// What a sequence means that is behind its column.
    pub sequences: OnFinding,
    /// Whether the backup has to hold rows.
    pub data: Data,
    /// A slower restore is a failed check.
    pub rto: Option<Duration>,
    /// Who may have signed the backup; without, that is not asked.
    pub allowed_signers: Option<AllowedSigners>,
}

/// The throwaway PostgreSQL.
#[derive(Debug, Clone)]
pub struct SandboxSettings {
    /// Its major version; without one, the dump's.
    pub version: Option<u32>,
    /// What runs it.
    pub engine: Choice,
    /// Docker image, whatever the backup needs.
    pub image: Option<String>,
    /// Images for backups with certain extensions, where none is named.
    pub images: Images,
    /// Docker image for all others.
    pub usual_image: Option<String>,
    /// Build one with the extensions that it lacks.
    pub build_image: bool,
    /// Port on 127.0.0.1; 0 takes any.
    pub port: u16,
    /// Name of the container.
    pub container_name: String,
    /// How long to wait for others who have name or port; without one, not at all.
    pub wait: Option<Duration>,
    /// Keep it running, with the restored database.
    pub keep: bool,
    /// Memory of the container at the most, in bytes.
    pub memory: Option<u64>,
    /// Its processors at the most, in billionths.
    pub nano_cpus: Option<u64>,
    /// Settings of the server beside ours and in their place.
    pub server_settings: Vec<(String, String)>,
    /// Whether `--config` named the file that has them.
    pub config_is_named: bool,
}

/// Settings of `verify`.
#[derive(Debug, Clone)]
pub struct VerifySettings {
    /// Which backup.
    pub choice: BackupChoice,
    /// How it is restored and proven.
    pub proof: ProofSettings,
    /// Where.
    pub sandbox: SandboxSettings,
    /// Directory of the history.
    pub history_dir: PathBuf,
    /// Give up after this time.
    pub timeout: Option<Duration>,
    /// Where metrics go.
    pub metrics_file: Option<PathBuf>,
    /// The places of copies that the metrics tell of.
    pub copies: Vec<PathBuf>,
    /// What is worth a word before the work.
    pub warnings: Vec<String>,
}

impl From<Engine> for Choice {
    fn from(engine: Engine) -> Self {
        match engine {
            Engine::Auto => Self::Auto,
            Engine::Docker => Self::Docker,
            Engine::Local => Self::Local,
        }
    }
}

/// Resolves `verify`. A flag is stronger than the configuration.
///
/// # Errors
/// When the configuration cannot be read, or says what it may not, and when a limit makes no sense.
pub fn verify(
    args: &VerifyArgs,
    environment: Environment,
) -> Result<VerifySettings, SettingsError> {
    let (unsealing, warnings) = sealing::unsealing(&args.decrypt, environment)?;
    let config = Config::read(args.proving.config.as_deref());
    let config = config.map_err(|error| signing::unread(&error))?;
    let allowed_signers = signing::allowed(&args.signers, &config.signing)?;
    let (file, backup_dir, history_dir) = places(args.file.as_deref(), args.backup_dir.as_deref())?;
    let incoming = piped::incoming(&args.from, args.file.as_deref())?;
    let spool =
        piped::spool(&args.from, incoming.as_ref(), file.as_deref().unwrap_or(&backup_dir))?;
    let copies = place::copies(&[], &config)?;
    let (mut proof, sandbox) = proving(&args.proving, config, allowed_signers)?;
    // Another backup may be as old as it is.
    proof.max_age = proof.max_age.filter(|_| args.latest);
    Ok(VerifySettings {
        choice: BackupChoice {
            file,
            database: args.database.clone().map_or(OfDatabase::Only, OfDatabase::Named),
            backup_dir,
            wait: sandbox.wait,
            unsealing,
            incoming,
            spool,
        },
        proof,
        sandbox: SandboxSettings {
            port: args.port,
            container_name: args.container_name.clone(),
            keep: args.no_cleanup,
            ..sandbox
        },
        history_dir,
        timeout: args.proving.timeout,
        metrics_file: metrics_file(&args.metrics),
        copies,
        warnings,
    })
}

/// How a backup is restored and proven, and in what: in a sandbox on any port, which goes afterwards and has no name yet.
///
/// # Errors
/// As [`verify`].
pub(super) fn proving(
    args: &ProvingArgs,
    config: Config,
    allowed_signers: Option<AllowedSigners>,
) -> Result<(ProofSettings, SandboxSettings), SettingsError> {
    let (tables, tables_are_cccs) = checks::tables(&config.checks);
    let is_named = args.config.is_some();
    let image = args.image.clone().filter(|image| !image.is_empty());
    if args.engine == Engine::Local && args.image.as_ref().is_some_and(|image| !image.is_empty()) {
        return Err(SettingsError {
            message: "--engine local takes no image".to_owned(),
            hint: "leave out --image (CCC_BACKUP_IMAGE), or use --engine docker".to_owned(),
        });
    }
    if args.engine == Engine::Local && args.build_image {
        return Err(SettingsError {
            message: "--engine local builds no image".to_owned(),
            hint: "install the extensions on this machine, or use --engine docker".to_owned(),
        });
    }
    let require_proof = args.require_proof || config.verify.require_proof;
    if require_proof && args.no_content {
        return Err(SettingsError {
            message: "--no-content proves no contents, and require_proof in ccc-backup.toml wants \
                      them proven"
                .to_owned(),
            hint: "leave out --no-content, or name another configuration (--config FILE)"
                .to_owned(),
        });
    }
    let settings = config.verify.settings.into_iter();
    let memory = args.memory.clone().or(config.verify.memory);
    let nano_cpus = args.cpus.or(config.verify.cpus).map(limits::nano_cpus).transpose()?;
    let proof = ProofSettings {
        jobs: args.jobs.map_or_else(|| limits::jobs(cores(), nano_cpus), usize::from),
        accept_foreign_sql: args.accept_foreign_sql || config.verify.accept_foreign_sql,
        content: !args.no_content,
        require_proof,
        tables_are_cccs,
        tables,
        changes: checks::bounds(&config.checks.rows),
        max_age: checks::max_age(&config.checks)?,
        coverage: config.checks.coverage.unwrap_or(OnFinding::Warn),
        migrations: checks::migrations(config.checks.migrations, tables_are_cccs, is_named)?,
        questions: checks::questions(config.checks.sql)?,
        sequences: config.checks.sequences,
        data: config.checks.data,
        rto: args.rto,
        allowed_signers,
    };
    let sandbox = SandboxSettings {
        version: match args.postgres_version {
            PostgresVersion::Auto => None,
            PostgresVersion::Major(major) => Some(major),
        },
        engine: args.engine.into(),
        image,
        images: Images::parse(config.images)?,
        usual_image: config.verify.image,
        build_image: args.build_image || config.verify.build_image,
        port: 0,
        container_name: String::new(),
        wait: args.wait.map(|limit| limit.unwrap_or(Duration::MAX)),
        keep: false,
        memory: memory.as_deref().map(limits::memory).transpose()?,
        nano_cpus,
        server_settings: settings.map(|(name, value)| (name, value.to_string())).collect(),
        config_is_named: is_named,
    };
    Ok((proof, sandbox))
}

/// The backup that is named, the directory of the backups, and that of the history.
pub(super) fn places(
    file: Option<&Path>,
    backup_dir: Option<&Path>,
) -> Result<(Option<PathBuf>, PathBuf, PathBuf), SettingsError> {
    let file = place::optional_backup(file)?;
    // A directory that is named as "." has a name all the same, and a history beside it, not in it.
    let unnamed = file.as_ref().filter(|file| file.file_name().is_none());
    let file = unnamed.and_then(|file| file.canonicalize().ok()).or(file);
    let named = backup_dir;
    let backup_dir = place::place(named.unwrap_or(Path::new(BACKUP_DIR)))?;
    // The history of a file lies beside it, unless a backup directory is named.
    let history_dir = match (named, &file) {
        (None, Some(file)) => directory_of(file).to_owned(),
        _ => backup_dir.clone(),
    };
    Ok((file, backup_dir, history_dir))
}

/// Where the reports of a verification go.
#[derive(Debug, Clone, Default)]
pub struct ReportSettings {
    /// The report as JSON.
    pub json: Option<PathBuf>,
    /// What was proven, as a page of HTML.
    pub html: Option<PathBuf>,
    /// The checks as JUnit XML.
    pub junit: Option<PathBuf>,
    /// GitHub's step summary, which is appended to.
    pub step_summary: Option<PathBuf>,
    /// Who signs the report as JSON, and the page; without, nobody does.
    pub sign: Option<Request>,
}

/// Resolves where the reports of `verify` go.
///
/// # Errors
/// When the configuration cannot be read, and when a report is to be signed and no key is named.
pub fn reports(
    args: &VerifyArgs,
    environment: Environment,
) -> Result<ReportSettings, SettingsError> {
    let config = signing::configured(args.proving.config.as_deref())?;
    Ok(ReportSettings {
        sign: signing::of_report(&args.sign, &config, environment)?,
        json: args.report.clone(),
        html: args.html.clone(),
        junit: args.junit.clone(),
        step_summary: environment("GITHUB_STEP_SUMMARY").map(PathBuf::from),
    })
}
