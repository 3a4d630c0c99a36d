//! Restoring a dump into the sandbox, and telling which of its errors are harmless.

pub mod advice;
pub mod archive;
pub mod catalog;
pub mod cluster;
pub mod collation;
mod connection;
pub mod cost;
mod error;
pub mod extensions;
mod failure;
pub mod judgement;
pub mod known;
pub mod lacking;
mod ledger;
pub mod load;
pub mod parallel;
pub mod plan;
mod planner;
pub mod readable;
mod reading;
pub mod removed;
mod restored;
mod schedule;
mod settings;
mod table;
pub mod tolerate;

pub use error::{LoadError, MOST_ERRORS};
pub use failure::{Failure, Place};
pub use ledger::Ledger;
pub use restored::Restored;
