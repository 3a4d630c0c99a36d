//! Settings of `keys`.

use std::path::PathBuf;

use super::{Environment, SettingsError, metrics_file, place, sealing};
use crate::cli::{KeysArgs, KeysCommand};
use crate::sealing::{Recipients, Unsealing};

/// What is to be done with keys.
#[derive(Debug, Clone)]
pub enum KeysSettings {
    /// Make an identity.
    New {
        /// Its file.
        file: PathBuf,
        /// What it is encrypted with.
        sealed: Option<Recipients>,
    },
    /// Prove that a backup opens.
    Check {
        /// The backup; without one, the newest that is encrypted.
        file: Option<PathBuf>,
        /// Directory of the backups and of their history.
        backup_dir: PathBuf,
        /// The keys.
        unsealing: Unsealing,
        /// Where metrics go.
        metrics_file: Option<PathBuf>,
        /// What is worth a word before the work.
        warnings: Vec<String>,
    },
    /// Print what has to lie in the safe.
    Sheet {
        /// Directory of the backups.
        backup_dir: PathBuf,
        /// The keys.
        unsealing: Unsealing,
    },
}

/// Resolves `keys`.
///
/// # Errors
/// Where a key, or a passphrase for one, cannot be used.
pub fn keys(args: &KeysArgs, environment: Environment) -> Result<KeysSettings, SettingsError> {
    Ok(match &args.command {
        KeysCommand::New(args) => {
            let wanted = args.passphrase || args.passphrase_file.is_some();
            let passphrase = || sealing::passphrase(args.passphrase_file.as_deref(), environment);
            let sealed = wanted.then(|| Recipients::passphrase(&passphrase())).transpose()?;
            KeysSettings::New { file: args.file.clone(), sealed }
        }
        KeysCommand::Check(args) => {
            let (unsealing, warnings) = sealing::unsealing(&args.decrypt, environment)?;
            KeysSettings::Check {
                file: place::optional_backup(args.file.as_deref())?,
                backup_dir: place::place(&args.backup_dir)?,
                unsealing,
                metrics_file: metrics_file(&args.metrics),
                warnings,
            }
        }
        KeysCommand::Sheet(args) => {
            let (unsealing, _) = sealing::unsealing(&args.decrypt, environment)?;
            KeysSettings::Sheet { backup_dir: place::place(&args.backup_dir)?, unsealing }
        }
    })
}
