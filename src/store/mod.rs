//! Backups at rest: their names, how they are published, what is kept.

pub mod copies;
pub mod difference;
pub mod earlier;
pub mod error;
pub mod forecast;
pub mod globals;
pub mod history;
pub mod in_place;
pub mod latest;
pub mod ledger;
pub mod listing;
pub mod lock;
pub mod manifest;
pub mod naming;
pub mod nearby;
pub mod new_directory;
pub mod new_file;
pub mod objects;
pub mod on_record;
pub mod pace;
pub mod place;
pub mod proof;
pub mod publish;
pub mod publish_directory;
mod quantiles;
pub mod retention;
pub mod runs;
pub mod sampling;
pub mod sealed_names;
pub mod signature;
pub mod small;
pub mod statistics;
pub mod sweep;
pub mod sweep_place;
pub mod totals;

pub use error::StoreError;
