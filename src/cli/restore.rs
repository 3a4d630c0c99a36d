//! The command line of `restore`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use super::{AllowedSignersArgs, DecryptArgs, FromArgs, MetricsArgs, NotifyArgs, parse_duration};

const RESTORE_EXAMPLES: &str = "\
Examples:
  ccc-backup restore --latest --into postgresql://ccc@db.internal/ccc      into a database that is missing or empty
  ccc-backup restore --latest --swap         beside the one in use, proven, then switched
  ccc-backup restore --latest --swap --dry-run      say what would happen, and change nothing
  ccc-backup restore --latest --as ccc_yesterday    under a name of its own, to look into
  ccc-backup restore --latest --table users         one table, into a schema of its own beside it
  ccc-backup restore --undo                  give the name back to the database that had it before
  ccc-backup restore --complete              give the name to a database that was proven and not switched

Connection: as for create. --into is its --database-url; the password better comes from DATABASE_URL,
DB_PASSWORD, PGPASSWORD or ~/.pgpass.

Exit codes: 0 restored and proven, 1 the backup is bad, 2 it could not be restored there (not empty, no
rights, disk full, interrupted, wrong flags, …), 3 restored and proven, and later than --rto allows. With
1 and 2 nothing is left of it, and what was there is as it was.";

/// Options of `restore`.
#[derive(Debug, Args)]
#[command(after_help = RESTORE_EXAMPLES)]
#[command(group(ArgGroup::new("backup").required(true).args(["file", "latest", "undo", "complete"])))]
pub struct RestoreArgs {
    /// The backup: an SQL dump or an archive of pg_dump, also compressed, or a directory of one; - is standard
    /// input
    pub file: Option<PathBuf>,
    /// Take the newest backup in BACKUP_DIR, or one level below it; of several databases, of the one that the connection
    /// names
    #[arg(long)]
    pub latest: bool,
    /// Directory of the backups and of their history [default: ./backups; the directory of FILE]
    #[arg(long, value_name = "DIR", env = "CCC_BACKUP_DIR")]
    pub backup_dir: Option<PathBuf>,
    /// Connection URL of the server, and the name of the database
    #[arg(long, value_name = "URL")]
    pub into: Option<String>,
    /// Host of the server
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// Port of the server
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Name of the database
    #[arg(long, short, value_name = "NAME")]
    pub dbname: Option<String>,
    /// User to connect as
    #[arg(long, short = 'U', value_name = "NAME")]
    pub username: Option<String>,
    /// Restore into a database of this name in place of the connection's
    #[arg(long = "as", value_name = "NAME", conflicts_with = "swap")]
    pub as_name: Option<String>,
    /// Restore beside a database that is in use, prove it there, then let it take the name; the old one
    /// stays, as NAME_before_TIME
    #[arg(long)]
    pub swap: bool,
    /// End the sessions of the database that gives its name away, without asking
    #[arg(long, short)]
    pub yes: bool,
    /// Restore a backup that a run has proven bad, or that a check of your own does not pass
    #[arg(long)]
    pub force: bool,
    /// Make the roles that the backup names and the server lacks, as the globals beside the backup
    /// (create --globals) say; those that there are stay as they are
    #[arg(long)]
    pub globals: bool,
    /// Say what would happen, and change nothing
    #[arg(long, conflicts_with_all = ["undo", "complete"])]
    pub dry_run: bool,
    /// Give the name back to the database that had it before the last --swap, or remove one that was
    /// restored and never got its name
    #[arg(long, conflicts_with_all = ["swap", "as_name"])]
    pub undo: bool,
    /// Give the name to a database that an earlier run restored and proved
    #[arg(long, conflicts_with_all = ["swap", "as_name"])]
    pub complete: bool,
    /// Bring only this table, into a schema of its own (schema.table or a pattern, as pg_dump takes it)
    #[arg(long, short, value_name = "PATTERN", conflicts_with_all = ["swap", "as_name", "undo", "complete", "dry_run"])]
    pub table: Vec<String>,
    /// Bring the tables of this schema in the same way
    #[arg(long, short = 'n', value_name = "PATTERN", conflicts_with_all = ["swap", "as_name", "undo", "complete", "dry_run"])]
    pub schema: Vec<String>,
    /// Schema that --table and --schema put tables into [default: restored_TIME]
    #[arg(long, value_name = "NAME")]
    pub into_schema: Option<String>,
    /// Connections to restore and compare over [default: the number of cores]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: Option<u16>,
    /// Do not compare the restored rows' contents with the backup's
    #[arg(long)]
    pub no_content: bool,
    /// Restore SQL that pg_dump did not write, too; that it is whole is then not proven
    #[arg(long)]
    pub accept_foreign_sql: bool,
    /// Wait until who writes the backup is done, at most so long, such as --wait=10m
    #[arg(
        long,
        value_name = "DURATION",
        num_args = 0..=1,
        require_equals = true,
        value_parser = parse_duration
    )]
    pub wait: Option<Option<std::time::Duration>>,
    /// Give up after this time, such as 2h; nothing is left of it then
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub timeout: Option<std::time::Duration>,
    /// Say so, and end with 3, where it takes longer than this until the database is restored, proven and
    /// under its name, such as 45m (recovery time objective); what is restored stays
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, conflicts_with_all = ["table", "schema", "undo", "complete"])]
    pub rto: Option<std::time::Duration>,
    /// Configuration: [signing] and, where it is named here, [[checks.sql]], which are asked before the database gets its
    /// name [default: ./ccc-backup.toml, if any]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Who may have signed the backup.
    #[command(flatten)]
    pub signers: AllowedSignersArgs,
    /// Metrics for Prometheus.
    #[command(flatten)]
    pub metrics: MetricsArgs,
    /// Word of the run.
    #[command(flatten)]
    pub notify: NotifyArgs,
    /// Encryption.
    #[command(flatten)]
    pub decrypt: DecryptArgs,
    /// Backups that come through pipes.
    #[command(flatten)]
    pub from: FromArgs,
}
