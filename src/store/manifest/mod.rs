//! What a backup held when it was made: `<file>.manifest.json`.
//!
//! A manifest is proof, and half-understood proof is none: what a reader has to understand stands in
//! `requires`, and whoever does not know an entry refuses the manifest. Keys that are not known are passed
//! over, and kept.

mod belonging;
mod checksum;
mod document;
mod error;
mod file;
mod format_1;
mod outline;
mod schema;
mod sealed;
mod source;
mod unknown;

pub use document::{Contents, Manifest, New, Tools};
pub use error::ManifestError;
pub use file::bytes;
pub use outline::{Encryption, FORMAT_VERSION, Kind, Outline};
pub use schema::schema;
pub use source::Source;

#[cfg(test)]
mod tests;
