//! The plain nouns of the house, each once: they do nothing to the world outside.

pub mod contents;
pub mod damage;
pub mod fingerprint;
pub mod format;
pub mod outcome;
pub mod quoting;
pub mod secret;
