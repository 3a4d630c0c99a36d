//! The file that `--sign-key` names: a private key of OpenSSH, or the public half of one that an agent has.

use ssh_key::{Algorithm, PrivateKey, PublicKey};

/// What a key file holds.
pub(super) enum KeyFile {
    /// A private key; it may be encrypted.
    Private(Box<PrivateKey>),
    /// A public key.
    Public(Box<PublicKey>),
}

/// Why it cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoKey {
    /// It is of another kind, which is named.
    Kind(String),
    /// It is a private key in another format.
    OtherFormat,
    /// It is a private key that is damaged.
    Damaged,
    /// It is something else.
    Nothing,
}

const OPENSSH: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";
const PRIVATE: &str = "PRIVATE KEY-----";

/// Whether a private key begins in these bytes, in whatever format.
pub(super) fn holds_private_key(bytes: &[u8]) -> bool {
    bytes.windows(PRIVATE.len()).any(|window| window == PRIVATE.as_bytes())
}

/// Reads a key file.
pub(super) fn read(bytes: &[u8]) -> Result<KeyFile, NoKey> {
    let text = str::from_utf8(bytes).map_err(|_| NoKey::Nothing)?.trim_start();
    if text.starts_with(OPENSSH) {
        let key = PrivateKey::from_openssh(text).map_err(|error| match error {
            ssh_key::Error::AlgorithmUnsupported { algorithm } => {
                NoKey::Kind(algorithm.as_str().to_owned())
            }
            _ => NoKey::Damaged,
        })?;
        check_kind(key.algorithm())?;
        return Ok(KeyFile::Private(Box::new(key)));
    }
    if holds_private_key(bytes) {
        return Err(NoKey::OtherFormat);
    }
    let mut words = text.split_ascii_whitespace();
    let (Some(kind), Some(_)) = (words.next(), words.next()) else { return Err(NoKey::Nothing) };
    match PublicKey::from_openssh(text) {
        Ok(key) => {
            check_kind(key.algorithm())?;
            Ok(KeyFile::Public(Box::new(key)))
        }
        Err(_) if is_kind(kind) && kind != Algorithm::Ed25519.as_str() => {
            Err(NoKey::Kind(kind.to_owned()))
        }
        Err(_) => Err(NoKey::Nothing),
    }
}

/// Whether a word names a kind of keys, also one of certificates.
pub(super) fn is_kind(word: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-"].iter().any(|begin| word.starts_with(begin))
}

fn check_kind(kind: Algorithm) -> Result<(), NoKey> {
    match kind {
        Algorithm::Ed25519 => Ok(()),
        other => Err(NoKey::Kind(other.as_str().to_owned())),
    }
}
