//! Settings of signatures: who signs, and who may.

use std::path::{Path, PathBuf};

use super::{Environment, SettingsError};
use crate::cli::{AllowedSignersArgs, SignArgs, SignReportArgs};
use crate::config::{Config, ConfigError, Signing};
use crate::model::secret::Secret;
use crate::signing::{AllowedSigners, Request};

/// The longest name that a file has, in bytes (PATH_MAX).
const MOST_NAME: usize = 4096;

/// The `[signing]` of a configuration.
///
/// # Errors
/// When the configuration cannot be read, or says what it may not.
pub(super) fn configured(config: Option<&Path>) -> Result<Signing, SettingsError> {
    Config::read(config).map(|config| config.signing).map_err(|error| unread(&error))
}

pub(super) fn unread(error: &ConfigError) -> SettingsError {
    SettingsError { message: error.to_string(), hint: error.hint() }
}

/// Who signs; `None` where nothing is to be signed. Flags and their variables are stronger than the configuration.
///
/// # Errors
/// When the key itself stands in the place of its file.
pub(super) fn request(
    args: &SignArgs,
    config: &Signing,
    environment: Environment,
) -> Result<Option<Request>, SettingsError> {
    let either = |given: &Option<PathBuf>, configured: &Option<PathBuf>| {
        set(given.as_ref()).or_else(|| set(configured.as_ref())).cloned()
    };
    let Some(key) = either(&args.sign_key, &config.key) else { return Ok(None) };
    refuse_key(&key, "--sign-key (CCC_BACKUP_SIGN_KEY)")?;
    let given = set(args.sign_passphrase_file.as_ref()).cloned();
    let passphrase = environment("CCC_BACKUP_SIGN_PASSPHRASE").map(Secret::new);
    Ok(Some(Request {
        key,
        passphrase_file: match &passphrase {
            // What the environment says is meant for this run.
            Some(_) => given,
            None => given.or_else(|| set(config.passphrase_file.as_ref()).cloned()),
        },
        passphrase,
        agent: environment("SSH_AUTH_SOCK").map(PathBuf::from),
    }))
}

/// Refuses a key that stands where its file should, before anything could repeat it.
fn refuse_key(path: &Path, what: &str) -> Result<(), SettingsError> {
    let is_key = path.as_os_str().len() > MOST_NAME || path.to_string_lossy().contains('\n');
    if !is_key {
        return Ok(());
    }
    Err(SettingsError {
        message: format!("{what} names a file, and does not hold what is in it"),
        hint: "write it to a file with mode 0600, and name that".to_owned(),
    })
}

/// Who signs the report; `None` where it is not to be signed.
///
/// # Errors
/// When it is to be signed and no key is named.
pub(super) fn of_report(
    args: &SignReportArgs,
    config: &Signing,
    environment: Environment,
) -> Result<Option<Request>, SettingsError> {
    if !args.sign_report {
        return Ok(None);
    }
    let request = request(&args.sign, config, environment)?;
    request.map(Some).ok_or_else(|| SettingsError {
        message: "--sign-report needs a key".to_owned(),
        hint: "name it with --sign-key FILE, CCC_BACKUP_SIGN_KEY, or key below [signing] in \
               ccc-backup.toml"
            .to_owned(),
    })
}

/// Who may sign; `None` where that is not asked. The file is read at once: a run with one that cannot be used
/// does nothing.
///
/// # Errors
/// When the file cannot be used.
pub(super) fn allowed(
    args: &AllowedSignersArgs,
    config: &Signing,
) -> Result<Option<AllowedSigners>, SettingsError> {
    let given = set(args.allowed_signers.as_ref());
    let Some(path) = given.or_else(|| set(config.allowed_signers.as_ref())) else {
        return Ok(None);
    };
    refuse_key(path, "--allowed-signers (CCC_BACKUP_ALLOWED_SIGNERS)")?;
    let read = AllowedSigners::read(path);
    read.map(Some).map_err(|error| SettingsError {
        message: error.to_string(),
        hint: error.hint().to_owned(),
    })
}

/// An empty variable counts as unset.
fn set(path: Option<&PathBuf>) -> Option<&PathBuf> {
    path.filter(|path| !path.as_os_str().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(key: &str, passphrase_file: &str) -> SignArgs {
        let path = |text: &str| (!text.is_empty()).then(|| PathBuf::from(text));
        SignArgs { sign_key: path(key), sign_passphrase_file: path(passphrase_file) }
    }

    #[test]
    fn a_flag_is_stronger_than_the_environment_and_that_than_the_configuration() {
        let config = Signing {
            key: Some("configured".into()),
            passphrase_file: Some("there".into()),
            allowed_signers: None,
        };
        let requested = |args: &SignArgs, secret: Option<&str>| {
            let request = request(args, &config, &|name| {
                (name == "CCC_BACKUP_SIGN_PASSPHRASE").then(|| secret.map(str::to_owned)).flatten()
            });
            let request = request.unwrap().unwrap();
            (request.key, request.passphrase_file, request.passphrase.is_some())
        };
        let there = Some(PathBuf::from("there"));
        assert_eq!(requested(&args("", ""), None), ("configured".into(), there, false));
        assert_eq!(requested(&args("", ""), Some("x")), ("configured".into(), None, true));
        let flag = Some(PathBuf::from("p"));
        assert_eq!(requested(&args("k", "p"), Some("x")), ("k".into(), flag, true));
        assert!(request(&args("", ""), &Signing::default(), &|_| None).unwrap().is_none());
    }

    #[test]
    fn a_key_in_the_place_of_its_file_is_refused_and_not_repeated() {
        let key =
            "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----\n";
        let error = request(&args(key, ""), &Signing::default(), &|_| None).unwrap_err();
        assert!(error.message.contains("--sign-key") && !error.message.contains("hunter2"));
        let signers = AllowedSignersArgs { allowed_signers: Some(key.into()) };
        let error = allowed(&signers, &Signing::default()).unwrap_err();
        assert!(!error.message.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_report_is_signed_only_with_a_key() {
        let mut args = SignReportArgs { sign_report: true, ..SignReportArgs::default() };
        assert!(of_report(&args, &Signing::default(), &|_| None).is_err());
        args.sign.sign_key = Some("k".into());
        assert!(of_report(&args, &Signing::default(), &|_| None).unwrap().is_some());
        args.sign_report = false;
        assert!(of_report(&args, &Signing::default(), &|_| None).unwrap().is_none());
    }
}
