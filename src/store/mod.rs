//! Backups at rest: their names, how they are published, what is kept.

pub mod error;
pub mod globals;
pub mod history;
pub mod latest;
pub mod ledger;
pub mod listing;
pub mod lock;
pub mod manifest;
pub mod naming;
pub mod nearby;
pub mod proof;
pub mod publish;
pub mod publish_directory;
pub mod retention;
pub mod statistics;
pub mod sweep;
pub mod totals;

pub use error::StoreError;
