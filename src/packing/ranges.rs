//! Reads ranges of a dump: at once from anywhere where the backup can be sought in, else one after
//! the other, by passing over what lies between.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};

use crate::model::packing::Packing;
use crate::packing::file::BackupFile;
use crate::packing::member_index::MemberStart;
use crate::packing::seek::Seekable;

/// Bytes handed on at a time.
const CHUNK_BYTES: usize = 256 * 1024;

/// A backup whose ranges can be read. Clones share their place in a backup that is read forward.
#[derive(Clone)]
pub struct Ranges {
    way: Way,
}

#[derive(Clone)]
enum Way {
    Seek(Seekable),
    Forward { file: BackupFile, packing: Packing, cursor: Arc<Mutex<Option<Cursor>>> },
}

/// A stream and its place in the dump.
struct Cursor {
    stream: Box<dyn Read + Send>,
    at: u64,
}

/// Reads on from a place of the dump.
pub struct RangeReader<'a>(Held<'a>);

enum Held<'a> {
    Own(Cursor),
    Shared(MutexGuard<'a, Option<Cursor>>),
}

impl Ranges {
    /// The ranges of a dump of `dump_bytes` bytes.
    pub fn of(
        file: &BackupFile,
        packing: Packing,
        members: Vec<MemberStart>,
        dump_bytes: u64,
    ) -> Self {
        let way = match Seekable::new(file, packing, members, dump_bytes) {
            Some(seekable) => Way::Seek(seekable),
            None => Way::Forward { file: file.clone(), packing, cursor: Arc::default() },
        };
        Self { way }
    }

    /// Whether ranges are read at once and from anywhere. Where not, one waits for the other, and
    /// they are best read in the dump's order: going back begins anew.
    pub fn anywhere(&self) -> bool {
        matches!(self.way, Way::Seek(_))
    }

    /// Goes to a place of the dump.
    ///
    /// # Errors
    /// When the file cannot be read, or ends before.
    pub fn open(&self, from: u64) -> io::Result<RangeReader<'_>> {
        match &self.way {
            Way::Seek(seekable) => {
                let stream = seekable.stream_from(from)?;
                Ok(RangeReader(Held::Own(Cursor { stream, at: from })))
            }
            Way::Forward { file, packing, cursor } => {
                let mut held = cursor.lock().unwrap_or_else(PoisonError::into_inner);
                let mut cursor = match held.take().filter(|cursor| cursor.at <= from) {
                    Some(cursor) => cursor,
                    None => Cursor { stream: file.stream(*packing), at: 0 },
                };
                cursor.pass_over(from - cursor.at)?;
                *held = Some(cursor);
                Ok(RangeReader(Held::Shared(held)))
            }
        }
    }
}

impl RangeReader<'_> {
    /// Reads the next `bytes` bytes and hands them on in pieces until `take` says no.
    ///
    /// # Errors
    /// When the file cannot be read, or ends before. Nothing can be read on after it.
    pub fn read(&mut self, bytes: u64, take: impl FnMut(Bytes) -> bool) -> io::Result<()> {
        match &mut self.0 {
            Held::Own(cursor) => cursor.read(bytes, take),
            Held::Shared(held) => {
                let mut cursor = held.take().ok_or(io::ErrorKind::UnexpectedEof)?;
                cursor.read(bytes, take)?;
                **held = Some(cursor);
                Ok(())
            }
        }
    }
}

impl Cursor {
    fn pass_over(&mut self, bytes: u64) -> io::Result<()> {
        let passed = io::copy(&mut self.stream.by_ref().take(bytes), &mut io::sink())?;
        self.at += passed;
        if passed < bytes { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    fn read(&mut self, bytes: u64, mut take: impl FnMut(Bytes) -> bool) -> io::Result<()> {
        let mut buffer = BytesMut::new();
        let mut left = bytes;
        while left > 0 {
            buffer.resize(CHUNK_BYTES.min(usize::try_from(left).unwrap_or(CHUNK_BYTES)), 0);
            self.stream.read_exact(&mut buffer)?;
            let chunk = buffer.split().freeze();
            left -= chunk.len() as u64;
            self.at += chunk.len() as u64;
            if !take(chunk) {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::packing::unpack::packed::gzip;

    /// One gzip member, which says of itself that it is too long to be sought in.
    fn one_member(text: &[u8]) -> Ranges {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&gzip(text)).unwrap();
        let file = BackupFile::open(file.path()).unwrap();
        Ranges::of(&file, Packing::Gzip, vec![MemberStart::default()], 1 << 40)
    }

    fn read(ranges: &Ranges, from: u64, bytes: u64) -> io::Result<Vec<u8>> {
        let mut found = Vec::new();
        ranges.open(from)?.read(bytes, |piece| {
            found.extend_from_slice(&piece);
            true
        })?;
        Ok(found)
    }

    #[test]
    fn ranges_are_read_in_any_order_also_where_nothing_can_be_sought() {
        let text: Vec<u8> = (0..1_000_000u32).flat_map(u32::to_le_bytes).collect();
        let ranges = one_member(&text);
        assert!(!ranges.anywhere());
        for (from, bytes) in [(0, 10), (10, 600_000), (700_000, 5), (3, 9), (3_999_990, 10)] {
            let whole = &text[from..from + bytes];
            assert_eq!(read(&ranges, from as u64, bytes as u64).unwrap(), whole, "from {from}");
        }
    }

    #[test]
    fn who_stops_early_leaves_the_rest_readable() {
        let ranges = one_member(&vec![b'x'; 3 * CHUNK_BYTES]);
        let mut pieces = 0;
        let stop_at_once = |_| {
            pieces += 1;
            false
        };
        ranges.open(0).unwrap().read(2 * CHUNK_BYTES as u64, stop_at_once).unwrap();
        assert_eq!(pieces, 1);
        assert_eq!(read(&ranges, CHUNK_BYTES as u64, 3).unwrap(), b"xxx");
    }

    #[test]
    fn a_range_beyond_the_end_is_an_error() {
        let error = read(&one_member(b"short"), 3, 10).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
