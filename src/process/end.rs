//! How a program ended, or why it was not run.

use std::process::ExitStatus;

use thiserror::Error;

/// Why a child could not be run.
#[derive(Debug, Error)]
pub enum ProcessError {
    /// The program could not be started.
    #[error("could not run {program}: {source}")]
    Start {
        /// The program as it was called.
        program: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Talking to it failed.
    #[error("lost {program}: {source}")]
    Lost {
        /// The program as it was called.
        program: String,
        /// The system's reason.
        source: std::io::Error,
    },
}

/// How a child ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// The first and last lines of its stderr.
    pub stderr: Vec<String>,
}
