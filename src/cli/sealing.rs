//! Flags of encryption: to whom a backup is sealed, and what opens it.

use std::path::PathBuf;

use clap::Args;

/// To whom a new backup is sealed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Encryption")]
pub struct EncryptArgs {
    /// Seal the backup for this recipient: a public key of age (age1…), or @FILE with one a line; may be
    /// given more than once
    #[arg(long, value_name = "RECIPIENT", conflicts_with_all = ["passphrase", "passphrase_file"])]
    pub encrypt_to: Vec<String>,
    /// Seal the backup with a passphrase, which is asked for, or taken from CCC_BACKUP_PASSPHRASE
    #[arg(long)]
    pub passphrase: bool,
    /// The same, with the passphrase in this file
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Do not seal it, whatever the configuration says
    #[arg(long, conflicts_with_all = ["encrypt_to", "passphrase", "passphrase_file"])]
    pub no_encryption: bool,
}

/// What opens a sealed backup.
#[derive(Debug, Args)]
#[command(next_help_heading = "Encryption")]
pub struct DecryptArgs {
    /// Open what is encrypted with the identities (private keys of age) in this file, which may itself be
    /// encrypted; may be given more than once [env: CCC_BACKUP_IDENTITY=]
    #[arg(long, value_name = "FILE")]
    pub identity: Vec<PathBuf>,
    /// Take the passphrase of a backup, or of an identity, from this file
    /// [default: CCC_BACKUP_PASSPHRASE, else it is asked for]
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Have this command decrypt the backup: it is fed the file, and its output is read, such as
    /// 'gpg --decrypt' [env: CCC_BACKUP_DECRYPT_COMMAND=]
    #[arg(long, value_name = "COMMAND", conflicts_with = "identity")]
    pub decrypt_command: Option<String>,
}
