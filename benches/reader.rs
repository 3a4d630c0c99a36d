//! How fast a dump is read and fingerprinted: `cargo bench --bench reader`.
//!
//! The input is made up: rows of about 50 bytes, rows of about 1,000 bytes, and INSERT statements.

use bytes::Bytes;
use ccc_backup::dump::fingerprint::Fingerprint;
use ccc_backup::dump::plain::Reader;
use divan::Bencher;
use divan::counter::BytesCount;

const SIZE: usize = 64 << 20;
const CHUNK: usize = 256 << 10;
const HEAD: &str = "--\n-- PostgreSQL database dump\n--\n\n";
const TAIL: &str = "--\n-- PostgreSQL database dump complete\n--\n\n";

fn main() {
    divan::main();
}

fn rows(row: impl Fn(usize) -> String) -> String {
    let mut text = String::with_capacity(SIZE + 4096);
    for number in 0.. {
        if text.len() >= SIZE {
            break;
        }
        text.push_str(&row(number));
    }
    text
}

fn short_row(number: usize) -> String {
    format!("{number}\tuser{number}@example.org\t\\N\t2024-05-0{}\tt\n", number % 9 + 1)
}

fn wide_row(number: usize) -> String {
    format!("{number}\t{}\n", "lorem ipsum dolor sit amet, \\\\x \\n ".repeat(28))
}

/// A row whose first column is NULL, so that the search for `\.` meets many a `\`.
fn null_row(number: usize) -> String {
    format!("\\N\t{number}\tuser{number}@example.org\t2024-05-01\tt\n")
}

fn insert(number: usize) -> String {
    format!("INSERT INTO public.t VALUES ({number}, 'user{number}@example.org', NULL, 'it''s');\n")
}

fn wide_insert(number: usize) -> String {
    format!("INSERT INTO public.t VALUES ({number}, '{}');\n", "lorem ipsum ".repeat(80))
}

fn copy(rows: &str) -> String {
    format!("{HEAD}COPY public.t (a, b) FROM stdin;\n{rows}\\.\n\n{TAIL}")
}

fn read(bencher: Bencher, text: String) {
    let chunks: Vec<Bytes> = text.as_bytes().chunks(CHUNK).map(Bytes::copy_from_slice).collect();
    bencher.counter(BytesCount::new(text.len())).bench_local(|| {
        let (mut reader, mut items) = (Reader::new(), Vec::new());
        for chunk in &chunks {
            items.clear();
            let fed = reader.feed(chunk.clone(), &mut items);
            assert!(fed.is_ok(), "{fed:?}");
        }
        let finished = reader.finish(&mut items);
        assert!(finished.is_ok(), "{finished:?}");
        reader.offset()
    });
}

fn hash(bencher: Bencher, text: &str) {
    bencher.counter(BytesCount::new(text.len())).bench_local(|| {
        let mut fingerprint = Fingerprint::new();
        for chunk in text.as_bytes().chunks(CHUNK) {
            fingerprint.update(chunk);
        }
        fingerprint.finish()
    });
}

#[divan::bench(sample_count = 10)]
fn reader_copy_short_rows(bencher: Bencher) {
    read(bencher, copy(&rows(short_row)));
}

#[divan::bench(sample_count = 10)]
fn reader_copy_null_rows(bencher: Bencher) {
    read(bencher, copy(&rows(null_row)));
}

#[divan::bench(sample_count = 10)]
fn reader_copy_wide_rows(bencher: Bencher) {
    read(bencher, copy(&rows(wide_row)));
}

#[divan::bench(sample_count = 10)]
fn reader_short_inserts(bencher: Bencher) {
    read(bencher, format!("{HEAD}{}{TAIL}", rows(insert)));
}

#[divan::bench(sample_count = 10)]
fn reader_wide_inserts(bencher: Bencher) {
    read(bencher, format!("{HEAD}{}{TAIL}", rows(wide_insert)));
}

#[divan::bench(sample_count = 10)]
fn fingerprint_short_rows(bencher: Bencher) {
    hash(bencher, &rows(short_row));
}

#[divan::bench(sample_count = 10)]
fn fingerprint_wide_rows(bencher: Bencher) {
    hash(bencher, &rows(wide_row));
}
