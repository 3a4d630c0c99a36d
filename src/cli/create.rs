//! The command line of `create`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{EncryptArgs, MetricsArgs, NotifyArgs, SignArgs, ToArgs, parse_duration};

const CREATE_EXAMPLES: &str = "\
Examples:
  ccc-backup create
  DB_HOST=db.internal DB_PASSWORD=… ccc-backup create
  ccc-backup create --container db           the database of a Compose service, without a published port
  ccc-backup create --database-url postgresql://ccc@db.internal/ccc?sslmode=require
  ccc-backup create backups/manual.sql.zst   packed by zstd
  ccc-backup create --format directory --jobs 4      back up four tables at a time
  ccc-backup create --encrypt-to age1ql3z…   sealed: only the private key of that recipient opens it
  ccc-backup create --backup-dir s3://bucket/prefix  streamed to object storage, see docs/places.md
  ccc-backup create --copy-to s3://bucket/prefix     and brought there, too
  ccc-backup create --all-databases          every database of the server, one backup each
  ccc-backup create --globals                with the server's roles and tablespaces beside it
  ccc-backup create - | ssh vault 'cat >ccc.sql.gz'    nothing of it on this machine
  ccc-backup create --to-command 'rclone rcat remote:ccc/{name}'
  ccc-backup create -- --exclude-table-data=analytics.page_views

Databases: --dbname or --database-url names one; else those of [[databases]] in the configuration; else the one
of DB_NAME and what follows below. --all-databases: all of the server, and those of [[databases]].

Connection: flags, then --database-url, then DB_HOST DB_PORT DB_NAME DB_USER DB_PASSWORD, then
DATABASE_URL, then libpq's PGHOST PGPORT PGDATABASE PGUSER PGPASSWORD PGSERVICE and ~/.pgpass,
then localhost:5432, content_creation_crew, postgres. With --container: flags, --database-url, DB_* and
DATABASE_URL, as seen from inside, then PGUSER PGDATABASE PGPASSWORD, then the container's own socket,
POSTGRES_USER and POSTGRES_DB. There is no flag for a password: it would
be seen by every user of the machine.

Exit codes: 0 made, 1 could not be made, 2 wrong flags or environment, or interrupted. Of several databases, 1 if
one could not be made, else 2 if one was not come to.";

/// Options of `create`.
#[derive(Debug, Args)]
#[command(after_help = CREATE_EXAMPLES)]
pub struct CreateArgs {
    /// Where to write it; `x.sql` becomes `x.sql.gz`, or what --compress and --format say
    /// [default: BACKUP_DIR/backup_YYYYMMDD_HHMMSS.sql.gz, in UTC]; - is standard output
    pub output: Option<PathBuf>,
    /// Directory of the backups, or a place such as s3://bucket/prefix
    #[arg(long, value_name = "DIR", default_value = "./backups", env = "CCC_BACKUP_DIR")]
    pub backup_dir: PathBuf,
    /// Bring the backup to this place as well; may be given more than once
    /// [default: the [[copies]] of the configuration]
    #[arg(long, value_name = "PLACE")]
    pub copy_to: Vec<PathBuf>,
    /// The container that the database runs in, or its Compose service (SERVICE or PROJECT/SERVICE): pg_dump runs in there,
    /// and no port needs to be published
    #[arg(long, value_name = "NAME", env = "CCC_BACKUP_CONTAINER")]
    pub container: Option<String>,
    /// Host of the database
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// Port of the database
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Name of the database
    #[arg(long, short, value_name = "NAME")]
    pub dbname: Option<String>,
    /// Back up every database of the server that takes connections and is no template, each to a file of its own; one
    /// that cannot be backed up does not stop the others. The server's roles and tablespaces stand beside each
    #[arg(long)]
    pub all_databases: bool,
    /// Leave out databases of this name, which may be a pattern, as pg_dumpall takes it; may be given more than once
    #[arg(long, value_name = "PATTERN")]
    pub exclude_database: Vec<String>,
    /// User to connect as
    #[arg(long, short = 'U', value_name = "NAME")]
    pub username: Option<String>,
    /// Connection URL; better given as DATABASE_URL when it holds a password
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
    /// The pg_dump to use [default: from PATH, else the newest of the packages]
    #[arg(long, value_name = "FILE", env = "CCC_BACKUP_PG_DUMP")]
    pub pg_dump: Option<PathBuf>,
    /// Keep owners and privileges (leaves out --no-owner --no-acl)
    #[arg(long)]
    pub keep_owner: bool,
    /// Write the server's roles and tablespaces, without passwords, to a file beside the backup
    #[arg(long)]
    pub globals: bool,
    /// Of several databases, do not write the server's roles and tablespaces beside each
    #[arg(long, conflicts_with = "globals")]
    pub no_globals: bool,
    /// Format: plain (SQL), or for pg_restore: custom (one file), directory, tar
    /// [default: as OUTPUT ends (.dump, .dir, .tar), else plain]
    #[arg(
        long,
        value_parser = ["plain", "custom", "directory", "tar"],
        hide_possible_values = true
    )]
    pub format: Option<String>,
    /// Compression: gzip, gzip:1 to gzip:9, zstd, zstd:1 to zstd:19, or none
    /// [default: as OUTPUT ends, else gzip, which is gzip:6; zstd is zstd:3; none for tar]
    #[arg(long, value_name = "METHOD")]
    pub compress: Option<String>,
    /// Connections that read rows at a time, for plain dumps (byte for byte what pg_dump writes; two more connections are
    /// needed) and directories [default: 1; in the directory format the number of cores, at most 4]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: Option<u16>,
    /// Give up after this time, such as 30m; nothing of the backup is left then
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub timeout: Option<std::time::Duration>,
    /// Overwrite OUTPUT if it exists
    #[arg(long)]
    pub force: bool,
    /// Configuration: which databases, to whom backups are sealed, and who signs them [default: ./ccc-backup.toml, if any]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Write what was made of each database to FILE as JSON (docs/create.schema.json)
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Who signs the backup.
    #[command(flatten)]
    pub sign: SignArgs,
    /// Metrics for Prometheus.
    #[command(flatten)]
    pub metrics: MetricsArgs,
    /// Word of the run.
    #[command(flatten)]
    pub notify: NotifyArgs,
    /// Encryption.
    #[command(flatten)]
    pub encrypt: EncryptArgs,
    /// Backups that go through pipes.
    #[command(flatten)]
    pub to: ToArgs,
    /// More arguments for pg_dump, after `--`
    #[arg(last = true, value_name = "PG_DUMP_ARGS")]
    pub pg_dump_args: Vec<OsString>,
}

impl CreateArgs {
    /// Whether the backup itself goes to standard output.
    pub fn is_to_stdout(&self) -> bool {
        self.output.as_deref() == Some(Path::new("-"))
    }
}
