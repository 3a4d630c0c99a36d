//! The file of a backup: sealed where it is to be, and hashed as it lies there.

use std::io::Write;

use super::stream::StreamError;
use super::target::Target;
use crate::commands::Failure;
use crate::packing::compress::CompressError;
use crate::packing::written::{Hashed, Written};
use crate::sealing::{Recipients, Sealer};

/// The file of a backup, hashed as it is written, and sealed on the way to it.
pub(super) type Sink = Sealer<Hashed<Target>>;

/// Begins a file, sealed if there is somebody to seal it for.
pub(super) fn seal<W: Write>(
    partial: W,
    recipients: Option<&Recipients>,
) -> Result<Sealer<Hashed<W>>, Failure> {
    Sealer::new(Hashed::new(partial), recipients)
        .map_err(|error| StreamError::Sink(CompressError::Sink(error)).into())
}

/// Ends a file.
pub(super) fn finish_file<W: Write>(sink: Sealer<Hashed<W>>) -> Result<Written<W>, Failure> {
    let written = sink.finish().and_then(Hashed::finish);
    written.map_err(|error| StreamError::Sink(CompressError::Sink(error)).into())
}
