//! The command line: clap types and nothing else. One definition feeds parsing, `--help`, the man
//! page and the completions.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};

const EXAMPLES: &str = "\
Examples:
  ccc-backup create                          back up to ./backups/backup_YYYYMMDD_HHMMSS.sql.gz
  ccc-backup create backups/manual.sql       back up to backups/manual.sql.gz
  ccc-backup verify --latest                 restore and check the newest backup
  ccc-backup verify backups/manual.sql.gz    restore and check this one
  ccc-backup cleanup --older-than 30d        remove old backups, never the last good one
  ccc-backup list                            the backups, and whether they were verified
  ccc-backup history                         the runs, and how long restores take

Exit codes of verify:
  0  PASSED        the backup was restored and every check passed
  1  FAILED        the backup was tested and is bad
  2  NOT VERIFIED  it could not be told (no Docker, file not found, interrupted, wrong flags, …)";

const VERIFY_EXAMPLES: &str = "\
Examples:
  ccc-backup verify --latest
  ccc-backup verify --latest --backup-dir /var/backups/ccc --quiet
  ccc-backup verify backups/manual.sql.gz --no-cleanup     keep the restored database and look at it
  ccc-backup verify --latest --port 0 --container-name nightly     beside another run

Exit codes: 0 passed, 1 the backup is bad, 2 it could not be told.";

const CREATE_EXAMPLES: &str = "\
Examples:
  ccc-backup create
  DB_HOST=db.internal DB_PASSWORD=… ccc-backup create
  ccc-backup create --database-url postgresql://ccc@db.internal/ccc?sslmode=require
  ccc-backup create backups/manual.sql.zst   packed by zstd
  ccc-backup create --format directory --jobs 4      back up four tables at a time
  ccc-backup create -- --exclude-table-data=analytics.page_views

Connection: flags, then --database-url, then DB_HOST DB_PORT DB_NAME DB_USER DB_PASSWORD, then
DATABASE_URL, then libpq's PGHOST PGPORT PGDATABASE PGUSER PGPASSWORD PGSERVICE and ~/.pgpass,
then localhost:5432, content_creation_crew, postgres. There is no flag for a password: it would
be seen by every user of the machine.

Exit codes: 0 made, 1 could not be made, 2 wrong flags or environment, or interrupted.";

const CLEANUP_EXAMPLES: &str = "\
Examples:
  ccc-backup cleanup --older-than 30d --dry-run
  ccc-backup cleanup --older-than 30d
  ccc-backup cleanup --sandbox      remove containers that dead runs or --no-cleanup left

Only backups named backup_YYYYMMDD_HHMMSS are removed, together with their manifests, and what
dead runs left of one. The newest backup and the newest one that passed verification stay.

Exit codes: 0 done, 2 something could not be removed or asked, or wrong flags.";

const LIST_EXAMPLES: &str = "\
Examples:
  ccc-backup list
  ccc-backup list --backup-dir /var/backups/ccc --format json

Exit codes: 0 answered, 2 the directory cannot be read, or wrong flags.";

const HISTORY_EXAMPLES: &str = "\
Examples:
  ccc-backup history --limit 5
  ccc-backup history --metrics-file ccc-backup.prom     write the metrics without a run

Exit codes: 0 answered, 2 the directory cannot be read, or wrong flags.";

/// Make PostgreSQL backups and prove that they restore.
#[derive(Debug, Parser)]
#[command(name = "ccc-backup", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Options of every command.
    #[command(flatten)]
    pub global: GlobalArgs,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub struct GlobalArgs {
    /// Show what is done in detail, on stderr
    #[arg(long, short, global = true, display_order = 901)]
    pub verbose: bool,
    /// Print nothing but the verdict, or what went wrong
    #[arg(long, short, global = true, display_order = 902, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Write detailed diagnostics to FILE as well
    #[arg(long, value_name = "FILE", global = true, display_order = 903)]
    pub log_file: Option<PathBuf>,
    /// Progress on stderr: auto (bars on a terminal), bar (also with --verbose), plain (a line every
    /// ten seconds) or none
    #[arg(
        long,
        value_enum,
        value_name = "HOW",
        default_value_t = ProgressArg::Auto,
        hide_possible_values = true,
        global = true,
        display_order = 904
    )]
    pub progress: ProgressArg,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProgressArg {
    /// Bars where stderr is a terminal, else nothing
    Auto,
    /// Bars, also with --verbose; only on a terminal
    Bar,
    /// A line every ten seconds
    Plain,
    /// Nothing
    None,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a backup
    Create(Box<CreateArgs>),
    /// Restore a backup into a throwaway PostgreSQL and check it
    Verify(Box<VerifyArgs>),
    /// Remove old backups, or what dead runs left behind
    Cleanup(CleanupArgs),
    /// Show the backups: age, size, rows, last verdict
    List(ListArgs),
    /// Show the runs, how long restores take, and the last success
    History(HistoryArgs),
    /// Another spelling: `ccc-backup backup create` is `ccc-backup create`
    Backup {
        /// What to do.
        #[command(subcommand)]
        command: BackupCommand,
    },
    /// Print shell completions
    #[command(hide = true)]
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
    /// Print the man page
    #[command(hide = true)]
    Man,
}

