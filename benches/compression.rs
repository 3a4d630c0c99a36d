//! How fast a dump is compressed and decompressed: `cargo bench --bench compression`.
//!
//! The input is made up, the same in every run, in two densities: what gzip makes nine times
//! smaller, as a dump of an application often is, and what it makes about three times smaller.
//! Rates are of uncompressed bytes. What is ours hashes the file (SHA-256) while it writes it;
//! what is there to compare does not.
//!
//! Another codec is a line in [`CODECS`].

use std::fmt;
use std::io::{Cursor, Read, Write};
use std::num::NonZeroUsize;

use bytes::Bytes;
use ccc_backup::model::packing::Packing;
use ccc_backup::packing::codec::Codec;
use ccc_backup::packing::compress::{Compressed, Compressor};
use ccc_backup::packing::member_index::MemberStart;
use ccc_backup::packing::unpack::decompress;
use divan::Bencher;
use divan::counter::BytesCount;
use flate2::write::GzEncoder;

const SIZE: usize = 32 << 20;
/// What a read of pg_dump's pipe gives.
const CHUNK: usize = 64 << 10;
/// What the reader asks a stream for.
const READ: usize = 256 << 10;

/// What is compressed with, and on how many threads.
const CODECS: [Codec; 1] = [Codec::Gzip { level: 6 }];
const THREADS: [usize; 2] = [1, 2];
const DENSITIES: [Density; 2] = [Density::Usual, Density::Dense];

fn main() {
    divan::main();
}

/// How little of the input repeats itself.
#[derive(Debug, Clone, Copy)]
enum Density {
    Usual,
    Dense,
}

/// A way to compress.
#[derive(Debug, Clone, Copy)]
struct Way {
    codec: Codec,
    threads: usize,
    density: Density,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { codec, threads, density } = self;
        write!(f, "{density:?}, {}, {threads} threads", codec.packing())
    }
}

/// Every codec, on so many threads, with every density.
fn ways(threads: &[usize]) -> Vec<Way> {
    let of = |codec| {
        let of = move |density| threads.iter().map(move |&threads| Way { codec, threads, density });
        DENSITIES.into_iter().flat_map(of)
    };
    CODECS.into_iter().flat_map(of).collect()
}

/// Numbers that look random and are the same in every run (xorshift64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap_or_default()
    }
}

/// Words in any order.
fn words(numbers: &mut Numbers, count: usize) -> String {
    const WORDS: [&str; 16] = [
        "content",
        "campaign",
        "review",
        "draft",
        "launch",
        "the",
        "of",
        "a",
        "schedule",
        "for",
        "newsletter",
        "audience",
        "and",
        "with",
        "approved",
        "summary",
    ];
    (0..count).flat_map(|_| [WORDS[numbers.below(WORDS.len())], " "]).collect()
}

/// Rows of a COPY block: some columns that resemble each other, a text, and keys that nothing
/// repeats.
fn dump(density: Density) -> Bytes {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let sentences: Vec<String> = (0..64).map(|_| words(&mut numbers, 12)).collect();
    let mut text = String::with_capacity(SIZE + 4096);
    text.push_str(
        "COPY public.content_artifacts (id, owner, created_at, kind, body) FROM stdin;\n",
    );
    for row in 0.. {
        if text.len() >= SIZE {
            break;
        }
        let (user, minute) = (numbers.below(200), row / 40 % 1440);
        let (hour, minute) = (minute / 60, minute % 60);
        text.push_str(&format!(
            "{row}\tuser{user}@example.org\t2024-05-01 {hour:02}:{minute:02}:00+00\tarticle\t"
        ));
        let keys = match density {
            Density::Usual => {
                let mut sentence = || sentences[numbers.below(sentences.len())].as_str();
                text.extend([sentence(), sentence()]);
                1
            }
            Density::Dense => {
                text.push_str(&words(&mut numbers, 12));
                4
            }
        };
        text.extend((0..keys).map(|_| format!("{:016x}", numbers.next())));
        text.push('\n');
    }
    text.push_str("\\.\n");
    Bytes::from(text)
}

