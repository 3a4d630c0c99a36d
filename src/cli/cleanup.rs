//! The command line of `cleanup`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use super::parse_duration;

const CLEANUP_EXAMPLES: &str = "\
Examples:
  ccc-backup cleanup --older-than 30d --dry-run
  ccc-backup cleanup --older-than 30d
  ccc-backup cleanup --sandbox      remove containers that dead runs or --no-cleanup left

Only backups named backup_YYYYMMDD_HHMMSS are removed, together with their manifests, and what
dead runs left of one. The newest backup and the newest one that passed verification stay.

Exit codes: 0 done, 2 something could not be removed or asked, or wrong flags.";

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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::cli::Cli;

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
}
