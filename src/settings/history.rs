//! What `history` is to do.

use std::path::PathBuf;
use std::time::Duration;

use super::{SettingsError, place, signing};
use crate::cli::{Format as AnswerFormat, HistoryArgs};
use crate::config::Config;

/// Settings of `history`.
#[derive(Debug, Clone)]
pub struct HistorySettings {
    /// Directory of the backups and of their history.
    pub backup_dir: PathBuf,
    /// Answer in JSON.
    pub json: bool,
    /// So many runs are shown.
    pub limit: usize,
    /// How long a restore may take; without, what the last verification was allowed.
    pub rto: Option<Duration>,
    /// Where metrics go.
    pub metrics_file: Option<PathBuf>,
    /// Where the page goes.
    pub html: Option<PathBuf>,
    /// The places of copies that metrics and page tell of.
    pub copies: Vec<PathBuf>,
}

/// Resolves `history`.
///
/// # Errors
/// When a place is none, or the configuration that names copies cannot be read.
pub fn history(args: &HistoryArgs) -> Result<HistorySettings, SettingsError> {
    // Who only looks at the history needs no configuration.
    let copies = if args.metrics_file.is_some() || args.html.is_some() {
        let config = Config::read(args.config.as_deref());
        place::copies(&args.copy_to, &config.map_err(|error| signing::unread(&error))?)?
    } else {
        Vec::new()
    };
    Ok(HistorySettings {
        backup_dir: place::place(&args.backup_dir)?,
        json: args.format == AnswerFormat::Json,
        limit: args.limit,
        rto: args.rto,
        metrics_file: args.metrics_file.clone(),
        html: args.html.clone(),
        copies,
    })
}
