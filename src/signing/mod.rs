//! Signatures by keys of OpenSSH, as `ssh-keygen -Y sign` makes them and `ssh-keygen -Y verify` checks them.
//!
//! Knows nothing of what is signed: bytes, and the namespace that says what they are. Source of the format:
//! PROTOCOL.sshsig of OpenSSH; of the file of allowed signers: ssh-keygen(1).

mod agent;
mod allowed;
mod allowed_line;
mod key_file;
mod passphrase;
mod signature;
mod signer;
mod times;
mod wire;

use std::fmt;

pub use agent::AgentError;
pub use allowed::{AllowedError, AllowedSigners, Refusal};
pub use passphrase::{Asker, Asking};
pub use signature::{Flaw, Signature};
pub use signer::{Request, SignError, Signer};

/// What was signed. A signature in one namespace is none in another, so a report never passes for a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Namespace {
    /// The manifest of a backup.
    Manifest,
    /// The report of a verification.
    Report,
}

impl Namespace {
    /// Its name, which `ssh-keygen -n` is given.
    pub fn name(self) -> &'static str {
        match self {
            Self::Manifest => "ccc-backup-manifest",
            Self::Report => "ccc-backup-report",
        }
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
