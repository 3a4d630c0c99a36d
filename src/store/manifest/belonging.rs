//! Whether a manifest is one of a backup, and of this one, by what is in the clear.

use std::path::Path;

use super::error::ManifestError;
use super::outline::Outline;
use crate::model::format::Format;

impl Outline {
    /// Whether this is the manifest of that file, by its name and size. A copy under another name
    /// is another file's only when its size differs too: the checksum proves the rest.
    ///
    /// # Errors
    /// [`ManifestError::OtherFile`].
    pub fn check_belongs(&self, backup: &Path, bytes: u64) -> Result<(), ManifestError> {
        if bytes == self.bytes() {
            return Ok(());
        }
        let name = backup.file_name().unwrap_or_default().to_string_lossy();
        let sizes = format!("{bytes} bytes instead of {}", self.bytes());
        Err(ManifestError::OtherFile(if name == self.name {
            format!("{name} has {sizes}")
        } else {
            format!("it names {}, and {name} has {sizes}", self.name)
        }))
    }

    /// Refuses what no backup is.
    pub(super) fn check_sense(&self) -> Result<(), ManifestError> {
        let is_digest =
            |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let files = self.files.iter().chain(&self.globals).map(|file| &file.sha256);
        let mut digests = files.chain(&self.directory_sha256);
        if let Some(digest) = digests.find(|digest| !is_digest(digest)) {
            return Err(ManifestError::Damaged(format!("{digest:?} is not a SHA-256")));
        }
        // They are shown, and nothing of a terminal's is among them.
        let is_recipient = |text: &str| {
            let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_+/=:@.".contains(&byte);
            !text.is_empty() && text.len() <= 256 && text.bytes().all(known)
        };
        let mut recipients = self.encryption.iter().flat_map(|encryption| &encryption.recipients);
        if let Some(recipient) = recipients.find(|text| !is_recipient(text)) {
            return Err(ManifestError::Damaged(format!("{recipient:?} is no recipient")));
        }
        if self.format != Format::Directory && self.files.len() != 1 {
            let files = self.files.len();
            return Err(ManifestError::Damaged(format!("it names {files} files in place of one")));
        }
        Ok(())
    }
}
