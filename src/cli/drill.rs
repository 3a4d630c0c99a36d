//! The command line of `drill`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use super::verify::parse_container;
use super::{
    AllowedSignersArgs, DecryptArgs, MetricsArgs, NotifyArgs, ProvingArgs, SignReportArgs,
    parse_duration,
};

const DRILL_EXAMPLES: &str = "\
Examples:
  ccc-backup drill --dry-run                      what would be verified, and how long it takes
  ccc-backup drill --rto 45m --html drill.html    the newest backup and three others, in every place
  ccc-backup drill --all --within 6h              as many as fit; run it again for the rest
  ccc-backup drill --file-only                    read every byte of every backup and every copy

In each place, of each database: the newest backup, and the older ones that were never proven there,
then those whose proof is the oldest. The same order says which is verified first, so what a drill that
was cut short has proven comes last in the next one, which so goes on where it was.

Exit codes: that of the worst. 0 all passed, 1 a backup is bad, or too slow for --rto, 2 one could not be
told, was not reached, or a place has none.";

/// Options of `drill`.
#[derive(Debug, Args)]
#[command(after_help = DRILL_EXAMPLES)]
#[command(group(ArgGroup::new("signable").multiple(true).args(["report", "html"])))]
pub struct DrillArgs {
    /// Directory of the backups, and of their history
    #[arg(long, value_name = "DIR", default_value = "./backups", env = "CCC_BACKUP_DIR")]
    pub backup_dir: PathBuf,
    /// Where their copies are, which are verified there, too
    /// [default: the [[copies]] of the configuration]
    #[arg(long, value_name = "PLACE", num_args = 1..)]
    pub places: Vec<PathBuf>,
    /// Verify so many older backups beside the newest, in each place [default: 3]
    #[arg(long, value_name = "N", conflicts_with = "all")]
    pub sample: Option<usize>,
    /// Verify all of them; --file-only does, unless --sample is given
    #[arg(long)]
    pub all: bool,
    /// Restore nothing: read every byte, and compare it with the checksums of the manifest. Needs neither a
    /// server nor keys
    #[arg(long, conflicts_with_all = ["rto", "no_content", "require_proof"])]
    pub file_only: bool,
    /// Begin no verification that would not end within this time, such as 2h, by those on record
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub within: Option<std::time::Duration>,
    /// So many verifications at once, each with a server of its own
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub at_once: u16,
    /// Only show the plan
    #[arg(long, conflicts_with = "signable")]
    pub dry_run: bool,
    /// How a backup is restored, and what is proven.
    #[command(flatten)]
    pub proving: ProvingArgs,
    /// Name of the container; with --at-once, what the names begin with
    #[arg(long, value_name = "NAME", default_value = "backup-drill", value_parser = parse_container)]
    pub container_name: String,
    /// Directory of what is read from object storage, which so comes over the network once; none: it is read
    /// from there again [default: the system's for temporary files]
    #[arg(long, value_name = "DIR")]
    pub spool: Option<PathBuf>,
    /// Write the whole result to FILE as JSON (docs/drill.schema.json)
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Write what was proven to FILE as one page of HTML, for people and auditors
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Who may have signed the backups.
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
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::cli::{Cli, Command};

    fn parse(args: &[&str]) -> Result<super::DrillArgs, clap::Error> {
        let cli = Cli::try_parse_from(["ccc-backup", "drill"].iter().chain(args))?;
        let Command::Drill(args) = cli.command else { panic!("not drill") };
        Ok(*args)
    }

    #[test]
    fn a_drill_takes_a_sample_or_all_and_several_places() {
        let args = parse(&["--sample", "5", "--places", "a", "s3://b/c", "--places", "d"]).unwrap();
        let places: Vec<_> = args.places.iter().map(|place| place.to_str().unwrap()).collect();
        assert_eq!((args.sample, places), (Some(5), vec!["a", "s3://b/c", "d"]));
        assert!(parse(&["--sample", "0"]).is_ok());
        assert!(parse(&["--sample", "3", "--all"]).is_err());
        assert!(parse(&["--at-once", "0"]).is_err());
    }

    #[test]
    fn what_restores_nothing_has_no_time_to_keep_and_a_plan_is_no_report() {
        for wrong in [
            &["--file-only", "--rto", "45m"][..],
            &["--file-only", "--require-proof"],
            &["--dry-run", "--report", "x.json"],
            &["--dry-run", "--html", "x.html"],
        ] {
            assert_eq!(parse(wrong).unwrap_err().exit_code(), 2, "{wrong:?}");
        }
        assert!(parse(&["--file-only", "--sample", "2"]).is_ok());
    }
}
