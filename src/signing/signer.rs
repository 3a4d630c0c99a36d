//! Who signs: a private key in a file, or an agent that has it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use ssh_key::{HashAlg, LineEnding, PrivateKey, PublicKey, SshSig};
use thiserror::Error;
use zeroize::Zeroizing;

use super::agent::{self, AgentError};
use super::key_file::{self, KeyFile, NoKey};
use super::passphrase::{Asker, Asking, SecretFile};
use super::signature::{Signature, fingerprint};
use super::{Flaw, Namespace};
use crate::model::secret::Secret;

/// Which key signs, and where its passphrase comes from.
#[derive(Debug, Clone)]
pub struct Request {
    /// The file: a private key, or the public half of one that an agent has.
    pub key: PathBuf,
    /// The passphrase, where the environment has it.
    pub passphrase: Option<Secret>,
    /// A file with the passphrase; stronger than `passphrase`.
    pub passphrase_file: Option<PathBuf>,
    /// The socket of the agent.
    pub agent: Option<PathBuf>,
}

/// Why nothing can be signed.
#[derive(Debug, Error)]
pub enum SignError {
    /// The key, or its passphrase, cannot be read.
    #[error("the {what} {} cannot be read: {source}", .path.display())]
    Unreadable {
        /// What it is.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The kind of the key is not supported.
    #[error("{} is a key of the kind {kind}: only ssh-ed25519 signs here", .path.display())]
    Kind {
        /// The file.
        path: PathBuf,
        /// The kind.
        kind: String,
    },
    /// It is a private key in another format.
    #[error("{} is a private key in another format than OpenSSH's own", .0.display())]
    OtherFormat(PathBuf),
    /// It is a private key that is damaged.
    #[error("the private key {} is damaged", .0.display())]
    Damaged(PathBuf),
    /// It is no key.
    #[error("{} is no key of OpenSSH", .0.display())]
    NoKey(PathBuf),
    /// The key is encrypted, and nobody says its passphrase.
    #[error("the key {} has a passphrase, and there is no terminal to ask for it", .0.display())]
    NoPassphrase(PathBuf),
    /// Nobody typed it.
    #[error("no passphrase was typed for the key {}", .0.display())]
    Declined(PathBuf),
    /// It is another passphrase.
    #[error("the passphrase of the key {} is another one", .0.display())]
    WrongPassphrase(PathBuf),
    /// The agent did not sign.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// What was made does not hold.
    #[error("the signature that was made does not hold")]
    Unsound,
}

impl SignError {
    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "name a file that this user may read",
            Self::Kind { .. } => "make a key for signing: ssh-keygen -t ed25519 -f FILE",
            Self::OtherFormat(_) => {
                "ssh-keygen -p -f FILE writes an ed25519 key in OpenSSH's own format; else make one: \
                 ssh-keygen -t ed25519 -f FILE"
            }
            Self::Damaged(_) => "get it from another copy",
            Self::NoKey(_) => {
                "name a private key, or a public one whose private half an agent has; ssh-keygen -t \
                 ed25519 -f FILE makes both"
            }
            Self::NoPassphrase(_) | Self::Declined(_) => {
                "give it by --sign-passphrase-file FILE or CCC_BACKUP_SIGN_PASSPHRASE, or let an agent \
                 sign: ssh-add KEY, then --sign-key KEY.pub"
            }
            Self::WrongPassphrase(_) => {
                "look at --sign-passphrase-file and CCC_BACKUP_SIGN_PASSPHRASE; ssh-keygen -y -f KEY \
                 tells whether a passphrase is right"
            }
            Self::Agent(error) => error.hint(),
            Self::Unsound => "look at the agent: it signed with another key, or something else",
        }
    }
}

/// What signs; proven to have its key. It does not show it.
pub struct Signer(Kind);

enum Kind {
    Key(Box<PrivateKey>),
    Agent { socket: PathBuf, key: Box<PublicKey> },
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.key())
    }
}

