//! Breakages of the file's bytes, as disks, networks and programs make them.

use super::broken::{Breakage, Broken, Class, files};
use super::dump::{Dump, Seeded, good};
use crate::support::Database;
use crate::support::dumps::{gzipped, piped};
use crate::support::unchanged_database;

/// What a disk reads and writes at a time.
const SECTOR: usize = 512;
const PAGE: usize = 4096;

/// Bytes of the header of a gzip member that `create` wrote.
const HEADER: usize = 24;

/// What is said of a gzip stream that is not what it was.
const GZIP: [&str; 3] =
    ["the gzip stream is corrupt", "the gzip stream is cut off", "garbage follows"];

/// Adds these breakages.
pub fn collect(museum: &mut Vec<Broken>) {
    cut(museum);
    flipped(museum);
    overwritten(museum);
    added(museum);
    replaced(museum);
    otherwise_packed(museum);
}

fn bytes<'a>(museum: &'a mut Vec<Broken>, breakage: &'static str, file: Vec<u8>) -> Breakage<'a> {
    files(museum, Class::Bytes, breakage, vec![file])
}

fn cut(museum: &mut Vec<Broken>) {
    let file = &good().file;
    let end = file.len();
    let empty = "the backup file is empty";
    bytes(museum, "empty: 0 bytes", Vec::new()).alone(empty).with_manifest(empty);
    bytes(museum, "cut after the first byte", file[..1].to_vec())
        .alone("no plain dump")
        .not_the_file();
    let off = "the gzip stream is cut off";
    bytes(museum, "cut inside the gzip header", file[..7].to_vec()).alone(off).not_the_file();
    let mut seeded = Seeded::new(1);
    let anywhere = (0..12).map(|_| file[..20 + seeded.below(end - 40)].to_vec()).collect();
    files(museum, Class::Bytes, "cut anywhere (12 places)", anywhere).alone(off).not_the_file();
    bytes(museum, "cut inside the checksum", file[..end - 6].to_vec()).alone(off).not_the_file();
    bytes(museum, "the last byte lost", file[..end - 1].to_vec()).alone(off).not_the_file();
    bytes(museum, "the first sector lost", file[SECTOR..].to_vec())
        .alone("no plain dump")
        .not_the_file();
    let middle = end / 2;
    bytes(
        museum,
        "a sector lost in the middle",
        [&file[..middle], &file[middle + SECTOR..]].concat(),
    )
    .alone_one_of(&GZIP)
    .not_the_file();
}

fn flipped(museum: &mut Vec<Broken>) {
    let file = &good().file;
    let end = file.len();
    let flip = |at: usize, mask: u8| {
        let mut flipped = file.clone();
        flipped[at] ^= mask;
        flipped
    };
    bytes(museum, "a bit flipped in the magic number", flip(0, 1))
        .alone("no plain dump")
        .not_the_file();
    bytes(museum, "a bit flipped in the compression method", flip(2, 1))
        .alone_one_of(&GZIP)
        .not_the_file();
    let flags = [2, 4, 8, 16, 32].map(|mask| flip(3, mask)).to_vec();
    files(museum, Class::Bytes, "a bit flipped in the gzip flags (5 bits)", flags)
        .alone_one_of(&GZIP)
        .not_the_file();
    // The time in the header is not part of what was backed up; only the manifest can tell.
    bytes(museum, "a bit flipped in the time of the gzip header", flip(5, 8)).not_the_file();
    // Nor is the size of the member; without it the file is read as any gzip file is.
    bytes(museum, "a bit flipped in the size in the gzip header", flip(17, 8)).not_the_file();
    let mut seeded = Seeded::new(2);
    let anywhere = (0..24)
        .map(|_| flip(HEADER + seeded.below(end - HEADER - 8), 1 << seeded.below(8)))
        .collect();
    files(museum, Class::Bytes, "a bit flipped in the compressed data (24 places)", anywhere)
        .alone_one_of(&GZIP)
        .not_the_file();
    bytes(museum, "a bit flipped in the gzip checksum", flip(end - 7, 1))
        .alone(GZIP[0])
        .not_the_file();
    bytes(museum, "a bit flipped in the gzip length", flip(end - 2, 1))
        .alone(GZIP[0])
        .not_the_file();
}

fn overwritten(museum: &mut Vec<Broken>) {
    let file = &good().file;
    let end = file.len();
    let zeroed = |from: usize, to: usize| {
        let mut zeroed = file.clone();
        zeroed[from..to].fill(0);
        zeroed
    };
    let middle = end / 2 / PAGE * PAGE;
    bytes(museum, "a page of zeros in the middle", zeroed(middle, middle + PAGE))
        .alone_one_of(&GZIP)
        .not_the_file();
    bytes(museum, "zeros from the middle on, as a crash leaves them", zeroed(middle, end))
        .alone_one_of(&GZIP)
        .not_the_file();
    let zeros = "a file of zero bytes";
    bytes(museum, "zeros only", vec![0; end]).alone(zeros).with_manifest(zeros);
    let mut swapped = file.clone();
    let (one, two) = swapped.split_at_mut(middle);
    one[middle - PAGE..].swap_with_slice(&mut two[..PAGE]);
    bytes(museum, "two pages swapped", swapped).alone_one_of(&GZIP).not_the_file();
    let doubled = [&file[..middle + PAGE], &file[middle..]].concat();
    bytes(museum, "a page written twice", doubled).alone_one_of(&GZIP).not_the_file();
    let by_lines = file.split(|byte| *byte == b'\n').collect::<Vec<_>>().join(&b"\r\n"[..]);
    bytes(museum, "sent as text: every LF became CR LF", by_lines)
        .alone_one_of(&GZIP)
        .not_the_file();
    let as_text = String::from_utf8_lossy(file).into_owned().into_bytes();
    bytes(museum, "read and written as UTF-8 text", as_text).alone("no plain dump").not_the_file();
}