/// The commands once more, below `backup`.
#[derive(Debug, Subcommand)]
pub enum BackupCommand {
    /// Make a backup
    Create(Box<CreateArgs>),
    /// Restore a backup into a throwaway PostgreSQL and check it
    Verify(Box<VerifyArgs>),
    /// Remove old backups, or what dead runs left behind
    Cleanup(CleanupArgs),
    /// Show the backups: age, size, rows, last verdict
    List(ListArgs),
    /// Show the runs, how long restores take, and the last success
    History(HistoryArgs),
}

impl From<BackupCommand> for Command {
    fn from(command: BackupCommand) -> Self {
        match command {
            BackupCommand::Create(args) => Self::Create(args),
            BackupCommand::Verify(args) => Self::Verify(args),
            BackupCommand::Cleanup(args) => Self::Cleanup(args),
            BackupCommand::List(args) => Self::List(args),
            BackupCommand::History(args) => Self::History(args),
        }
    }
}

/// Options of `create`.
#[derive(Debug, Args)]
#[command(after_help = CREATE_EXAMPLES)]
pub struct CreateArgs {
    /// Where to write it; `x.sql` becomes `x.sql.gz`, or what --compress and --format say
    /// [default: BACKUP_DIR/backup_YYYYMMDD_HHMMSS.sql.gz, in UTC]
    pub output: Option<PathBuf>,
    /// Directory of the backups
    #[arg(long, value_name = "DIR", default_value = "./backups", env = "CCC_BACKUP_DIR")]
    pub backup_dir: PathBuf,
    /// Host of the database
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// Port of the database
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Name of the database
    #[arg(long, short, value_name = "NAME")]
    pub dbname: Option<String>,
    /// User to connect as
    #[arg(long, short = 'U', value_name = "NAME")]
    pub username: Option<String>,
    /// Connection URL; better given as DATABASE_URL when it holds a password
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
    /// The pg_dump to use [default: from PATH, else the newest in /usr/lib/postgresql]
    #[arg(long, value_name = "FILE", env = "CCC_BACKUP_PG_DUMP")]
    pub pg_dump: Option<PathBuf>,
    /// Keep owners and privileges (leaves out --no-owner --no-acl)
    #[arg(long)]
    pub keep_owner: bool,
    /// Format: plain (SQL), or for pg_restore: custom (one file), directory, tar
    /// [default: as OUTPUT ends (.dump, .dir, .tar), else plain]
    #[arg(long, value_enum, hide_possible_values = true)]
    pub format: Option<DumpFormat>,
    /// Compression: gzip, gzip:1 to gzip:9, zstd, zstd:1 to zstd:19, or none
    /// [default: as OUTPUT ends, else gzip, which is gzip:6; zstd is zstd:3; none for tar]
    #[arg(long, value_name = "METHOD")]
    pub compress: Option<String>,
    /// Tables to dump at a time, in the directory format [default: the number of cores, at most 4]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: Option<u16>,
    /// Overwrite OUTPUT if it exists
    #[arg(long)]
    pub force: bool,
    /// Metrics for Prometheus.
    #[command(flatten)]
    pub metrics: MetricsArgs,
    /// More arguments for pg_dump, after `--`
    #[arg(last = true, value_name = "PG_DUMP_ARGS")]
    pub pg_dump_args: Vec<OsString>,
}

