//! The one channel between the engines and whoever shows their work.
//!
//! Engines emit; the console prints. Neither knows the other.

mod creating;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::model::checkup::{Checkup, Finding};
use crate::model::drill::{DrillPlan, DrillReport, Planned, Turn};
use crate::model::outcome::{CheckResult, RunReport, Section};

pub use creating::CreateEvent;

/// Something that happened, in the order in which it happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// A backup is about to be made.
    CreateStarted {
        /// Name of the database.
        database: String,
        /// `host:port` of the source.
        host: String,
        /// The file that will be published.
        output: PathBuf,
    },
    /// The backup was published.
    Created {
        /// The file.
        file: PathBuf,
        /// Bytes that pg_dump wrote.
        dump_bytes: u64,
        /// Bytes of the file.
        file_bytes: u64,
        /// Whether the file is compressed by us.
        compressed: bool,
        /// What was counted on the way, such as `18 tables, 1,265,000 rows`.
        contents: Option<String>,
        /// What the source has and it has not.
        not_in_it: Option<String>,
        /// The file of the server's roles and tablespaces, where one was made.
        globals: Option<PathBuf>,
    },
    /// The backup's manifest is signed.
    Signed {
        /// The signature.
        file: PathBuf,
        /// The key, as `SHA256:…`.
        key: String,
    },
    /// What `create` does beside each backup.
    Create(CreateEvent),
    /// A verification begins.
    VerifyStarted {
        /// The backup, as it was named.
        backup: PathBuf,
    },
    /// What a restore into a server that others use does.
    Restore(RestoreEvent),
    /// The backup file is there.
    BackupFound {
        /// Its size.
        bytes: u64,
    },
    /// The backup is an archive, which pg_restore restores.
    BackupIsArchive {
        /// Its format, and what made it.
        what: String,
    },
    /// Somebody has what is needed, and is waited for.
    Waiting {
        /// Who has what.
        why: String,
    },
    /// A container of this name is looked for.
    SandboxChecking {
        /// The container's name.
        name: String,
    },
    /// A dead run's leftover was removed.
    SandboxSwept {
        /// What it was, such as `container backup-restore-test`.
        what: String,
    },
    /// An image is being pulled.
    ImagePulling {
        /// The image.
        image: String,
    },
    /// An image is being built: extensions are installed in one that lacks them.
    ImageBuilding {
        /// The image that it is built from.
        base: String,
        /// The packages of the extensions.
        packages: Vec<String>,
    },
    /// A throwaway PostgreSQL is being started.
    SandboxStarting {
        /// What it is.
        kind: SandboxKind,
        /// Major version, such as `15`.
        version: String,
        /// Why this engine and image were taken.
        why: String,
    },
    /// It was started.
    SandboxStarted {
        /// What it is.
        kind: SandboxKind,
        /// Container name or directory.
        name: String,
    },
    /// It does not answer yet.
    SandboxWaiting,
    /// It answers.
    SandboxReady {
        /// How often it was asked.
        attempts: u32,
    },
    /// The backup was read to its end and nothing is missing from it.
    BackupRead {
        /// Tables with a COPY block.
        tables: usize,
        /// Rows in them.
        rows: u64,
        /// Bytes of the dump when decompressed.
        bytes: u64,
    },
    /// The restore begins.
    RestoreStarted {
        /// What it is restored into.
        kind: SandboxKind,
        /// The database it goes to.
        database: String,
        /// Whether the file was copied there, for pg_restore; else its rows are sent.
        is_copied: bool,
    },
    /// The database is being created.
    DatabaseCreating {
        /// Its name.
        database: String,
    },
    /// Roles that the dump names were made, without login.
    RolesCreated(Vec<String>),
    /// Statements and rows are being sent.
    Restoring,
    /// The restore ended.
    RestoreFinished {
        /// Errors that prove the backup bad; each is a line or more.
        errors: Vec<String>,
        /// Harmless errors that were passed over.
        tolerated: usize,
    },
    /// How far a long piece of work is.
    Progress(Progress),
    /// How long a piece of work takes as a rule, from its beginning, which is now.
    Expected(Work, Duration),
    /// A section of checks begins.
    SectionStarted(Section),
    /// A check ended.
    Checked(CheckResult),
    /// Something harmless worth knowing.
    Warning(String),
    /// Something that was asked for was not done; it changes no verdict.
    Error {
        /// One sentence that names the cause.
        cause: String,
        /// What to do next.
        hint: Option<String>,
    },
    /// The verification ended; everything it found.
    VerifyFinished(Arc<RunReport>),
    /// What a drill does.
    Drill(DrillEvent),
    /// What a clean-up does.
    Cleanup(CleanupLine),
    /// What a copy does.
    Copy(CopyLine),
    /// What a look at the set-up finds.
    Doctor(DoctorEvent),
    /// Somebody was told of the run: who, such as `the webhook at hooks.example.com`.
    Told(String),
    /// The sandbox is being removed.
    SandboxClosing(SandboxKind),
    /// It is gone.
    SandboxClosed(SandboxKind),
    /// It was kept, and this is how to connect to it.
    SandboxKept {
        /// What it is.
        kind: SandboxKind,
        /// Its name.
        name: String,
        /// A `psql` line.
        connect: String,
        /// How to remove it.
        remove: String,
    },
}

