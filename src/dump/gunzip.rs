//! What is found of a gzip file while it is read: its damage, and where it can be read from.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;

/// The damage that ends a stream early.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Damage {
    /// The compressed stream is cut off.
    #[error("the gzip stream is cut off")]
    CutOff,
    /// The compressed stream does not decode, or its CRC is wrong.
    #[error("the gzip stream is corrupt: {0}")]
    Corrupt(String),
    /// Something that is not gzip follows the last gzip member.
    #[error("garbage follows the gzip stream, from byte {at} of the file")]
    TrailingGarbage {
        /// Where it begins, in bytes from the beginning of the file.
        at: u64,
    },
}

/// The damage behind a read error of a stream; `None` when the disk is at fault.
pub fn damage(error: &io::Error) -> Option<&Damage> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

/// Where a gzip member begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mark {
    /// In the file.
    pub offset: u64,
    /// In the dump.
    pub dump_offset: u64,
}

/// The places from which a stream can be read: the beginnings of its members, in order.
#[derive(Debug, Clone, Default)]
pub struct Marks(Arc<Mutex<Vec<Mark>>>);

impl Marks {
    pub(super) fn note(&self, mark: Mark) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(mark);
    }

    /// The marks so far.
    pub fn list(&self) -> Vec<Mark> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use flate2::write::GzEncoder;

    pub fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }
}
