//! The command line: clap types and nothing else. One definition feeds parsing, `--help`, the man
//! page and the completions.

mod cleanup;
mod copy;
mod create;
mod diff;
mod doctor;
mod drill;
mod extract;
mod keys;
mod notify;
mod piped;
mod proving;
mod restore;
mod sealing;
mod signing;
mod verify;

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};

pub use cleanup::CleanupArgs;
pub use copy::CopyArgs;
pub use create::CreateArgs;
pub use diff::DiffArgs;
pub use doctor::DoctorArgs;
pub use drill::DrillArgs;
pub use extract::{ExtractArgs, RowFormat};
pub use keys::{KeysArgs, KeysCommand};
pub use notify::NotifyArgs;
pub use piped::{FromArgs, ToArgs};
pub use proving::{Engine, PostgresVersion, ProvingArgs};
pub use restore::RestoreArgs;
pub use sealing::{DecryptArgs, EncryptArgs};
pub use signing::{AllowedSignersArgs, ConfigArgs, SignArgs, SignReportArgs};
pub use verify::VerifyArgs;

const EXAMPLES: &str = "\
Examples:
  ccc-backup create                          back up to ./backups/backup_YYYYMMDD_HHMMSS.sql.gz
  ccc-backup create backups/manual.sql       back up to backups/manual.sql.gz
  ccc-backup verify --latest                 restore and check the newest backup
  ccc-backup verify backups/manual.sql.gz    restore and check this one
  ccc-backup drill --within 2h               verify a sample, in every place that has copies
  ccc-backup restore --latest --swap         bring it back: beside, proven, then switched
  ccc-backup cleanup --older-than 30d        remove old backups, never the last good one
  ccc-backup list                            the backups, and whether they were verified
  ccc-backup history                         the runs, and how long restores take
  ccc-backup extract --latest --table users  the rows of a table in the newest backup
  ccc-backup diff A.sql.gz B.sql.gz          in what two backups differ
  ccc-backup doctor                          what of the set-up works, and what mends the rest

Exit codes of verify:
  0  PASSED        the backup was restored and every check passed
  1  FAILED        the backup was tested and is bad
  2  NOT VERIFIED  it could not be told (no Docker, file not found, interrupted, wrong flags, …)";

const LIST_EXAMPLES: &str = "\
Examples:
  ccc-backup list
  ccc-backup list --backup-dir /var/backups/ccc --format json

Exit codes: 0 answered, 2 the directory cannot be read, or wrong flags.";

const HISTORY_EXAMPLES: &str = "\
Examples:
  ccc-backup history --limit 5
  ccc-backup history --metrics-file ccc-backup.prom     write the metrics without a run
  ccc-backup history --html history.html --rto 45m      write a page for people and auditors

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
    /// Verify a sample of the backups in every place: what was proven, how long each took, against the goal
    Drill(Box<DrillArgs>),
    /// Restore a backup into a server that matters: proven before it takes the name
    Restore(Box<RestoreArgs>),
    /// Bring backups to another place, each held to its checksum on the way
    Copy(CopyArgs),
    /// Remove old backups, or what dead runs left behind
    Cleanup(CleanupArgs),
    /// Show the backups: age, size, rows, last verdict
    List(ListArgs),
    /// Show the runs, how long restores take, and the last success
    History(HistoryArgs),
    /// Write the rows of a table in a backup to stdout
    Extract(ExtractArgs),
    /// Say in what two backups differ
    Diff(DiffArgs),
    /// Say what of the set-up works, and what mends the rest
    Doctor(Box<DoctorArgs>),
    /// Keys of encrypted backups: make one, prove that it opens them, print what belongs in the safe
    Keys(KeysArgs),
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
    /// Write the rows of a table in a backup to stdout
    Extract(ExtractArgs),
    /// Say in what two backups differ
    Diff(DiffArgs),
}

