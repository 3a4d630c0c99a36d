//! Why keys cannot be used, and why a file does not open.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::model::damage::Damage;

/// What to do with what is too much work to open.
const TOO_MUCH_WORK: &str = "decrypt it with age itself, if you trust where it comes from";

/// Why what was given as a key is none that can be used. The exit code is 2. No key is ever repeated.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("{} cannot be read: {reason}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: String,
    },
    /// There is no key in the file.
    #[error("there is no {what} in {}", .path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// `recipient` or `identity`.
        what: &'static str,
    },
    /// A private key was given to encrypt to.
    #[error("{whence} is a private key, not a recipient")]
    PrivateRecipient {
        /// Where it stands.
        whence: String,
    },
    /// A public key was given to decrypt with.
    #[error("{whence} is a recipient (a public key), which opens nothing")]
    PublicIdentity {
        /// Where it stands.
        whence: String,
    },
    /// A kind of key that is not supported.
    #[error("{whence} is {kind}, which is not supported")]
    Unsupported {
        /// Where it stands.
        whence: String,
        /// Such as `an SSH key (ssh-rsa)`.
        kind: String,
    },
    /// No key at all, or one with a mistake in it.
    #[error("{whence} is no {what} of age: {why}")]
    Malformed {
        /// Where it stands.
        whence: String,
        /// `recipient` or `identity`.
        what: &'static str,
        /// What is wrong.
        why: &'static str,
    },
    /// The passphrase does not open the file of identities.
    #[error("the passphrase does not open the identities in {}", .0.display())]
    WrongPassphrase(PathBuf),
    /// The file of identities was made to take more work than is sensible to open.
    #[error("the passphrase of the identities in {} takes too much work to try (2^{required})", path.display())]
    ExcessiveWork {
        /// The file.
        path: PathBuf,
        /// The binary logarithm of the work.
        required: u8,
    },
    /// There is no passphrase to be had.
    #[error("a passphrase is needed {why}, and {reason}")]
    NoPassphrase {
        /// What for.
        why: String,
        /// Why there is none.
        reason: String,
    },
}

impl KeyError {
    pub(super) fn unreadable(path: &Path, error: &io::Error) -> Self {
        Self::Unreadable { path: path.to_owned(), reason: error.to_string() }
    }

    /// What to do next.
    pub fn hint(&self) -> String {
        match self {
            Self::Unreadable { .. } => "check the path, and who may read it".to_owned(),
            Self::Empty { what: "recipient", .. } => {
                "it has to have recipients, one a line: `ccc-backup keys new` prints one".to_owned()
            }
            Self::Empty { .. } => {
                "it has to have a line that begins with AGE-SECRET-KEY-1: `ccc-backup keys new FILE` makes one"
                    .to_owned()
            }
            Self::PrivateRecipient { .. } => "give the public key, which begins with age1: `age-keygen -y FILE` \
                 prints it. If the private key was in a command line or a configuration, make a new one"
                .to_owned(),
            Self::PublicIdentity { .. } => {
                "name the file with the private key (AGE-SECRET-KEY-1…)".to_owned()
            }
            Self::Unsupported { .. } => "take a key of age itself (age1…): `ccc-backup keys new FILE` makes \
                 one. What is encrypted to another kind is opened by --decrypt-command 'age --decrypt -i FILE'"
                .to_owned(),
            Self::Malformed { .. } => "look for a character that is missing or wrong".to_owned(),
            Self::WrongPassphrase(_) => "try it again, or with another identity".to_owned(),
            Self::ExcessiveWork { .. } => TOO_MUCH_WORK.to_owned(),
            Self::NoPassphrase { .. } => "run it at a terminal, or give a file with --passphrase-file, or set \
                 CCC_BACKUP_PASSPHRASE"
                .to_owned(),
        }
    }
}

/// Why a sealed file could not be opened.
#[derive(Debug, Error)]
pub enum UnsealError {
    /// It is bad.
    #[error("{0}")]
    Damaged(Damage),
    /// No key was given that opens it.
    #[error("{}", no_key(*.given, *.by_passphrase))]
    NoKey {
        /// Identities that were tried.
        given: usize,
        /// Whether a passphrase opens it, and not an identity.
        by_passphrase: bool,
    },
    /// A key that was given cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A version of age that is not known.
    #[error("it is encrypted in a format of age that this version does not know")]
    UnknownFormat,
    /// It was made to take more work than is sensible to open.
    #[error("its passphrase takes too much work to try (2^{required})")]
    ExcessiveWork {
        /// The binary logarithm of the work.
        required: u8,
    },
    /// The disk.
    #[error("it could not be read: {0}")]
    Disk(#[from] io::Error),
}

fn no_key(given: usize, by_passphrase: bool) -> String {
    match (by_passphrase, given) {
        (true, 0) => "it is encrypted with a passphrase, and none was given",
        (true, _) => "the passphrase does not open it",
        (false, 0) => "it is encrypted, and no key was given to open it",
        (false, 1) => "the key that was given does not open it",
        (false, _) => "none of the keys that were given opens it",
    }
    .to_owned()
}

impl UnsealError {
    /// What to do next.
    pub fn hint(&self) -> String {
        match self {
            Self::Damaged(_) => crate::model::damage::OLDER.to_owned(),
            Self::NoKey { by_passphrase: true, .. } => {
                "run it at a terminal, which asks for the passphrase, or give --passphrase-file FILE, or set \
                 CCC_BACKUP_PASSPHRASE"
                    .to_owned()
            }
            Self::NoKey { .. } => "give the identity (private key) of one of its recipients: --identity FILE, or \
                 CCC_BACKUP_IDENTITY"
                .to_owned(),
            Self::Key(error) => error.hint(),
            Self::UnknownFormat => "a newer ccc-backup may know it; or decrypt it with the program that made it: \
                 --decrypt-command 'age --decrypt -i FILE'"
                .to_owned(),
            Self::ExcessiveWork { .. } => TOO_MUCH_WORK.to_owned(),
            Self::Disk(_) => "check the disk that holds the backup".to_owned(),
        }
    }
}
