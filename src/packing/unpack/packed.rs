//! Packs texts as tests need them.

use std::io::Write;

use crate::packing::codec::Codec;

/// A member as other tools write it.
pub fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// A member as `create` writes it.
pub fn own_gzip(text: &[u8]) -> Vec<u8> {
    encoded(Codec::default(), text)
}

/// A frame as `zstd` writes it from a pipe: with a checksum, its size not told.
pub fn zstd(text: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// A frame as `create` writes it.
pub fn own_zstd(text: &[u8]) -> Vec<u8> {
    encoded(Codec::Zstd { level: 3 }, text)
}

/// A stream as `xz` writes it.
pub fn xz(text: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 6);
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// A stream as `bzip2 -1` writes it.
pub fn bzip2(text: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// A frame as `lz4` writes it.
pub fn lz4(text: &[u8]) -> Vec<u8> {
    let info = lz4_flex::frame::FrameInfo::new().content_checksum(true);
    let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn encoded(codec: Codec, text: &[u8]) -> Vec<u8> {
    let mut member = text.to_vec();
    codec.encoder().unwrap().encode(&mut member).unwrap();
    member
}
