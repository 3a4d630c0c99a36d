//! What is wanted of a sandbox.

use std::collections::BTreeSet;
use std::time::Duration;

use super::limits::Limits;

/// How long a server may take to answer.
pub const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// What runs the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// Docker where it answers, else this machine's own PostgreSQL.
    #[default]
    Auto,
    /// A container.
    Docker,
    /// This machine's own PostgreSQL.
    Local,
}

/// What is wanted.
#[derive(Debug, Clone)]
pub struct Request {
    /// What runs the server.
    pub choice: Choice,
    /// Major version of PostgreSQL.
    pub version: u32,
    /// The image to take; without one, it is chosen by version.
    pub image: Option<String>,
    /// The extensions that will be created in it; none where that is not known before it starts. Libraries of theirs
    /// that have to be loaded then are, where the image has them.
    pub extensions: BTreeSet<String>,
    /// Whether those that the image lacks are installed in one that is built for that.
    pub builds: bool,
    /// Port on 127.0.0.1; 0 takes any that is free. A local server listens there only when it is kept.
    pub port: u16,
    /// Name of the container, or of the local server.
    pub name: String,
    /// Whether the sandbox will be kept; it is labelled so that only its own name's next run, or
    /// the operator, removes it.
    pub keep: bool,
    /// How long to wait for a name or port that somebody has; without one, not at all.
    pub wait: Option<Duration>,
    /// Connections that will be wanted at a time.
    pub connections: usize,
    /// Expected size of the data as a plain dump, in bytes. What fits well is kept in memory; an
    /// unknown size goes to the disk.
    pub data_bytes: Option<u64>,
    /// Server settings beside ours and in their place.
    pub settings: Vec<(String, String)>,
    /// Whether whoever runs it vouches for the settings, also for those that make a local server run
    /// programs, load libraries or open files of this machine.
    pub settings_are_trusted: bool,
    /// What it may take of its machine at the most.
    pub limits: Limits,
    /// Whether programs that connect will be run beside the server.
    pub programs: bool,
    /// Whether what dead runs left is removed first.
    pub sweeps: bool,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            choice: Choice::Auto,
            version: 15,
            image: None,
            extensions: BTreeSet::new(),
            builds: false,
            port: 5433,
            name: "backup-restore-test".into(),
            keep: false,
            wait: None,
            connections: 1,
            data_bytes: None,
            settings: Vec::new(),
            settings_are_trusted: false,
            limits: Limits::default(),
            programs: false,
            sweeps: true,
        }
    }
}