/// Options of `verify`.
#[derive(Debug, Args)]
#[command(after_help = VERIFY_EXAMPLES)]
#[command(group(ArgGroup::new("backup").required(true).args(["file", "latest"])))]
pub struct VerifyArgs {
    /// The backup: an SQL dump or an archive of pg_dump, also compressed, or a directory of one
    pub file: Option<PathBuf>,
    /// Take the newest backup in BACKUP_DIR, or one level below it
    #[arg(long)]
    pub latest: bool,
    /// Directory of the backups and of their history [default: ./backups; the directory of FILE]
    #[arg(long, value_name = "DIR", env = "CCC_BACKUP_DIR")]
    pub backup_dir: Option<PathBuf>,
    /// Major version of the throwaway PostgreSQL; auto: the one the dump was taken from
    #[arg(long, value_name = "VERSION", default_value = "auto", value_parser = parse_version)]
    pub postgres_version: PostgresVersion,
    /// Configuration: tables to check, image, server settings [default: ./ccc-backup.toml, if any]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Docker image to use [default: postgres:VERSION, else ccc-backup/postgres:VERSION]
    #[arg(long, value_name = "IMAGE", env = "CCC_BACKUP_IMAGE")]
    pub image: Option<String>,
    /// What runs the throwaway PostgreSQL: docker, or auto for the best that is there
    #[arg(long, value_enum, default_value_t = Engine::Auto, hide_possible_values = true)]
    pub engine: Engine,
    /// Port on 127.0.0.1; 0 takes any
    #[arg(long, value_name = "PORT", default_value_t = 5433)]
    pub port: u16,
    /// Name of the container
    #[arg(long, value_name = "NAME", default_value = "backup-restore-test", value_parser = parse_container)]
    pub container_name: String,
    /// Keep the restored database running, and say how to connect to it
    #[arg(long)]
    pub no_cleanup: bool,
    /// Connections to restore and compare over [default: the number of cores]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: Option<u16>,
    /// Do not compare the restored rows' contents with the backup's
    #[arg(long)]
    pub no_content: bool,
    /// Give up after this time, such as 30m; the verdict is then NOT VERIFIED
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub timeout: Option<std::time::Duration>,
    /// Fail when the restore takes longer than this, such as 45m (recovery time objective)
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub rto: Option<std::time::Duration>,
    /// Write the whole result to FILE as JSON (docs/report.schema.json)
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Write the checks to FILE as JUnit XML, for CI
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Metrics for Prometheus.
    #[command(flatten)]
    pub metrics: MetricsArgs,
}

/// Metrics for Prometheus.
#[derive(Debug, Clone, Args)]
pub struct MetricsArgs {
    /// Write metrics of all runs to FILE, for node_exporter's textfile collector (*.prom)
    #[arg(long, value_name = "FILE", env = "CCC_BACKUP_METRICS_FILE",
          value_parser = OsStringValueParser::new().map(PathBuf::from))]
    pub metrics_file: Option<PathBuf>,
}

/// Options of `list`.
#[derive(Debug, Args)]
#[command(after_help = LIST_EXAMPLES)]
pub struct ListArgs {
    /// Directory of the backups
    #[arg(long, value_name = "DIR", default_value = "./backups", env = "CCC_BACKUP_DIR")]
    pub backup_dir: PathBuf,
    /// How to answer: text, or json for programs
    #[arg(long, value_enum, default_value_t = Format::Text, hide_possible_values = true)]
    pub format: Format,
}

/// Options of `history`.
#[derive(Debug, Args)]
#[command(after_help = HISTORY_EXAMPLES)]
pub struct HistoryArgs {
    /// Directory of the backups and of their history
    #[arg(long, value_name = "DIR", default_value = "./backups", env = "CCC_BACKUP_DIR")]
    pub backup_dir: PathBuf,
    /// Show the newest N runs; the statistics are of all
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
    /// How to answer: text, or json for programs
    #[arg(long, value_enum, default_value_t = Format::Text, hide_possible_values = true)]
    pub format: Format,
    /// Write metrics of all runs to FILE, for node_exporter's textfile collector (*.prom)
    // Not by the environment: who looks at the history does not want to write.
    #[arg(long, value_name = "FILE")]
    pub metrics_file: Option<PathBuf>,
}

/// What pg_dump writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DumpFormat {
    /// SQL
    Plain,
    /// One file for pg_restore
    Custom,
    /// A directory of files for pg_restore
    Directory,
    /// The same in a tar archive
    Tar,
}

/// How to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

