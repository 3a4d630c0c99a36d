//! Options of backups that go through pipes.

use std::path::PathBuf;

use clap::Args;

/// Where a backup comes from that is no file of this machine.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Pipes")]
pub struct FromArgs {
    /// Have this command bring the backup, such as 'rclone cat remote:path/{name}'; {name} becomes FILE, and,
    /// before that, FILE.manifest.json
    #[arg(long, value_name = "COMMAND", requires = "file", conflicts_with = "latest")]
    pub from_command: Option<String>,
    /// The manifest of a backup that comes through a pipe; none: there is none
    /// [default: none for -, and what --from-command brings]
    #[arg(long, value_name = "FILE", requires = "file")]
    pub manifest: Option<PathBuf>,
    /// Directory of the private copy of what comes through a pipe, or of what is read from object storage, which so comes
    /// over the network once; none: it is read from there again [default: the system's for temporary files]
    #[arg(long, value_name = "DIR")]
    pub spool: Option<PathBuf>,
}

/// Where a backup goes that becomes no file of this machine.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Pipes")]
pub struct ToArgs {
    /// Have this command store the backup, such as 'rclone rcat remote:path/{name}': it is fed the backup, and then,
    /// run once more for OUTPUT.manifest.json, the manifest; {name} becomes OUTPUT
    #[arg(long, value_name = "COMMAND")]
    pub to_command: Option<String>,
    /// Write the manifest of what goes through a pipe to FILE [default: none for -, and to --to-command]
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
}
