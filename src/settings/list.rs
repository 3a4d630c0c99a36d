//! What `list` is to do.

use std::path::PathBuf;

use super::{SettingsError, place, signing};
use crate::cli::{Format as AnswerFormat, ListArgs};
use crate::config::Config;

/// Settings of `list`.
#[derive(Debug, Clone)]
pub struct ListSettings {
    /// Directory of the backups.
    pub backup_dir: PathBuf,
    /// Where their copies are.
    pub copies: Vec<PathBuf>,
    /// Answer in JSON.
    pub json: bool,
}

/// Resolves `list`.
///
/// # Errors
/// When the place is none.
pub fn list(args: &ListArgs) -> Result<ListSettings, SettingsError> {
    let json = args.format == AnswerFormat::Json;
    let config = Config::read(args.config.as_deref()).map_err(|error| signing::unread(&error))?;
    let copies = place::copies(&args.copy_to, &config)?;
    Ok(ListSettings { backup_dir: place::place(&args.backup_dir)?, copies, json })
}