impl From<BackupCommand> for Command {
    fn from(command: BackupCommand) -> Self {
        match command {
            BackupCommand::Create(args) => Self::Create(args),
            BackupCommand::Verify(args) => Self::Verify(args),
            BackupCommand::Cleanup(args) => Self::Cleanup(args),
            BackupCommand::List(args) => Self::List(args),
            BackupCommand::History(args) => Self::History(args),
            BackupCommand::Extract(args) => Self::Extract(args),
            BackupCommand::Diff(args) => Self::Diff(args),
        }
    }
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
    /// Look for copies in this place, too; may be given more than once
    /// [default: the [[copies]] of the configuration]
    #[arg(long, value_name = "PLACE")]
    pub copy_to: Vec<PathBuf>,
    /// Configuration: where copies are [default: ./ccc-backup.toml, if any]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How to answer: text, or json for programs
    #[arg(long, value_enum, default_value_t = Format::Text, hide_possible_values = true)]
    pub format: Format,
}

/// Options of `history`.
#[derive(Debug, Args)]
#[command(after_help = HISTORY_EXAMPLES)]
#[command(group(ArgGroup::new("written").multiple(true).args(["metrics_file", "html"])))]
pub struct HistoryArgs {
    /// Directory of the backups and of their history
    #[arg(long, value_name = "DIR", default_value = "./backups", env = "CCC_BACKUP_DIR")]
    pub backup_dir: PathBuf,
    /// Show the newest N runs; the statistics are of all
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
    /// Say when restores will take longer than this, such as 45m [default: what the last one was allowed]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub rto: Option<Duration>,
    /// How to answer: text, or json for programs
    #[arg(long, value_enum, default_value_t = Format::Text, hide_possible_values = true)]
    pub format: Format,
    /// Write what is on record to FILE as one page of HTML, for people and auditors
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write metrics of all runs to FILE, for node_exporter's textfile collector (*.prom)
    // Not by the environment: who looks at the history does not want to write.
    #[arg(long, value_name = "FILE")]
    pub metrics_file: Option<PathBuf>,
    /// Have metrics and page tell of the copies in this place, too; may be given more than once
    /// [default: the [[copies]] of the configuration]
    #[arg(long, value_name = "PLACE", requires = "written")]
    pub copy_to: Vec<PathBuf>,
    /// Configuration: where copies are, for metrics and page [default: ./ccc-backup.toml, if any]
    #[arg(long, value_name = "FILE", requires = "written")]
    pub config: Option<PathBuf>,
}

/// How to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

/// A thousand years is enough, and keeps date arithmetic far from its limits.
const LONGEST: Duration = Duration::from_secs(1000 * 366 * 86_400);

/// Reads `90s`, `45m`, `1h30m`, `30d` or `4w`.
///
/// # Errors
/// What was expected, in words.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || "expected a number and a unit: 90s, 45m, 1h30m, 30d or 4w".to_owned();
    // Zero needs a unit, too; and a month, `M`, is too easily written for a minute.
    if text == "0" || text.contains(|c: char| c.is_ascii_uppercase()) {
        return Err(wrong());
    }
    match humantime::parse_duration(text) {
        Ok(time) if time <= LONGEST => Ok(time),
        Ok(_) | Err(humantime::DurationError::NumberOverflow) => Err("too long".to_owned()),
        Err(_) => Err(wrong()),
    }
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
        assert_eq!(parse_duration("45m").unwrap().as_secs(), 45 * 60);
        assert_eq!(parse_duration("4w").unwrap().as_secs(), 28 * 86_400);
        for wrong in ["30", "0", "1h30", "d", "", "-1d", "30M", "1x", "1h-30m"] {
            let error = parse_duration(wrong).unwrap_err();
            assert!(error.starts_with("expected a number and a unit: "), "{wrong}: {error}");
        }
        for long in ["99999999999999999w", "99999999999999999999999s", "1003y"] {
            assert_eq!(parse_duration(long).unwrap_err(), "too long");
        }
    }

    #[test]
    fn a_duration_may_have_several_units() {
        for text in ["1h30m", "1h 30m", "90m", "1.5h"] {
            assert_eq!(parse_duration(text).unwrap().as_secs(), 90 * 60, "{text}");
        }
    }

    #[test]
    fn backup_create_is_create() {
        let cli = Cli::parse_from(["ccc-backup", "backup", "create", "x.sql"]);
        let Command::Backup { command } = cli.command else { panic!("not backup") };
        let Command::Create(args) = Command::from(command) else { panic!("not create") };
        assert_eq!(args.output, Some("x.sql".into()));
    }
}
