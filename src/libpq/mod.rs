//! libpq's connection settings: URLs and connection strings, its environment, service files and password
//! files, and how they come together. Knows who is connected to neither by PostgreSQL's client tools nor by
//! ourselves.

pub mod error;
pub mod keywords;
pub mod parameters;
mod passwords;
mod service;
pub mod settings;
pub mod surroundings;
pub mod url;

/// Looks up an environment variable.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;
