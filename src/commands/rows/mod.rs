//! The rows of chosen tables of a backup, from nothing but the places where they lie, as far as that is known.
//!
//! [`Rows::find`] tells which tables are meant and how they are read; it reads heads only, and the dump once
//! where nothing else says which tables there are. [`Rows::read`] then hands out their rows as
//! [`Piece`]s: for each block of a table a beginning with its names and columns, the rows as COPY writes them
//! (INSERT statements as they are, too), and an end. Where the manifest knows a table, what was read is held to
//! its rows and fingerprint; whoever does something with rows takes them for whole only when `read` has
//! returned without a failure. Both block, and belong on a thread of their own.
//!
//! There are three ways: a plain dump with a manifest by its spans (`model::span`), an archive by its own
//! table of contents (`archive::pick`), and every other dump in one pass, in which rows of other tables are
//! neither parted nor hashed.

mod archived;
mod choosing;
mod failing;
mod holding;
mod picking;
mod plain;

use std::ops::ControlFlow;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::Failure;
use crate::archive::{OpenBackup, Storage, pick};
use crate::dump::picking::{Piece, TableName};
use crate::model::contents::{Table, TableFingerprint};
use crate::model::format::Format;
use crate::model::pattern::TablePattern;
use crate::packing::file::BackupFile;
use crate::packing::metered::Meter;
use crate::store::manifest::Manifest;

use holding::Held;

/// Which tables are meant.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Each has to fit a table.
    pub patterns: Vec<TablePattern>,
    /// Of which database, where the backup has several.
    pub database: Option<String>,
}

/// Who waits for the rows.
pub struct Watch {
    /// Stops the reading.
    pub cancel: CancellationToken,
    /// Told the bytes of the backup read so far.
    pub progress: Arc<dyn Fn(u64) + Send + Sync>,
}

/// What was read.
#[derive(Debug)]
pub struct Read {
    /// Bytes of the backup's files.
    pub bytes_read: u64,
    /// Their size.
    pub bytes_there: u64,
    /// The tables with their rows, in the order of reading.
    pub tables: Vec<(TableName, TableFingerprint)>,
}

/// Takes pieces until it has enough.
pub type Take<'a> = &'a mut dyn FnMut(Piece) -> ControlFlow<()>;

/// Chosen tables of a backup.
#[derive(Debug)]
pub struct Rows {
    backup: OpenBackup,
    selection: Selection,
    /// What the manifest says of the tables that are meant.
    recorded: Vec<Table>,
    tables: Vec<TableName>,
    way: Way,
    meter: Meter,
}

/// How they are read.
#[derive(Debug)]
enum Way {
    /// From their spans: what stands before the rows of each of `recorded`.
    Spans { file: BackupFile, beginnings: Vec<Vec<u8>> },
    /// From their places in an archive: of these numbers.
    Archive { archive: Box<pick::Tables>, chosen: Vec<usize> },
    /// In one pass over the dump.
    Pass { file: BackupFile },
}

impl Rows {
    /// Chooses the tables that are meant. The manifest is that of the backup.
    ///
    /// # Errors
    /// With exit code 2 where a pattern fits no table, or tables of several databases and none is named; else
    /// as [`Rows::read`].
    pub fn find(
        backup: &OpenBackup,
        manifest: Option<&Manifest>,
        selection: Selection,
        watch: &Watch,
    ) -> Result<Self, Failure> {
        match backup.storage() {
            Storage::File(file) if backup.format() == Format::Plain => {
                plain::find(backup, file, manifest, selection, watch)
            }
            _ => archived::find(backup, manifest, selection),
        }
    }

    /// The tables, in the order of reading. None where they are known when they are read: there, one pattern
    /// fits one table, if any.
    pub fn tables(&self) -> &[TableName] {
        &self.tables
    }

    /// Reads the rows. Where `take` has enough, the rest is not looked at, and held to nothing.
    ///
    /// # Errors
    /// With exit code 1 where the backup is damaged, or the rows are not those of the manifest; with 2 where
    /// it cannot be read, or has no such table. What was handed out is then not whole.
    pub fn read(&self, watch: &Watch, take: Take<'_>) -> Result<Read, Failure> {
        let mut held = Held::new(&self.recorded);
        let mut flow = ControlFlow::Continue(());
        let outcome = self.hand_out(watch, &mut |piece| {
            held.take(&piece);
            flow = take(piece);
            flow
        });
        let outcome = match outcome {
            Ok(()) if flow.is_continue() => held.judge(),
            other => other,
        };
        if self.backup.has_changed() {
            return Err(failing::changed());
        }
        outcome?;
        let (bytes_read, bytes_there) = (self.meter.bytes(), self.backup.bytes());
        Ok(Read { bytes_read, bytes_there, tables: held.into_tables() })
    }

    fn hand_out(&self, watch: &Watch, take: Take<'_>) -> Result<(), Failure> {
        match &self.way {
            Way::Spans { file, beginnings } => plain::spans(self, file, beginnings, watch, take),
            Way::Archive { archive, chosen } => archived::read(self, archive, chosen, watch, take),
            Way::Pass { file } => plain::pass(self, file, watch, take),
        }
    }
}
