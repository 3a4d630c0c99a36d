//! What the bytes of a backup are written into.

use std::io::{self, Write};

use tokio_util::sync::CancellationToken;

use super::Job;
use super::copying::Feed;
use super::piped::Outlet;
use crate::commands::Failure;
use crate::store::new_file::{NewFile, Published};

/// See the module. Dropped before [`Target::publish`], it becomes no backup.
#[derive(Debug)]
pub(super) enum Target {
    /// A file of this machine, or of a place, and its copies.
    File(NewFile, Feed),
    /// A pipe.
    Pipe(Outlet),
}

impl Target {
    /// Begins it.
    pub(super) fn begin(job: &Job<'_>) -> Result<Self, Failure> {
        match &job.settings.outgoing {
            Some(outgoing) => Outlet::begin(job, outgoing).map(Self::Pipe),
            None => {
                let file = NewFile::create(job.target, job.settings.force)?;
                Ok(Self::File(file, job.begin_copies()))
            }
        }
    }

    /// Gives a file its name, and the lock on it; ends a pipe.
    pub(super) fn publish(self) -> Result<Published, Failure> {
        match self {
            Self::File(file, copies) => {
                let published = file.publish()?;
                copies.done();
                Ok(published)
            }
            Self::Pipe(outlet) => {
                outlet.finish()?;
                Ok(Published::unheld())
            }
        }
    }

    /// Tells places about how large it may become, before anything is written, and what ends the writing.
    pub(super) fn expect(&mut self, bytes: u64, stop: &CancellationToken) {
        if let Self::File(file, copies) = self {
            file.expect(bytes, stop);
            copies.expect(bytes);
        }
    }
}

impl Write for Target {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file, copies) => {
                let written = file.write(data)?;
                copies.write(&data[..written]);
                Ok(written)
            }
            Self::Pipe(outlet) => outlet.write(data),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file, _) => file.flush(),
            Self::Pipe(outlet) => outlet.flush(),
        }
    }
}
