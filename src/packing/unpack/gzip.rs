//! gzip (RFC 1952).

use std::io::{self, Read};

use flate2::bufread::GzDecoder;
use libdeflater::Decompressor;

use super::{Format, Source};
use crate::packing::member::{self, FOOTER, HEADER, MOST_CONTENT};

/// What every member begins with.
pub(super) const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// See [`Format`]. Members of our own are unpacked by libdeflate, which knows only whole buffers,
/// and takes less than half the time on those that a decoder of streams takes.
pub(super) struct Gzip;

impl Format for Gzip {
    type Unpacker = Decompressor;
    type Decoder<R: Read + Send> = GzDecoder<Source<R>>;

    const NAME: &'static str = "gzip";

    fn begins<R: Read>(source: &mut Source<R>) -> io::Result<bool> {
        source.begins_with(&MAGIC)
    }

    fn take<R: Read>(source: &mut Source<R>, member: &mut Vec<u8>) -> io::Result<Option<usize>> {
        member.clear();
        source.take_up_to(HEADER, member)?;
        if let Some(size) = member::size(member) {
            source.take_up_to(size, member)?;
            let content = member::footer(member).map(|(_, length)| length);
            let whole = content.filter(|length| member.len() == size && *length <= MOST_CONTENT);
            if whole.is_some() {
                return Ok(whole);
            }
        }
        source.give_back(std::mem::take(member));
        Ok(None)
    }

    fn unpack(unpacker: &mut Decompressor, member: &[u8], content: &mut [u8]) -> bool {
        let (Some((crc, length)), Some(end)) =
            (member::footer(member), member.len().checked_sub(FOOTER))
        else {
            return false;
        };
        let unpacked =
            member.get(HEADER..end).map(|deflate| unpacker.deflate_decompress(deflate, content));
        length == content.len()
            && unpacked == Some(Ok(length))
            && libdeflater::crc32(content) == crc
    }

    fn decoder<R: Read + Send>(source: Source<R>) -> io::Result<GzDecoder<Source<R>>> {
        Ok(GzDecoder::new(source))
    }

    fn source<R: Read + Send>(decoder: GzDecoder<Source<R>>) -> Source<R> {
        decoder.into_inner()
    }
}
