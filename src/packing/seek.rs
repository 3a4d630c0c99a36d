//! Reads a dump from any of its bytes on.

use std::io::{self, Read};

use crate::model::packing::Packing;
use crate::packing::file::BackupFile;
use crate::packing::member_index::MemberStart;
use crate::packing::unpack::decompress;

/// Bytes of the dump between two places to begin from, at the most; reading and passing over more
/// would cost more than what is won.
const MOST_BETWEEN: u64 = 8 << 20;

/// A backup that can be read from any byte of the dump.
#[derive(Debug, Clone)]
pub struct Seekable {
    file: BackupFile,
    packing: Packing,
    members: Vec<MemberStart>,
}

impl Seekable {
    /// A backup whose `members` are near enough to each other; `None` where they are not: a gzip file
    /// of one piece can only be read from its beginning.
    pub fn new(
        file: &BackupFile,
        packing: Packing,
        members: Vec<MemberStart>,
        dump_bytes: u64,
    ) -> Option<Self> {
        let ends = members.iter().skip(1).map(|mark| mark.dump_offset).chain([dump_bytes]);
        let near =
            members.iter().zip(ends).all(|(mark, end)| end - mark.dump_offset <= MOST_BETWEEN);
        (file.can_seek() && (packing == Packing::None || near)).then(|| Self {
            file: file.clone(),
            packing,
            members,
        })
    }

    /// The dump from `offset` on.
    ///
    /// # Errors
    /// When the file cannot be read, or ends before.
    pub fn stream_from(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        if self.packing == Packing::None {
            return Ok(Box::new(self.file.raw_from(offset)));
        }
        let member = MemberStart::last_before(&self.members, offset).unwrap_or_default();
        let mut stream = decompress(self.file.raw_from(member.offset), self.packing);
        let before = offset - member.dump_offset;
        if io::copy(&mut stream.by_ref().take(before), &mut io::sink())? < before {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(stream)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::packing::member_index::MemberIndex;
    use crate::packing::unpack::decompress_noting;
    use crate::packing::unpack::packed::{gzip, own_zstd};

    fn seekable(bytes: &[u8], packing: Packing, dump_bytes: u64) -> Option<Seekable> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let file = BackupFile::open(file.path()).unwrap();
        let members = MemberIndex::default();
        let mut whole = decompress_noting(file.raw(), packing, &members);
        io::copy(&mut whole, &mut io::sink()).unwrap();
        Seekable::new(&file, packing, members.list(), dump_bytes)
    }

    #[test]
    fn every_byte_can_be_read_from() {
        let text = b"one two three four";
        let members = [gzip(&text[..4]), gzip(&text[4..5]), gzip(&text[5..])].concat();
        let gzipped = seekable(&members, Packing::Gzip, 18).unwrap();
        let frames = [own_zstd(&text[..4]), own_zstd(&text[4..])].concat();
        let frames = seekable(&frames, Packing::Zstd, 18).unwrap();
        let plain = seekable(text, Packing::None, 18).unwrap();
        for offset in 0..=text.len() {
            for source in [&gzipped, &frames, &plain] {
                let mut rest = Vec::new();
                source.stream_from(offset as u64).unwrap().read_to_end(&mut rest).unwrap();
                assert_eq!(rest, text[offset..], "from {offset}");
            }
        }
        assert!(gzipped.stream_from(100).is_err());
    }

    #[test]
    fn a_large_piece_cannot_be_sought_in() {
        let bytes = 2 * MOST_BETWEEN;
        assert!(seekable(&gzip(b"x"), Packing::Gzip, bytes).is_none());
        assert!(seekable(b"x", Packing::None, bytes).is_some());
    }
}