fn added(museum: &mut Vec<Broken>) {
    let file = &good().file;
    let and = |more: &[u8]| [file.as_slice(), more].concat();
    let garbage = "garbage follows the gzip stream";
    bytes(museum, "followed by a page of zeros", and(&[0; PAGE])).not_the_file();
    bytes(museum, "followed by zeros and text", and(b"\0\0\0\0text")).alone(garbage);
    bytes(museum, "followed by a line end", and(b"\n")).alone(garbage).not_the_file();
    bytes(museum, "followed by text", and(b"pg_dump: done\n")).alone(garbage).not_the_file();
    bytes(museum, "followed by the beginning of another gzip stream", and(&file[..5000]))
        .alone("the gzip stream is cut off")
        .not_the_file();
    bytes(museum, "followed by all of itself, as >> does it", and(file))
        .alone("cannot drop inherited constraint")
        .not_the_file();
}

fn replaced(museum: &mut Vec<Broken>) {
    let page = b"<!DOCTYPE html>\n<html><body>502 Bad Gateway</body></html>\n".to_vec();
    let html = "it looks like an HTML page";
    bytes(museum, "replaced by an HTML page", page).alone(html).with_manifest(html);
    let none = "no plain dump";
    let json = br#"{"error": "AccessDenied", "request": "4F1A"}"#.to_vec();
    bytes(museum, "replaced by an error in JSON", json).alone(none).not_the_file();
    let said = b"pg_dump: error: connection to server failed: Connection refused\n".to_vec();
    bytes(museum, "replaced by pg_dump's own error", said.clone()).alone(none).not_the_file();
    bytes(museum, "pg_dump's own error, gzipped", gzipped(&said)).alone(none).not_the_file();
    bytes(museum, "nothing, gzipped: pg_dump failed before a pipe to gzip", gzipped(b""))
        .alone(none)
        .not_the_file();
    let sql = b"CREATE TABLE users (id integer);\nCREATE TABLE organizations (id integer);\n";
    bytes(museum, "replaced by SQL that pg_dump did not write", sql.to_vec()).not_the_file();
    bytes(museum, "replaced by a picture", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec())
        .alone(none)
        .not_the_file();
    bytes(museum, "replaced by a zip archive", b"PK\x03\x04\x14\0\0\0".to_vec()).not_the_file();
    let manifest = good().manifest.to_bytes(None).unwrap();
    bytes(museum, "replaced by its manifest", manifest).alone(none).not_the_file();
    let wide: Vec<u8> = good().dump.text().encode_utf16().flat_map(u16::to_le_bytes).collect();
    bytes(
        museum,
        "UTF-16, as a redirect in PowerShell writes it",
        [&[0xff, 0xfe], &wide[..]].concat(),
    )
    .alone("UTF-16")
    .with_manifest("UTF-16");
    // Good backups, but not this one: only the manifest can tell.
    let archive = dump_of(unchanged_database(), "custom");
    bytes(museum, "replaced by a good archive of the custom format", archive).not_the_file();
    let other = Dump::of(dump_of(unchanged_database(), "plain"));
    bytes(museum, "replaced by a good backup of another day", gzipped(other.bytes()))
        .not_the_file();
}

/// The same accidents to files that are not packed by gzip.
fn otherwise_packed(museum: &mut Vec<Broken>) {
    let dump = good().dump.bytes();
    for (format, file, flipped, cut, corrupt, garbage) in [
        (
            "zstd",
            piped(dump, "zstd", &["-q", "-c"]),
            "a bit flipped in a zstd file (12 places)",
            "a zstd file cut anywhere (12 places)",
            &["the zstd stream is corrupt", "the zstd stream is cut off", "garbage follows"],
            "a zstd file followed by a line end",
        ),
        (
            "xz",
            piped(dump, "xz", &["-c"]),
            "a bit flipped in an xz file (12 places)",
            "an xz file cut anywhere (12 places)",
            &["the xz stream is corrupt", "the xz stream is cut off", "garbage follows"],
            "an xz file followed by a line end",
        ),
        (
            "bzip2",
            piped(dump, "bzip2", &["-c"]),
            "a bit flipped in a bzip2 file (12 places)",
            "a bzip2 file cut anywhere (12 places)",
            &["the bzip2 stream is corrupt", "the bzip2 stream is cut off", "garbage follows"],
            "a bzip2 file followed by a line end",
        ),
    ] {
        let mut seeded = Seeded::new(4);
        let end = file.len();
        // Before them lie headers, whose harmless bits are no concern here.
        let mut place = || end / 8 + seeded.below(end - end / 8 - 16);
        let flips = (0..12).map(|_| {
            let mut flipped = file.clone();
            flipped[place()] ^= 0x10;
            flipped
        });
        files(museum, Class::Bytes, flipped, flips.collect()).alone_one_of(corrupt);
        let cuts = (0..12).map(|_| file[..place()].to_vec()).collect();
        files(museum, Class::Bytes, cut, cuts).alone(corrupt[1]);
        let more = [file.as_slice(), b"\n"].concat();
        let follows: &'static str = match format {
            "zstd" => "garbage follows the zstd stream",
            "xz" => "garbage follows the xz stream",
            _ => "garbage follows the bzip2 stream",
        };
        bytes(museum, garbage, more).alone(follows);
    }
}

fn dump_of(database: &Database, format: &str) -> Vec<u8> {
    database.dump(&["--format", format])
}
