//! The reader of plain dumps: wherever its input is cut, it gives the same items and the same verdict,
//! and every item is what stands at its place in the input.

#![no_main]

use bytes::Bytes;
use ccc_backup::dump::contents::Contents;
use ccc_backup::dump::flaw::Flaw;
use ccc_backup::dump::item::{Facts, Item};
use ccc_backup::dump::plain::Reader;
use ccc_backup::dump::requirements::Requirements;
use ccc_backup::dump::script::Script;
use libfuzzer_sys::fuzz_target;

/// What reading came to: items with the pieces of COPY data joined, facts, and what is wrong.
type Read = (Vec<Item>, Facts, Option<Flaw>);

fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Read {
    let (mut reader, mut items) = (Reader::new(), Vec::new());
    let mut flaw = None;
    for piece in pieces {
        flaw = reader.feed(Bytes::copy_from_slice(piece), &mut items).err();
        if flaw.is_some() {
            break;
        }
    }
    if flaw.is_none() {
        flaw = reader.finish(&mut items).err();
    }
    (joined(items), reader.facts().clone(), flaw)
}

fn joined(items: Vec<Item>) -> Vec<Item> {
    let mut joined: Vec<Item> = Vec::new();
    for item in items {
        match (joined.last_mut(), &item) {
            (Some(Item::CopyData(before)), Item::CopyData(more)) => {
                *before = [&before[..], more].concat().into();
            }
            _ => joined.push(item),
        }
    }
    joined
}

/// Pieces whose sizes the input says by itself.
fn pieces<'a>(sizes: &'a [u8], mut rest: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut sizes = sizes.iter().cycle();
    std::iter::from_fn(move || {
        let size = usize::from(sizes.next().copied().unwrap_or(1)) % 40 + 1;
        let (piece, after) = rest.split_at(size.min(rest.len()));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

fuzz_target!(|input: &[u8]| {
    let (sizes, dump) = input.split_at(input.len().min(4));
    let whole = read(std::iter::once(dump));
    assert_eq!(read(pieces(sizes, dump)), whole);
    assert_eq!(read(dump.chunks(1)), whole);
    let (items, facts, _) = whole;
    let mut end = 0;
    let (mut contents, mut script, mut needs) =
        (Contents::default(), Script::default(), Requirements::default());
    for item in &items {
        let statement = match item {
            Item::Statement(statement) => Some(statement),
            Item::CopyStart(block) => Some(&block.statement),
            _ => None,
        };
        if let Some(statement) = statement {
            let at = statement.offset as usize;
            assert!(at >= end, "{statement:?} begins before {end}");
            end = at + statement.text.len();
            assert_eq!(statement.text, dump[at..end]);
            let line = dump[..at].iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
            assert_eq!(statement.line, line);
            let _ = statement.subject();
            let _ = statement.created_database();
        }
        if let Item::CopyStart(block) = item {
            let at = block.data_offset as usize;
            assert_eq!(dump[at - 1], b'\n');
        }
        let encoding = facts.client_encoding.as_deref();
        contents.take(item, encoding);
        needs.take(item, encoding);
        script.take(item);
    }
    let rows: u64 =
        contents.databases().flat_map(|of| &of.tables).map(|t| t.fingerprint.rows).sum();
    assert_eq!(rows, contents.rows());
});
