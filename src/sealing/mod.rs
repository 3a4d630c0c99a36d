//! Encryption at rest: what backups are sealed for, and what opens them again.
//!
//! The format is age's, by the crate of that name; there is no code of a format here. Every file is an ordinary age
//! file, which `age --decrypt` opens. Its chunks of 64 KiB open each by itself, so that a sealed file is read from any
//! place, and by several threads, as an open one is. Source: the specification of age, C2SP, version 1.
//!
//! Backups that other programs encrypted are opened by a command, which is fed the file.

mod age_file;
mod beginning;
mod command;
mod error;
mod identities;
mod passphrase;
mod recipients;
mod unsealing;

pub use age_file::{open, open_text};
pub use command::DecryptCommand;
pub use error::{KeyError, UnsealError};
pub use identities::{Identities, IdentityFile, NewIdentity};
pub use passphrase::Passphrase;
pub use recipients::{Recipients, Sealer};
pub use unsealing::Unsealing;
