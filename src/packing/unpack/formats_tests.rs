//! What is peculiar to one format.

use std::io::Cursor;

use super::packed::{own_gzip, own_zstd, xz as lzma, zstd as zst};
use super::tests::{End, cut_off, read};
use super::*;

/// A gzip member of our own that says it has other sizes.
fn lying(size: Option<u32>, length: Option<u32>) -> Vec<u8> {
    let mut member = own_gzip(b"some text");
    if let Some(size) = size {
        member[..24].copy_from_slice(&crate::packing::member::header(size));
    }
    if let Some(length) = length {
        let at = member.len() - 4;
        member[at..].copy_from_slice(&length.to_le_bytes());
    }
    member
}

#[test]
fn a_wrong_size_changes_nothing_and_a_wrong_length_is_damage() {
    let size = u32::try_from(own_gzip(b"some text").len()).unwrap();
    for wrong in [0, 32, size - 1, size + 1, 2 * size, 1 << 20, u32::MAX] {
        let file = [lying(Some(wrong), None), own_gzip(b", more")].concat();
        let expected = (b"some text, more".to_vec(), End::Whole);
        assert_eq!(read(Packing::Gzip, &file), expected, "{wrong}");
    }
    for wrong in [0, 8, 10, 1 << 20, u32::MAX] {
        let file = [lying(None, Some(wrong)), own_gzip(b", more")].concat();
        let (text, end) = read(Packing::Gzip, &file);
        assert_eq!(text, b"some text", "{wrong}");
        assert!(matches!(end, End::Damaged(Damage::Corrupt { .. })), "{wrong}: {end:?}");
    }
}

#[test]
fn a_member_that_is_too_large_to_be_held_is_read_as_a_stream() {
    let text = b"0123456789\n".repeat(500_000);
    for (pack, packing) in [(own_gzip as fn(&[u8]) -> _, Packing::Gzip), (own_zstd, Packing::Zstd)]
    {
        let file: Vec<u8> = pack(&text);
        assert_eq!(read(packing, &file), (text.clone(), End::Whole));
        let mut source = Source::new(Cursor::new(file));
        let taken = match packing {
            Packing::Gzip => Gzip::take(&mut source, &mut Vec::new()),
            _ => Zstd::take(&mut source, &mut Vec::new()),
        };
        assert_eq!((taken.unwrap(), source.position()), (None, 0));
    }
}

#[test]
fn zstd_frames_to_be_skipped_are_skipped() {
    let skipped = [&[0x5e, 0x2a, 0x4d, 0x18, 5, 0, 0, 0][..], b"index"].concat();
    for pack in [zst as fn(&[u8]) -> Vec<u8>, own_zstd] {
        let file = [&skipped[..], &pack(b"one "), &skipped, &pack(b"two"), &skipped].concat();
        assert_eq!(packing_of(&file), Packing::Zstd);
        assert_eq!(read(Packing::Zstd, &file), (b"one two".to_vec(), End::Whole));
        let end = read(Packing::Zstd, &file[..file.len() - 1]).1;
        assert_eq!(end, cut_off("zstd"));
    }
}

#[test]
fn xz_padding_is_passed_over_in_groups_of_four_zeros() {
    let (one, two) = (lzma(b"one "), lzma(b"two"));
    let padded = |zeros: usize| [&one[..], &[0; 8], &two, &vec![0; zeros]].concat();
    for zeros in [0, 4, 4096] {
        assert_eq!(read(Packing::Xz, &padded(zeros)), (b"one two".to_vec(), End::Whole));
    }
    let at = (one.len() + 4) as u64;
    let end = End::Damaged(Damage::TrailingGarbage { format: "xz", at });
    let file = [&one[..], &[0; 6], &two].concat();
    assert_eq!(read(Packing::Xz, &file), (b"one ".to_vec(), end));
}

/// A zstd frame of one byte with a window of two to the power of `log`.
fn with_window(log: u8) -> Vec<u8> {
    [&[0x28, 0xb5, 0x2f, 0xfd, 0, (log - 10) << 3, 9, 0, 0][..], b"x"].concat()
}

/// An xz stream that asks for a window of this code (section 5.3.1).
fn with_dictionary(code: u8) -> Vec<u8> {
    let mut stream = lzma(b"x");
    let (start, length) = (12, (usize::from(stream[12]) + 1) * 4);
    assert_eq!(stream[start + 2..start + 4], [0x21, 1], "the filter LZMA2");
    stream[start + 4] = code;
    let end = start + length - 4;
    let crc = libdeflater::crc32(&stream[start..end]);
    stream[end..end + 4].copy_from_slice(&crc.to_le_bytes());
    stream
}

#[test]
fn a_stream_that_asks_for_too_much_memory_is_refused_and_not_called_damaged() {
    for (packing, most, more) in [
        (Packing::Zstd, with_window(27), [with_window(28), with_window(41)]),
        (Packing::Xz, with_dictionary(30), [with_dictionary(31), with_dictionary(40)]),
    ] {
        assert_eq!(read(packing, &most), (b"x".to_vec(), End::Whole));
        for file in more {
            let (text, end) = read(packing, &file);
            assert!(matches!(end, End::Refused(Refusal::Memory { most_mib: 128, .. })), "{end:?}");
            assert!(text.is_empty());
        }
    }
}

#[test]
fn a_stream_that_needs_a_dictionary_is_refused_and_not_called_damaged() {
    let mut frame = with_window(20);
    frame[4] = 1;
    frame.insert(6, 77);
    let (_, end) = read(Packing::Zstd, &frame);
    assert_eq!(end, End::Refused(Refusal::Dictionary { format: "zstd" }));
}

#[test]
fn a_gzip_member_that_is_not_all_there_is_not_unpacked() {
    let (member, mut content) = (own_gzip(b"some text"), [0; 9]);
    let mut unpacker = <Gzip as Format>::Unpacker::default();
    for length in 0..member.len() {
        assert!(!Gzip::unpack(&mut unpacker, &member[..length], &mut content), "{length}");
    }
    assert!(Gzip::unpack(&mut unpacker, &member, &mut content));
    assert_eq!(&content, b"some text");
}

#[test]
fn a_zstd_frame_that_is_not_what_it_says_is_damaged() {
    // Contents of ten bytes, of which the frame tells the size.
    let head = [0x28, 0xb5, 0x2f, 0xfd, 0x20, 10];
    let block = |kind: u32, bytes: u32, last: u32| {
        let header = (bytes << 3 | kind << 1 | last).to_le_bytes();
        [&header[..3], &vec![b'x'; bytes as usize]].concat()
    };
    let whole = [&head[..], &block(0, 10, 1)].concat();
    assert_eq!(read(Packing::Zstd, &whole), (b"x".repeat(10), End::Whole));
    let of_no_kind = block(3, 10, 1);
    let longer_than_is_held = block(0, 1 << 17, 0).repeat(20);
    for blocks in [of_no_kind, longer_than_is_held] {
        let (_, end) = read(Packing::Zstd, &[&head[..], &blocks].concat());
        assert!(matches!(end, End::Damaged(Damage::Corrupt { .. })), "{end:?}");
    }
}
