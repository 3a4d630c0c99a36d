//! The signature of a new backup, and its manifest after it.

use std::path::Path;

use crate::commands::copy::bringing::Beside;
use crate::commands::{Failure, signature};
use crate::events::Event;
use crate::sealing::Recipients;
use crate::signing::{Namespace, SignError, Signer};
use crate::store::error::StoreError;
use crate::store::manifest::Manifest;
use crate::store::naming::manifest_path;
use crate::store::signature as at_rest;

/// The text of a signature, and the key that made it.
type TextAndKey = (String, String);

/// A manifest as it will be published, and its signature, or why there is none.
pub(super) struct Signed {
    bytes: Vec<u8>,
    signature: Option<Result<TextAndKey, SignError>>,
}

/// Signs a manifest. It is signed before anything is published: an agent may take its time.
pub(super) fn sign(
    target: &Path,
    manifest: &Manifest,
    recipients: Option<&Recipients>,
    signer: Option<&Signer>,
) -> Result<Signed, StoreError> {
    let bytes = manifest.to_bytes(recipients);
    let bytes = bytes.map_err(|error| StoreError::io("write", &manifest_path(target), error))?;
    let signature = signer.map(|signer| {
        let signature = signer.sign(Namespace::Manifest, &bytes)?;
        Ok((signature, signer.key()))
    });
    Ok(Signed { bytes, signature })
}

impl Signed {
    /// The bytes of the manifest, and its signature with the key that made it.
    ///
    /// # Errors
    /// With exit code 1 where it was to be signed and is not.
    pub(super) fn into_parts(
        self,
        target: &Path,
    ) -> Result<(Vec<u8>, Option<TextAndKey>), Failure> {
        let signature = self.signature.transpose().map_err(|error| Failure {
            exit: 1,
            cause: format!("{} was made, but not signed: {error}", target.display()),
            hint: Some(error.hint().to_string()),
            notes: Vec::new(),
        })?;
        Ok((self.bytes, signature))
    }

    /// What goes beside each copy of the backup.
    pub(super) fn beside(&self, globals: Option<Vec<u8>>) -> Beside {
        let signature = self.signature.as_ref().and_then(|signature| signature.as_ref().ok());
        let signature = signature.map(|(text, _)| text.clone());
        Beside { manifest: self.bytes.clone(), signature, globals }
    }

    /// Publishes both, the signature first, and gives what to tell of it.
    ///
    /// # Errors
    /// With exit code 1 where the backup is there and its manifest or its signature is not.
    pub(super) fn publish(self, target: &Path) -> Result<Option<Event>, Failure> {
        let made = target.display();
        let failure = |cause, hint| Failure { exit: 1, cause, hint, notes: Vec::new() };
        let text = match &self.signature {
            Some(Ok((text, _))) => Some(text.as_str()),
            Some(Err(_)) | None => None,
        };
        at_rest::publish(target, &self.bytes, text).map_err(|error| {
            failure(format!("{made} was made, but not its manifest: {error}"), error.hint())
        })?;
        match self.signature {
            None => Ok(None),
            Some(Ok((_, key))) => Ok(Some(Event::Signed { file: at_rest::path_of(target), key })),
            Some(Err(error)) => Err(failure(
                format!("{made} was made, but not signed: {error}"),
                Some(format!(
                    "{}; {}",
                    error.hint(),
                    signature::sign_by_hand(&manifest_path(target))
                )),
            )),
        }
    }
}
