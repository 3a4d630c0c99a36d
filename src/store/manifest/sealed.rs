//! The part of a manifest that is sealed: all but its outline, as one text in age's armor.

use serde::Deserialize;
use serde_json::{Map, Value};
use std::io;

use super::error::ManifestError;
use super::outline::Outline;
use crate::sealing::{self, Identities, Recipients, UnsealError};

/// The key that holds it.
pub(super) const KEY: &str = "sealed";
/// The keys of the outline: what is in the clear. Whatever else there is, known or not, is sealed.
const CLEAR: [&str; 10] = [
    "format_version",
    "backup_id",
    "kind",
    "requires",
    "created_at",
    "name",
    "format",
    "files",
    "globals",
    "encryption",
];
/// Those that are sealed, too, so that what is sealed says of which backup it is.
const BOTH: [&str; 2] = ["backup_id", "files"];

/// Puts all that is not in the clear under one key.
pub(super) fn seal(manifest: &mut Value, recipients: &Recipients) -> io::Result<()> {
    let fields = manifest.as_object_mut().ok_or(io::ErrorKind::InvalidData)?;
    let (mut clear, mut rest) = (Map::new(), Map::new());
    for (key, value) in std::mem::take(fields) {
        if BOTH.contains(&key.as_str()) {
            rest.insert(key.clone(), value.clone());
        }
        let part = if CLEAR.contains(&key.as_str()) { &mut clear } else { &mut rest };
        part.insert(key, value);
    }
    let text = recipients.seal_text(&serde_json::to_vec(&rest)?)?;
    clear.insert(KEY.to_owned(), text.into());
    *fields = clear;
    Ok(())
}

/// Puts what is sealed in its place, where something is.
pub(super) fn open(mut manifest: Value, identities: &Identities) -> Result<Value, ManifestError> {
    let damaged = |error: serde_json::Error| ManifestError::Damaged(error.to_string());
    let sealed = manifest.as_object_mut().and_then(|fields| fields.remove(KEY));
    let Some(sealed) = sealed else { return Ok(manifest) };
    let outline = Outline::deserialize(&manifest).map_err(damaged)?;
    outline.check_sense()?;
    let text = sealed.as_str().unwrap_or_default();
    let bytes = match sealing::open_text(text, identities) {
        Ok(bytes) => bytes,
        Err(UnsealError::Damaged(damage)) => {
            return Err(ManifestError::Damaged(damage.to_string()));
        }
        Err(why) => return Err(ManifestError::Sealed { outline: Box::new(outline), why }),
    };
    let rest: Map<String, Value> = serde_json::from_slice(&bytes).map_err(damaged)?;
    if BOTH.iter().any(|key| rest.get(*key) != manifest.get(*key)) {
        let of_another = "what is sealed in it is of another backup";
        return Err(ManifestError::Damaged(of_another.to_owned()));
    }
    if let Some(fields) = manifest.as_object_mut() {
        let others = rest.into_iter().filter(|(key, _)| !CLEAR.contains(&key.as_str()));
        fields.extend(others);
    }
    Ok(manifest)
}
