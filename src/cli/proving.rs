//! How a backup is restored into a throwaway server and what is proven of it: options of whoever has that done.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::parse_duration;

/// See the module.
#[derive(Debug, Args)]
pub struct ProvingArgs {
    /// Major version of the throwaway PostgreSQL; auto: the one the dump was taken from
    #[arg(long, value_name = "VERSION", default_value = "auto", value_parser = parse_version)]
    pub postgres_version: PostgresVersion,
    /// Configuration: tables to check, image, server settings [default: ./ccc-backup.toml, if any]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Docker image to use [default: postgres:VERSION, else ccc-backup/postgres:VERSION]
    #[arg(long, value_name = "IMAGE", env = "CCC_BACKUP_IMAGE")]
    pub image: Option<String>,
    /// Build an image with the extensions that the backup needs and the image lacks, from Debian's packages, and keep
    /// it for further runs (cleanup --built-images); wants Docker and a network
    #[arg(long)]
    pub build_image: bool,
    /// What runs the throwaway PostgreSQL: docker, local (this machine's own PostgreSQL, without
    /// superuser's rights for the backup), or auto: docker where it answers, else local
    #[arg(long, value_enum, default_value_t = Engine::Auto, hide_possible_values = true)]
    pub engine: Engine,
    /// Wait until others are done with the container's name, the port and the backup, at most so
    /// long, such as --wait=10m [default: as long as --timeout allows]
    #[arg(
        long,
        value_name = "DURATION",
        num_args = 0..=1,
        require_equals = true,
        value_parser = parse_duration
    )]
    pub wait: Option<Option<std::time::Duration>>,
    /// Memory that the container may take, such as 4GB [default: no limit]
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<String>,
    /// Processors that the container may take, such as 1.5 [default: no limit]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub cpus: Option<f64>,
    /// Connections to restore and compare over [default: the number of cores]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: Option<u16>,
    /// Do not compare the restored rows' contents with the backup's
    #[arg(long)]
    pub no_content: bool,
    /// Pass only what was proven: what is left open, such as rows without a manifest, makes the
    /// verdict NOT VERIFIED
    #[arg(long, conflicts_with = "no_content")]
    pub require_proof: bool,
    /// Restore SQL that pg_dump did not write, too; that it is whole is then not proven
    #[arg(long)]
    pub accept_foreign_sql: bool,
    /// Give up after this time, such as 30m; the verdict is then NOT VERIFIED
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub timeout: Option<std::time::Duration>,
    /// Fail when the restore takes longer than this, such as 45m (recovery time objective)
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub rto: Option<std::time::Duration>,
}

/// What runs the throwaway PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// Docker where it answers, else local
    Auto,
    /// A container
    Docker,
    /// This machine's own PostgreSQL
    Local,
}

/// Which PostgreSQL to restore into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostgresVersion {
    /// The major version the dump was taken from.
    Auto,
    /// This major version.
    Major(u32),
}

pub(super) fn parse_version(text: &str) -> Result<PostgresVersion, String> {
    match text {
        "auto" => Ok(PostgresVersion::Auto),
        _ => match text.parse() {
            Ok(major @ 9..=99) => Ok(PostgresVersion::Major(major)),
            _ => Err("expected auto or a major version such as 15".to_owned()),
        },
    }
}
