//! The command line of `diff`.

use std::path::PathBuf;

use clap::Args;

use super::{AllowedSignersArgs, ConfigArgs, DecryptArgs, Format};

const DIFF_EXAMPLES: &str = "\
Examples:
  ccc-backup diff backups/monday.sql.gz backups/tuesday.sql.gz
  ccc-backup diff monday.sql.gz.manifest.json tuesday.sql.gz.manifest.json
  ccc-backup diff monday.sql.gz tuesday.sql.gz --table users --rows

From the manifests alone it tells which tables came and went, and which have other rows, contents
or columns, and what else is different: sequences, large objects, definitions by kind, the Alembic
revision. Without a manifest the dump is read. With --table, the rows of that table are compared
one by one. Contents that were written under other settings (encoding, time zone) are called not
comparable, and never the same.

Exit codes: 0 the same, 1 different, 2 it could not be told, or wrong flags.";

/// Options of `diff`.
#[derive(Debug, Args)]
#[command(after_help = DIFF_EXAMPLES)]
pub struct DiffArgs {
    /// The first backup: a file, a directory of pg_dump, or a manifest
    pub a: PathBuf,
    /// The second one
    pub b: PathBuf,
    /// Compare the rows of this table, as pg_dump takes it: table or schema.table
    #[arg(long, short, value_name = "PATTERN")]
    pub table: Option<String>,
    /// Show the rows, too: - for those that only A has, + for those that only B has
    #[arg(long, requires = "table")]
    pub rows: bool,
    /// The database, in dumps of several
    #[arg(long, value_name = "NAME")]
    pub database: Option<String>,
    /// How to answer: text, or json for programs (docs/diff.schema.json)
    #[arg(long, value_enum, default_value_t = Format::Text, hide_possible_values = true)]
    pub format: Format,
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Who may have signed the backup.
    #[command(flatten)]
    pub signers: AllowedSignersArgs,
    /// Encryption.
    #[command(flatten)]
    pub decrypt: DecryptArgs,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::cli::Cli;

    #[test]
    fn diff_takes_two_backups_and_shows_rows_of_a_table_only() {
        let parse = |args: &[&str]| {
            Cli::try_parse_from(["ccc-backup", "diff"].iter().chain(args)).map(drop)
        };
        assert!(parse(&["a", "b"]).is_ok());
        assert!(parse(&["a", "b", "--table=t", "--rows"]).is_ok());
        assert!(parse(&["a"]).is_err());
        assert!(parse(&["a", "b", "--rows"]).is_err());
    }
}
