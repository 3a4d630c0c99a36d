//! The .xz format, version 1.2.

use std::io::{self, Read};

use liblzma::bufread::XzDecoder;
use liblzma::stream::{Error, Stream};

use super::{Format, MOST_MIB, Source};
use crate::model::damage::Refusal;

/// What every stream begins with.
pub(super) const MAGIC: [u8; 6] = *b"\xfd7zXZ\0";
/// Zeros may stand between streams and at the end, in groups of this size (section 2.2).
const PADDING: [u8; 4] = [0; 4];

/// See [`Format`]. A stream tells its size only at its end, so none is unpacked whole.
pub(super) struct Xz;

impl Format for Xz {
    type Unpacker = ();
    type Decoder<R: Read + Send> = XzDecoder<Source<R>>;

    const NAME: &'static str = "xz";

    fn begins<R: Read>(source: &mut Source<R>) -> io::Result<bool> {
        source.begins_with(&MAGIC)
    }

    fn decoder<R: Read + Send>(source: Source<R>) -> io::Result<XzDecoder<Source<R>>> {
        // A little more than the largest window, for the decoder itself.
        let stream = Stream::new_stream_decoder((MOST_MIB + 1) << 20, 0)?;
        Ok(XzDecoder::new_stream(source, stream))
    }

    fn source<R: Read + Send>(decoder: XzDecoder<Source<R>>) -> Source<R> {
        decoder.into_inner()
    }

    fn skip_padding<R: Read>(source: &mut Source<R>) -> io::Result<()> {
        while source.peek(PADDING.len())?.starts_with(&PADDING) {
            source.take_up_to(PADDING.len(), &mut Vec::with_capacity(PADDING.len()))?;
        }
        Ok(())
    }

    fn refusal(error: &io::Error) -> Option<Refusal> {
        let error = error.get_ref()?.downcast_ref::<Error>()?;
        (*error == Error::MemLimit)
            .then_some(Refusal::Memory { format: Self::NAME, most_mib: MOST_MIB })
    }
}
