//! Unpacks compressed files strictly: every member, and nothing after the last one.
//!
//! A *member* is what a file has one or several of, each of which can be unpacked by itself: a
//! gzip member. Where a member tells its size and is small, it is unpacked whole, and several at
//! a time on threads; every other one is read as a stream. Both ways give the same bytes and the
//! same errors: what cannot be unpacked whole is read again as a stream, which has the last word.

mod ahead;
mod gzip;
mod parallel;
mod sequential;
mod source;

use std::io::{self, Read};
use std::num::NonZeroUsize;

use crate::dump::gunzip::{Damage, Marks};
use crate::dump::open::Compression;
use ahead::Ahead;
use gzip::Gzip;
use parallel::Parallel;
use sequential::Sequential;
use source::{DiskError, Source};

/// A format of compressed files.
trait Format: Sized + 'static {
    /// Unpacks members whole; a thread's own.
    type Unpacker: Default + Send;
    /// Reads one member as a stream.
    type Decoder<R: Read + Send>: Read + Send;

    /// What every member begins with.
    const MAGIC: &'static [u8];

    /// Takes the next member whole, and tells the bytes of its contents; takes nothing where the
    /// member does not tell its size, is too large to be held in memory, or is not all there.
    fn take<R: Read>(source: &mut Source<R>, member: &mut Vec<u8>) -> io::Result<Option<usize>>;

    /// Unpacks a member into as many bytes as it has contents. `false` where it is anything but
    /// whole and correct; `content` is then undefined.
    fn unpack(unpacker: &mut Self::Unpacker, member: &[u8], content: &mut [u8]) -> bool;

    /// Reads the next member as a stream.
    fn decoder<R: Read + Send>(source: Source<R>) -> Self::Decoder<R>;

    /// What follows the member that was read to its end.
    fn source<R: Read + Send>(decoder: Self::Decoder<R>) -> Source<R>;
}

/// What `raw` holds, unpacked on the thread that reads it.
pub(super) fn inline(
    raw: impl Read + Send + 'static,
    compression: Compression,
    marks: Marks,
) -> Box<dyn Read + Send> {
    match compression {
        Compression::None => Box::new(raw),
        Compression::Gzip => Box::new(Sequential::<Gzip, _>::new(Source::new(raw), marks)),
    }
}

/// The same on `threads` threads, ahead of whoever reads.
pub(super) fn ahead(
    raw: impl Read + Send + 'static,
    compression: Compression,
    marks: Marks,
    threads: NonZeroUsize,
) -> Box<dyn Read + Send> {
    match compression {
        Compression::None => Box::new(raw),
        Compression::Gzip => Box::new(Parallel::<Gzip, _>::new(Source::new(raw), marks, threads)),
    }
}

/// A buffer of contents, and what of it was not read yet.
#[derive(Debug, Default)]
struct Contents {
    buffer: Vec<u8>,
    from: usize,
    to: usize,
}

impl Contents {
    /// Room for `bytes` bytes, which are then what it holds.
    fn room(&mut self, bytes: usize) -> &mut [u8] {
        // Never made smaller, so that a buffer that is used again need not be filled with zeros.
        if self.buffer.len() < bytes {
            self.buffer.resize(bytes, 0);
        }
        (self.from, self.to) = (0, bytes);
        &mut self.buffer[..bytes]
    }

    /// Fewer bytes than there was room for, after all.
    fn end_at(&mut self, bytes: usize) {
        self.to = bytes.min(self.to);
    }

    fn give(&mut self, buffer: &mut [u8]) -> usize {
        let length = buffer.len().min(self.to - self.from);
        buffer[..length].copy_from_slice(&self.buffer[self.from..self.from + length]);
        self.from += length;
        length
    }
}

fn damaged(damage: Damage) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, damage)
}

/// Tells a decoder's errors from those of the disk.
fn translate(error: io::Error) -> io::Error {
    if error.get_ref().is_some_and(|inner| inner.is::<DiskError>() || inner.is::<Damage>()) {
        return error;
    }
    match error.kind() {
        io::ErrorKind::Interrupted => error,
        io::ErrorKind::UnexpectedEof => damaged(Damage::CutOff),
        _ => damaged(Damage::Corrupt(error.to_string())),
    }
}

#[cfg(test)]
mod tests;
