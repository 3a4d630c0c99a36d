//! How findings are shown. The console consumes events; every other report is a pure function of
//! the run report, and [`output`] knows how such bytes become a file.

pub mod console;
pub mod copy_metrics;
pub mod creation;
pub mod difference;
pub mod doctor;
pub mod drill;
mod exposition;
pub mod forecast;
pub mod github;
pub mod html;
pub mod json;
pub mod junit;
pub mod listing;
pub mod metrics;
pub mod notification;
pub mod notify_metrics;
pub mod output;
pub mod progress;
mod restore_transcript;
mod transcript;

/// What stands above and below a part of the transcript.
const RULE: &str =
    "================================================================================";
/// What stands above and below the title of a backup.
const SHORT_RULE: &str = "==========================================";

#[cfg(test)]
mod samples;
