//! COPY data: they end where psql ends them, whatever is in them, and their fingerprint does not depend
//! on how they are cut.

#![no_main]

use bytes::Bytes;
use ccc_backup::dump::fingerprint::RowHasher;
use ccc_backup::dump::item::Item;
use ccc_backup::dump::plain::Reader;
use ccc_backup::model::contents::TableFingerprint;
use libfuzzer_sys::fuzz_target;

const HEAD: &[u8] = b"-- PostgreSQL database dump\nCOPY public.t (a) FROM stdin;\n";

/// The data up to the first line `\.`, and whether there is one. The same as psql does, said simply.
fn expected(data: &[u8]) -> (&[u8], bool) {
    let mut at = 0;
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        if line == b"\\.\n" || line == b"\\.\r\n" {
            return (&data[..at], true);
        }
        at += line.len();
    }
    (data, false)
}

fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<u8>, bool) {
    let (mut reader, mut items) = (Reader::new(), Vec::new());
    for piece in std::iter::once(HEAD).chain(pieces) {
        // What follows the data may be anything.
        let _ = reader.feed(Bytes::copy_from_slice(piece), &mut items);
    }
    let mut data = Vec::new();
    let mut blocks = items.into_iter().skip_while(|item| !matches!(item, Item::CopyStart(_)));
    for item in blocks.by_ref().skip(1) {
        match item {
            Item::CopyData(more) => data.extend_from_slice(&more),
            Item::CopyEnd => return (data, true),
            other => panic!("{other:?} in COPY data"),
        }
    }
    (data, false)
}

fn fingerprint(mut fingerprint: RowHasher, data: &[u8], size: usize) -> TableFingerprint {
    data.chunks(size).for_each(|piece| fingerprint.update(piece));
    fingerprint.finish()
}

fuzz_target!(|input: &[u8]| {
    let Some((size, data)) = input.split_first() else { return };
    let size = usize::from(*size) % 60 + 1;
    let (rows, ended) = expected(data);
    for size in [1, size, data.len().max(1)] {
        let (found, found_end) = read(data.chunks(size));
        assert_eq!(found_end, ended, "in pieces of {size}");
        if ended {
            assert_eq!(found, rows, "in pieces of {size}");
        } else {
            // The last bytes may still become the end.
            assert!(rows.starts_with(&found) && rows.len() - found.len() <= 3);
        }
    }
    for encoding in [None, Some("SJIS")] {
        let new = || RowHasher::for_encoding(encoding);
        let whole = fingerprint(new(), rows, rows.len().max(1));
        assert_eq!(fingerprint(new(), rows, size), whole);
        assert_eq!(fingerprint(new(), rows, 1), whole);
    }
});
