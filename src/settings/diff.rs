//! Settings of `diff`.

use std::path::PathBuf;

use super::{Environment, SettingsError, no_pattern, place, sealing, signing};
use crate::cli::{DiffArgs, Format};
use crate::model::pattern::TablePattern;
use crate::sealing::Unsealing;
use crate::signing::AllowedSigners;

/// Settings of `diff`.
#[derive(Debug, Clone)]
pub struct DiffSettings {
    /// The first backup, or its manifest.
    pub a: PathBuf,
    /// The second one.
    pub b: PathBuf,
    /// What opens it, where it is encrypted.
    pub unsealing: Unsealing,
    /// Who may have signed them; without, that is not asked.
    pub allowed_signers: Option<AllowedSigners>,
    /// What is worth a word before the work.
    pub warnings: Vec<String>,
    /// The table whose rows are compared.
    pub table: Option<TablePattern>,
    /// Show its rows.
    pub rows: bool,
    /// The database, in dumps of several.
    pub database: Option<String>,
    /// Answer in JSON.
    pub json: bool,
}

/// Resolves `diff`.
///
/// # Errors
/// When the pattern makes no sense.
pub fn diff(args: &DiffArgs, environment: Environment) -> Result<DiffSettings, SettingsError> {
    let (unsealing, warnings) = sealing::unsealing(&args.decrypt, environment)?;
    let pattern = args.table.as_deref().map(TablePattern::parse).transpose();
    let config = signing::configured(args.config.config.as_deref())?;
    Ok(DiffSettings {
        unsealing,
        allowed_signers: signing::allowed(&args.signers, &config)?,
        warnings,
        a: place::backup(&args.a)?,
        b: place::backup(&args.b)?,
        table: pattern.map_err(|error| no_pattern(&error))?,
        rows: args.rows,
        database: args.database.clone(),
        json: args.format == Format::Json,
    })
}
