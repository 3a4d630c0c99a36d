//! What is at hand to open a backup.

use std::io::Read;
use std::sync::Arc;

use super::age_file;
use super::beginning::is_age;
use super::command::DecryptCommand;
use super::error::UnsealError;
use super::identities::Identities;
use crate::packing::file::BackupFile;

/// Bytes that tell whether a file is one of age.
const START: u64 = 64;

/// Keys, and a command for what other programs encrypted.
#[derive(Debug, Clone, Default)]
pub struct Unsealing {
    /// The keys.
    pub identities: Identities,
    /// The command: everything goes through it but what age encrypted, where there are identities for that.
    pub command: Option<DecryptCommand>,
}

impl Unsealing {
    /// The same file, of which is read what is encrypted in it; a file that is not is as it was.
    ///
    /// # Errors
    /// [`UnsealError`].
    pub fn open(&self, file: BackupFile) -> Result<BackupFile, UnsealError> {
        let mut start = Vec::new();
        file.at_rest().take(START).read_to_end(&mut start)?;
        match &self.command {
            Some(command) if !is_age(&start) || self.identities.files().next().is_none() => {
                Ok(file.unsealed_by(Arc::new(command.clone())))
            }
            _ if is_age(&start) => age_file::open(file, &self.identities),
            _ => Ok(file),
        }
    }
}
