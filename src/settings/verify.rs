//! Settings of `verify`: flags and `ccc-backup.toml`.

use std::path::PathBuf;
use std::time::Duration;

use super::{Environment, SettingsError, cores, limits, metrics_file};
use crate::checks::{AppTable, ccc_tables};
use crate::cli::{Engine, PostgresVersion, VerifyArgs};
use crate::config::{Config, Data, Least, Migrations, OnFinding};
use crate::sandbox::Choice;
use crate::store::naming::directory_of;

/// Where backups are kept when nobody says otherwise.
const BACKUP_DIR: &str = "./backups";

/// Settings of `verify`.
#[derive(Debug, Clone)]
pub struct VerifySettings {
    /// The backup; without one, the newest in `backup_dir`.
    pub file: Option<PathBuf>,
    /// Directory of the backups.
    pub backup_dir: PathBuf,
    /// Directory of the history.
    pub history_dir: PathBuf,
    /// Major version of the sandbox; without one, the dump's.
    pub version: Option<u32>,
    /// What runs the sandbox.
    pub engine: Choice,
    /// Docker image.
    pub image: Option<String>,
    /// Port on 127.0.0.1; 0 takes any.
    pub port: u16,
    /// Name of the container.
    pub container_name: String,
    /// How long to wait for others who have name, port or backup; without one, not at all.
    pub wait: Option<Duration>,
    /// Keep the restored database running.
    pub keep: bool,
    /// Compare the contents of the restored rows.
    pub content: bool,
    /// Pass only what was proven.
    pub require_proof: bool,
    /// Connections to restore and compare over.
    pub jobs: usize,
    /// Memory of the container at the most, in bytes.
    pub memory: Option<u64>,
    /// Its processors at the most, in billionths.
    pub nano_cpus: Option<u64>,
    /// Settings of the server beside ours and in their place.
    pub server_settings: Vec<(String, String)>,
    /// Whether `--config` named the file that has them.
    pub config_is_named: bool,
    /// The application's tables.
    pub tables: Vec<AppTable>,
    /// Whether they are CCC's, because nobody named others.
    pub tables_are_cccs: bool,
    /// What keeps the database's migrations.
    pub migrations: Migrations,
    /// What a sequence means that is behind its column.
    pub sequences: OnFinding,
    /// Whether the backup has to hold rows.
    pub data: Data,
    /// Restore SQL that pg_dump's header and trailer do not frame.
    pub accept_foreign_sql: bool,
    /// Give up after this time.
    pub timeout: Option<Duration>,
    /// Where metrics go.
    pub metrics_file: Option<PathBuf>,
    /// A slower restore is a failed check.
    pub rto: Option<Duration>,
}

/// Resolves `verify`. A flag is stronger than the configuration.
///
/// # Errors
/// When the configuration cannot be read, or says what it may not, and when a limit makes no sense.
pub fn verify(args: &VerifyArgs) -> Result<VerifySettings, SettingsError> {
    let config = Config::read(args.config.as_deref())
        .map_err(|error| SettingsError { message: error.to_string(), hint: error.hint() })?;
    // A directory that is named as "." has a name all the same, and a history beside it, not in it.
    let unnamed = args.file.as_ref().filter(|file| file.file_name().is_none());
    let file = unnamed.and_then(|file| file.canonicalize().ok()).or_else(|| args.file.clone());
    let backup_dir = args.backup_dir.clone().unwrap_or_else(|| BACKUP_DIR.into());
    // The history of a file lies beside it, unless a backup directory is named.
    let history_dir = match (&args.backup_dir, &file) {
        (None, Some(file)) => directory_of(file).to_owned(),
        _ => backup_dir.clone(),
    };
    let named = config.checks.tables;
    let tables_are_cccs = named.is_none();
    let mut tables = named
        .map_or_else(ccc_tables, |names| names.iter().map(|name| AppTable::named(name)).collect());
    for (name, Least::Rows(least)) in config.checks.rows {
        demand_rows(&mut tables, &name, least);
    }
    let image = args.image.clone().filter(|image| !image.is_empty());
    if args.engine == Engine::Local && args.image.as_ref().is_some_and(|image| !image.is_empty()) {
        return Err(SettingsError {
            message: "--engine local takes no image".to_owned(),
            hint: "leave out --image (CCC_BACKUP_IMAGE), or use --engine docker".to_owned(),
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
    Ok(VerifySettings {
        file,
        backup_dir,
        history_dir,
        version: match args.postgres_version {
            PostgresVersion::Auto => None,
            PostgresVersion::Major(major) => Some(major),
        },
        engine: match args.engine {
            Engine::Auto => Choice::Auto,
            Engine::Docker => Choice::Docker,
            Engine::Local => Choice::Local,
        },
        image: image.or(config.verify.image),
        port: args.port,
        container_name: args.container_name.clone(),
        wait: args.wait.map(|limit| limit.unwrap_or(Duration::MAX)),
        keep: args.no_cleanup,
        content: !args.no_content,
        require_proof,
        jobs: args.jobs.map_or_else(|| limits::jobs(cores(), nano_cpus), usize::from),
        memory: memory.as_deref().map(limits::memory).transpose()?,
        nano_cpus,
        config_is_named: args.config.is_some(),
        server_settings: settings.map(|(name, value)| (name, value.to_string())).collect(),
        tables_are_cccs,
        tables,
        migrations: config.checks.migrations,
        sequences: config.checks.sequences,
        data: config.checks.data,
        accept_foreign_sql: args.accept_foreign_sql || config.verify.accept_foreign_sql,
        timeout: args.timeout,
        metrics_file: metrics_file(&args.metrics),
        rto: args.rto,
    })
}

/// Has a table with fewer rows fail; it is checked also where it is none of `tables` yet.
fn demand_rows(tables: &mut Vec<AppTable>, name: &str, least: u64) {
    match tables.iter_mut().find(|table| table.full_name() == name) {
        Some(table) => (table.counted, table.least) = (true, Some(least)),
        None => tables.push(AppTable { least: Some(least), ..AppTable::named(name) }),
    }
}

/// Where the reports of a verification go.
#[derive(Debug, Clone, Default)]
pub struct ReportSettings {
    /// The report as JSON.
    pub json: Option<PathBuf>,
    /// The checks as JUnit XML.
    pub junit: Option<PathBuf>,
    /// GitHub's step summary, which is appended to.
    pub step_summary: Option<PathBuf>,
}

/// Resolves where the reports of `verify` go.
pub fn reports(args: &VerifyArgs, environment: Environment) -> ReportSettings {
    ReportSettings {
        json: args.report.clone(),
        junit: args.junit.clone(),
        step_summary: environment("GITHUB_STEP_SUMMARY").map(PathBuf::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_demanded_of_the_applications_tables_and_of_others() {
        let mut tables = ccc_tables();
        demand_rows(&mut tables, "users", 5);
        demand_rows(&mut tables, "alembic_version", 1);
        demand_rows(&mut tables, "sales.orders", 9);
        let demanded: Vec<_> = tables
            .iter()
            .filter_map(|table| Some((table.label.as_str(), table.counted, table.least?)))
            .collect();
        let expected =
            [("Alembic version", true, 1), ("Users", true, 5), ("sales.orders", true, 9)];
        assert_eq!(demanded, expected);
        assert_eq!(tables.len(), ccc_tables().len() + 1);
    }
}
