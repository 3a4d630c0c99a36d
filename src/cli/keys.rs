//! The command line of `keys`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{DecryptArgs, MetricsArgs};

const KEYS_EXAMPLES: &str = "\
Examples:
  ccc-backup keys new backup.key             make an identity, and print its recipient
  ccc-backup keys check --identity backup.key        prove that it opens the newest backup
  ccc-backup keys sheet --identity backup.key        what has to lie in the safe, to print

Exit codes: 0 done, or the key opens it; 1 it does not open; 2 it could not be told, or wrong flags.";

/// Options of `keys`.
#[derive(Debug, Args)]
#[command(after_help = KEYS_EXAMPLES)]
pub struct KeysArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: KeysCommand,
}

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make an identity (a private key), and print its recipient
    New(NewKeyArgs),
    /// Prove that the newest encrypted backup opens with the identities at hand, and put that on record
    Check(CheckKeysArgs),
    /// Print what has to lie in the safe, so that backups can be opened on the day of the disaster
    Sheet(SheetArgs),
}

/// Options of `keys new`.
#[derive(Debug, Args)]
pub struct NewKeyArgs {
    /// Where to write the identity; never over a file that is there
    #[arg(default_value = "ccc-backup.key")]
    pub file: PathBuf,
    /// Encrypt it with a passphrase, which is asked for, or taken from CCC_BACKUP_PASSPHRASE
    #[arg(long)]
    pub passphrase: bool,
    /// The same, with the passphrase in this file
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}

/// Options of `keys check`.
#[derive(Debug, Args)]
pub struct CheckKeysArgs {
    /// The backup [default: the newest encrypted one in BACKUP_DIR, or one level below it]
    pub file: Option<PathBuf>,
    /// Directory of the backups and of their history
    #[arg(long, value_name = "DIR", default_value = "./backups", env = "CCC_BACKUP_DIR")]
    pub backup_dir: PathBuf,
    /// Metrics for Prometheus.
    #[command(flatten)]
    pub metrics: MetricsArgs,
    /// Encryption.
    #[command(flatten)]
    pub decrypt: DecryptArgs,
}

/// Options of `keys sheet`.
#[derive(Debug, Args)]
pub struct SheetArgs {
    /// Directory of the backups
    #[arg(long, value_name = "DIR", default_value = "./backups", env = "CCC_BACKUP_DIR")]
    pub backup_dir: PathBuf,
    /// Encryption.
    #[command(flatten)]
    pub decrypt: DecryptArgs,
}