/// By our compressor.
fn pack(dump: &[u8], way: Way) -> Compressed<Vec<u8>> {
    let threads = NonZeroUsize::new(way.threads).unwrap_or(NonZeroUsize::MIN);
    let started = Compressor::new(Vec::with_capacity(SIZE), way.codec, threads);
    let mut compressor = started.unwrap_or_else(|error| panic!("{error}"));
    for chunk in dump.chunks(CHUNK) {
        compressor.write(chunk).unwrap_or_else(|error| panic!("{error}"));
    }
    compressor.finish().unwrap_or_else(|error| panic!("{error}"))
}

/// As one gzip member, by zlib-rs.
fn pack_as_one(dump: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(SIZE), flate2::Compression::new(6));
    for chunk in dump.chunks(CHUNK) {
        encoder.write_all(chunk).unwrap_or_else(|error| panic!("{error}"));
    }
    encoder.finish().unwrap_or_else(|error| panic!("{error}"))
}

/// By the stream that `verify` reads.
fn unpack(file: &Bytes, compression: Packing) -> usize {
    let mut stream = decompress(Cursor::new(file.clone()), compression);
    let (mut buffer, mut bytes) = (vec![0; READ], 0);
    loop {
        match stream.read(&mut buffer).unwrap_or_else(|error| panic!("{error}")) {
            0 => return bytes,
            read => bytes += read,
        }
    }
}

/// Member by member, by libdeflate, which takes whole members only.
fn unpack_members(file: &[u8], members: &[MemberStart], dump_bytes: usize) -> usize {
    let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
    let begin = |member: &MemberStart| (at(member.offset), at(member.dump_offset));
    let ends = members.iter().skip(1).map(begin).chain([(file.len(), dump_bytes)]);
    let mut decompressor = libdeflater::Decompressor::new();
    let (mut buffer, mut bytes) = (Vec::new(), 0);
    for ((from, from_in_dump), (to, to_in_dump)) in members.iter().map(begin).zip(ends) {
        buffer.resize(to_in_dump - from_in_dump, 0);
        let read = decompressor.gzip_decompress(&file[from..to], &mut buffer);
        bytes += read.unwrap_or_else(|error| panic!("{error}"));
    }
    bytes
}

fn measure<T>(bencher: Bencher, dump: &Bytes, work: impl FnMut() -> T) {
    bencher.counter(BytesCount::new(dump.len())).bench_local(work);
}

/// The same, of work that says how many bytes came out of it.
fn measure_unpacking(bencher: Bencher, dump: &Bytes, mut work: impl FnMut() -> usize) {
    measure(bencher, dump, || assert_eq!(work(), dump.len()));
}

#[divan::bench(args = ways(&THREADS), sample_count = 5)]
fn compress(bencher: Bencher, way: &Way) {
    let dump = dump(way.density);
    measure(bencher, &dump, || pack(&dump, *way));
}

#[divan::bench(args = DENSITIES, sample_count = 5)]
fn compress_as_one_member_by_zlib_rs(bencher: Bencher, density: &Density) {
    let dump = dump(*density);
    measure(bencher, &dump, || pack_as_one(&dump));
}

#[divan::bench(args = ways(&[1]), sample_count = 5)]
fn decompress_our_file(bencher: Bencher, way: &Way) {
    let dump = dump(way.density);
    let file = Bytes::from(pack(&dump, *way).sink);
    measure_unpacking(bencher, &dump, || unpack(&file, Packing::Gzip));
}

#[divan::bench(args = DENSITIES, sample_count = 5)]
fn decompress_one_member(bencher: Bencher, density: &Density) {
    let dump = dump(*density);
    let file = Bytes::from(pack_as_one(&dump));
    measure_unpacking(bencher, &dump, || unpack(&file, Packing::Gzip));
}

#[divan::bench(args = DENSITIES, sample_count = 5)]
fn decompress_our_members_by_libdeflate(bencher: Bencher, density: &Density) {
    let dump = dump(*density);
    let way = Way { codec: Codec::Gzip { level: 6 }, threads: 1, density: *density };
    let packed = pack(&dump, way);
    measure_unpacking(bencher, &dump, || unpack_members(&packed.sink, &packed.members, dump.len()));
}

/// The floor of the compressor: what cutting, hashing and writing take without a codec.
#[divan::bench(sample_count = 5)]
fn write_uncompressed(bencher: Bencher) {
    let dump = dump(Density::Usual);
    let way = Way { codec: Codec::None, threads: 1, density: Density::Usual };
    measure(bencher, &dump, || pack(&dump, way));
}
