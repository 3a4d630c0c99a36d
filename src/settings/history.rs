//! What `history` is to do.

use std::path::PathBuf;

use super::{SettingsError, place};
use crate::cli::{Format as AnswerFormat, HistoryArgs};

/// Settings of `history`.
#[derive(Debug, Clone)]
pub struct HistorySettings {
    /// Directory of the backups and of their history.
    pub backup_dir: PathBuf,
    /// Answer in JSON.
    pub json: bool,
    /// So many runs are shown.
    pub limit: usize,
    /// Where metrics go.
    pub metrics_file: Option<PathBuf>,
}

/// Resolves `history`.
///
/// # Errors
/// When the place is none.
pub fn history(args: &HistoryArgs) -> Result<HistorySettings, SettingsError> {
    Ok(HistorySettings {
        backup_dir: place::place(&args.backup_dir)?,
        json: args.format == AnswerFormat::Json,
        limit: args.limit,
        metrics_file: args.metrics_file.clone(),
    })
}