impl Signer {
    /// Has the key, and what is worth a warning. `ask` is called for a passphrase that nobody else says.
    ///
    /// # Errors
    /// [`SignError`]. No text of the key or the passphrase is in it.
    pub fn have(request: &Request, ask: Asker<'_>) -> Result<(Self, Vec<String>), SignError> {
        let path = &request.key;
        let unreadable = |source| SignError::Unreadable { what: "key", path: path.clone(), source };
        let file = SecretFile::read(path).map_err(unreadable)?;
        let key = key_file::read(&file.bytes).map_err(|none| match none {
            NoKey::Kind(kind) => SignError::Kind { path: path.clone(), kind },
            NoKey::OtherFormat => SignError::OtherFormat(path.clone()),
            NoKey::Damaged => SignError::Damaged(path.clone()),
            NoKey::Nothing => SignError::NoKey(path.clone()),
        })?;
        match key {
            KeyFile::Public(key) => {
                let socket = request.agent.clone().ok_or(AgentError::Unnamed)?;
                let blob = blob(&key)?;
                if !agent::keys(&socket, agent::TO_LIST)?.contains(&blob) {
                    return Err(AgentError::Lacks(fingerprint(key.key_data())).into());
                }
                Ok((Self(Kind::Agent { socket, key }), Vec::new()))
            }
            KeyFile::Private(key) => {
                let mut warnings = Vec::new();
                let mut warn = |what: &str, path: &Path| {
                    let path = path.display();
                    warnings
                        .push(format!("the {what} {path} can be read by others: chmod 600 {path}"));
                };
                if file.is_open_to_others {
                    warn("private key", path);
                }
                let key = if key.is_encrypted() {
                    let said = said(request, ask, &mut warn)?;
                    let opened = key.decrypt(said.as_bytes());
                    Box::new(opened.map_err(|_| SignError::WrongPassphrase(path.clone()))?)
                } else {
                    key
                };
                Ok((Self(Kind::Key(key)), warnings))
            }
        }
    }

    /// A signature of `message`, as the text of its file.
    ///
    /// # Errors
    /// [`SignError::Agent`], [`SignError::Unsound`].
    pub fn sign(&self, namespace: Namespace, message: &[u8]) -> Result<String, SignError> {
        let unsound = |_| SignError::Unsound;
        let (name, hash) = (namespace.name(), HashAlg::Sha512);
        let signature = match &self.0 {
            Kind::Key(key) => key.sign(name, hash, message).map_err(unsound)?,
            Kind::Agent { socket, key } => {
                let data = SshSig::signed_data(name, hash, message).map_err(unsound)?;
                let signed = agent::sign(socket, &blob(key)?, &data, agent::TO_SIGN)?;
                SshSig::new(key.key_data().clone(), name, hash, signed).map_err(unsound)?
            }
        };
        let mut text = signature.to_pem(LineEnding::LF).map_err(unsound)?;
        if !text.ends_with('\n') {
            text.push('\n');
        }
        // An agent may sign something else.
        let signature = Signature::parse(text.as_bytes());
        let holds = signature.and_then(|signature| signature.check(namespace, message));
        holds.map_err(|_: Flaw| SignError::Unsound)?;
        Ok(text)
    }

    /// The key, as `SHA256:…`.
    pub fn key(&self) -> String {
        fingerprint(match &self.0 {
            Kind::Key(key) => key.public_key().key_data(),
            Kind::Agent { key, .. } => key.key_data(),
        })
    }
}

/// A public key as the agent knows it.
fn blob(key: &PublicKey) -> Result<Vec<u8>, SignError> {
    key.to_bytes().map_err(|_| SignError::Unsound)
}

/// The passphrase, from whoever says it first.
fn said(
    request: &Request,
    ask: Asker<'_>,
    warn: &mut dyn FnMut(&str, &Path),
) -> Result<Zeroizing<String>, SignError> {
    if let Some(path) = &request.passphrase_file {
        let unreadable = |source| {
            let what = "file of the passphrase";
            SignError::Unreadable { what, path: path.clone(), source }
        };
        let file = SecretFile::read(path).map_err(unreadable)?;
        if file.is_open_to_others {
            warn("file of the passphrase", path);
        }
        return file.passphrase().map_err(unreadable);
    }
    if let Some(passphrase) = &request.passphrase {
        return Ok(Zeroizing::new(passphrase.expose().to_owned()));
    }
    match ask(&request.key) {
        Asking::Given(passphrase) => Ok(passphrase),
        Asking::Declined => Err(SignError::Declined(request.key.clone())),
        Asking::Nobody => Err(SignError::NoPassphrase(request.key.clone())),
    }
}
