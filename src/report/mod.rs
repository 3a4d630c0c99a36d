//! How findings are shown. The console consumes events; every other report is a pure function of
//! the run report.

pub mod console;
pub mod listing;
pub mod metrics;
