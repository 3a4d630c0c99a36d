//! What is known of the files of a backup without opening them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A file, as it was written or as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileFacts {
    /// Its name, without its directory.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// SHA-256 of its bytes, in lower-case hex.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub sha256: String,
}

/// The one checksum of a directory: SHA-256 in hex of a list with a line for each of its files, in this
/// order: name, a NUL, size in decimal, a NUL, SHA-256 of its bytes in hex, and a line feed.
pub fn sha256_of_directory(files: &[FileFacts]) -> String {
    let mut list = Sha256::new();
    for FileFacts { name, bytes, sha256 } in files {
        list.update(format!("{name}\0{bytes}\0{sha256}\n"));
    }
    hex::encode(list.finalize())
}
