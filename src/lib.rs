//! ccc-backup makes PostgreSQL backups and proves that they restore.
//!
//! The library exists for the binary, the benchmarks and the tests; it promises no stable API.
//! `docs/architecture.md` names the modules, their jobs, and which may import which.

pub mod archive;
pub mod checks;
pub mod cli;
pub mod commands;
pub mod config;
pub mod destination;
pub mod dump;
pub mod events;
pub mod http;
pub mod libpq;
pub mod man;
pub mod model;
pub mod notify;
pub mod packing;
pub mod pg;
pub mod process;
pub mod programs;
pub mod report;
pub mod restore;
pub mod sandbox;
pub mod sealing;
pub mod settings;
pub mod signing;
pub mod source;
pub mod store;
