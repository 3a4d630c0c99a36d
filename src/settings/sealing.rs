//! To whom a backup is sealed, and what opens one: flags, environment and configuration.

use std::path::{Path, PathBuf};

use super::{Environment, SettingsError};
use crate::cli::{DecryptArgs, EncryptArgs};
use crate::model::secret::Secret;
use crate::sealing::{
    DecryptCommand, Identities, IdentityFile, KeyError, Passphrase, Recipients, Unsealing,
};

/// The variable that has a passphrase.
const PASSPHRASE: &str = "CCC_BACKUP_PASSPHRASE";
/// The variable that has the files of identities, with `:` between them.
const IDENTITY: &str = "CCC_BACKUP_IDENTITY";
/// The variable that has a command.
const COMMAND: &str = "CCC_BACKUP_DECRYPT_COMMAND";

impl From<KeyError> for SettingsError {
    fn from(error: KeyError) -> Self {
        Self { message: error.to_string(), hint: error.hint() }
    }
}

/// To whom a new backup is sealed; `None` where it is not. Flags are stronger than the configuration.
pub(super) fn recipients(
    args: &EncryptArgs,
    configured: &[String],
    output: Option<&Path>,
    environment: Environment,
) -> Result<Option<Recipients>, SettingsError> {
    let recipients = if args.passphrase || args.passphrase_file.is_some() {
        let passphrase = passphrase(args.passphrase_file.as_deref(), environment);
        Some(Recipients::passphrase(&passphrase)?)
    } else if !args.encrypt_to.is_empty() {
        Some(Recipients::of(&args.encrypt_to)?)
    } else if !configured.is_empty() && !args.no_encryption {
        Some(Recipients::of(configured)?)
    } else {
        None
    };
    let named = output.filter(|output| crate::store::sealed_names::open_path(output) != *output);
    match named.filter(|_| recipients.is_none()) {
        Some(output) => Err(SettingsError {
            message: format!("{} would not be encrypted, as its name says", output.display()),
            hint: "say to whom: --encrypt-to age1…, or --passphrase".to_owned(),
        }),
        None => Ok(recipients),
    }
}

/// What opens backups, and what is worth a word of it. Flags are stronger than the environment.
pub(super) fn unsealing(
    args: &DecryptArgs,
    environment: Environment,
) -> Result<(Unsealing, Vec<String>), SettingsError> {
    let from_environment = || -> Vec<PathBuf> {
        let paths = environment(IDENTITY).unwrap_or_default();
        std::env::split_paths(&paths).filter(|path| path != Path::new("")).collect()
    };
    let files = if args.identity.is_empty() { from_environment() } else { args.identity.clone() };
    let files = files.iter().map(|path| IdentityFile::read(path)).collect::<Result<Vec<_>, _>>()?;
    let exposed = files.iter().filter(|file| file.is_exposed());
    let warnings = exposed.map(|file| {
        let path = file.path().display();
        format!("{path} can be read by others than its owner, and opens backups: chmod 600 {path}")
    });
    let warnings = warnings.collect();
    let command = args.decrypt_command.clone();
    let command = command.or_else(|| environment(COMMAND).filter(|_| args.identity.is_empty()));
    let passphrase = passphrase(args.passphrase_file.as_deref(), environment);
    let unsealing = Unsealing {
        identities: Identities::of(files, passphrase),
        command: command.filter(|words| !words.trim().is_empty()).map(DecryptCommand::new),
    };
    Ok((unsealing, warnings))
}

/// Where a passphrase is taken from.
pub(super) fn passphrase(file: Option<&Path>, environment: Environment) -> Passphrase {
    match (file, environment(PASSPHRASE)) {
        (Some(path), _) => Passphrase::in_file(path.to_owned()),
        (None, Some(text)) => Passphrase::given(Secret::new(text)),
        (None, None) => Passphrase::asked(),
    }
}
