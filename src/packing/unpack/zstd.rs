//! Zstandard (RFC 8878).

use std::io::{self, Read};

use zstd::bulk::Decompressor;
use zstd::stream::read::Decoder;
use zstd::zstd_safe::get_frame_content_size;
use zstd::zstd_safe::zstd_sys::ZSTD_ErrorCode::{
    ZSTD_error_dictionary_wrong, ZSTD_error_dstSize_tooSmall,
    ZSTD_error_frameParameter_windowTooLarge,
};

use super::{Format, MOST_MIB, Source};
use crate::model::damage::Refusal;
use crate::packing::member::MOST_CONTENT;

/// What every frame begins with, unless it is one to be skipped.
pub(super) const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The last three bytes of the magic number of a frame to be skipped.
const SKIPPABLE: [u8; 3] = [0x2a, 0x4d, 0x18];

/// Bytes of the longest header of a frame.
const MOST_HEADER: usize = 18;
/// Bytes of a frame that is held in memory whole; data that does not compress grows a little.
const MOST_SIZE: usize = MOST_CONTENT + MOST_CONTENT / 16;
/// Bytes of the checksum of the contents.
const CHECKSUM: usize = 4;

/// See [`Format`]. A frame does not tell its size, but its blocks do, so that its end is found
/// without unpacking it.
pub(super) struct Zstd;

/// Whether a frame begins here that holds no data, such as the index of seekable files.
pub(super) fn is_skippable(start: &[u8]) -> bool {
    start.first().is_some_and(|first| first & 0xf0 == 0x50) && start[1..].starts_with(&SKIPPABLE)
}

impl Format for Zstd {
    type Unpacker = Decompressor<'static>;
    type Decoder<R: Read + Send> = Decoder<'static, Source<R>>;

    const NAME: &'static str = "zstd";

    fn begins<R: Read>(source: &mut Source<R>) -> io::Result<bool> {
        let start = source.peek(MAGIC.len())?;
        let start = &start[..start.len().min(MAGIC.len())];
        Ok(MAGIC.starts_with(start) || is_skippable(start))
    }

    fn take<R: Read>(source: &mut Source<R>, frame: &mut Vec<u8>) -> io::Result<Option<usize>> {
        frame.clear();
        let content = contents(source.peek(MOST_HEADER)?);
        if content.is_some() && take_frame(source, frame)? {
            return Ok(content);
        }
        source.give_back(std::mem::take(frame));
        Ok(None)
    }

    fn unpack(unpacker: &mut Decompressor, frame: &[u8], content: &mut [u8]) -> bool {
        let length = content.len();
        unpacker.decompress_to_buffer(frame, content).is_ok_and(|bytes| bytes == length)
    }

    fn decoder<R: Read + Send>(source: Source<R>) -> io::Result<Decoder<'static, Source<R>>> {
        let mut decoder = Decoder::with_buffer(source)?.single_frame();
        decoder.window_log_max((MOST_MIB << 20).ilog2())?;
        Ok(decoder)
    }

    fn source<R: Read + Send>(decoder: Decoder<'static, Source<R>>) -> Source<R> {
        decoder.into_inner()
    }

    fn cause(error: &io::Error) -> String {
        // Said of contents that are longer than the frame says; no buffer of ours is meant.
        match reason(error).is_some_and(|reason| reason.is(ZSTD_error_dstSize_tooSmall)) {
            true => "its contents are longer than it says".to_owned(),
            false => error.to_string(),
        }
    }

    fn refusal(error: &io::Error) -> Option<Refusal> {
        let error = reason(error)?;
        if error.is(ZSTD_error_frameParameter_windowTooLarge) {
            return Some(Refusal::Memory { format: Self::NAME, most_mib: MOST_MIB });
        }
        let dictionary = error.is(ZSTD_error_dictionary_wrong);
        dictionary.then_some(Refusal::Dictionary { format: Self::NAME })
    }
}

/// What the library said.
fn reason(error: &io::Error) -> Option<&zstd::Error> {
    error.get_ref()?.downcast_ref()
}

/// The bytes of a frame's contents, where it tells them and they are few.
fn contents(header: &[u8]) -> Option<usize> {
    let known =
        header.starts_with(&MAGIC).then(|| get_frame_content_size(header).ok()).flatten()?;
    usize::try_from(known?).ok().filter(|bytes| *bytes <= MOST_CONTENT)
}

/// Takes a frame, block by block (RFC 8878, section 3.1.1). `false` where it is too large or not
/// all there; `frame` then holds what was taken.
fn take_frame<R: Read>(source: &mut Source<R>, frame: &mut Vec<u8>) -> io::Result<bool> {
    let mut grow = |frame: &mut Vec<u8>, by: usize| {
        let length = frame.len() + by;
        let allowed = length <= MOST_SIZE;
        if allowed {
            source.take_up_to(length, frame)?;
        }
        Ok::<_, io::Error>(allowed && frame.len() == length)
    };
    if !grow(frame, MAGIC.len() + 1)? {
        return Ok(false);
    }
    let descriptor = frame[MAGIC.len()];
    let single_segment = descriptor & 0x20 != 0;
    let window = usize::from(!single_segment);
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let size = [usize::from(single_segment), 2, 4, 8][usize::from(descriptor >> 6)];
    if !grow(frame, window + dictionary + size)? {
        return Ok(false);
    }
    loop {
        let at = frame.len();
        if !grow(frame, 3)? {
            return Ok(false);
        }
        let header = u32::from_le_bytes([frame[at], frame[at + 1], frame[at + 2], 0]);
        let last = header & 1 == 1;
        let size = match header >> 1 & 3 {
            // One byte, repeated.
            1 => 1,
            0 | 2 => usize::try_from(header >> 3).unwrap_or(usize::MAX),
            _ => return Ok(false),
        };
        if !grow(frame, size)? {
            return Ok(false);
        }
        if last {
            break;
        }
    }
    let checksum = if descriptor & 4 == 0 { 0 } else { CHECKSUM };
    grow(frame, checksum)
}
