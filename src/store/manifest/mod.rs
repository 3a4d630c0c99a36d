//! What a backup held when it was made: `<file>.manifest.json`.
//!
//! A manifest is proof, and half-understood proof is none: what a reader has to understand stands in
//! `requires`, and whoever does not know an entry refuses the manifest. Keys that are not known are passed
//! over, and kept.

mod document;
mod error;
mod file;
mod format_1;
mod schema;
mod seal;
mod source;
mod unknown;

pub use document::{Contents, FORMAT_VERSION, Kind, Manifest, New, Tools};
pub use error::ManifestError;
pub use schema::schema;
pub use source::Source;

#[cfg(test)]
mod tests;
