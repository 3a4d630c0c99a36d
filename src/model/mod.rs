//! The plain nouns of the house, each once: they do nothing to the world outside.

pub mod damage;
pub mod format;
pub mod outcome;
pub mod packing;
pub mod quoting;
pub mod secret;
pub mod suffix;