/// Options of `cleanup`.
#[derive(Debug, Args)]
#[command(after_help = CLEANUP_EXAMPLES)]
#[command(group(ArgGroup::new("what").required(true).multiple(true).args(["older_than", "sandbox"])))]
pub struct CleanupArgs {
    /// Remove backups older than this, such as 30d, 12h or 4w
    #[arg(long, value_name = "AGE", value_parser = parse_duration)]
    pub older_than: Option<std::time::Duration>,
    /// Directory of the backups
    #[arg(long, value_name = "DIR", default_value = "./backups", env = "CCC_BACKUP_DIR")]
    pub backup_dir: PathBuf,
    /// Only say which backups would be removed
    #[arg(long, conflicts_with = "sandbox")]
    pub dry_run: bool,
    /// Remove throwaway containers that dead runs or --no-cleanup left
    #[arg(long)]
    pub sandbox: bool,
}

/// What runs the throwaway PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// The best that is there
    Auto,
    /// A container
    Docker,
}

/// Which PostgreSQL to restore into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostgresVersion {
    /// The major version the dump was taken from.
    Auto,
    /// This major version.
    Major(u32),
}

fn parse_version(text: &str) -> Result<PostgresVersion, String> {
    match text {
        "auto" => Ok(PostgresVersion::Auto),
        _ => match text.parse() {
            Ok(major @ 9..=99) => Ok(PostgresVersion::Major(major)),
            _ => Err("expected auto or a major version such as 15".to_owned()),
        },
    }
}

/// A name that Docker accepts.
fn parse_container(name: &str) -> Result<String, String> {
    let first = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    let rest = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    match first && name.len() > 1 && name.chars().all(rest) {
        true => Ok(name.to_owned()),
        false => Err("expected two or more letters, digits, _ . -, a letter or digit first".into()),
    }
}

/// Reads `90s`, `45m`, `12h`, `30d` or `4w`.
fn parse_duration(text: &str) -> Result<std::time::Duration, String> {
    let wrong = || "expected a number and a unit: 90s, 45m, 12h, 30d or 4w".to_owned();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds: u64 = match &text[digits.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return Err(wrong()),
    };
    let count: u64 = digits.parse().map_err(|_| wrong())?;
    // A thousand years is enough, and keeps date arithmetic far from its limits.
    let total = count.checked_mul(seconds).filter(|total| *total <= 1000 * 366 * 86_400);
    total.map(std::time::Duration::from_secs).ok_or_else(|| "too long".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(parse_duration("30d").unwrap().as_secs(), 30 * 86_400);
        assert_eq!(parse_duration("90s").unwrap().as_secs(), 90);
        for wrong in ["30", "d", "", "-1d", "1y", "1.5h", "99999999999999999w"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn backup_create_is_create() {
        let cli = Cli::parse_from(["ccc-backup", "backup", "create", "x.sql"]);
        let Command::Backup { command } = cli.command else { panic!("not backup") };
        let Command::Create(args) = Command::from(command) else { panic!("not create") };
        assert_eq!(args.output, Some("x.sql".into()));
    }

    #[test]
    fn a_container_name_is_one_that_docker_accepts() {
        for good in ["backup-restore-test", "a.b_c-1", "0a"] {
            assert_eq!(parse_container(good).as_deref(), Ok(good));
        }
        for wrong in ["", "a", "-a", "a b", "a/b", "ä1"] {
            assert!(parse_container(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn cleanup_takes_an_age_or_the_sandbox_or_both_and_a_dry_run_removes_no_sandbox() {
        let parse = |args: &[&str]| {
            Cli::try_parse_from(["ccc-backup", "cleanup"].iter().chain(args)).map(drop)
        };
        let missing = parse(&[]).unwrap_err().to_string();
        assert!(missing.contains("<--older-than <AGE>|--sandbox>"), "{missing}");
        assert!(parse(&["--older-than=1d", "--sandbox"]).is_ok());
        assert!(parse(&["--older-than=1d", "--dry-run"]).is_ok());
        assert!(parse(&["--sandbox", "--dry-run"]).is_err());
    }

    #[test]
    fn verify_takes_a_file_or_latest_but_not_both() {
        let missing = Cli::try_parse_from(["ccc-backup", "verify"]).unwrap_err().to_string();
        assert!(missing.contains("<FILE|--latest>"), "{missing}");
        assert!(Cli::try_parse_from(["ccc-backup", "verify", "x", "--latest"]).is_err());
        assert!(Cli::try_parse_from(["ccc-backup", "verify", "--latest"]).is_ok());
    }
}
