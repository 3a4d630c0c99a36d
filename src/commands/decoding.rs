//! An archive read as the SQL that pg_restore writes of it.

use std::fs::File;

use tokio::task::{JoinError, JoinHandle, spawn_blocking};

use super::Stop;
use super::inspect::{self, Inspection};
use crate::events::{Event, Events, Progress, Work};
use crate::packing::read_error::ReadError;
use crate::source::pg_dump::DumpProcess;

/// A pg_restore that writes SQL, and the thread that reads it.
pub(super) struct Decoding {
    reading: JoinHandle<Result<Inspection, ReadError>>,
    process: DumpProcess,
}

impl Decoding {
    /// Begins to read what `process` writes; `events` are told how far it is.
    pub(super) fn begin(sql: File, process: DumpProcess, events: &Events, stop: &Stop) -> Self {
        let (events, cancel) = (events.clone(), stop.token().clone());
        let reading = spawn_blocking(move || {
            inspect::decode(sql, &cancel, &|done| {
                let (work, total, current) = (Work::Decoding, None, None);
                events.emit(Event::Progress(Progress { work, done, total, current }));
            })
        });
        Self { reading, process }
    }

    /// What was read, with the pg_restore whose exit is still to be asked for; `None` where the run was asked to
    /// stop, and pg_restore was killed.
    ///
    /// # Errors
    /// When the thread died.
    pub(super) async fn read(
        self,
        stop: &Stop,
    ) -> Result<Option<(Result<Inspection, ReadError>, DumpProcess)>, JoinError> {
        let Self { reading, process } = self;
        tokio::select! {
            biased;
            // The thread sees it when pg_restore writes something, which it may not.
            () = stop.token().cancelled() => {
                process.kill().await;
                Ok(None)
            }
            read = reading => Ok(Some((read?, process))),
        }
    }
}
