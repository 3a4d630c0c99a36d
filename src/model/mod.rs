//! The plain nouns of the house, each once: they do nothing to the world outside.

pub mod backup_id;
pub mod checkup;
pub mod contents;
pub mod coverage;
pub mod creation;
pub mod damage;
pub mod difference;
pub mod drill;
pub mod dump_options;
pub mod ended_run;
pub mod extension;
pub mod files;
pub mod fingerprint;
pub mod forecast;
pub mod format;
pub mod locale;
pub mod named_command;
pub mod outcome;
pub mod packing;
pub mod pattern;
pub mod quoting;
pub mod role_rights;
pub mod secret;
pub mod span;
pub mod suffix;
pub mod version;
