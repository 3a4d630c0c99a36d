//! LZ4 frames, as `lz4` and `pg_dump -Z lz4` write them (LZ4 frame format 1.6.4).

use std::io::{self, Read};

use lz4_flex::frame::{Error, FrameDecoder};

use super::{Format, Source};
use crate::model::damage::Refusal;

/// What every frame begins with.
pub(super) const MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];

/// See [`Format`]. A frame seldom tells its size, so none is unpacked whole.
pub(super) struct Lz4;

/// The library takes an end of the file between two blocks for the end of the frame, which ends in a
/// mark of its own.
pub(super) struct Decoder<R: Read>(FrameDecoder<Watched<R>>);

/// Notes that there was nothing more to read.
struct Watched<R> {
    source: Source<R>,
    ended: bool,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.ended |= read == 0 && !buffer.is_empty();
        Ok(read)
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        if read == 0 && !buffer.is_empty() && self.0.get_ref().ended {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(read)
    }
}

impl Format for Lz4 {
    type Unpacker = ();
    type Decoder<R: Read + Send> = Decoder<R>;

    const NAME: &'static str = "lz4";

    fn begins<R: Read>(source: &mut Source<R>) -> io::Result<bool> {
        source.begins_with(&MAGIC)
    }

    fn decoder<R: Read + Send>(source: Source<R>) -> io::Result<Decoder<R>> {
        Ok(Decoder(FrameDecoder::new(Watched { source, ended: false })))
    }

    fn source<R: Read + Send>(decoder: Decoder<R>) -> Source<R> {
        decoder.0.into_inner().source
    }

    fn refusal(error: &io::Error) -> Option<Refusal> {
        let error = error.get_ref()?.downcast_ref::<Error>()?;
        matches!(error, Error::DictionaryNotSupported)
            .then_some(Refusal::Dictionary { format: Self::NAME })
    }
}
