//! Unpacks compressed files strictly: every member, and nothing but zeros after the last one.
//!
//! A *member* is what a file has one or several of, each of which can be unpacked by itself: a
//! gzip member, a zstd frame, an xz stream. Where a member tells its size and is small, it is
//! unpacked whole, and several at a time on threads; every other one is read as a stream. Both
//! ways give the same bytes and the same errors: what cannot be unpacked whole is read again as a
//! stream, which has the last word.

mod ahead;
mod bzip2;
mod gzip;
mod lz4;
mod parallel;
mod sequential;
mod source;
mod xz;
mod zlib;
mod zstd;

#[cfg(test)]
mod formats_tests;
#[cfg(test)]
pub(crate) mod packed;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod threads_tests;

use std::io::{self, Read};
use std::num::NonZeroUsize;

use crate::model::damage::{Damage, Refusal, damage, refusal};
use crate::model::packing::Packing;
use crate::packing::member_index::MemberIndex;
use ahead::Ahead;
use bzip2::Bzip2;
use gzip::Gzip;
use lz4::Lz4;
use parallel::Parallel;
use sequential::Sequential;
use source::{DiskError, Source};
use xz::Xz;
use zstd::Zstd;

pub(crate) use zlib::Zlib;

/// Memory that a stream may ask for to be unpacked, in MiB: as much as `zstd` allows it, and twice
/// what the highest level of `xz` needs.
const MOST_MIB: u64 = 128;

/// How a file is packed, told from its first bytes.
pub fn packing_of(start: &[u8]) -> Packing {
    let begins = |magic: &[u8]| start.starts_with(magic);
    match () {
        () if begins(&gzip::MAGIC) => Packing::Gzip,
        () if begins(&zstd::MAGIC) || zstd::is_skippable(start) => Packing::Zstd,
        () if begins(&xz::MAGIC) => Packing::Xz,
        () if begins(&bzip2::MAGIC) => Packing::Bzip2,
        () if begins(&lz4::MAGIC) => Packing::Lz4,
        () => Packing::None,
    }
}

/// A format of compressed files.
trait Format: Sized + 'static {
    /// Unpacks members whole; a thread's own.
    type Unpacker: Default + Send;
    /// Reads one member as a stream, to its end and no further.
    type Decoder<R: Read + Send>: Read + Send;

    /// What it is called.
    const NAME: &'static str;

    /// Whether the next member begins here. Where there are fewer bytes left than it takes to
    /// tell, what is there decides.
    fn begins<R: Read>(source: &mut Source<R>) -> io::Result<bool>;

    /// Takes the next member whole, and tells the bytes of its contents; takes nothing where the
    /// member does not tell its size, is too large to be held in memory, or is not all there.
    fn take<R: Read>(_: &mut Source<R>, _member: &mut Vec<u8>) -> io::Result<Option<usize>> {
        Ok(None)
    }

    /// Unpacks a member into as many bytes as it has contents. `false` where it is anything but
    /// whole and correct; `content` is then undefined.
    fn unpack(_: &mut Self::Unpacker, _member: &[u8], _content: &mut [u8]) -> bool {
        false
    }

    /// Reads the next member as a stream.
    fn decoder<R: Read + Send>(source: Source<R>) -> io::Result<Self::Decoder<R>>;

    /// What follows the member that was read to its end.
    fn source<R: Read + Send>(decoder: Self::Decoder<R>) -> Source<R>;

    /// Passes over what may stand between members and after the last one.
    fn skip_padding<R: Read>(_: &mut Source<R>) -> io::Result<()> {
        Ok(())
    }

    /// What a decoder's error means when it is no damage.
    fn refusal(_: &io::Error) -> Option<Refusal> {
        None
    }

    /// A decoder's error in words.
    fn cause(error: &io::Error) -> String {
        error.to_string()
    }
}

/// Decompresses what `raw` gives.
pub fn decompress(raw: impl Read + Send + 'static, packing: Packing) -> Box<dyn Read + Send> {
    decompress_noting(raw, packing, &MemberIndex::default())
}

/// The same, and notes where each member begins.
pub fn decompress_noting(
    raw: impl Read + Send + 'static,
    packing: Packing,
    members: &MemberIndex,
) -> Box<dyn Read + Send> {
    inline(raw, packing, members.clone())
}

/// The same on `threads` threads, ahead of whoever reads: for a stream that is read to its end.
pub fn decompress_ahead(
    raw: impl Read + Send + 'static,
    packing: Packing,
    members: &MemberIndex,
    threads: NonZeroUsize,
) -> Box<dyn Read + Send> {
    match threads.get() {
        1 => decompress_noting(raw, packing, members),
        _ => ahead(raw, packing, members.clone(), threads),
    }
}

/// What `raw` holds, unpacked on the thread that reads it.
pub(crate) fn inline(
    raw: impl Read + Send + 'static,
    packing: Packing,
    members: MemberIndex,
) -> Box<dyn Read + Send> {
    fn of<F: Format>(
        raw: impl Read + Send + 'static,
        members: MemberIndex,
    ) -> Box<dyn Read + Send> {
        Box::new(Sequential::<F, _>::new(Source::new(raw), members))
    }
    match packing {
        Packing::None => Box::new(raw),
        Packing::Gzip => of::<Gzip>(raw, members),
        Packing::Zstd => of::<Zstd>(raw, members),
        Packing::Xz => of::<Xz>(raw, members),
        Packing::Bzip2 => of::<Bzip2>(raw, members),
        Packing::Lz4 => of::<Lz4>(raw, members),
    }
}

/// What a gzip file holds, unpacked on the thread that reads it.
pub(crate) fn gunzip(raw: impl Read + Send) -> impl Read {
    Sequential::<Gzip, _>::new(Source::new(raw), MemberIndex::default())
}

/// The same on `threads` threads, ahead of whoever reads.
pub(crate) fn ahead(
    raw: impl Read + Send + 'static,
    packing: Packing,
    members: MemberIndex,
    threads: NonZeroUsize,
) -> Box<dyn Read + Send> {
    match packing {
        // Reading costs time, too, where the raw bytes are hashed on the way.
        Packing::None => Ahead::begin(Box::new(raw)),
        Packing::Gzip => Box::new(Parallel::<Gzip, _>::new(Source::new(raw), members, threads)),
        Packing::Zstd => Box::new(Parallel::<Zstd, _>::new(Source::new(raw), members, threads)),
        // Their members do not tell their sizes.
        Packing::Xz | Packing::Bzip2 | Packing::Lz4 => Ahead::begin(inline(raw, packing, members)),
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

/// Tells a decoder's errors from those of the disk.
fn translate<F: Format>(error: io::Error) -> io::Error {
    let of_the_disk = error.get_ref().is_some_and(|inner| inner.is::<DiskError>());
    if of_the_disk || damage(&error).is_some() || refusal(&error).is_some() {
        return error;
    }
    let format = F::NAME;
    match (F::refusal(&error), error.kind()) {
        (Some(refusal), _) => refusal.into(),
        (None, io::ErrorKind::UnexpectedEof) => Damage::CutOff { format }.into(),
        (None, _) => Damage::Corrupt { format, cause: F::cause(&error) }.into(),
    }
}
