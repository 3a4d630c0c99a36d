//! The steps that verifying and restoring have in common: opening the backup, reading it, restoring it
//! into a server, checking what came of it.
//!
//! They hand values on: `opening::Opened`, `kind::Examined`, `restoring::Restored`, and then the
//! checks. Each gives its findings with its end, and `report::Collector` makes the report of them.
//! Nothing that a step is given changes, but for the server, which the run owns.

mod again;
mod archive;
mod archive_sql;
mod by_value;
pub(super) mod checking;
mod collation;
pub(super) mod context;
pub(super) mod database;
pub(super) mod destined;
mod earlier;
pub(super) mod early;
pub(super) mod early_items;
mod early_rows;
pub(super) mod expecting;
mod extension_version;
mod extensions;
pub(super) mod findings;
pub(super) mod holding;
pub(super) mod in_memory;
pub(super) mod kind;
pub(super) mod kinds;
mod lacking;
mod large_objects;
mod migrations;
mod needed;
pub(super) mod obstacles;
pub(super) mod opening;
mod own;
mod pg_restore;
mod plain;
pub(super) mod reading;
pub(super) mod report;
pub(super) mod restoring;
mod rights;
mod sequences;
pub(super) mod server;
pub(super) mod signature;
pub(super) mod spool;
mod tables;
pub(super) mod target;
mod timescaledb;
pub(super) mod transit;
mod watching;
