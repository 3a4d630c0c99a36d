//! The places of rows in manifests: one table is read by itself, from nothing but its spans.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use ccc_backup::dump::fingerprint::RowHasher;
use ccc_backup::model::contents::{Table, TableFingerprint};
use ccc_backup::model::format::Format;
use ccc_backup::model::packing::Packing;
use ccc_backup::model::span::Span;
use ccc_backup::sealing::Identities;
use ccc_backup::store::manifest::Manifest;
use flate2::read::{GzDecoder, MultiGzDecoder, ZlibDecoder};

use crate::support::{Database, Outcome, Place, database, unchanged_database};

/// A backup and its manifest.
fn created(place: &Place, database: &Database, args: &[&str], name: &str) -> Manifest {
    let outcome = Outcome::of(&place.create(database).args(args).output().unwrap());
    assert_eq!(outcome.code, 0, "{outcome}");
    Manifest::read(&place.dir().join(name), &Identities::default()).unwrap().unwrap()
}

/// The bytes of a file from a place on.
fn bytes_from(path: &Path, span: &Span) -> Box<dyn Read> {
    let mut file = File::open(path).unwrap();
    file.seek(SeekFrom::Start(span.offset)).unwrap();
    match span.bytes {
        Some(bytes) => Box::new(file.take(bytes)),
        None => Box::new(file),
    }
}

/// An integer of an archive: its sign, then four bytes, the lowest first.
fn int(stream: &mut impl Read) -> usize {
    let mut bytes = [0; 5];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(bytes[0], 0);
    u32::from_le_bytes(bytes[1..].try_into().unwrap()) as usize
}

/// What is in a block of data of the custom format: pieces, each with its length before it.
fn block(mut stream: impl Read) -> Vec<u8> {
    let mut kind = [0];
    stream.read_exact(&mut kind).unwrap();
    assert_eq!(kind, [1], "no block of data");
    int(&mut stream);
    let mut data = Vec::new();
    loop {
        let length = int(&mut stream);
        if length == 0 {
            return data;
        }
        let before = data.len();
        data.resize(before + length, 0);
        stream.read_exact(&mut data[before..]).unwrap();
    }
}

/// The rows of one span, without what ends them.
fn rows(backup: &Path, manifest: &Manifest, span: &Span) -> Vec<u8> {
    let file = &manifest.outline.files[span.file].name;
    let mut text = Vec::new();
    let mut read = |mut stream: Box<dyn Read>| stream.read_to_end(&mut text).unwrap();
    match manifest.outline.format {
        Format::Plain => {
            let rows = span.rows.unwrap();
            let raw = bytes_from(backup, span);
            let mut stream: Box<dyn Read> = match manifest.packing {
                Packing::None => raw,
                Packing::Gzip => Box::new(MultiGzDecoder::new(raw)),
                _ => Box::new(zstd::Decoder::new(raw).unwrap()),
            };
            let before = rows.offset - rows.begins;
            let passed = std::io::copy(&mut stream.by_ref().take(before), &mut std::io::sink());
            assert_eq!(passed.unwrap(), before);
            read(Box::new(stream.take(rows.bytes)));
            assert_eq!(text.len() as u64, rows.bytes);
            return text;
        }
        Format::Custom => {
            let data = std::io::Cursor::new(block(bytes_from(backup, span)));
            match manifest.packing {
                Packing::None => read(Box::new(data)),
                _ => read(Box::new(ZlibDecoder::new(data))),
            };
        }
        Format::Tar => drop(read(bytes_from(backup, span))),
        Format::Directory => {
            let raw = bytes_from(&backup.join(file), span);
            match file.ends_with(".gz") {
                true => read(Box::new(GzDecoder::new(raw))),
                false => read(raw),
            };
        }
    }
    text.strip_suffix(b"\\.\n\n\n").unwrap().to_vec()
}

fn read_by_spans(backup: &Path, manifest: &Manifest, table: &Table) -> TableFingerprint {
    assert!(!table.spans.is_empty(), "{} has no place", table.display_name());
    let print = |span| {
        let mut hasher = RowHasher::new();
        hasher.update(&rows(backup, manifest, span));
        hasher.finish()
    };
    table.spans.iter().map(print).sum()
}

#[test]
fn every_table_is_read_by_its_place_alone_from_every_format() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    for (args, name) in [
        (&["a.sql", "--compress=none"][..], "a.sql"),
        (&["a.sql", "--compress=gzip"], "a.sql.gz"),
        (&["a.sql", "--compress=zstd"], "a.sql.zst"),
        (&["a", "--format=custom"], "a.dump"),
        (&["b", "--format=custom", "--compress=none"], "b.dump"),
        (&["a", "--format=tar"], "a.tar"),
        (&["a", "--format=directory"], "a.dir"),
        (&["b", "--format=directory", "--compress=none"], "b.dir"),
    ] {
        let manifest = created(&place, database, args, name);
        let path = place.dir().join(name);
        assert_eq!(manifest.contents.tables.len(), 25);
        for table in &manifest.contents.tables {
            let read = read_by_spans(&path, &manifest, table);
            assert_eq!(read, table.fingerprint, "{name}: {}", table.display_name());
        }
    }
}

#[test]
fn a_table_far_into_a_packed_dump_is_read_from_a_member_near_it() {
    let (place, database) = (Place::without_docker(), database());
    database.sql(
        "CREATE TABLE wide AS SELECT i, md5(i::text) || md5((i + 1)::text) AS text
         FROM generate_series(1, 60000) i;
         CREATE TABLE zebra AS SELECT 1 AS i",
    );
    for (codec, name) in [("gzip", "a.sql.gz"), ("zstd", "a.sql.zst")] {
        let manifest = created(&place, &database, &["a.sql", "--compress", codec], name);
        let last = manifest.contents.tables.iter().max_by_key(|table| table.spans[0].offset);
        let (last, path) = (last.unwrap(), place.dir().join(name));
        let rows = last.spans[0].rows.unwrap();
        assert!(last.spans[0].offset > 0 && rows.offset - rows.begins <= 1 << 20, "{last:?}");
        for table in &manifest.contents.tables {
            assert_eq!(read_by_spans(&path, &manifest, table), table.fingerprint, "{codec}");
        }
    }
}
