//! Bytes at rest that can be read from any place: what every reader of a backup stands on.

use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

/// Bytes that can be read from any place, by several threads at once; none disturbs another.
pub trait ReadAt: fmt::Debug + Send + Sync {
    /// Reads into `buffer` from byte `at` on: as many bytes as are at hand, none at its end.
    ///
    /// # Errors
    /// The disk's, or the network's; of what is sealed, also its damage.
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize>;
}

/// A file on a disk, a part of one, an object in a bucket: the same to whoever reads.
#[expect(clippy::len_without_is_empty, reason = "an empty backup is a finding, not a question")]
pub trait RandomRead: ReadAt {
    /// Its size in bytes when it was opened.
    fn len(&self) -> u64;

    /// Whether it is no longer what was opened: written to, replaced, or removed.
    fn has_changed(&self) -> bool;
}

/// Reads on from a place.
#[derive(Debug)]
pub struct RawReader {
    bytes: Arc<dyn ReadAt>,
    at: u64,
    end: Option<u64>,
}

impl RawReader {
    /// Reads `bytes` from byte `at` on.
    pub fn new(bytes: Arc<dyn ReadAt>, at: u64) -> Self {
        Self { bytes, at, end: None }
    }

    /// Reads `file` from its beginning on, and knows its end.
    pub fn of(file: Arc<dyn RandomRead>) -> Self {
        let end = Some(file.len());
        Self { bytes: file, at: 0, end }
    }
}

impl Read for RawReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for RawReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.end.and_then(|end| end.checked_add_signed(by)),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
