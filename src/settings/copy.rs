//! Settings of `copy`.

use std::path::PathBuf;

use super::{SettingsError, place};
use crate::cli::CopyArgs;
use crate::store::place::is_same;

/// Settings of `copy`.
#[derive(Debug, Clone)]
pub struct CopySettings {
    /// Where the backups are.
    pub from: PathBuf,
    /// Where they are to be, too.
    pub to: PathBuf,
    /// Their names; none where all are meant that are not there yet.
    pub backups: Vec<String>,
}

/// Resolves `copy`.
///
/// # Errors
/// When a place is none, both are the same, or a name is a path.
pub fn copy(args: &CopyArgs) -> Result<CopySettings, SettingsError> {
    let (from, to) = (place::place(&args.from)?, place::place(&args.to)?);
    if is_same(&from, &to) {
        return Err(SettingsError {
            message: format!("{} would be copied to itself", from.display()),
            hint: "name two places".to_owned(),
        });
    }
    if let Some(path) = args.backups.iter().find(|name| name.is_empty() || name.contains('/')) {
        return Err(SettingsError {
            message: format!("{path:?} is not the name of a backup in {}", from.display()),
            hint: "name it as `ccc-backup list` does".to_owned(),
        });
    }
    Ok(CopySettings { from, to, backups: args.backups.clone() })
}
