//! A signature, as it lies beside what it signs.

use ssh_key::public::KeyData;
use ssh_key::{Algorithm, Error, HashAlg, PublicKey, SshSig};
use thiserror::Error;

use super::Namespace;

/// Why a signature does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Flaw {
    /// It is none.
    #[error("it is damaged, or none of OpenSSH")]
    Damaged,
    /// It is of something else.
    #[error("it was made in the namespace {found:?}, and not in {expected}")]
    Namespace {
        /// Its namespace.
        found: String,
        /// The one that was asked for.
        expected: Namespace,
    },
    /// What was signed is something else.
    #[error("it does not fit: what was signed is not what is there")]
    DoesNotFit,
    /// It is by a key that is not checked here.
    #[error("it is by a key of the kind {0}, and only ssh-ed25519 is checked here")]
    Unsupported(String),
}

/// A signature; that it holds is told by [`Signature::check`] alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature(SshSig);

impl Signature {
    /// The signature in the bytes of a file.
    ///
    /// # Errors
    /// [`Flaw::Damaged`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Flaw> {
        SshSig::from_pem(bytes).map(Self).map_err(|_| Flaw::Damaged)
    }

    /// Whether it is one of `message` in this namespace, by the key that it names.
    ///
    /// # Errors
    /// [`Flaw`].
    pub fn check(&self, namespace: Namespace, message: &[u8]) -> Result<(), Flaw> {
        if self.0.namespace() != namespace.name() {
            let found = self.0.namespace().to_owned();
            return Err(Flaw::Namespace { found, expected: namespace });
        }
        let key = PublicKey::from(self.0.public_key().clone());
        if key.algorithm() != Algorithm::Ed25519 {
            return Err(Flaw::Unsupported(key.algorithm().as_str().to_owned()));
        }
        key.verify(namespace.name(), message, &self.0).map_err(|error| match error {
            Error::Namespace => Flaw::Damaged,
            _ => Flaw::DoesNotFit,
        })
    }

    /// The key that it names, as `SHA256:…`.
    pub fn key(&self) -> String {
        fingerprint(self.0.public_key())
    }

    pub(super) fn public_key(&self) -> &KeyData {
        self.0.public_key()
    }
}

/// A key as ssh shows it.
pub(super) fn fingerprint(key: &KeyData) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}
