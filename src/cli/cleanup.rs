//! The command line of `cleanup`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use super::{ConfigArgs, NotifyArgs, parse_duration};

const CLEANUP_EXAMPLES: &str = "\
Examples:
  ccc-backup cleanup --older-than 30d --dry-run
  ccc-backup cleanup --older-than 30d
  ccc-backup cleanup --keep-daily 7 --keep-weekly 5 --keep-monthly 12 --keep-yearly 3
  ccc-backup cleanup --sandbox      remove containers that dead runs or --no-cleanup left

A backup stays that any rule keeps. The --keep rules count what is there, not the calendar: days,
weeks (from Monday), months and years without a backup are not counted, nor is a backup that
failed its last verification, once one has passed. All times are UTC.

Only backups named backup_YYYYMMDD_HHMMSS are removed, together with their manifests and
globals, and what dead runs left of one. The newest backup stays, the newest one that passed
verification, the newest one that is not proven bad, and what is being written or verified.

Exit codes: 0 done, 2 something could not be removed or asked, or wrong flags.";

/// Options of `cleanup`.
#[derive(Debug, Args)]
#[command(after_help = CLEANUP_EXAMPLES)]
#[command(group(ArgGroup::new("what").required(true).multiple(true).args([
    "older_than", "keep_last", "keep_daily", "keep_weekly", "keep_monthly", "keep_yearly", "sandbox",
    "built_images",
])))]
pub struct CleanupArgs {
    /// Remove backups older than this, such as 30d, 1d12h or 4w, unless a rule below keeps them
    #[arg(long, value_name = "AGE", value_parser = parse_duration)]
    pub older_than: Option<std::time::Duration>,
    /// Which backups to keep.
    #[command(flatten)]
    pub keep: KeepArgs,
    /// Directory of the backups
    #[arg(long, value_name = "DIR", default_value = "./backups", env = "CCC_BACKUP_DIR")]
    pub backup_dir: PathBuf,
    /// Only say which backups would be removed
    #[arg(long, conflicts_with_all = ["sandbox", "built_images"])]
    pub dry_run: bool,
    /// Remove throwaway containers that dead runs or --no-cleanup left
    #[arg(long)]
    pub sandbox: bool,
    /// Remove the images that --build-image built, but for those in use
    #[arg(long)]
    pub built_images: bool,
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Word of the run.
    #[command(flatten)]
    pub notify: NotifyArgs,
}

/// Which backups to keep: grandfather, father and son.
#[derive(Debug, Args)]
pub struct KeepArgs {
    /// Keep the newest N backups
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub keep_last: Option<u16>,
    /// Keep the newest backup of each of the last N days that have one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub keep_daily: Option<u16>,
    /// Keep the newest backup of each of the last N weeks that have one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub keep_weekly: Option<u16>,
    /// Keep the newest backup of each of the last N months that have one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub keep_monthly: Option<u16>,
    /// Keep the newest backup of each of the last N years that have one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub keep_yearly: Option<u16>,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::cli::Cli;

    fn parse(args: &[&str]) -> Result<(), clap::Error> {
        Cli::try_parse_from(["ccc-backup", "cleanup"].iter().chain(args)).map(drop)
    }

    #[test]
    fn cleanup_takes_a_rule_or_the_sandbox_or_both_and_a_dry_run_removes_no_sandbox() {
        let missing = parse(&[]).unwrap_err().to_string();
        for flag in ["--older-than <AGE>", "--keep-last <N>", "--keep-yearly <N>", "--sandbox"] {
            assert!(missing.contains(flag), "{missing}");
        }
        assert!(parse(&["--dry-run"]).is_err());
        assert!(parse(&["--older-than=1d", "--sandbox"]).is_ok());
        assert!(parse(&["--older-than=1d", "--dry-run"]).is_ok());
        assert!(parse(&["--keep-weekly=4", "--sandbox"]).is_ok());
        assert!(parse(&["--sandbox", "--dry-run"]).is_err());
        assert!(parse(&["--built-images"]).is_ok());
        assert!(parse(&["--built-images", "--sandbox"]).is_ok());
        assert!(parse(&["--built-images", "--dry-run"]).is_err());
    }

    #[test]
    fn a_rule_keeps_one_backup_or_more() {
        for rule in ["last", "daily", "weekly", "monthly", "yearly"] {
            for good in ["1", "65535"] {
                assert!(parse(&[&format!("--keep-{rule}={good}")]).is_ok(), "{rule} {good}");
            }
            for wrong in ["0", "-1", "", "7d", "1.5", "65536"] {
                assert!(parse(&[&format!("--keep-{rule}={wrong}")]).is_err(), "{rule} {wrong}");
            }
        }
    }
}
