//! The command line of `doctor`.

use std::path::PathBuf;

use clap::Args;

use super::proving::parse_version;
use super::{
    AllowedSignersArgs, ConfigArgs, DecryptArgs, Engine, Format, MetricsArgs, PostgresVersion,
    SignArgs,
};

const DOCTOR_EXAMPLES: &str = "\
Examples:
  ccc-backup doctor                          with the environment and the configuration of the nightly runs
  ccc-backup doctor --send-test              have webhooks, switches and commands told, as a test
  ccc-backup doctor --no-start --format json

It asks as create, verify and the others do: the same tools, engine, places and keys. It starts a
throwaway server, and writes and takes back a little in each place; nothing of that is left, no image is
pulled, and nothing of others is removed.

Exit codes: 0 all that is set up works, 1 something is broken, 2 something could not be told, or wrong
flags.";

/// Options of `doctor`.
#[derive(Debug, Args)]
#[command(after_help = DOCTOR_EXAMPLES)]
pub struct DoctorArgs {
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Directory of the backups
    #[arg(long, value_name = "DIR", default_value = "./backups", env = "CCC_BACKUP_DIR")]
    pub backup_dir: PathBuf,
    /// A place of copies; may be given more than once [default: the [[copies]] of the configuration]
    #[arg(long, value_name = "PLACE")]
    pub copy_to: Vec<PathBuf>,
    /// Connection URL of the source database
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
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
    /// User to connect as
    #[arg(long, short = 'U', value_name = "NAME")]
    pub username: Option<String>,
    /// pg_dump to use
    #[arg(long, value_name = "FILE", env = "CCC_BACKUP_PG_DUMP")]
    pub pg_dump: Option<PathBuf>,
    /// What runs the throwaway PostgreSQL: docker, local or auto
    #[arg(long, value_enum, default_value_t = Engine::Auto, hide_possible_values = true)]
    pub engine: Engine,
    /// Docker image to use [default: postgres:VERSION, else ccc-backup/postgres:VERSION]
    #[arg(long, value_name = "IMAGE", env = "CCC_BACKUP_IMAGE")]
    pub image: Option<String>,
    /// Major version of the throwaway PostgreSQL; auto: the source's
    #[arg(long, value_name = "VERSION", default_value = "auto", value_parser = parse_version)]
    pub postgres_version: PostgresVersion,
    /// Do not start a throwaway server
    #[arg(long)]
    pub no_start: bool,
    /// Send word to everybody who is told of runs, as a test
    #[arg(long)]
    pub send_test: bool,
    /// Where what comes over a network is kept while it is in use [default: TMPDIR]
    #[arg(long, value_name = "DIR")]
    pub spool: Option<PathBuf>,
    /// Seal backups for this recipient, as create does; may be given more than once
    /// [default: the recipients of the configuration]
    #[arg(long, value_name = "RECIPIENT")]
    pub encrypt_to: Vec<String>,
    /// How to answer: text, or json for programs
    #[arg(long, value_enum, default_value_t = Format::Text, hide_possible_values = true)]
    pub format: Format,
    /// Who signs.
    #[command(flatten)]
    pub sign: SignArgs,
    /// Who may have signed.
    #[command(flatten)]
    pub signers: AllowedSignersArgs,
    /// Metrics for Prometheus.
    #[command(flatten)]
    pub metrics: MetricsArgs,
    /// Encryption.
    #[command(flatten)]
    pub decrypt: DecryptArgs,
}