/// What a restore into a server that others use does, beside what a verification does, too.
#[derive(Debug, Clone)]
pub enum RestoreEvent {
    /// It begins.
    Started {
        /// The backup.
        backup: PathBuf,
        /// The server.
        server: String,
        /// The database that it is to become.
        database: String,
    },
    /// What it is going to do.
    Planned(RestorePlan),
    /// Whoever sits at the terminal is asked this.
    Asked(String),
    /// It ended.
    Finished {
        /// Everything that it found.
        report: Arc<RunReport>,
        /// What there is now, where it was restored.
        restored: Option<Restored>,
    },
    /// A database took its name, in a run that restored nothing.
    Switched {
        /// The one that took it.
        from: String,
        /// What there is now.
        restored: Restored,
    },
    /// Single tables are there.
    TablesRestored {
        /// In this database.
        database: String,
        /// In this schema.
        schema: String,
        /// Their names in the backup, and how many rows each has.
        tables: Vec<(String, u64)>,
        /// Bytes of the backup that were read.
        bytes_read: u64,
        /// Bytes that it has.
        bytes_there: u64,
    },
    /// What a restore had left in a database was removed.
    Emptied {
        /// Which.
        database: String,
    },
    /// A database was removed that never got its name.
    Dropped {
        /// Which.
        database: String,
    },
}

/// What a drill does, beside what the verifications in it do.
#[derive(Debug, Clone)]
pub enum DrillEvent {
    /// This is what it is going to do.
    Planned(Arc<DrillPlan>),
    /// A backup's turn begins.
    Begun {
        /// Which.
        planned: Planned,
        /// The number of the turn, from 1.
        number: usize,
        /// How many there are.
        of: usize,
        /// Whether nothing is restored.
        file_only: bool,
    },
    /// Something happened in the turn of this backup.
    Within {
        /// Which, and where it is.
        backup: String,
        /// Whether all of it is told, and not only what is odd.
        in_full: bool,
        /// What.
        event: Box<Event>,
    },
    /// A turn ended, or was not come to.
    Ended {
        /// Which, and how.
        turn: Arc<Turn>,
        /// Whether nothing was restored.
        file_only: bool,
    },
    /// It ended; everything it found.
    Finished(Arc<DrillReport>),
}

/// What a restore is going to do.
#[derive(Debug, Clone)]
pub struct RestorePlan {
    /// What about it, each with its label.
    pub lines: Vec<(&'static str, String)>,
    /// Nothing else is done.
    pub is_all: bool,
}

/// A database that was restored and has its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The name.
    pub database: String,
    /// The name of the one that had it before, where there was one.
    pub before: Option<String>,
}

/// What a look at the set-up finds.
#[derive(Debug, Clone)]
pub enum DoctorEvent {
    /// It begins.
    Started,
    /// These were looked at, of one part of it or of several.
    Examined(Vec<Finding>),
    /// It ended.
    Finished(Arc<Checkup>),
}

/// What a throwaway PostgreSQL runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SandboxKind {
    /// A container.
    Container,
    /// A server of this machine's own PostgreSQL.
    Server,
}

impl std::fmt::Display for SandboxKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Container => "container",
            Self::Server => "server",
        })
    }
}

/// A line of a clean-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CleanupLine {
    /// A backup stays.
    Kept {
        /// Its name.
        name: String,
        /// Why.
        why: String,
    },
    /// A backup goes, or would go.
    Removed {
        /// Its name.
        name: String,
        /// Why.
        why: String,
        /// Only said, not done.
        dry_run: bool,
    },
    /// No sandbox was left behind.
    NothingLeft,
    /// There is no image that was built with extensions.
    NothingBuilt,
    /// The sum of it.
    Sum(String),
}

/// A line of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyLine {
    /// A backup was brought.
    Copied {
        /// Its name.
        name: String,
        /// Its size.
        bytes: u64,
    },
    /// It was there.
    There {
        /// Its name.
        name: String,
    },
    /// The sum of it.
    Sum(String),
}

/// A piece of work that takes long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// pg_dump writes; in bytes of the dump. The total is the size of the database, which only
    /// hints at the size of its dump.
    Dumping,
    /// An image is pulled; in bytes of a layer.
    Pulling,
    /// A backup is read; in bytes of its file.
    Reading,
    /// An archive is copied into the sandbox; in bytes of its files.
    Copying,
    /// An archive is written as SQL by pg_restore; in bytes of that.
    Decoding,
    /// A backup is restored; in bytes of the dump, or of an archive in bytes of the database.
    Restoring,
    /// Restored tables are compared with the backup; in tables.
    Comparing,
    /// Large objects are compared with the backup; in bytes.
    ComparingObjects,
}

/// How far a long piece of work is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub work: Work,
    /// Units done.
    pub done: u64,
    /// Units in all, where known.
    pub total: Option<u64>,
    /// What is at hand, such as a table's name.
    pub current: Option<String>,
}

/// Where engines send their events.
#[derive(Clone)]
pub struct Events(Arc<dyn Fn(Event) + Send + Sync>);

impl Events {
    /// Sends every event to `consumer`, on the thread that emits it.
    pub fn new(consumer: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self(Arc::new(consumer))
    }

    /// Sends events nowhere.
    pub fn silent() -> Self {
        Self::new(|_| {})
    }

    /// Sends one event.
    pub fn emit(&self, event: Event) {
        (self.0)(event);
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Events")
    }
}
