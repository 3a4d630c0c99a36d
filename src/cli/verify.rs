//! The command line of `verify`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};

use super::{
    AllowedSignersArgs, DecryptArgs, FromArgs, MetricsArgs, NotifyArgs, SignReportArgs,
    parse_duration,
};

const VERIFY_EXAMPLES: &str = "\
Examples:
  ccc-backup verify --latest
  ccc-backup verify --latest --backup-dir /var/backups/ccc --quiet
  ccc-backup verify backups/manual.sql.gz --no-cleanup     keep the restored database and look at it
  ccc-backup verify --latest --port 0 --container-name nightly     beside another run
  ccc-backup verify --latest --wait --timeout 2h                   after another run
  ccc-backup verify --latest --require-proof                       for a nightly run
  ccc-backup verify ccc.sql.gz --from-command 'rclone cat remote:ccc/{name}'

Exit codes: 0 passed, 1 the backup is bad, 2 it could not be told.";

/// Options of `verify`.
#[derive(Debug, Args)]
#[command(after_help = VERIFY_EXAMPLES)]
#[command(group(ArgGroup::new("backup").required(true).args(["file", "latest"])))]
pub struct VerifyArgs {
    /// The backup: an SQL dump or an archive of pg_dump, also compressed, or a directory of one; - is standard
    /// input
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
    /// What runs the throwaway PostgreSQL: docker, local (this machine's own PostgreSQL, without
    /// superuser's rights for the backup), or auto: docker where it answers, else local
    #[arg(long, value_enum, default_value_t = Engine::Auto, hide_possible_values = true)]
    pub engine: Engine,
    /// Port on 127.0.0.1; 0 takes any; --engine local listens there only with --no-cleanup
    #[arg(long, value_name = "PORT", default_value_t = 5433)]
    pub port: u16,
    /// Name of the container, or of a local server that is kept
    #[arg(long, value_name = "NAME", default_value = "backup-restore-test", value_parser = parse_container)]
    pub container_name: String,
    /// Wait until others are done with the container's name, the port and the backup, at most so
    /// long, such as --wait=10m [default: as long as --timeout allows]
    #[arg(
        long,
        value_name = "DURATION",
        num_args = 0..=1,
        require_equals = true,
        value_parser = parse_duration
    )]
    pub wait: Option<Option<std::time::Duration>>,
    /// Memory that the container may take, such as 4GB [default: no limit]
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<String>,
    /// Processors that the container may take, such as 1.5 [default: no limit]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub cpus: Option<f64>,
    /// Keep the restored database running, and say how to connect to it
    #[arg(long)]
    pub no_cleanup: bool,
    /// Connections to restore and compare over [default: the number of cores]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: Option<u16>,
    /// Do not compare the restored rows' contents with the backup's
    #[arg(long)]
    pub no_content: bool,
    /// Pass only what was proven: what is left open, such as rows without a manifest, makes the
    /// verdict NOT VERIFIED
    #[arg(long, conflicts_with = "no_content")]
    pub require_proof: bool,
    /// Restore SQL that pg_dump did not write, too; that it is whole is then not proven
    #[arg(long)]
    pub accept_foreign_sql: bool,
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
    /// Who may have signed the backup.
    #[command(flatten)]
    pub signers: AllowedSignersArgs,
    /// Whether the report is signed.
    #[command(flatten)]
    pub sign: SignReportArgs,
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

/// What runs the throwaway PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// Docker where it answers, else local
    Auto,
    /// A container
    Docker,
    /// This machine's own PostgreSQL
    Local,
}

/// Which PostgreSQL to restore into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostgresVersion {
    /// The major version the dump was taken from.
    Auto,
    /// This major version.
    Major(u32),
}

pub(super) fn parse_version(text: &str) -> Result<PostgresVersion, String> {
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

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
    fn wait_takes_a_time_only_behind_an_equals_sign() {
        let waits = |args: &[&str]| {
            let cli = Cli::try_parse_from(["ccc-backup", "verify"].iter().chain(args)).ok()?;
            let crate::cli::Command::Verify(args) = cli.command else { return None };
            Some((args.file, args.wait.map(|limit| limit.map(|limit| limit.as_secs()))))
        };
        let file = || Some(PathBuf::from("x.sql"));
        assert_eq!(waits(&["x.sql"]), Some((file(), None)));
        assert_eq!(waits(&["--wait", "x.sql"]), Some((file(), Some(None))));
        assert_eq!(waits(&["x.sql", "--wait"]), Some((file(), Some(None))));
        assert_eq!(waits(&["--wait=10m", "x.sql"]), Some((file(), Some(Some(600)))));
        assert_eq!(waits(&["--wait=10", "x.sql"]), None);
        assert_eq!(waits(&["--wait=", "x.sql"]), None);
        assert_eq!(waits(&["--wait", "10m", "x.sql"]), None);
    }

    #[test]
    fn proof_cannot_be_required_of_contents_that_are_left_out() {
        let parse = |args: &[&str]| {
            Cli::try_parse_from(["ccc-backup", "verify", "x"].iter().chain(args)).map(drop)
        };
        assert!(parse(&["--require-proof"]).is_ok());
        let error = parse(&["--require-proof", "--no-content"]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("'--no-content'"), "{error}");
    }

    #[test]
    fn verify_takes_a_file_or_latest_but_not_both() {
        let missing = Cli::try_parse_from(["ccc-backup", "verify"]).unwrap_err().to_string();
        assert!(missing.contains("<FILE|--latest>"), "{missing}");
        assert!(Cli::try_parse_from(["ccc-backup", "verify", "x", "--latest"]).is_err());
        assert!(Cli::try_parse_from(["ccc-backup", "verify", "--latest"]).is_ok());
    }
}
