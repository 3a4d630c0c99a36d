//! Bytes at rest that can be read from any place: what every reader of a backup stands on.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

/// A file on a disk, a part of one, an object in a bucket, a decrypted file: the same to whoever reads.
///
/// Several threads read at once; none disturbs another.
#[expect(clippy::len_without_is_empty, reason = "an empty backup is a finding, not a question")]
pub trait RandomRead: fmt::Debug + Send + Sync {
    /// Its size in bytes when it was opened.
    fn len(&self) -> u64;

    /// Reads into `buffer` from byte `at` on: as many bytes as are at hand, none at its end.
    ///
    /// # Errors
    /// The disk's, or the network's.
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize>;

    /// Whether it is no longer what was opened: written to, replaced, or removed.
    fn has_changed(&self) -> bool;
}

/// Reads on from a place.
#[derive(Debug)]
pub struct RawReader {
    at_rest: Arc<dyn RandomRead>,
    at: u64,
}

impl RawReader {
    /// Reads `at_rest` from byte `at` on.
    pub fn new(at_rest: Arc<dyn RandomRead>, at: u64) -> Self {
        Self { at_rest, at }
    }
}

impl Read for RawReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.at_rest.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
