//! Settings of `extract`.

use std::path::{Path, PathBuf};

use super::piped::{self, Incoming};
use super::{Environment, SettingsError, no_pattern, place, sealing, signing};
use crate::cli::ExtractArgs;
pub use crate::cli::RowFormat;
use crate::model::pattern::TablePattern;
use crate::sealing::Unsealing;
use crate::signing::AllowedSigners;

/// Settings of `extract`.
#[derive(Debug, Clone)]
pub struct ExtractSettings {
    /// The backup; without one, the newest in `backup_dir`.
    pub file: Option<PathBuf>,
    /// Directory of the backups.
    pub backup_dir: PathBuf,
    /// The tables.
    pub tables: Vec<TablePattern>,
    /// How their rows are written.
    pub format: RowFormat,
    /// Columns, and the pattern of LIKE that each has to fit.
    pub where_like: Vec<(String, String)>,
    /// What opens it, where it is encrypted.
    pub unsealing: Unsealing,
    /// Who may have signed it; without, that is not asked.
    pub allowed_signers: Option<AllowedSigners>,
    /// What is worth a word before the work.
    pub warnings: Vec<String>,
    /// How it comes here, where it is no file of this machine.
    pub incoming: Option<Incoming>,
    /// Of which database, where the backup has several.
    pub database: Option<String>,
}

/// Resolves `extract`.
///
/// # Errors
/// When a pattern or a condition makes no sense.
pub fn extract(
    args: &ExtractArgs,
    environment: Environment,
) -> Result<ExtractSettings, SettingsError> {
    let (unsealing, warnings) = sealing::unsealing(&args.decrypt, environment)?;
    let patterns = args.table.iter().map(|text| TablePattern::parse(text));
    let tables = patterns.collect::<Result<_, _>>().map_err(|error| no_pattern(&error))?;
    let condition = |text: &String| match text.split_once('=') {
        Some((column, pattern)) if !column.is_empty() => {
            Ok((column.to_owned(), pattern.to_owned()))
        }
        _ => Err(SettingsError {
            message: format!("--where-like {text:?} is no condition"),
            hint: "give a column and a pattern of LIKE: --where-like 'email=%@example.org'"
                .to_owned(),
        }),
    };
    let config = signing::configured(args.config.config.as_deref())?;
    let incoming = piped::incoming(&args.from, args.file.as_deref())?;
    // Each row is read once: nothing is kept but what comes through a pipe.
    piped::spool(&args.from, incoming.as_ref(), Path::new(""))?;
    Ok(ExtractSettings {
        unsealing,
        allowed_signers: signing::allowed(&args.signers, &config)?,
        warnings,
        incoming,
        file: place::optional_backup(args.file.as_deref())?,
        backup_dir: place::place(&args.backup_dir)?,
        tables,
        format: args.format,
        where_like: args.where_like.iter().map(condition).collect::<Result<_, _>>()?,
        database: args.database.clone(),
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn resolved(args: &[&str]) -> Result<ExtractSettings, SettingsError> {
        let cli = Cli::parse_from(["ccc-backup", "extract", "x.sql"].iter().chain(args));
        let Command::Extract(args) = cli.command else { panic!("not extract") };
        extract(&args, &|_| None)
    }

    #[test]
    fn a_condition_is_a_column_and_a_pattern_which_may_hold_another_equals_sign() {
        let settings = resolved(&["--table=a", "--where-like=x=a=%"]).unwrap();
        assert_eq!(settings.where_like, [("x".to_owned(), "a=%".to_owned())]);
        for wrong in ["x", "=a", ""] {
            let flag = format!("--where-like={wrong}");
            assert!(resolved(&["--table=a", &flag]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_pattern_that_makes_no_sense_is_refused_with_the_way_on() {
        let error = resolved(&["--table=a.b.c.d"]).unwrap_err();
        assert!(error.to_string().ends_with("it has too many dots"), "{error}");
        assert!(error.hint.contains("schema.table"));
    }
}
