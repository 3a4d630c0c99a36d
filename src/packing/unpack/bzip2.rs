//! bzip2.

use std::io::{self, Read};

use bzip2::bufread::BzDecoder;

use super::{Format, Source};

/// What every stream begins with.
pub(super) const MAGIC: [u8; 3] = *b"BZh";

/// See [`Format`]. A stream does not tell its size, so none is unpacked whole.
pub(super) struct Bzip2;

impl Format for Bzip2 {
    type Unpacker = ();
    type Decoder<R: Read + Send> = BzDecoder<Source<R>>;

    const NAME: &'static str = "bzip2";

    fn begins<R: Read>(source: &mut Source<R>) -> io::Result<bool> {
        source.begins_with(&MAGIC)
    }

    fn decoder<R: Read + Send>(source: Source<R>) -> io::Result<BzDecoder<Source<R>>> {
        Ok(BzDecoder::new(source))
    }

    fn source<R: Read + Send>(decoder: BzDecoder<Source<R>>) -> Source<R> {
        decoder.into_inner()
    }
}
