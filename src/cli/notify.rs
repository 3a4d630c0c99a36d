//! Options of word of a run, which several commands take.

use clap::Args;

/// Whether others are told.
#[derive(Debug, Clone, Default, Args)]
pub struct NotifyArgs {
    /// Tell nobody of this run, whatever [notify] in the configuration says
    #[arg(long)]
    pub no_notify: bool,
}
