//! The command line of `extract`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};

use super::{AllowedSignersArgs, ConfigArgs, DecryptArgs, FromArgs};

const EXTRACT_EXAMPLES: &str = "\
Examples:
  ccc-backup extract --latest --table users | less
  ccc-backup extract --latest --table public.users --format csv > users.csv
  ccc-backup extract backups/manual.sql.gz --table users --where-like 'email=%@example.org'
  ccc-backup extract --latest --table 'sales.*' --format sql | psql other_database

PATTERN is one of pg_dump's: table or schema.table; * is any text, ? any character, and names in
double quotes are meant as they are. A table without a schema is one of any schema.

Only the parts of the backup are read that hold the rows, where its manifest or its own table of
contents says where they are; --verbose says how much that was. The rows of a backup with a
manifest are held to it.

Exit codes: 0 the rows were written, or whoever read them has closed the pipe; 1 the backup is bad,
and what was written is not whole (and made so that it does not load); 2 there is no such table, it
could not be read, or wrong flags.";

/// Options of `extract`.
#[derive(Debug, Args)]
#[command(after_help = EXTRACT_EXAMPLES)]
#[command(group(ArgGroup::new("backup").required(true).args(["file", "latest"])))]
pub struct ExtractArgs {
    /// The backup: an SQL dump or an archive of pg_dump, also compressed, or a directory of one; - is standard
    /// input
    pub file: Option<PathBuf>,
    /// Take the newest backup in BACKUP_DIR, or one level below it
    #[arg(long)]
    pub latest: bool,
    /// Directory of the backups
    #[arg(long, value_name = "DIR", default_value = "./backups", env = "CCC_BACKUP_DIR")]
    pub backup_dir: PathBuf,
    /// The table; with --format sql several, by a pattern that fits them or by more than one
    #[arg(long, short, value_name = "PATTERN", required = true)]
    pub table: Vec<String>,
    /// How the rows are written: copy (COPY's text format), csv (with a line of names), or sql (for
    /// psql: one transaction, INSERT statements as they are in the backup)
    #[arg(long, value_enum, default_value_t = RowFormat::Copy, hide_possible_values = true)]
    pub format: RowFormat,
    /// Only rows whose COLUMN is LIKE PATTERN, as in SQL; given more than once, all have to hold
    #[arg(long, value_name = "COLUMN=PATTERN")]
    pub where_like: Vec<String>,
    /// The database, in a dump of several; with --latest, where there are backups of several
    #[arg(long, value_name = "NAME")]
    pub database: Option<String>,
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Who may have signed the backup.
    #[command(flatten)]
    pub signers: AllowedSignersArgs,
    /// Encryption.
    #[command(flatten)]
    pub decrypt: DecryptArgs,
    /// Backups that come through pipes.
    #[command(flatten)]
    pub from: FromArgs,
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RowFormat {
    /// COPY's text format
    Copy,
    /// CSV with a line of names
    Csv,
    /// SQL
    Sql,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::cli::Cli;

    fn parse(args: &[&str]) -> Result<(), clap::Error> {
        Cli::try_parse_from(["ccc-backup", "extract"].iter().chain(args)).map(drop)
    }

    #[test]
    fn extract_takes_a_backup_and_a_table_or_more() {
        assert!(parse(&["x.sql", "--table", "a", "-t", "b", "--format=sql"]).is_ok());
        assert!(parse(&["--latest", "--table=a"]).is_ok());
        assert!(parse(&["x.sql"]).is_err());
        assert!(parse(&["--table=a"]).is_err());
        assert!(parse(&["x.sql", "--latest", "--table=a"]).is_err());
    }
}
