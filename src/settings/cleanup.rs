//! What `cleanup` is to do.

use std::path::PathBuf;

use super::{SettingsError, place};
use crate::cli::CleanupArgs;
use crate::store::retention::Policy;

/// Settings of `cleanup`.
#[derive(Debug, Clone)]
pub struct CleanupSettings {
    /// Which backups stay; without a rule, nothing is asked of them.
    pub policy: Policy,
    /// Directory of the backups.
    pub backup_dir: PathBuf,
    /// Only say what would be removed.
    pub dry_run: bool,
    /// Remove what dead runs left of their sandboxes.
    pub sandbox: bool,
    /// Remove the images that were built with extensions.
    pub built_images: bool,
}

/// Resolves `cleanup`.
///
/// # Errors
/// When the place is none.
pub fn cleanup(args: &CleanupArgs) -> Result<CleanupSettings, SettingsError> {
    let number = |given: Option<u16>| given.map_or(0, usize::from);
    Ok(CleanupSettings {
        policy: Policy {
            older_than: args.older_than,
            keep_last: number(args.keep.keep_last),
            keep_daily: number(args.keep.keep_daily),
            keep_weekly: number(args.keep.keep_weekly),
            keep_monthly: number(args.keep.keep_monthly),
            keep_yearly: number(args.keep.keep_yearly),
        },
        backup_dir: place::place(&args.backup_dir)?,
        dry_run: args.dry_run,
        sandbox: args.sandbox,
        built_images: args.built_images,
    })
}
