//! Reads gzip (RFC 1952) strictly: every member, and nothing after the last one.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::{Arc, Mutex, PoisonError};

use flate2::bufread::GzDecoder;
use thiserror::Error;

/// Bytes read from the file at a time.
const READ_BYTES: usize = 256 * 1024;
/// What a member begins with.
const MAGIC: [u8; 2] = [0x1f, 0x8b];

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
    fn note(&self, mark: Mark) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(mark);
    }

    /// The marks so far.
    pub fn list(&self) -> Vec<Mark> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Counts the bytes that pass, so that trailing garbage can be placed.
struct Counting<R> {
    inner: R,
    count: u64,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer).map_err(|error| io::Error::other(DiskError(error)))?;
        self.count += read as u64;
        Ok(read)
    }
}

/// Marks an error of the underlying file, so that the decoder's own errors can be told from it.
#[derive(Debug, Error)]
#[error("{0}")]
struct DiskError(io::Error);

/// All members of a gzip file, one after the other. Unlike `gunzip`, garbage after the last
/// member is an error: a backup is what was written and nothing else.
pub(super) struct Gunzip<R: Read> {
    // `None` only inside `next_member`.
    member: Option<GzDecoder<BufReader<Counting<R>>>>,
    ended: bool,
    /// Bytes decompressed so far.
    read: u64,
    marks: Marks,
}

impl<R: Read> Gunzip<R> {
    pub(super) fn new(raw: R, marks: Marks) -> Self {
        marks.note(Mark::default());
        let counting = Counting { inner: raw, count: 0 };
        let buffered = BufReader::with_capacity(READ_BYTES, counting);
        Self { member: Some(GzDecoder::new(buffered)), ended: false, read: 0, marks }
    }

    /// Goes on to the next member, or to the end.
    fn next_member(&mut self) -> io::Result<()> {
        let Some(decoder) = self.member.take() else { return Ok(()) };
        let mut buffered = decoder.into_inner();
        let rest = buffered.fill_buf().map_err(translate)?;
        let (ended, begins) = (rest.is_empty(), MAGIC.starts_with(&rest[..rest.len().min(2)]));
        let offset = buffered.get_ref().count - buffered.buffer().len() as u64;
        if ended {
            self.ended = true;
        } else if !begins {
            return Err(damaged(Damage::TrailingGarbage { at: offset }));
        } else {
            self.marks.note(Mark { offset, dump_offset: self.read });
            self.member = Some(GzDecoder::new(buffered));
        }
        Ok(())
    }
}

impl<R: Read> Read for Gunzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.ended && !buffer.is_empty() {
            let Some(member) = &mut self.member else { break };
            match member.read(buffer).map_err(translate)? {
                0 => self.next_member()?,
                read => {
                    self.read += read as u64;
                    return Ok(read);
                }
            }
        }
        Ok(0)
    }
}

fn damaged(damage: Damage) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, damage)
}

/// Tells the decoder's errors from those of the disk.
fn translate(error: io::Error) -> io::Error {
    if error.get_ref().is_some_and(|inner| inner.is::<DiskError>() || inner.is::<Damage>()) {
        return error;
    }
    damaged(match error.kind() {
        io::ErrorKind::UnexpectedEof => Damage::CutOff,
        _ => Damage::Corrupt(error.to_string()),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use flate2::write::GzEncoder;

    use super::*;

    pub fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn gunzip(bytes: Vec<u8>) -> Result<Vec<u8>, Damage> {
        let mut out = Vec::new();
        match Gunzip::new(io::Cursor::new(bytes), Marks::default()).read_to_end(&mut out) {
            Ok(_) => Ok(out),
            Err(error) => Err(damage(&error).expect("damage").clone()),
        }
    }

    #[test]
    fn one_member_and_several_are_read_whole() {
        let text = b"hello ".repeat(100_000);
        assert_eq!(gunzip(gzip(&text)).unwrap(), text);
        let two = [gzip(b"one "), gzip(b""), gzip(b"two")].concat();
        assert_eq!(gunzip(two).unwrap(), b"one two");
    }

    #[test]
    fn a_cut_stream_is_damaged_wherever_it_is_cut() {
        let whole = gzip(b"some text that is long enough to be cut");
        for cut in 2..whole.len() {
            assert!(gunzip(whole[..cut].to_vec()).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn a_flipped_bit_never_changes_what_is_read() {
        let text = b"some text that is long enough to be flipped";
        let whole = gzip(text);
        let mut harmless = 0;
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            // Time, system and the padding of the last byte carry no content.
            if let Ok(read) = gunzip(flipped) {
                assert_eq!(read, text, "flipped bit {bit}");
                harmless += 1;
            }
        }
        assert!(harmless < 64 + 8, "{harmless} flipped bits went unnoticed");
    }

    #[test]
    fn garbage_after_the_stream_is_damage_with_its_place() {
        let whole = gzip(b"text");
        let at = whole.len() as u64;
        for garbage in [&b"\0"[..], b"garbage", b"\x1f", b"\x1fx"] {
            let found = gunzip([&whole[..], garbage].concat()).unwrap_err();
            let known = found == Damage::TrailingGarbage { at } || found == Damage::CutOff;
            assert!(known, "{garbage:?} {found:?}");
        }
    }

    #[test]
    fn the_beginnings_of_members_are_noted() {
        let (one, two) = (gzip(b"one "), gzip(b"two"));
        let marks = Marks::default();
        let bytes = [one.as_slice(), &two].concat();
        Gunzip::new(io::Cursor::new(bytes), marks.clone()).read_to_end(&mut Vec::new()).unwrap();
        let second = Mark { offset: one.len() as u64, dump_offset: 4 };
        assert_eq!(marks.list(), [Mark::default(), second]);
    }
}
