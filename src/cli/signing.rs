//! Options of signatures, which several commands take.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};

/// Who signs.
#[derive(Debug, Clone, Default, Args)]
pub struct SignArgs {
    /// Sign with this key: an ed25519 key of OpenSSH, or the .pub of one that the agent of
    /// SSH_AUTH_SOCK has
    #[arg(long, value_name = "FILE", env = "CCC_BACKUP_SIGN_KEY",
          value_parser = OsStringValueParser::new().map(PathBuf::from))]
    pub sign_key: Option<PathBuf>,
    /// Where the passphrase of that key is [default: CCC_BACKUP_SIGN_PASSPHRASE, else asked for]
    #[arg(long, value_name = "FILE", env = "CCC_BACKUP_SIGN_PASSPHRASE_FILE",
          value_parser = OsStringValueParser::new().map(PathBuf::from))]
    pub sign_passphrase_file: Option<PathBuf>,
}

/// Whether a report is signed, and by whom.
#[derive(Debug, Clone, Default, Args)]
pub struct SignReportArgs {
    /// Sign the report of --report, and the page of --html, each into FILE.sig
    #[arg(long, requires = "signable")]
    pub sign_report: bool,
    /// Who signs it.
    #[command(flatten)]
    pub sign: SignArgs,
}

/// Who may sign.
#[derive(Debug, Clone, Default, Args)]
pub struct AllowedSignersArgs {
    /// Refuse a backup that is not signed by one of these: OpenSSH's file of allowed signers
    #[arg(long, value_name = "FILE", env = "CCC_BACKUP_ALLOWED_SIGNERS",
          value_parser = OsStringValueParser::new().map(PathBuf::from))]
    pub allowed_signers: Option<PathBuf>,
}

/// Which configuration is read.
#[derive(Debug, Clone, Default, Args)]
pub struct ConfigArgs {
    /// Configuration [default: ./ccc-backup.toml, if any]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}
