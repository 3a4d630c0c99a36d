//! The command line of `copy`.

use std::path::PathBuf;

use clap::Args;

use super::{ConfigArgs, NotifyArgs};

const COPY_EXAMPLES: &str = "\
Examples:
  ccc-backup copy backups s3://bucket/prefix --missing
  ccc-backup copy s3://bucket/prefix ./backups backup_20260114_143022.sql.gz
  ccc-backup copy s3://here/prefix s3://elsewhere/prefix --missing

Every file is held to the SHA-256 in the backup's manifest on its way. Globals, signature, manifest
and verdicts come along; the manifest is put last. A copy that was cut short goes on where it was
when the command is run again. What has no manifest is not copied: nothing says whether it arrived.

Exit codes: 0 copied, or there already, 1 a backup is not what its manifest says, 2 something could
not be copied, or wrong flags.";

/// Options of `copy`.
#[derive(Debug, Args)]
#[command(after_help = COPY_EXAMPLES)]
pub struct CopyArgs {
    /// Where the backups are: a directory or a place
    pub from: PathBuf,
    /// Where they are to be, too
    pub to: PathBuf,
    /// Their names
    #[arg(value_name = "BACKUP", required_unless_present = "missing")]
    pub backups: Vec<String>,
    /// All that are not there yet, the newest first
    #[arg(long, conflicts_with = "backups")]
    pub missing: bool,
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Word of the run.
    #[command(flatten)]
    pub notify: NotifyArgs,
}
