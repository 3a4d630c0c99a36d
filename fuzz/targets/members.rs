//! Compressed files: read member by member on threads, or as one stream, they are the same bytes and end
//! in the same way, and every place that was noted can be read from.

#![no_main]

use std::io::{Cursor, Read};
use std::num::NonZeroUsize;

use ccc_backup::packing::member_index::MemberIndex;
use ccc_backup::packing::unpack::{decompress, decompress_ahead, decompress_noting, packing_of};
use libfuzzer_sys::fuzz_target;

/// A few bytes can be many.
const MOST: u64 = 4 << 20;

/// The bytes, and why there are no more.
fn read(stream: Box<dyn Read + Send>) -> (Vec<u8>, Option<String>) {
    let mut bytes = Vec::new();
    let error = stream.take(MOST).read_to_end(&mut bytes).err();
    (bytes, error.map(|error| error.to_string()))
}

fuzz_target!(|input: &[u8]| {
    let compression = packing_of(input);
    let threads = const { NonZeroUsize::new(2).unwrap() };
    let (here, ahead) = (MemberIndex::default(), MemberIndex::default());
    let raw = || Cursor::new(input.to_vec());
    let (bytes, error) = read(decompress_noting(raw(), compression, &here));
    let (others, other_error) = read(decompress_ahead(raw(), compression, &ahead, threads));
    assert_eq!(error, other_error);
    if error.is_some() {
        // How much a decoder gives before it finds the damage depends on the room that it has.
        assert!(bytes.starts_with(&others) || others.starts_with(&bytes));
        return;
    }
    assert!(bytes == others);
    if (bytes.len() as u64) < MOST {
        assert_eq!(here.list(), ahead.list());
    }
    for mark in here.list().iter().rev().take(3) {
        let rest = Cursor::new(input[mark.offset as usize..].to_vec());
        let expected = &bytes[mark.dump_offset as usize..];
        let (found, _) = read(decompress(rest, compression));
        assert!(found.starts_with(expected), "from {mark:?}");
    }
});
