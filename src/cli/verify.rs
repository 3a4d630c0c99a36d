//! The command line of `verify`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use super::{
    AllowedSignersArgs, DecryptArgs, FromArgs, MetricsArgs, NotifyArgs, ProvingArgs, SignReportArgs,
};

const VERIFY_EXAMPLES: &str = "\
Examples:
  ccc-backup verify --latest
  ccc-backup verify --latest --database shop       of several databases, this one alone
  ccc-backup verify --latest --backup-dir /var/backups/ccc --quiet
  ccc-backup verify backups/manual.sql.gz --no-cleanup     keep the restored database and look at it
  ccc-backup verify --latest --port 0 --container-name nightly     beside another run
  ccc-backup verify --latest --wait --timeout 2h                   after another run
  ccc-backup verify --latest --require-proof                       for a nightly run
  ccc-backup verify ccc.sql.gz --from-command 'rclone cat remote:ccc/{name}'

Exit codes: 0 passed, 1 the backup is bad, 2 it could not be told. Of several, that of the worst.";

/// Options of `verify`.
#[derive(Debug, Args)]
#[command(after_help = VERIFY_EXAMPLES)]
#[command(group(ArgGroup::new("backup").required(true).args(["file", "latest"])))]
#[command(group(ArgGroup::new("signable").multiple(true).args(["report", "html"])))]
pub struct VerifyArgs {
    /// The backup: an SQL dump or an archive of pg_dump, also compressed, or a directory of one; - is standard
    /// input
    pub file: Option<PathBuf>,
    /// Take the newest backup in BACKUP_DIR, or one level below it; of several databases, the newest of each
    #[arg(long)]
    pub latest: bool,
    /// The newest backup of this database alone, by the name that `list` shows
    #[arg(long, value_name = "NAME", requires = "latest")]
    pub database: Option<String>,
    /// Directory of the backups and of their history [default: ./backups; the directory of FILE]
    #[arg(long, value_name = "DIR", env = "CCC_BACKUP_DIR")]
    pub backup_dir: Option<PathBuf>,
    /// How it is restored, and what is proven.
    #[command(flatten)]
    pub proving: ProvingArgs,
    /// Port on 127.0.0.1; 0 takes any; --engine local listens there only with --no-cleanup
    #[arg(long, value_name = "PORT", default_value_t = 5433)]
    pub port: u16,
    /// Name of the container, or of a local server that is kept
    #[arg(long, value_name = "NAME", default_value = "backup-restore-test", value_parser = parse_container)]
    pub container_name: String,
    /// Keep the restored database running, and say how to connect to it
    #[arg(long)]
    pub no_cleanup: bool,
    /// Write the whole result to FILE as JSON (docs/report.schema.json; of several databases, docs/drill.schema.json)
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Write what was proven to FILE as one page of HTML, for people and auditors
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
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

/// A name that Docker accepts.
pub(super) fn parse_container(name: &str) -> Result<String, String> {
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
            Some((args.file, args.proving.wait.map(|limit| limit.map(|limit| limit.as_secs()))))
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
