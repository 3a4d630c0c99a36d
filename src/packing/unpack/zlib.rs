//! zlib streams (RFC 1950), as pg_dump has them in archives of the custom format.

use std::io::{self, Read};

use flate2::read::ZlibDecoder;

use crate::model::damage::Damage;

/// What a zlib stream holds. Where the stream is cut, so is what it holds: whoever reads it knows how that
/// ends.
pub(crate) struct Zlib<R>(ZlibDecoder<R>);

impl<R: Read> Zlib<R> {
    pub(crate) fn new(raw: R) -> Self {
        Self(ZlibDecoder::new(raw))
    }
}

impl<R: Read> Read for Zlib<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match error.kind() {
            // The decoder's own; those of the stream below have other kinds.
            io::ErrorKind::InvalidInput => {
                Damage::Corrupt { format: "zlib", cause: error.to_string() }.into()
            }
            _ => error,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::model::damage::damage;

    #[test]
    fn a_stream_that_does_not_decode_is_damaged() {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        let text: Vec<u8> = (0..10_000u32).flat_map(u32::to_le_bytes).collect();
        encoder.write_all(&text).unwrap();
        let mut packed = encoder.finish().unwrap();
        let unpacked = |packed: &[u8]| {
            let mut found = Vec::new();
            Zlib::new(packed).read_to_end(&mut found).map(|_| found)
        };
        assert_eq!(unpacked(&packed).unwrap(), text);
        packed[1000..1100].fill(0);
        assert!(damage(&unpacked(&packed).unwrap_err()).is_some());
    }
}
