//! How fast a dump is read and fingerprinted: `cargo bench --bench reader`.
//!
//! The input is made up: rows of about 50 bytes, rows of about 1,000 bytes, and INSERT statements.
//!
//! With `COUNT=reader_copy_short_rows` it runs that benchmark once, on a small input, and prints the
//! size of the input: for `benches/instructions.py`, which counts the instructions of
//! [`read_dump`] or [`hash_rows`] meanwhile.

use std::hint::black_box;

use bytes::Bytes;
use ccc_backup::dump::fingerprint::RowHasher;
use ccc_backup::dump::plain::Reader;
use ccc_backup::model::contents::TableFingerprint;
use divan::Bencher;
use divan::counter::BytesCount;

const SIZE: usize = 64 << 20;
/// Enough to count instructions on: every instruction takes valgrind some fifty.
const SIZE_TO_COUNT: usize = 4 << 20;
const CHUNK: usize = 256 << 10;
const HEAD: &str = "--\n-- PostgreSQL database dump\n--\n\n";
const TAIL: &str = "--\n-- PostgreSQL database dump complete\n--\n\n";

fn main() {
    match std::env::var("COUNT") {
        Ok(name) => count(&name),
        Err(_) => divan::main(),
    }
}

/// Runs a benchmark once.
#[expect(clippy::print_stdout, reason = "the size is what the script that counts wants to know")]
fn count(name: &str) {
    let input = match name.trim_start_matches("reader_").trim_start_matches("fingerprint_") {
        "copy_short_rows" => copy(&rows(SIZE_TO_COUNT, short_row)),
        "copy_null_rows" => copy(&rows(SIZE_TO_COUNT, null_row)),
        "copy_wide_rows" => copy(&rows(SIZE_TO_COUNT, wide_row)),
        "short_inserts" => script(&rows(SIZE_TO_COUNT, insert)),
        "wide_inserts" => script(&rows(SIZE_TO_COUNT, wide_insert)),
        "short_rows" => rows(SIZE_TO_COUNT, short_row),
        "wide_rows" => rows(SIZE_TO_COUNT, wide_row),
        _ => panic!("no benchmark {name}"),
    };
    if name.starts_with("reader_") {
        black_box(read_dump(&chunks(&input)));
    } else {
        black_box(hash_rows(&input));
    }
    println!("{}", input.len());
}

fn rows(bytes: usize, row: impl Fn(usize) -> String) -> String {
    let mut text = String::with_capacity(bytes + 4096);
    for number in 0.. {
        if text.len() >= bytes {
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

fn script(statements: &str) -> String {
    format!("{HEAD}{statements}{TAIL}")
}

fn chunks(text: &str) -> Vec<Bytes> {
    text.as_bytes().chunks(CHUNK).map(Bytes::copy_from_slice).collect()
}

/// What is measured, under a name that valgrind can find.
#[inline(never)]
fn read_dump(chunks: &[Bytes]) -> usize {
    let (mut reader, mut items) = (Reader::new(), Vec::new());
    for chunk in chunks {
        items.clear();
        let fed = reader.feed(chunk.clone(), &mut items);
        assert!(fed.is_ok(), "{fed:?}");
    }
    let finished = reader.finish(&mut items);
    assert!(finished.is_ok(), "{finished:?}");
    items.len()
}

/// As [`read_dump`].
#[inline(never)]
fn hash_rows(text: &str) -> TableFingerprint {
    let mut fingerprint = RowHasher::new();
    for chunk in text.as_bytes().chunks(CHUNK) {
        fingerprint.update(chunk);
    }
    fingerprint.finish()
}

fn read(bencher: Bencher, text: &str) {
    let chunks = chunks(text);
    bencher.counter(BytesCount::new(text.len())).bench_local(|| read_dump(&chunks));
}

fn hash(bencher: Bencher, text: &str) {
    bencher.counter(BytesCount::new(text.len())).bench_local(|| hash_rows(text));
}

#[divan::bench(sample_count = 10)]
fn reader_copy_short_rows(bencher: Bencher) {
    read(bencher, &copy(&rows(SIZE, short_row)));
}

#[divan::bench(sample_count = 10)]
fn reader_copy_null_rows(bencher: Bencher) {
    read(bencher, &copy(&rows(SIZE, null_row)));
}

#[divan::bench(sample_count = 10)]
fn reader_copy_wide_rows(bencher: Bencher) {
    read(bencher, &copy(&rows(SIZE, wide_row)));
}

#[divan::bench(sample_count = 10)]
fn reader_short_inserts(bencher: Bencher) {
    read(bencher, &script(&rows(SIZE, insert)));
}

#[divan::bench(sample_count = 10)]
fn reader_wide_inserts(bencher: Bencher) {
    read(bencher, &script(&rows(SIZE, wide_insert)));
}

#[divan::bench(sample_count = 10)]
fn fingerprint_short_rows(bencher: Bencher) {
    hash(bencher, &rows(SIZE, short_row));
}

#[divan::bench(sample_count = 10)]
fn fingerprint_wide_rows(bencher: Bencher) {
    hash(bencher, &rows(SIZE, wide_row));
}
